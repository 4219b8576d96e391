//! What one WebSocket message holds (rule W2), and which motion is old: pure, without I/O.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use hither_protocol::limits::MESSAGE_BYTES_MAX;
use hither_protocol::message::edits::EditsToServer;
use hither_protocol::motion::frame::{self, FrameHeader};
use hither_protocol::varint::{self, Reader};
use hither_protocol::{CloseCode, RoomHandle};

/// Most bytes before a lane's message: the lane, and a room's handle.
pub(super) const HEADER_BYTES_MAX: usize = 1 + 5;

/// Bytes of upward motion that are still sent when more waits: samples have the ones before them again.
const UPWARD_BYTES_MAX: usize = 4 * 1024;

const CONTROL: u8 = 0;
const MOTION: u8 = 1;
const EDITS: u8 = 2;

/// A lane's message; an empty one ends a lane of control or edits (W3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Message {
    Control(Bytes),
    /// A datagram, its lane still before it, where a link has its reserved byte.
    Motion(Bytes),
    Edits(RoomHandle, Bytes),
}

impl Message {
    /// Reads what the peer sent.
    pub(super) fn read(mut bytes: Bytes) -> Result<Self, Violation> {
        let mut reader = Reader::new(&bytes);
        let message = match reader.u8() {
            Ok(MOTION) => return Ok(Self::Motion(bytes)),
            Ok(CONTROL) => {
                bytes.advance(1);
                Self::Control(bytes)
            }
            Ok(EDITS) => {
                let room = reader.u32().map_err(|_| Violation("a room's handle is cut short"))?;
                let header = bytes.len() - reader.into_rest().len();
                bytes.advance(header);
                Self::Edits(RoomHandle(room), bytes)
            }
            Ok(_) => return Err(Violation("a message of an unknown lane")),
            Err(_) => return Err(Violation("an empty message")),
        };
        Ok(message)
    }

    /// Whether it is longer than a lane's message may be.
    pub(super) fn is_too_long(&self) -> bool {
        matches!(self, Self::Control(message) | Self::Edits(_, message) if message.len() > MESSAGE_BYTES_MAX)
    }

    /// Its bytes for the peer.
    pub(super) fn put(&self) -> Bytes {
        let (mut out, message) = match self {
            Self::Control(message) => (vec![CONTROL], message),
            Self::Motion(datagram) => (vec![MOTION], datagram),
            Self::Edits(room, message) => {
                let mut out = vec![EDITS];
                varint::put_u32(&mut out, room.0);
                (out, message)
            }
        };
        out.extend_from_slice(message);
        out.into()
    }
}

/// How a peer broke the binding; it is closed with [`CloseCode::Malformed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Violation(pub(super) &'static str);

impl Violation {
    pub(super) const CODE: CloseCode = CloseCode::Malformed;
}

/// The room whose document the first message of an edits lane opens; 0 for another message, which the server refuses.
pub(super) fn room_of(message: &[u8]) -> RoomHandle {
    match EditsToServer::decode(message) {
        Ok(Some(EditsToServer::Open(open))) => open.room,
        _ => RoomHandle(0),
    }
}

/// Of the datagrams that wait for a viewer, those of each room's newest tick, in their order; the rest is old.
pub(super) fn newest_downward(waiting: &mut Vec<Bytes>) {
    let tick_of = |datagram: &Bytes| {
        let mut reader = Reader::new(datagram);
        let is_frame = reader.u8() == Ok(frame::KIND);
        let header = is_frame.then(|| FrameHeader::read(&mut reader).ok())??;
        Some((header.room, header.tick))
    };
    // The last one queued is the newest: ticks of a room never fall, but for another epoch of it.
    let newest: BTreeMap<_, _> = waiting.iter().filter_map(tick_of).collect();
    waiting.retain(|datagram| {
        tick_of(datagram).is_none_or(|(room, tick)| newest.get(&room) == Some(&tick))
    });
}

/// Of the datagrams that wait for the server, the newest few.
pub(super) fn newest_upward(waiting: &mut Vec<Bytes>) {
    let mut left = UPWARD_BYTES_MAX;
    let fits = |datagram: &&Bytes| {
        let room = left.checked_sub(datagram.len());
        left = room.unwrap_or_default();
        room.is_some()
    };
    let kept = waiting.iter().rev().take_while(fits).count();
    waiting.drain(..waiting.len() - kept);
}

#[cfg(test)]
mod tests {
    use hither_protocol::Tick;

    use super::*;

    #[test]
    fn w2_a_message_names_its_lane_and_edits_their_room() {
        let some = Bytes::from_static(b"\x01x");
        for (message, bytes) in [
            (Message::Control(some.clone()), &b"\0\x01x"[..]),
            (Message::Edits(RoomHandle(300), some.clone()), b"\x02\xac\x02\x01x"),
            (Message::Edits(RoomHandle(7), Bytes::new()), b"\x02\x07"),
            (Message::Control(Bytes::new()), b"\0"),
        ] {
            assert_eq!(message.put(), bytes);
            assert_eq!(Message::read(Bytes::from_static(bytes)), Ok(message));
        }
        assert_eq!(Message::Motion(some.clone()).put(), b"\x01\x01x"[..]);
        let read = Message::read(Bytes::from_static(b"\x01\x01x"));
        assert_eq!(read, Ok(Message::Motion(Bytes::from_static(b"\x01\x01x"))));
    }

    #[test]
    fn w2_what_names_no_lane_is_malformed() {
        for bytes in
            [&b""[..], b"\x03x", b"\xff", b"\x02", b"\x02\x80", b"\x02\xff\xff\xff\xff\xff"]
        {
            assert!(Message::read(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn f1_a_message_has_its_bound_behind_its_header() {
        let message = |bytes| Message::Edits(RoomHandle(u32::MAX), vec![0; bytes].into());
        assert!(!message(MESSAGE_BYTES_MAX).is_too_long());
        assert_eq!(message(MESSAGE_BYTES_MAX).put().len(), MESSAGE_BYTES_MAX + HEADER_BYTES_MAX);
        assert!(message(MESSAGE_BYTES_MAX + 1).is_too_long());
    }

    fn part(room: u32, tick: u32, body: u8) -> Bytes {
        let mut out = Vec::new();
        FrameHeader { room: RoomHandle(room), epoch_check: 0, tick: Tick(tick) }.put(&mut out);
        out.push(body);
        out.into()
    }

    #[test]
    fn w4_of_what_waits_only_the_newest_tick_of_each_room_goes() {
        let (odd, cut) = (Bytes::from_static(b"\x07"), Bytes::from_static(b"\x01"));
        let mut waiting = vec![
            part(1, 5, 0),
            part(2, 9, 0),
            odd.clone(),
            part(1, 6, 0),
            cut.clone(),
            part(1, 7, 0),
            part(1, 7, 1),
        ];
        newest_downward(&mut waiting);
        assert_eq!(waiting, [part(2, 9, 0), odd, cut, part(1, 7, 0), part(1, 7, 1)]);
    }

    #[test]
    fn w4_of_what_waits_upward_the_newest_goes() {
        let datagram = |n: u8| Bytes::from(vec![n; 1_000]);
        let mut waiting: Vec<Bytes> = (0..9).map(datagram).collect();
        newest_upward(&mut waiting);
        assert_eq!(waiting, [5, 6, 7, 8].map(datagram));
        newest_upward(&mut waiting);
        assert_eq!(waiting.len(), 4);
    }
}
