//! A client's session against a server that is played by hand: rosters and diffs in any order, memberships that follow
//! each other.

use std::collections::BTreeMap;

use hither_protocol::message::control::{
    self, AxisFormat, Diff, Direct, Hello, Joined, Left, Member, MotionFormat, Roster, Status,
    ToClient, ToServer,
};
use hither_protocol::message::{Map, Rights, Value};
use hither_protocol::motion::frame::{FrameHeader, FrameWriter, PartHeader};
use hither_protocol::motion::upward::{Upward, read};
use hither_protocol::motion::{Axes, Entry, Place, Position};
use hither_protocol::session::{Event, Session, Transmit};
use hither_protocol::varint::Reader;
use hither_protocol::{
    ALPN, EditorId, Epoch, Generation, PATH, RoomHandle, Slot, Tick, Timestamp, motion,
};
use proptest::collection::vec;
use proptest::prelude::*;

const ROOM: RoomHandle = RoomHandle(1);
const OWN: Slot = Slot(3);
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn member(slot: Slot, presence: Map) -> Member {
    Member { slot, presence, ..Member::default() }
}

fn tell(session: &mut Session, message: ToClient) {
    session.handle_control(NOW, &message.encode()).unwrap();
}

/// A session whose join was answered, without its roster.
fn joined(axes: u8) -> Session {
    let mut session = Session::new(Hello::default(), EditorId::default());
    join(&mut session, axes);
    session
}

fn join(session: &mut Session, axes: u8) {
    let request = session.enter("default:lobby".parse().unwrap(), Map::new(), None);
    let axes = vec![AxisFormat::default(); axes.into()];
    let motion = MotionFormat { axes, ..MotionFormat::default() };
    let (epoch, rights) = (Epoch(9), Rights::ALL);
    let joined =
        Joined { request, room: ROOM, epoch, slot: OWN, motion, rights, ..Joined::default() };
    tell(session, ToClient::Joined(joined));
}

fn roster(members: Vec<Member>, more: bool) -> ToClient {
    ToClient::Roster(Roster { room: ROOM, tick: Tick(1), members, more })
}

fn diff(diff: Diff) -> ToClient {
    ToClient::Diff(Diff { room: ROOM, tick: Tick(2), ..diff })
}

/// The samples that the session sends now.
fn samples(session: &mut Session, axes: Axes) -> Vec<(u32, Position)> {
    let mut samples = Vec::new();
    while let Some(transmit) = session.poll_transmit(NOW) {
        let Transmit::Datagram(bytes) = transmit else { continue };
        let mut reader = Reader::new(&bytes[1..]);
        while let Some(record) = read(&mut reader, |_| Some(axes)).unwrap() {
            if let Upward::Sample(sample) = record {
                samples.push((sample.number, sample.position));
            }
        }
    }
    samples
}

#[test]
fn r5_the_own_join_in_a_diff_undoes_no_patch() {
    let mut session = joined(2);
    tell(&mut session, roster(vec![member(OWN, Map::new())], false));
    let patch = Map::from([("color".into(), Value::from("red"))]);
    session.update_presence(ROOM, patch.clone());
    // The server's tick came before the patch did.
    tell(&mut session, diff(Diff { joins: vec![member(OWN, Map::new())], ..Diff::default() }));
    tell(&mut session, diff(Diff { presence: vec![(OWN, patch.clone())], ..Diff::default() }));
    assert_eq!(session.room(ROOM).unwrap().member(OWN).unwrap().presence, patch);
}

#[test]
fn r5_a_member_that_joins_but_is_known_has_changed() {
    let mut session = joined(2);
    let other = Slot(4);
    tell(&mut session, roster(vec![member(OWN, Map::new()), member(other, Map::new())], false));
    while session.poll_event().is_some() {}
    // The page was sent before a patch that came in the tick of the join.
    let presence = Map::from([("color".into(), Value::from("red"))]);
    let joins = vec![member(other, presence.clone())];
    tell(&mut session, diff(Diff { joins, ..Diff::default() }));
    assert_eq!(session.poll_event(), Some(Event::MemberChanged { room: ROOM, slot: other }));
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.room(ROOM).unwrap().member(other).unwrap().presence, presence);
}

