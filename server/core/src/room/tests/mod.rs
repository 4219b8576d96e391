//! Stories of one room: clients that are fed what the room says to them, and a clock that the test moves.

mod crowd;
mod edits;
mod events;
mod interest;
mod motion;
mod pace;
mod presence;
mod repeats;
mod resume;
mod roster;

use std::collections::BTreeMap;

use hither_protocol::message::control::{Diff, Hello, MotionFormat};
use hither_protocol::motion::Position;
use hither_protocol::session::{Event as ClientEvent, Session, Transmit};

use super::*;
use crate::policy::RoomPolicy;

const HANDLE: RoomHandle = RoomHandle(7);
const EPOCH: Epoch = Epoch(0x1_23ab);

/// A room and the clients of its members.
struct Stage {
    room: Room,
    now: Timestamp,
    seats: BTreeMap<Slot, Seat>,
    stored: Vec<LoggedEdit>,
    kept: Vec<KeptEvent>,
    /// Every control message, encoded, with whom it was for.
    control: Vec<(Recipient, Bytes)>,
}

/// One member's client, and what the room said to it since the test last asked.
struct Seat {
    client: Session,
    control: Vec<ToClient>,
    edits: Vec<EditsToClient>,
    datagrams: Vec<Bytes>,
    next_sample: u32,
}

impl Stage {
    fn new(policy: RoomPolicy) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let name: RoomName = "test:room".parse().unwrap();
        let id = RoomId { name, handle: HANDLE, epoch: EPOCH };
        let room = Room::new(id, policy, now, Duration::ZERO);
        let (seats, stored) = (BTreeMap::new(), Vec::new());
        Self { room, now, seats, stored, kept: Vec::new(), control: Vec::new() }
    }

    /// A room with 20 ticks in a second.
    fn at_20_hz() -> Self {
        Self::new(RoomPolicy { motion: at_hz(20), ..RoomPolicy::default() })
    }

    /// A member joins and gets the first page of its roster.
    /// A stage with so many members who all have seen the diff of their joins.
    fn with_members(count: usize) -> Self {
        let mut stage = Self::at_20_hz();
        for number in 0..count {
            stage.join(&number.to_string());
        }
        stage.tick();
        stage
    }

    fn join(&mut self, name: &str) -> Slot {
        self.join_with(new_member(name)).unwrap()
    }

    fn join_with(&mut self, member: NewMember) -> Result<Slot, Refusal> {
        let mut client = Session::new(Hello::default(), hither_protocol::EditorId::default());
        let request = client.enter("test:room".parse().unwrap(), Map::new(), None);
        let slot = self.room.handle_join(self.now, request, member)?;
        let seat = Seat {
            client,
            control: Vec::new(),
            edits: Vec::new(),
            datagrams: Vec::new(),
            next_sample: 1,
        };
        self.seats.insert(slot, seat);
        self.drain();
        self.page(slot);
        Ok(slot)
    }

    /// Gives a member the next page of its roster; false if it has all.
    fn page(&mut self, slot: Slot) -> bool {
        let page = self.room.poll_roster(slot);
        if let Some(bytes) = &page {
            self.seats.get_mut(&slot).unwrap().tell(bytes);
        }
        page.is_some()
    }

    /// A member leaves, and its client is told of nothing more.
    fn leave(&mut self, slot: Slot) -> Seat {
        self.room.handle_leave(self.now, slot);
        self.drain();
        self.seats.remove(&slot).unwrap()
    }

    /// A member's connection is gone.
    fn lose(&mut self, slot: Slot) {
        self.room.handle_lost(slot, self.now);
        self.seats.remove(&slot);
        self.drain();
    }

    /// Goes on by some milliseconds, doing what becomes due on the way.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        for step in 0.. {
            assert!(step < 1_000, "the room hangs");
            let Some(due) = self.room.poll_timeout().filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.room.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Goes on until the room has ticked once.
    fn tick(&mut self) {
        let before = self.room.tick;
        for _ in 0..100 {
            let due = self.room.poll_timeout().expect("there is something to do");
            self.now = self.now.max(due);
            self.room.handle_timeout(self.now);
            self.drain();
            if self.room.tick != before {
                return;
            }
        }
        panic!("no tick");
    }

    /// A member moves.
    fn move_to(&mut self, slot: Slot, x: i32) {
        let seat = self.seats.get_mut(&slot).unwrap();
        let number = seat.next_sample;
        seat.next_sample += 1;
        let sample = Sample { room: HANDLE, number, position: Position::xy(x, 0) };
        self.room.handle_sample(slot, &sample);
    }

    /// The datagrams that have come to a member, which it has decoded and not acked.
    fn datagrams(&mut self, slot: Slot) -> Vec<Bytes> {
        std::mem::take(&mut self.seats.get_mut(&slot).unwrap().datagrams)
    }

    /// A member decodes and acks everything that has come.
    fn ack(&mut self, slot: Slot) -> Vec<Bytes> {
        let datagrams = self.datagrams(slot);
        for ack in self.seats.get_mut(&slot).unwrap().decode(self.now, &datagrams) {
            self.room.handle_ack(self.now, slot, &ack);
        }
        datagrams
    }

    fn ack_all(&mut self) {
        for slot in self.slots() {
            self.ack(slot);
        }
    }

    fn slots(&self) -> Vec<Slot> {
        self.seats.keys().copied().collect()
    }

    /// What a member was told on the control lane since it was last asked.
    fn told(&mut self, slot: Slot) -> Vec<ToClient> {
        std::mem::take(&mut self.seats.get_mut(&slot).unwrap().control)
    }

    fn diffs(&mut self, slot: Slot) -> Vec<Diff> {
        let diff = |message| match message {
            ToClient::Diff(diff) => Some(diff),
            _ => None,
        };
        self.told(slot).into_iter().filter_map(diff).collect()
    }

    fn told_on_edits(&mut self, slot: Slot) -> Vec<EditsToClient> {
        std::mem::take(&mut self.seats.get_mut(&slot).unwrap().edits)
    }

    /// What a member's client made of it all.
    fn view(&self, slot: Slot) -> &hither_protocol::session::Room {
        self.seats[&slot].client.room(HANDLE).unwrap()
    }

    fn client_events(&mut self, slot: Slot) -> Vec<ClientEvent> {
        let client = &mut self.seats.get_mut(&slot).unwrap().client;
        std::iter::from_fn(|| client.poll_event()).collect()
    }

    /// The slots of the members that a client knows.
    fn known(&self, slot: Slot) -> Vec<u16> {
        self.view(slot).members().map(|member| member.slot.0).collect()
    }

    fn drain(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Control(to, bytes) => {
                    self.recipients(to).for_each(|seat| seat.tell(&bytes));
                    self.control.push((to, bytes));
                }
                Output::Edits(to, bytes) => {
                    self.recipients(to).for_each(|seat| seat.tell_edits(&bytes));
                }
                Output::Datagram(to, bytes) => {
                    assert_eq!(bytes[0], 0, "the transport's byte");
                    self.recipients(Recipient::One(to))
                        .for_each(|seat| seat.datagrams.push(bytes.clone()));
                }
                Output::Store(edit) => self.stored.push(edit),
                Output::Keep(event) => self.kept.push(event),
            }
        }
    }

    fn recipients(&mut self, to: Recipient) -> impl Iterator<Item = &mut Seat> {
        let is_one = move |slot: &Slot| match to {
            Recipient::One(one) => one == *slot,
            Recipient::All => true,
        };
        self.seats.iter_mut().filter(move |(slot, _)| is_one(slot)).map(|(_, seat)| seat)
    }
}

