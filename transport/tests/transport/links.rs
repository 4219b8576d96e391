//! One suite over each kind of link: what the layers above rely on, whatever carries it.

use std::time::Duration;

use crate::common::{connect, datagram, read_all};
use bytes::Bytes;
use hither_transport::{Closed, Link, ReadError, SendDatagramError, Transport, WriteError};

/// What `streams` take here are bytes, which only streams of bytes carry: a WebSocket has messages, and tests of its
/// own.
macro_rules! suite {
    (lanes: $($lane:ident),*; streams: $($test:ident),* $(,)?) => {
        suite!(memory: Memory: $($lane)* $($test)*);
        suite!(quic: Quic: $($lane)* $($test)*);
        suite!(webtransport: WebTransport: $($lane)* $($test)*);
        suite!(websocket: WebSocket: $($lane)*);
    };
    ($name:ident: $transport:ident: $($test:ident)*) => {
        mod $name { $(#[tokio::test] async fn $test() {
            crate::common::within(super::$test(hither_transport::Transport::$transport)).await;
        })* }
    };
}

suite!(
    lanes: names_its_transport,
    datagrams_go_both_ways_without_the_reserved_byte,
    datagram_at_the_limit_passes_and_over_it_is_an_error,
    close_tells_the_peer_code_and_reason,
    nothing_is_sent_or_received_after_a_close,
    dropping_the_last_clone_closes,
    dropping_an_end_closes_though_streams_are_open,
    stats_count_both_ways,
    acknowledgements_ride_on_datagrams;
    streams: full_datagram_buffer_drops_the_oldest_and_counts,
    streams_go_both_ways_and_end,
    a_stream_that_is_not_read_stops_its_writer,
    many_streams_stay_apart,
    streams_closed_make_room_for_others,
    reset_and_stop_carry_their_codes,
);

/// A whole message with its length: one that every transport carries.
const MESSAGE: &[u8] = b"\x01x";

async fn names_its_transport(transport: Transport) {
    let ends = connect(transport).await;
    for link in [&ends.server, &ends.client] {
        assert_eq!(link.transport(), transport);
        assert_eq!(link.remote_address().is_some(), transport != Transport::Memory);
    }
    assert_eq!(transport.to_string(), transport.as_str());
}

async fn datagrams_go_both_ways_without_the_reserved_byte(transport: Transport) {
    let ends = connect(transport).await;
    for (from, to) in [(&ends.client, &ends.server), (&ends.server, &ends.client)] {
        for payload in [&b"first"[..], b"", b"\0third"] {
            from.send_datagram(datagram(payload)).unwrap();
            assert_eq!(to.recv_datagram().await.unwrap(), payload);
        }
    }
}

async fn datagram_at_the_limit_passes_and_over_it_is_an_error(transport: Transport) {
    let ends = connect(transport).await;
    let max = ends.client.max_datagram_size();
    assert!(max >= hither_protocol::limits::MOTION_DATAGRAM_BYTES_MAX, "{max}");
    ends.client.send_datagram(datagram(&vec![7; max])).unwrap();
    assert_eq!(ends.server.recv_datagram().await.unwrap().len(), max);

    let max = ends.client.max_datagram_size();
    let error = ends.client.send_datagram(datagram(&vec![7; max + 1])).unwrap_err();
    assert_eq!(error, SendDatagramError::TooLarge { size: max + 1, max });
}

async fn full_datagram_buffer_drops_the_oldest_and_counts(transport: Transport) {
    let ends = connect(transport).await;
    // Nothing is awaited in this loop, so on one thread nothing leaves the buffer either.
    for number in 0..100u8 {
        ends.client.send_datagram(datagram(&[number; 1_000])).unwrap();
    }
    let dropped = ends.client.stats().datagrams_dropped;
    assert!((65..75).contains(&dropped), "32 of 100 kB fit, {dropped} dropped");
    for number in dropped..100 {
        let received = ends.server.recv_datagram().await.unwrap();
        assert_eq!(u64::from(received[0]), number);
    }
}