#[test]
fn m9_numbers_of_samples_go_on_in_the_next_membership() {
    let mut session = joined(2);
    session.set_motion(NOW, ROOM, Position::xy(1, 1));
    assert_eq!(samples(&mut session, Axes::TWO), [(1, Position::xy(1, 1))]);
    tell(&mut session, ToClient::Left(Left { room: ROOM, reason: None }));
    join(&mut session, 2);
    session.set_motion(NOW, ROOM, Position::xy(2, 2));
    assert_eq!(samples(&mut session, Axes::TWO), [(2, Position::xy(2, 2))]);
}

#[test]
fn m2_axes_that_a_room_does_not_have_are_no_move() {
    let one = Axes::open(1).unwrap();
    let mut session = joined(1);
    session.set_motion(NOW, ROOM, Position::xy(5, 5));
    assert_eq!(samples(&mut session, one), [(1, Position::xy(5, 0))]);
    session.set_motion(NOW, ROOM, Position::xy(5, 6));
    assert_eq!(samples(&mut session, one), []);
}

#[test]
fn h1_hello_says_the_version() {
    let mut session = Session::new(Hello { version: 77, ..Hello::default() }, EditorId::default());
    let Some(Transmit::Control(bytes)) = session.poll_transmit(NOW) else { panic!("no hello") };
    let hello = Hello { version: 1, ..Hello::default() };
    assert_eq!(bytes, ToServer::Hello(hello).encode());
    assert_eq!((PATH, ALPN), ("/hither/1", "hither/1"));
}

#[test]
fn v3_an_event_for_this_member_alone_is_told_once_its_room_is_whole_and_not_when_it_has_left() {
    let mut session = joined(2);
    let direct = |name: &str| Direct {
        room: ROOM,
        from: Slot(4),
        generation: Generation(0),
        name: name.into(),
        data: Value::Nil,
        time_ms: 0,
    };
    let told = |session: &mut Session| -> Vec<Option<String>> {
        let name = |event| if let Event::Direct(direct) = event { Some(direct.name) } else { None };
        std::iter::from_fn(|| session.poll_event()).map(name).collect()
    };
    tell(&mut session, ToClient::Direct(direct("early")));
    tell(&mut session, roster(vec![member(OWN, Map::new())], true));
    assert_eq!(told(&mut session), []);
    tell(&mut session, roster(vec![member(Slot(4), Map::new())], false));
    assert_eq!(told(&mut session), [None, Some("early".into())], "first that it is in");
    tell(&mut session, ToClient::Direct(direct("now")));
    tell(&mut session, ToClient::Left(Left { room: ROOM, reason: None }));
    tell(&mut session, ToClient::Direct(direct("late")));
    assert_eq!(told(&mut session), [Some("now".into()), None]);
}

#[test]
fn v4_a_gap_in_the_numbers_is_signalled() {
    let mut session = joined(2);
    tell(&mut session, roster(vec![member(OWN, Map::new())], false));
    for number in [1, 2, 2, 5, 4, 6] {
        let event = control::Event {
            number,
            from: Slot(0),
            generation: Generation(0),
            name: "wave".into(),
            data: Value::Nil,
            time_ms: 0,
        };
        tell(&mut session, diff(Diff { events: vec![event], ..Diff::default() }));
    }
    let mut told = Vec::new();
    while let Some(event) = session.poll_event() {
        match event {
            Event::Broadcast { id, .. } => told.push(Some(id.number)),
            Event::EventsLost { .. } => told.push(None),
            _ => {}
        }
    }
    assert_eq!(told, [Some(1), Some(2), None, Some(5), Some(6)]);
}

#[test]
fn m7_duplicates_are_acked_again() {
    let mut session = joined(2);
    while session.poll_transmit(NOW).is_some() {}
    let header = FrameHeader { room: ROOM, epoch_check: 9, tick: Tick(5) };
    let mut keyframe = FrameWriter::new(Vec::new(), &header);
    let part = PartHeader { index: 0, baseline: None, reference: None };
    let place = Place { generation: 0, position: Position::xy(1, 2) };
    let entry = Entry { offset: 0, change: motion::Change::Appeared(place) };
    assert!(keyframe.put_part(&MotionFormat::default().format(), part, &[], &[entry]));
    let keyframe = keyframe.finish();
    let ack = Transmit::Datagram([0x00, 0x03, 0x01, 0x05, 0x01][..].into());
    for _ in 0..2 {
        session.handle_datagram(NOW, &keyframe);
        let due = session.poll_timeout().unwrap();
        assert_eq!(session.poll_transmit(due).as_ref(), Some(&ack));
        assert_eq!(session.poll_transmit(due), None);
    }
}