impl Seat {
    fn tell(&mut self, bytes: &[u8]) {
        self.client.handle_control(Timestamp::default(), bytes).unwrap();
        self.control.push(ToClient::decode(after_prefix(bytes)).unwrap().unwrap());
    }

    fn tell_edits(&mut self, bytes: &[u8]) {
        self.client.handle_edits(HANDLE, bytes).unwrap();
        self.edits.push(EditsToClient::decode(after_prefix(bytes)).unwrap().unwrap());
    }

    /// Lets the client decode datagrams; returns the acks that it sends for them.
    fn decode(&mut self, now: Timestamp, datagrams: &[Bytes]) -> Vec<Ack> {
        for datagram in datagrams {
            self.client.handle_datagram(now, &datagram[1..]);
        }
        // A client may keep its acks back for a while; these stories do not wait.
        let due = self.client.poll_timeout().map_or(now, |due| due.max(now));
        let mut acks = Vec::new();
        while let Some(transmit) = self.client.poll_transmit(due) {
            let Transmit::Datagram(bytes) = transmit else { continue };
            let mut reader = hither_protocol::varint::Reader::new(&bytes[1..]);
            let mut next = || hither_protocol::motion::upward::read(&mut reader, |_| None).unwrap();
            while let Some(hither_protocol::motion::upward::Upward::Ack(ack)) = next() {
                acks.push(ack);
            }
        }
        acks
    }
}

/// Two axes at so many ticks in a second.
fn at_hz(tick_hz: u32) -> MotionFormat {
    MotionFormat { tick_hz, ..MotionFormat::default() }
}

fn new_member(name: &str) -> NewMember {
    let user = hither_protocol::message::control::User { id: name.into(), name: None };
    NewMember { user, ..NewMember::default() }
}

/// A presence of about so many bytes.
fn padded(bytes: usize) -> Map {
    Map::from([("padding".into(), "x".repeat(bytes).into())])
}

/// A message without the length before it.
fn after_prefix(framed: &[u8]) -> &[u8] {
    let prefix = framed.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    &framed[prefix..]
}
