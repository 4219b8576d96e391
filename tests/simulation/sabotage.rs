//! The broken elements of the canaries: what they do, the checks have to notice.

use std::collections::BTreeSet;

use bytes::Bytes;
use hither_protocol::motion::frame::{self, FrameHeader};
use hither_protocol::motion::upward::Ack;
use hither_protocol::varint::Reader;
use hither_protocol::{RoomHandle, Tick};
use rand::RngExt;
use rand::rngs::StdRng;

use hither_tests::net::StreamId;
use hither_tests::server::{CONTROL, ConnectionId};

/// What is broken in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No frame reaches a viewer that repeats an earlier one.
    RepeatsSwallowed,
    /// For each frame that is lost, the server hears an ack.
    AcksForged,
    /// A message of a control lane is lost now and then.
    ControlLost,
    /// A message of an edits lane is lost now and then.
    EditsLost,
}

/// Does it.
#[derive(Debug, Default)]
pub(crate) struct Saboteur {
    fault: Option<Fault>,
    frames: BTreeSet<(ConnectionId, RoomHandle, Tick)>,
}

impl Saboteur {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault: Some(fault), frames: BTreeSet::new() }
    }

    /// Whether a message of the server's is lost, which is not what a stream does.
    pub(crate) fn loses_message(&self, rng: &mut StdRng, stream: StreamId) -> bool {
        let lane = match self.fault {
            Some(Fault::ControlLost) => stream == CONTROL,
            Some(Fault::EditsLost) => stream != CONTROL,
            _ => return false,
        };
        lane && rng.random_bool(0.02)
    }

    /// Whether a frame is kept from its viewer.
    pub(crate) fn swallows(&mut self, id: ConnectionId, datagram: &[u8]) -> bool {
        self.fault == Some(Fault::RepeatsSwallowed)
            && header(datagram)
                .is_some_and(|header| !self.frames.insert((id, header.room, header.tick)))
    }

    /// An ack of a lost frame's first part.
    pub(crate) fn forged_ack(&self, datagram: &[u8]) -> Option<Bytes> {
        if self.fault != Some(Fault::AcksForged) {
            return None;
        }
        let header = header(datagram)?;
        let mut out = Vec::new();
        Ack { room: header.room, tick: header.tick, parts: 1 }.put(&mut out);
        Some(Bytes::from(out))
    }
}

fn header(datagram: &[u8]) -> Option<FrameHeader> {
    let mut reader = Reader::new(datagram);
    (reader.u8() == Ok(frame::KIND)).then(|| FrameHeader::read(&mut reader).ok())?
}