async fn streams_go_both_ways_and_end(transport: Transport) {
    let ends = connect(transport).await;
    let sent: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(i) / 7) as u8).collect();
    let there = async {
        let (mut send, mut recv) = ends.client.open_stream().await.unwrap();
        let (first, rest) = sent.split_at(1_000);
        send.write_all(first).await.unwrap();
        let write = async {
            send.write_chunk(Bytes::copy_from_slice(rest)).await.unwrap();
            send.finish();
        };
        // Both at a time: with all windows full, an echo comes to rest until it is read.
        let (echoed, ()) = tokio::join!(read_all(&mut recv), write);
        echoed
    };
    let back = async {
        let (mut send, mut recv) = ends.server.accept_stream().await.unwrap();
        while let Some(chunk) = recv.read_chunk(usize::MAX).await.unwrap() {
            send.write_chunk(chunk).await.unwrap();
        }
    };
    let (echoed, ()) = tokio::join!(there, back);
    assert_eq!(echoed, sent);
}

async fn a_stream_that_is_not_read_stops_its_writer(transport: Transport) {
    let ends = connect(transport).await;
    let (mut send, _recv) = ends.client.open_stream().await.unwrap();
    // More than the window of the reader and the buffer of the writer.
    let mut write = Box::pin(send.write_chunk(vec![7; 1_000_000].into()));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut write).await.is_err());

    let (_back, mut recv) = ends.server.accept_stream().await.unwrap();
    let read = async {
        let mut bytes = 0;
        while bytes < 1_000_000 {
            bytes += recv.read_chunk(usize::MAX).await.unwrap().unwrap().len();
        }
        bytes
    };
    let (read, written) = tokio::join!(read, write);
    assert_eq!((read, written), (1_000_000, Ok(())));
}

async fn many_streams_stay_apart(transport: Transport) {
    let ends = connect(transport).await;
    let mut open = Vec::new();
    for number in 0..20u8 {
        let (mut send, recv) = ends.client.open_stream().await.unwrap();
        send.write_all(&[number]).await.unwrap();
        open.push((send, recv));
    }
    for number in 0..20u8 {
        let (mut send, mut recv) = ends.server.accept_stream().await.unwrap();
        assert_eq!(recv.read_chunk(1).await.unwrap().unwrap(), [number][..]);
        send.write_all(&[number, number]).await.unwrap();
    }
    for (number, (_send, recv)) in open.iter_mut().enumerate() {
        assert_eq!(read_all(recv).await, [number as u8; 2]);
    }
}

async fn streams_closed_make_room_for_others(transport: Transport) {
    let ends = connect(transport).await;
    for number in 0..100u8 {
        let (mut send, mut recv) = ends.client.open_stream().await.unwrap();
        send.write_all(&[number]).await.unwrap();
        send.finish();
        let (theirs, mut accepted) = ends.server.accept_stream().await.unwrap();
        assert_eq!(read_all(&mut accepted).await, [number]);
        drop(theirs);
        assert_eq!(read_all(&mut recv).await, []);
    }
}

async fn reset_and_stop_carry_their_codes(transport: Transport) {
    let ends = connect(transport).await;
    let (mut send, _recv) = ends.client.open_stream().await.unwrap();
    send.write_all(b"x").await.unwrap();
    let (mut back, mut recv) = ends.server.accept_stream().await.unwrap();
    assert_eq!(recv.read_chunk(9).await.unwrap().unwrap(), b"x"[..]);

    recv.stop(4_004);
    let stopped = loop {
        match send.write_all(&[0; 1_000]).await {
            Ok(()) => tokio::task::yield_now().await, // it has not arrived yet
            Err(error) => break error,
        }
    };
    assert_eq!(stopped, WriteError::Stopped(4_004));

    back.write_all(b"y").await.unwrap();
    back.reset(4_001);
    drop(ends.client.open_stream().await.unwrap());
    let mut recv = _recv;
    let reset = loop {
        match recv.read_chunk(9).await {
            Ok(chunk) => assert_eq!(chunk.unwrap(), b"y"[..]), // it may come before the reset
            Err(error) => break error,
        }
    };
    assert_eq!(reset, ReadError::Reset(4_001));
}

