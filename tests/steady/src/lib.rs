//! A room in its steady state: everybody is in, mice move and rest, frames are decoded and acked a moment later. What
//! is counted of it, allocations in tests/allocations.rs and instructions by the binary, needs no other crates than
//! core and protocol, so that it is built fast and is the same in every run.

#![expect(clippy::expect_used, reason = "a crowd whose frames can't be read is a failed test")]

mod mouse;

use std::time::Duration;

use bytes::Bytes;
use hither_core::{NewMember, Output, Room, RoomId, RoomPolicy};
use hither_protocol::message::control::Viewport;
use hither_protocol::motion::View;
use hither_protocol::motion::frame::{FrameHeader, KIND};
use hither_protocol::motion::upward::{Ack, Sample};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, RoomHandle, Slot, Timestamp};

pub use mouse::Mouse;

const ROOM: RoomHandle = RoomHandle(7);
const EPOCH: Epoch = Epoch(1);
/// When the room begins.
const START: Timestamp = Timestamp::from_millis(1_000_000);
/// How long before a tick the acks of the frames of the tick before are in.
const ACKED_BEFORE: Duration = Duration::from_millis(13);

/// Who is in a room.
#[derive(Clone, Copy, Debug, Default)]
pub struct Company {
    /// How many members.
    pub members: usize,
    /// How many of them, the first ones, have a viewport of about a seventh of the screen.
    pub viewports: usize,
    /// How many frames an ack is lost of, one in each so many; 0 if none is.
    pub ack_lost_in: usize,
}

/// A room and the clients of its members.
#[derive(Debug)]
pub struct Crowd {
    company: Company,
    room: Room,
    tick: u32,
    mice: Vec<Mouse>,
    views: Vec<View>,
    samples: Vec<Sample>,
    frames: Vec<(Slot, Bytes)>,
    acks: Vec<(Slot, Ack)>,
}

impl Crowd {
    /// A room that everybody has just joined.
    pub fn new(company: Company) -> Self {
        let members = company.members;
        let name = "steady:room".parse().expect("a name");
        let id = RoomId { name, handle: ROOM, epoch: EPOCH };
        let policy = RoomPolicy::default();
        let format = policy.format();
        let mut room = Room::new(id, policy, START, Duration::ZERO);
        for _ in 0..members {
            let slot = room.handle_join(START, 1, NewMember::default()).expect("room for all");
            while room.poll_roster(slot).is_some() {}
        }
        while room.poll_output().is_some() {}
        let mut crowd = Self {
            company,
            room,
            tick: 0,
            mice: (0..members as u64).map(Mouse::new).collect(),
            views: (0..members).map(|_| View::new(format, EPOCH)).collect(),
            samples: Vec::with_capacity(members),
            // What the crowd itself allocates is not to be counted.
            frames: Vec::with_capacity(members * 8),
            acks: Vec::with_capacity(members * 8),
        };
        crowd.look(viewport);
        crowd
    }

    /// So many ticks pass.
    pub fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.move_mice();
            self.run_tick();
            self.show_frames();
        }
    }

    /// Those with a viewport look elsewhere.
    pub fn look(&mut self, at: impl Fn(usize) -> Viewport) {
        for index in 0..self.company.viewports {
            self.room.handle_viewport(Slot(index as u16), Some(at(index)), None);
        }
    }

    /// The next tick begins: each mouse says where it is.
    pub fn move_mice(&mut self) {
        self.tick += 1;
        self.frames.clear();
        self.samples.clear();
        let number = self.tick;
        let samples = self.mice.iter_mut().map(|mouse| {
            let position = mouse.at(number);
            Sample { room: ROOM, number, position }
        });
        self.samples.extend(samples);
    }

    /// What the server does of it: the acks and the samples come in, and what is due by then goes out.
    pub fn run_tick(&mut self) {
        let hz = u64::from(self.room.policy().motion.tick_hz);
        // A little late, as timers are.
        let micros = u64::from(self.tick) * 1_000_000 / hz + 500;
        let now = START + Duration::from_micros(micros);
        self.run_until(now - ACKED_BEFORE);
        for (slot, ack) in self.acks.drain(..) {
            self.room.handle_ack(now - ACKED_BEFORE, slot, &ack);
        }
        for (slot, sample) in (0..).map(Slot).zip(&self.samples) {
            self.room.handle_sample(slot, sample);
        }
        self.run_until(now);
        self.room.handle_tick_took(Duration::ZERO);
    }

    /// What the clients do: each decodes its frames. Their acks come in with the next tick.
    pub fn show_frames(&mut self) {
        let Company { viewports, ack_lost_in, .. } = self.company;
        let mut last: Option<(&Bytes, Ack)> = None;
        for (index, (slot, datagram)) in self.frames.iter().enumerate() {
            // Where no ack is lost, whoever sees everybody has seen the same: one decodes for all.
            let shares = ack_lost_in == 0 && slot.index() >= viewports;
            let ack = match last.filter(|(shown, _)| shares && shown.as_ptr() == datagram.as_ptr())
            {
                Some((_, ack)) => ack,
                None => {
                    let view = if shares { viewports } else { slot.index() };
                    show(&mut self.views[view], datagram)
                }
            };
            last = Some((datagram, ack));
            if ack_lost_in == 0 || !(index + self.tick as usize).is_multiple_of(ack_lost_in) {
                self.acks.push((*slot, ack));
            }
        }
    }

    /// What went out in the tick, and to whom.
    pub fn frames(&self) -> &[(Slot, Bytes)] {
        &self.frames
    }

    fn run_until(&mut self, now: Timestamp) {
        while let Some(due) = self.room.poll_timeout().filter(|due| *due <= now) {
            self.room.handle_timeout(due);
            while let Some(output) = self.room.poll_output() {
                if let Output::Datagram(slot, bytes) = output {
                    self.frames.push((slot, bytes));
                }
            }
        }
    }
}

/// Decodes a datagram; returns its ack.
fn show(view: &mut View, datagram: &Bytes) -> Ack {
    let mut reader = Reader::new(&datagram[1..]);
    assert_eq!(reader.u8(), Ok(KIND));
    let header = FrameHeader::read(&mut reader).expect("a header");
    let received = view.handle_frame(&header, reader, |_, _| ()).expect("a frame");
    assert!(!received.is_unusable, "nothing overtakes anything here");
    Ack { room: ROOM, tick: header.tick, parts: received.parts }
}

/// Where somebody looks: rectangles of 640 by 480 pixels, all over the screen.
pub fn viewport(index: usize) -> Viewport {
    let (left, top) = (index as i32 * 97 % 1_280, index as i32 * 61 % 600);
    Viewport { left, top, right: left + 640, bottom: top + 480 }
}
