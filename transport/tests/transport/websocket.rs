//! What a WebSocket has of its own: lanes that are messages, motion that never waits, and peers that break the rules.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hither_protocol::message::edits::{EditsToServer, Open};
use hither_protocol::message::{FrameBuffer, frame};
use hither_protocol::motion::frame::FrameHeader;
use hither_protocol::{RoomHandle, Tick};
use hither_transport::websocket::Socket;
use hither_transport::{Closed, IDLE_TIMEOUT, Link, RecvStream, SendStream, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::{Ends, accept_websocket, connect, datagram, read_all, within};

/// A server's link, and a client that says what it is told to. `receive_bytes` is what its kernel takes unread.
async fn raw(receive_bytes: Option<u32>) -> (Link, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    within(async {
        tokio::join!(
            async {
                let (stream, _) = listener.accept().await.unwrap();
                accept_websocket(Socket::plain(stream).unwrap()).await
            },
            async {
                let socket = TcpSocket::new_v4().unwrap();
                if let Some(bytes) = receive_bytes {
                    socket.set_recv_buffer_size(bytes).unwrap();
                }
                let stream = socket.connect(address).await.unwrap();
                client_async("ws://hither/hither/1", stream).await.unwrap().0
            },
        )
    })
    .await
}

fn binary(bytes: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(bytes))
}

/// What comes next that is no ping.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    loop {
        match within(socket.next()).await.unwrap().unwrap() {
            Message::Ping(_) => {}
            message => return message,
        }
    }
}

/// The code of the close that comes next.
async fn close_code(socket: &mut WebSocketStream<TcpStream>) -> u16 {
    match next(socket).await {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("not a close with a code: {other:?}"),
    }
}

fn open(room: u32) -> Bytes {
    let open = Open { room: RoomHandle(room), ..Open::default() };
    EditsToServer::Open(open).encode()
}

struct Lane {
    send: SendStream,
    recv: RecvStream,
    buffer: FrameBuffer,
}

impl Lane {
    fn new((send, recv): (SendStream, RecvStream)) -> Self {
        Self { send, recv, buffer: FrameBuffer::default() }
    }

    async fn say(&mut self, message: &[u8]) {
        self.send.write_chunk(frame(message)).await.unwrap();
    }

    /// `None` at the end of the lane.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.buffer.pop().unwrap() {
                return Some(message);
            }
            let chunk = within(self.recv.read_chunk(9_000)).await.unwrap()?;
            self.buffer.push(&chunk);
        }
    }
}

/// Both ends of the next stream of a client, on which `first` is said.
async fn lane(ends: &Ends, first: &[u8]) -> (Lane, Lane) {
    let mut client = Lane::new(ends.client.open_stream().await.unwrap());
    client.send.write_all(first).await.unwrap();
    let mut server = Lane::new(within(ends.server.accept_stream()).await.unwrap());
    assert_eq!(frame(&server.next().await.unwrap()), first);
    (client, server)
}

#[tokio::test]
async fn w2_lanes_carry_messages_both_ways_and_stay_apart() {
    let ends = connect(Transport::WebSocket).await;
    let long = vec![7; hither_protocol::limits::MESSAGE_BYTES_MAX];
    let mut lanes = vec![lane(&ends, &frame(b"hello")).await];
    for room in 1..=19 {
        lanes.push(lane(&ends, &open(room)).await);
    }
    for (client, server) in &mut lanes {
        for message in [&b"a"[..], &long, b"b"] {
            let talk = async {
                tokio::join!(client.say(message), server.say(message));
                (client.next().await, server.next().await)
            };
            let (back, there) = within(talk).await;
            assert_eq!((&back.unwrap()[..], &there.unwrap()[..]), (message, message));
        }
    }
}

#[tokio::test]
async fn w3_a_lane_ends_both_ways_and_the_next_one_of_its_room_is_another() {
    let ends = connect(Transport::WebSocket).await;
    let _control = lane(&ends, &frame(b"hello")).await;
    for _ in 0..40 {
        let (mut client, mut server) = lane(&ends, &open(7)).await;
        client.send.finish();
        // The next lane opens while the server has more to say on the one before.
        let (mut next, mut next_server) = lane(&ends, &open(7)).await;
        assert_eq!(server.next().await, None);
        server.say(b"the last of the first").await;
        assert_eq!(client.next().await.unwrap(), b"the last of the first"[..]);
        server.send.finish();
        assert_eq!(client.next().await, None);
        next_server.say(b"the second").await;
        assert_eq!(next.next().await.unwrap(), b"the second"[..]);
        // Now the server ends it first.
        next_server.send.finish();
        assert_eq!(next.next().await, None);
        next.send.finish();
        assert_eq!(next_server.next().await, None);
    }
}

