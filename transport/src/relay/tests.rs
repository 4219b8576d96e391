//! The relay between real sockets on loopback, apart from its decisions, which `path` tests without any.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::*;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn socket() -> UdpSocket {
    UdpSocket::bind(ANY).await.unwrap()
}

/// The next datagram, and where it came from.
async fn next(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 100];
    let received = timeout(Duration::from_secs(10), socket.recv_from(&mut buffer)).await;
    let (length, from) = received.expect("a datagram in time").unwrap();
    (buffer[..length].to_vec(), from)
}

async fn until(done: impl Fn() -> bool) {
    let polled = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), polled).await.expect("it happens in time");
}

/// Two clients, each seen by the server under a port of its own, and answered each.
#[tokio::test]
async fn clients_reach_the_server_and_are_answered() {
    let (server, clients) = (socket().await, [socket().await, socket().await]);
    let relay = Relay::bind(ANY, server.local_addr().unwrap(), 1, Impairment::default()).unwrap();
    let mut ports = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        client.send_to(&[number as u8], relay.local_addr()).await.unwrap();
        let (datagram, from) = next(&server).await;
        assert_eq!(datagram, [number as u8]);
        ports.push(from);
    }
    assert_ne!(ports[0], ports[1]);
    for (client, port) in clients.iter().zip(&ports).rev() {
        server.send_to(&port.port().to_be_bytes(), port).await.unwrap();
        let (datagram, from) = next(client).await;
        assert_eq!((datagram, from), (port.port().to_be_bytes().to_vec(), relay.local_addr()));
    }
    assert_eq!(relay.clients(), clients.map(|client| client.local_addr().unwrap()));
    let stats = relay.stats();
    assert_eq!((stats.up.forwarded, stats.down.forwarded, stats.refused), (2, 2, 0));
}

/// Impairment, cut and rebinding while the client goes on. What was lost is known by what comes next.
#[tokio::test]
async fn a_path_is_changed_while_it_is_used() {
    let (server, client) = (socket().await, socket().await);
    let all_lost = Impairment { loss: 1.0, ..Impairment::default() };
    let relay = Relay::bind(ANY, server.local_addr().unwrap(), 1, all_lost).unwrap();
    let send = async |number| client.send_to(&[number], relay.local_addr()).await.unwrap();
    send(1).await;
    until(|| relay.stats().up.lost > 0).await;
    let slow = Impairment { delay: Duration::from_millis(20), ..Impairment::default() };
    relay.set_impairment(slow);
    let before = tokio::time::Instant::now();
    send(2).await;
    let (datagram, first_port) = next(&server).await;
    assert_eq!(datagram, [2]);
    assert!(before.elapsed() >= Duration::from_millis(20));

    relay.set_impairment(Impairment::default());
    let address = client.local_addr().unwrap();
    relay.cut(address, Duration::from_secs(3_600));
    send(3).await;
    until(|| relay.stats().up.lost > 1).await;
    relay.cut(address, Duration::ZERO);
    send(4).await;
    assert_eq!(next(&server).await, (vec![4], first_port));

    relay.rebind(address);
    send(5).await;
    let (datagram, port) = next(&server).await;
    assert_eq!(datagram, [5]);
    assert_ne!(port, first_port);
    server.send_to(&[6], port).await.unwrap();
    assert_eq!(next(&client).await.0, [6]);
    assert_eq!(relay.clients(), [address]);
}

#[tokio::test]
async fn too_many_clients_are_refused_and_counted() {
    let server = socket().await;
    let relay = Relay::bind(ANY, server.local_addr().unwrap(), 1, Impairment::default()).unwrap();
    for number in 0..=CLIENTS_MAX {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, number as u16 + 1));
        assert_eq!(relay.shared.client(address).is_some(), number < CLIENTS_MAX);
    }
    assert_eq!((relay.clients().len(), relay.stats().refused), (CLIENTS_MAX, 1));
}