/// What happens in a room between two messages to the viewer.
#[derive(Clone, Debug)]
enum Change {
    Join(u16),
    Leave(u16),
    Patch(u16, u32),
    Status(u16, Status),
    /// The viewer is sent the next page, of so many members.
    Page(usize),
    /// The viewer is sent the diff of the tick.
    Tick,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    // The viewer is slot 3.
    let slot = || prop_oneof![0..3u16, 4..8u16];
    let status = prop_oneof![Just(Status::Active), Just(Status::Away), Just(Status::Lost)];
    let change = prop_oneof![
        2 => slot().prop_map(Change::Join),
        1 => slot().prop_map(Change::Leave),
        2 => (slot(), 0..9u32).prop_map(|(slot, value)| Change::Patch(slot, value)),
        1 => (slot(), status).prop_map(|(slot, status)| Change::Status(slot, status)),
        1 => (1..4usize).prop_map(Change::Page),
        1 => Just(Change::Tick),
    ];
    vec(change, 0..60)
}

/// The server's end: members, what changed since the last tick, and how far the viewer's roster has come.
#[derive(Default)]
struct Server {
    members: BTreeMap<Slot, Member>,
    generations: BTreeMap<Slot, u32>,
    pending: Diff,
    page_from: u16,
    whole: bool,
}

impl Server {
    fn apply(&mut self, change: &Change) -> Option<ToClient> {
        match *change {
            Change::Join(slot) => self.join(Slot(slot)),
            Change::Leave(slot) => {
                if self.members.remove(&Slot(slot)).is_some() {
                    self.forget(Slot(slot));
                    self.pending.leaves.push(Slot(slot));
                }
            }
            Change::Patch(slot, value) => {
                if let Some(member) = self.members.get_mut(&Slot(slot)) {
                    let patch = Map::from([(format!("f{}", value % 3), Value::from(value))]);
                    member.presence.extend(patch.clone());
                    self.pending.presence.push((Slot(slot), patch));
                }
            }
            Change::Status(slot, status) => {
                if let Some(member) = self.members.get_mut(&Slot(slot)) {
                    member.status = status;
                    self.pending.statuses.push((Slot(slot), status));
                }
            }
            Change::Page(len) => return self.page(len),
            Change::Tick => return Some(self.tick()),
        }
        None
    }

    fn join(&mut self, slot: Slot) {
        // A slot that was left is not given again before its leave has gone out.
        if self.members.contains_key(&slot) || self.pending.leaves.contains(&slot) {
            return;
        }
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        let generation = Generation(*generation);
        self.members.insert(slot, Member { generation, ..member(slot, Map::new()) });
        self.pending.joins.push(Member { slot, ..Member::default() });
    }

    fn forget(&mut self, slot: Slot) {
        self.pending.joins.retain(|member| member.slot != slot);
        self.pending.presence.retain(|(of, _)| *of != slot);
        self.pending.statuses.retain(|(of, _)| *of != slot);
    }

    fn page(&mut self, len: usize) -> Option<ToClient> {
        if self.whole {
            return None;
        }
        let mut rest = self.members.range(Slot(self.page_from)..).map(|(_, member)| member.clone());
        let members: Vec<Member> = rest.by_ref().take(len).collect();
        let next = rest.next().map(|member| member.slot.0);
        self.page_from = next.unwrap_or_default();
        self.whole = next.is_none();
        Some(roster(members, !self.whole))
    }

    fn tick(&mut self) -> ToClient {
        let mut changes = std::mem::take(&mut self.pending);
        for member in &mut changes.joins {
            *member = self.members[&member.slot].clone();
        }
        diff(changes)
    }
}

proptest! {
    #[test]
    fn r5_a_snapshot_and_then_diffs_leave_nothing_out(changes in changes()) {
        let mut session = joined(2);
        let mut server = Server::default();
        server.members.insert(OWN, member(OWN, Map::new()));
        for change in changes.iter().chain([&Change::Page(99), &Change::Tick]) {
            if let Some(message) = server.apply(change) {
                tell(&mut session, message);
            }
        }
        let room = session.room(ROOM).unwrap();
        prop_assert!(room.is_entered());
        let members: Vec<&Member> = room.members().collect();
        prop_assert_eq!(members, server.members.values().collect::<Vec<_>>());
        let mut entered = 0;
        while let Some(event) = session.poll_event() {
            entered += usize::from(matches!(event, Event::Entered { .. }));
        }
        prop_assert_eq!(entered, 1);
    }
}