#[tokio::test]
async fn w3_the_end_of_the_control_lane_arrives() {
    let ends = connect(Transport::WebSocket).await;
    let (mut client, mut server) = lane(&ends, &frame(b"hello")).await;
    client.send.finish();
    assert_eq!(server.next().await, None);
    server.say(b"bye").await;
    server.send.finish();
    assert_eq!(read_all(&mut client.recv).await, *frame(b"bye"));
}

#[tokio::test]
async fn w3_what_comes_on_a_lane_that_the_server_has_ended_is_dropped() {
    let (server, mut socket) = raw(None).await;
    socket.send(binary(b"\0hello")).await.unwrap();
    socket.send(binary(b"\x02\x07open")).await.unwrap();
    let _control = server.accept_stream().await.unwrap();
    drop(within(server.accept_stream()).await.unwrap());
    assert_eq!(next(&mut socket).await, binary(b"\x02\x07"));
    for message in [&b"\x02\x07late"[..], b"\x02\x07", b"\x02\x07open again"] {
        socket.send(binary(message)).await.unwrap();
    }
    let mut lane = Lane::new(within(server.accept_stream()).await.unwrap());
    assert_eq!(lane.next().await.unwrap(), b"open again"[..]);
}

#[tokio::test]
async fn w5_who_breaks_the_binding_is_closed_with_its_code() {
    let long = hither_protocol::limits::MESSAGE_BYTES_MAX;
    let edits = |room: u8| binary(&[2, room, 1]);
    let lanes = [binary(b"\0hello")].into_iter().chain((1..=20).map(edits)).collect();
    for (messages, code) in [
        (vec![Message::text("hello")], 4_001),
        (vec![binary(b"\x03x")], 4_001),
        (vec![binary(b"")], 4_001),
        (vec![binary(b"\x02\xff\xff")], 4_001),
        (vec![edits(7)], 4_001),
        (lanes, 4_001),
        (vec![binary(&vec![0; long + 2])], 4_004),
        (vec![binary(&vec![1; 10 << 20])], 4_004),
    ] {
        let (server, mut socket) = raw(None).await;
        let name = format!("{:.60?}", messages.last());
        for message in messages {
            // It may be closed before the last byte is written.
            let _ = socket.send(message).await;
        }
        assert!(matches!(within(server.closed()).await, Closed::Broken(_)), "{name}");
        if code == 4_001 {
            assert_eq!(close_code(&mut socket).await, code, "{name}");
        }
    }
    let (_server, mut socket) = raw(None).await;
    socket.send(binary(&vec![0; long + 2])).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 4_004);
}