async fn close_tells_the_peer_code_and_reason(transport: Transport) {
    for from_server in [true, false] {
        let ends = connect(transport).await;
        let (from, to) = match from_server {
            true => (&ends.server, &ends.client),
            false => (&ends.client, &ends.server),
        };
        from.close(4_200, "going away");
        from.close(4_001, "the first close counts");
        let told = Closed::Peer { code: 4_200, reason: "going away".into() };
        assert_eq!(to.closed().await, told);
        to.close(4_000, "neither does the other end's");
        assert_eq!(to.closed().await, told);
        assert_eq!(from.closed().await, Closed::Local);
    }
}

async fn nothing_is_sent_or_received_after_a_close(transport: Transport) {
    let ends = connect(transport).await;
    let (mut send, mut recv) = ends.client.open_stream().await.unwrap();
    send.write_all(MESSAGE).await.unwrap();
    let _theirs = ends.server.accept_stream().await.unwrap();
    ends.server.close(4_000, "");
    let gone = ends.client.closed().await;

    assert_eq!(ends.client.send_datagram(datagram(b"late")), Err(SendDatagramError::Closed));
    assert_eq!(ends.client.recv_datagram().await, Err(gone.clone()));
    assert_eq!(ends.client.open_stream().await.unwrap_err(), gone);
    assert_eq!(ends.client.accept_stream().await.unwrap_err(), gone);
    assert_eq!(send.write_all(MESSAGE).await, Err(WriteError::Closed));
    assert_eq!(recv.read_chunk(9).await, Err(ReadError::Closed));
}

async fn dropping_the_last_clone_closes(transport: Transport) {
    let mut ends = connect(transport).await;
    let (replacement, _other) = hither_transport::memory::pair();
    let clone: Link = ends.client.clone();
    drop(std::mem::replace(&mut ends.client, replacement));
    clone.send_datagram(datagram(b"still open")).unwrap();
    assert_eq!(ends.server.recv_datagram().await.unwrap(), b"still open"[..]);
    drop(clone);
    assert!(matches!(ends.server.closed().await, Closed::Peer { code: 0, .. }));
}

async fn dropping_an_end_closes_though_streams_are_open(transport: Transport) {
    let mut ends = connect(transport).await;
    let (mut send, _recv) = ends.client.open_stream().await.unwrap();
    send.write_all(MESSAGE).await.unwrap();
    let _theirs = ends.server.accept_stream().await.unwrap();
    let (replacement, _other) = hither_transport::memory::pair();
    drop(std::mem::replace(&mut ends.client, replacement));
    assert!(matches!(ends.server.closed().await, Closed::Peer { code: 0, .. }));
}

async fn stats_count_both_ways(transport: Transport) {
    let ends = connect(transport).await;
    for _ in 0..3 {
        ends.client.send_datagram(datagram(&[1; 100])).unwrap();
        ends.server.recv_datagram().await.unwrap();
    }
    let (client, server) = (ends.client.stats(), ends.server.stats());
    assert_eq!((client.datagrams_sent, server.datagrams_received), (3, 3));
    assert_eq!((server.datagrams_taken, server.datagrams_sent), (3, 0));
    assert_eq!((client.datagrams_received, client.datagrams_dropped), (0, 0));
    if transport == Transport::WebSocket {
        assert!(client.tcp_bytes_sent > 300 && server.tcp_bytes_received > 300);
    }
    if matches!(transport, Transport::Quic | Transport::WebTransport) {
        assert!(client.udp_bytes_sent > 300 && server.udp_bytes_received > 300);
        assert!(client.udp_sent >= 3 && server.udp_received >= 3 && client.packets_sent >= 3);
    }
}

async fn acknowledgements_ride_on_datagrams(transport: Transport) {
    const FRAMES: u64 = 40;
    let ends = connect(transport).await;
    let before = ends.server.stats().udp_sent;
    for _ in 0..FRAMES {
        for _ in 0..3 {
            ends.client.send_datagram(datagram(b"up")).unwrap();
            ends.server.recv_datagram().await.unwrap();
        }
        ends.server.send_datagram(datagram(b"frame")).unwrap();
        ends.client.recv_datagram().await.unwrap();
    }
    // Besides the frames: what ends the handshake, probes of the path's MTU, and ACKs of a machine that stalls.
    let sent = ends.server.stats().udp_sent - before;
    assert!(sent < FRAMES * 3 / 2, "{sent} packets for {FRAMES} frames");
}