#[tokio::test]
async fn w5_a_message_over_its_bound_is_refused_by_its_head() {
    let (server, mut socket) = raw(None).await;
    // A masked binary frame of 2^40 bytes, of which none comes.
    let head = [&[0x82, 0xff][..], &(1u64 << 40).to_be_bytes(), &[1, 2, 3, 4]].concat();
    socket.get_mut().write_all(&head).await.unwrap();
    assert!(matches!(within(server.closed()).await, Closed::Broken(_)));
    assert_eq!(close_code(&mut socket).await, 4_004);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_broken() {
    let (server, socket) = raw(None).await;
    drop(socket);
    assert!(matches!(within(server.closed()).await, Closed::Broken(_)));
}

#[tokio::test]
async fn w6_who_is_not_heard_for_two_and_a_half_seconds_is_gone() {
    let (server, socket) = raw(None).await;
    let began = Instant::now();
    assert_eq!(within(server.closed()).await, Closed::TimedOut);
    let after = began.elapsed();
    assert!(after >= IDLE_TIMEOUT - Duration::from_millis(100), "{after:?}");
    drop(socket);
}

#[tokio::test]
async fn w6_pings_keep_a_silent_link_and_measure_its_round_trip() {
    let ends = connect(Transport::WebSocket).await;
    tokio::time::sleep(2 * IDLE_TIMEOUT).await;
    for link in [&ends.client, &ends.server] {
        assert!(link.round_trip().is_some_and(|time| time < Duration::from_secs(1)));
        link.send_datagram(datagram(b"still here")).unwrap();
    }
    assert_eq!(within(ends.client.recv_datagram()).await.unwrap(), b"still here"[..]);
}

#[tokio::test]
async fn w6_a_message_that_takes_longer_is_heard_all_the_same() {
    let (server, socket) = raw(None).await;
    let mut stream = socket.into_inner();
    // A masked frame on the control lane, byte by byte over more than the timeout; the mask is 0.
    stream.write_all(&[0x82, 0x80 | 8, 0, 0, 0, 0]).await.unwrap();
    for byte in *b"\0message" {
        stream.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(IDLE_TIMEOUT / 5).await;
    }
    let mut lane = Lane::new(within(server.accept_stream()).await.unwrap());
    assert_eq!(lane.next().await.unwrap(), b"message"[..]);
}

#[tokio::test]
async fn w6_who_takes_what_is_sent_slowly_is_heard_though_it_says_nothing() {
    let (server, socket) = raw(Some(4 * 1024)).await;
    let mut stream = socket.into_inner();
    stream.write_all(&[0x82, 0x80 | 2, 0, 0, 0, 0, 0, 1]).await.unwrap();
    let mut lane = Lane::new(within(server.accept_stream()).await.unwrap());
    let write = async {
        loop {
            lane.say(&[7; 60_000]).await;
        }
    };
    // Pings are read after what is before them, and never answered.
    let read = async {
        let until = Instant::now() + 2 * IDLE_TIMEOUT;
        while Instant::now() < until {
            stream.read_exact(&mut [0; 2_000]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let none_ends = async {
        tokio::select! {
            closed = server.closed() => panic!("{closed}"),
            () = write => {}
            () = read => {}
        }
    };
    within(none_ends).await;
}

/// One datagram of a tick of a room: half a packet.
fn part(tick: u32) -> Bytes {
    let mut out = vec![hither_transport::RESERVED];
    FrameHeader { room: RoomHandle(1), epoch_check: 0, tick: Tick(tick) }.put(&mut out);
    out.resize(600, 0);
    out.into()
}

#[tokio::test]
async fn w4_a_viewer_that_does_not_read_gets_no_stale_motion_and_costs_no_memory() {
    const TICKS: u32 = 2_000;
    let (server, socket) = raw(Some(4 * 1024)).await;
    let (mut sink, mut source) = socket.split();
    for tick in 0..TICKS {
        server.send_datagram(part(tick)).unwrap();
        assert!(server.unsent_datagram_bytes() <= 33 * 1024);
        tokio::task::yield_now().await;
        if tick % 200 == 0 {
            // It does not read, but it lives.
            sink.send(Message::Pong(Bytes::new())).await.unwrap();
        }
    }
    let mut seen = Vec::new();
    let read = async {
        while seen.last() != Some(&(TICKS - 1)) {
            let Message::Binary(message) = source.next().await.unwrap().unwrap() else { continue };
            let mut reader = hither_protocol::varint::Reader::new(&message[2..]);
            seen.push(FrameHeader::read(&mut reader).unwrap().tick.0);
        }
    };
    within(read).await;
    assert!(seen.is_sorted());
    // Those that the kernels held when the viewer began to read, and then at once the newest.
    let stale = seen.len() - 1;
    assert!(stale * 600 < 24 * 1024, "{stale} of {TICKS} ticks were stale");
    let stats = server.stats();
    assert_eq!(stats.datagrams_sent, seen.len() as u64);
    assert_eq!(stats.datagrams_sent + stats.datagrams_dropped, u64::from(TICKS));
}

#[tokio::test]
async fn w4_motion_passes_a_lane_that_is_full() {
    let ends = connect(Transport::WebSocket).await;
    let _control = lane(&ends, &frame(b"hello")).await;
    let (_client, mut server) = lane(&ends, &open(1)).await;
    // Nobody reads this lane; its windows are full then.
    let message = vec![7; 60_000];
    let write = async {
        loop {
            server.say(&message).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), write).await.is_err());
    // What fills the one TCP stream holds up what comes behind it, but not what goes the other way.
    ends.client.send_datagram(datagram(b"up")).unwrap();
    assert_eq!(within(ends.server.recv_datagram()).await.unwrap(), b"up"[..]);
}

#[tokio::test]
async fn a_close_arrives_though_nothing_is_read() {
    let (server, socket) = raw(Some(4 * 1024)).await;
    let mut stream = socket.into_inner();
    stream.write_all(&[0x82, 0x80 | 2, 0, 0, 0, 0, 0, 1]).await.unwrap();
    let mut lane = Lane::new(within(server.accept_stream()).await.unwrap());
    let write = async {
        loop {
            lane.say(&[7; 60_000]).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), write).await.is_err());
    server.close(4_202, "too slow");
    assert_eq!(server.closed().await, Closed::Local);
    // The bridge gives up though its peer takes nothing, and the stream ends.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let end = within(stream.read_to_end(&mut Vec::new())).await;
    assert!(
        end.is_ok() || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
}
