//! Stories of a client's session over two connections: what it says again, what it keeps, and what it tells of that.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod kept;
mod odd;

use std::time::Duration;

use hither_protocol::limits::EDITOR_MS;
use hither_protocol::message::control::{self, *};
use hither_protocol::message::edits::{
    Ack, AskHistory, Edit, Edits, EditsToClient, EditsToServer, History, Op, OpKind, Place,
    Snapshot,
};
use hither_protocol::message::{FrameBuffer, Map, Refusal, Value};
use hither_protocol::motion::Position;
use hither_protocol::session::{Event, Session, Transmit};
use hither_protocol::{DocumentId, EditorId, Epoch, Generation, RoomHandle, Slot, Timestamp};

const EPOCH: Epoch = Epoch(7);
const LATER: Epoch = Epoch(8);
const OWN: Slot = Slot(1);
const NOW: Timestamp = Timestamp::from_millis(1_000);
const EDITOR: EditorId = EditorId([9; 16]);

/// A session whose server the test plays.
struct Stage {
    session: Session,
    now: Timestamp,
    /// By which the application names its one room.
    room: RoomHandle,
}

fn map(field: &str, value: impl Into<Value>) -> Map {
    Map::from([(field.into(), value.into())])
}

fn member(slot: u16, generation: u32, user: &str) -> Member {
    let user = User { id: user.into(), name: None };
    Member { slot: Slot(slot), generation: Generation(generation), user, ..Member::default() }
}

fn put(record: &str) -> Vec<Op> {
    vec![Op::new(OpKind::Put, record, Map::new())]
}

impl Stage {
    /// In a room, which the server calls 4, with somebody in slot 0; its resume token is "first".
    fn entered() -> Self {
        let hello = Hello { token: Some("t".into()), ..Hello::default() };
        let session = Session::new(hello, EDITOR);
        let mut stage = Self { session, now: NOW, room: RoomHandle(4) };
        let name = "default:a".parse().unwrap();
        let request = stage.session.enter(name, map("color", "red"), None);
        stage.said();
        stage.welcome("first", false);
        assert_eq!(stage.said(), [ToServer::Resumable(Resumable {})]);
        stage.joined(request, 4, EPOCH, OWN, false);
        stage.roster(4, vec![member(0, 0, "ann"), member(1, 0, "me")]);
        let events = stage.events();
        assert!(matches!(events[..], [Event::Welcome { .. }, Event::Entered { .. }]), "{events:?}");
        stage
    }

    fn say(&mut self, message: ToClient) {
        self.session.handle_control(self.now, &message.encode()).unwrap();
    }

    fn say_edits(&mut self, message: EditsToClient) {
        self.session.handle_edits(self.room, &message.encode()).unwrap();
    }

    fn welcome(&mut self, token: &str, resumed: bool) {
        let user = User { id: "me".into(), name: None };
        let (time_ms, resume_token) = (5, Some(token.to_owned()));
        self.say(ToClient::Welcome(Welcome { version: 1, user, time_ms, resume_token, resumed }));
    }

    fn joined(&mut self, request: u32, room: u32, epoch: Epoch, slot: Slot, resumed: bool) {
        let room = RoomHandle(room);
        let rights = hither_protocol::message::Rights::ALL;
        let joined = Joined { request, room, epoch, slot, rights, resumed, ..Joined::default() };
        self.say(ToClient::Joined(Joined { motion: MotionFormat::default(), ..joined }));
    }

    fn roster(&mut self, room: u32, members: Vec<Member>) {
        let room = RoomHandle(room);
        self.say(ToClient::Roster(Roster { room, members, ..Roster::default() }));
    }

    /// What was said on the control lane since the last look.
    fn said(&mut self) -> Vec<ToServer> {
        self.said_on_both().0
    }

    fn said_on_both(&mut self) -> (Vec<ToServer>, Vec<EditsToServer>) {
        let (mut control, mut edits) = (FrameBuffer::default(), FrameBuffer::default());
        while let Some(transmit) = self.session.poll_transmit(self.now) {
            match transmit {
                Transmit::Control(bytes) => control.push(&bytes),
                Transmit::Edits(room, bytes) => {
                    assert_eq!(room, self.room);
                    edits.push(&bytes);
                }
                Transmit::Datagram(_) | Transmit::CloseEdits(_) => {}
            }
        }
        let mut said = (Vec::new(), Vec::new());
        while let Some(message) = control.pop().unwrap() {
            said.0.push(ToServer::decode(&message).unwrap().unwrap());
        }
        while let Some(message) = edits.pop().unwrap() {
            said.1.push(EditsToServer::decode(&message).unwrap().unwrap());
        }
        said
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Comes back over another connection, and returns the request of the room's join.
    fn again(&mut self) -> u32 {
        self.session.handle_disconnected();
        self.session.begin_again(None);
        let said = self.said();
        match &said[..] {
            [ToServer::Hello(_), ToServer::Join(join)] => join.request,
            other => panic!("{other:?}"),
        }
    }
}

// proves S1, S2
#[test]
fn hello_says_the_newest_resume_token_and_a_new_token_if_there_is_one() {
    let mut stage = Stage::entered();
    let hello = |stage: &mut Stage, token: Option<&str>| {
        stage.session.handle_disconnected();
        stage.session.begin_again(token.map(str::to_owned));
        match stage.said().into_iter().next() {
            Some(ToServer::Hello(hello)) => (hello.resume_token.unwrap(), hello.token.unwrap()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(hello(&mut stage, None), ("first".into(), "t".into()));
    // No welcome came, so the token is still the newest.
    assert_eq!(hello(&mut stage, Some("u")), ("first".into(), "u".into()));
    stage.welcome("second", true);
    assert_eq!(stage.said(), [ToServer::Resumable(Resumable {})]);
    assert!(matches!(stage.events()[..], [Event::Welcome { resumed: true, .. }]));
    assert_eq!(hello(&mut stage, None), ("second".into(), "u".into()));
}

// proves S4
#[test]
fn a_room_is_joined_again_and_only_what_has_changed_is_told() {
    let mut stage = Stage::entered();
    stage.session.update_presence(stage.room, map("color", "blue"));
    stage.said();
    stage.session.handle_disconnected();
    stage.session.update_presence(stage.room, map("zoom", 2));
    assert_eq!(stage.said(), [], "there is nobody to say it to");
    stage.session.begin_again(None);
    let said = stage.said();
    let [ToServer::Hello(_), ToServer::Join(join)] = &said[..] else { panic!("{said:?}") };
    let presence = Map::from([("color".into(), "blue".into()), ("zoom".into(), 2.into())]);
    assert_eq!((join.room.as_str(), &join.presence), ("default:a", &presence));
    assert_eq!(join.seen, Some(Seen { epoch: EPOCH, number: 0 }));
    let request = join.request;
    stage.session.update_presence(stage.room, map("late", true));
    stage.welcome("second", true);
    stage.joined(request, 9, EPOCH, OWN, true);
    let said = stage.said();
    let [ToServer::Resumable(_), ToServer::Presence(patch)] = &said[..] else { panic!("{said:?}") };
    assert_eq!((patch.room, &patch.patch), (RoomHandle(9), &map("late", true)));

    let room = stage.session.room(stage.room).unwrap();
    assert!(!room.is_entered() && room.is_resumed());
    let known: Vec<_> = room.members().map(|member| member.slot.0).collect();
    assert_eq!(known, [0, 1], "who was there is, until all is known");
    let ann = Member { presence: map("a", 1), ..member(0, 0, "ann") };
    stage.roster(9, vec![ann, member(1, 0, "me"), member(2, 0, "cat")]);
    let events = stage.events();
    let [
        Event::Welcome { .. },
        Event::Entered { room, resumed: true, events_lost: false, .. },
        Event::MemberChanged { slot: Slot(0), .. },
        Event::MemberJoined { slot: Slot(2), .. },
    ] = events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(room, stage.room, "the application names it as ever");
    let own = stage.session.room(room).unwrap().member(OWN).unwrap();
    assert_eq!(own.presence.len(), 3);
    // And the server's name for it is the new one, both ways.
    stage.say(ToClient::Diff(Diff {
        room: RoomHandle(9),
        leaves: vec![Slot(2)],
        ..Diff::default()
    }));
    stage.say(ToClient::Diff(Diff {
        room: RoomHandle(4),
        leaves: vec![Slot(0)],
        ..Diff::default()
    }));
    assert!(
        matches!(&stage.events()[..], [Event::MemberLeft { member, .. }] if member.slot == Slot(2))
    );
    stage.session.leave(room);
    assert_eq!(stage.said(), [ToServer::Leave(Leave { room: RoomHandle(9) })]);
}

// proves S5
#[test]
fn in_another_epoch_the_same_members_are_the_same_and_others_are_told() {
    let mut stage = Stage::entered();
    stage.say(ToClient::Diff(Diff {
        room: RoomHandle(4),
        joins: vec![member(2, 0, "cat"), member(3, 0, "dan")],
        ..Diff::default()
    }));
    stage.events();
    let request = stage.again();
    stage.joined(request, 4, LATER, Slot(2), false);
    // Ann is there, dan's slot is eve's now, and the own slot was cat's.
    let eve = member(3, 0, "eve");
    stage.roster(4, vec![member(0, 0, "ann"), member(2, 0, "me"), eve]);
    let mut left = Vec::new();
    let mut joined = Vec::new();
    for event in stage.events() {
        match event {
            Event::MemberLeft { member, .. } => left.push(member.user.id),
            Event::MemberJoined { slot, .. } => joined.push(slot.0),
            Event::Entered { resumed, .. } => assert!(!resumed),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((left, joined), (vec!["cat".to_owned(), "dan".to_owned()], vec![3]));
}

// proves S4, M13
#[test]
fn viewport_status_and_events_are_said_again_and_the_newest_position() {
    let mut stage = Stage::entered();
    let view = Viewport { left: 1, top: 2, right: 3, bottom: 4 };
    stage.session.set_viewport(stage.room, Some(view), Some(Slot(0)));
    stage.session.set_motion(stage.now, stage.room, Position::xy(5, 6));
    stage.session.set_status(Status::Away);
    stage.said();
    stage.session.handle_disconnected();
    stage.session.broadcast(stage.room, "all", Value::Nil, vec![]);
    stage.session.broadcast(stage.room, "one", Value::Nil, vec![Slot(0)]);
    assert!(stage.session.waiting_bytes() > 0);
    stage.session.begin_again(None);
    let said = stage.said();
    let [ToServer::Hello(_), ToServer::Status(away), ToServer::Join(join)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(away.status, Status::Away);
    stage.joined(join.request, 4, LATER, OWN, false);
    let said = stage.said();
    let [ToServer::Viewport(viewport), ToServer::Event(event)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((viewport.viewport, viewport.follow), (Some(view), None), "slots are others now");
    assert_eq!(event.name, "all");
    let events = stage.events();
    let [Event::Refused(refused)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((refused.code, refused.room), (Refusal::NotFound, Some(stage.room)));
    let due = stage.session.poll_timeout().unwrap();
    let sample = stage.session.poll_transmit(due.max(stage.now));
    assert!(matches!(sample, Some(Transmit::Datagram(_))), "{sample:?}");
}

fn snapshot(document: u64, sequence: u64, more: bool) -> EditsToClient {
    let document = DocumentId(document);
    EditsToClient::Snapshot(Snapshot { document, sequence, records: vec![], more })
}

fn edit(sequence: u64, number: u64, record: &str) -> Edit {
    let (slot, generation, user) = (OWN, Generation(0), "me".into());
    Edit { sequence, time_ms: 1, user, slot, generation, number, ops: put(record) }
}

fn edits(edits: Vec<Edit>) -> EditsToClient {
    EditsToClient::Edits(Edits { edits })
}

fn submits(said: &[EditsToServer]) -> Vec<u64> {
    let number = |message: &EditsToServer| match message {
        EditsToServer::Submit(submit) => Some(submit.number),
        EditsToServer::Open(_) | EditsToServer::History(_) => None,
    };
    said.iter().filter_map(number).collect()
}

impl Stage {
    /// The number of the last edit of the confirmed document.
    fn sequence(&self) -> u64 {
        self.session.room(self.room).unwrap().records().unwrap().confirmed().sequence()
    }

    fn shows(&self, record: &str) -> bool {
        self.session.room(self.room).unwrap().records().unwrap().get(record).is_some()
    }
}

// proves D3, D7, S4
#[test]
fn a_document_goes_on_where_it_was_and_edits_without_an_answer_are_submitted_again() {
    for (epoch, resumed) in [(EPOCH, true), (EPOCH, false), (LATER, true), (LATER, false)] {
        let mut stage = Stage::entered();
        stage.session.open_document(stage.room);
        stage.say_edits(snapshot(5, 8, false));
        assert_eq!(stage.session.submit(stage.room, put("a")), Some(1));
        assert_eq!(stage.session.submit(stage.room, put("b")), Some(2));
        stage.say_edits(EditsToClient::Ack(Ack { number: 1, sequence: 9, time_ms: 1 }));
        stage.said_on_both();
        stage.session.handle_disconnected();
        assert_eq!(stage.session.submit(stage.room, put("c")), Some(3));
        stage.events();
        let request = stage.again();
        stage.joined(request, 4, epoch, OWN, resumed);
        let (_, said) = stage.said_on_both();
        let EditsToServer::Open(open) = &said[0] else { panic!("{said:?}") };
        let after = Place { document: DocumentId(5), sequence: 8 };
        assert_eq!(
            (open.editor, open.after, &open.unanswered[..]),
            (EDITOR, Some(after), &[2][..])
        );
        assert_eq!(submits(&said), [2, 3]);
        assert!(stage.shows("a") && stage.shows("b") && stage.shows("c"));
        stage.events();
        stage.say_edits(edits(vec![edit(8, 7, "old"), edit(9, 1, "a")]));
        assert_eq!(stage.sequence(), 9);
        let told = stage.events();
        assert!(
            matches!(&told[..], [Event::Edited { edit, .. }] if edit.sequence == 9),
            "{told:?}"
        );
        assert!(!stage.shows("old"));
    }
}

// proves D1, D3
#[test]
fn another_document_takes_the_place_of_the_one_before_once_it_is_whole() {
    let mut stage = Stage::entered();
    stage.session.open_document(stage.room);
    stage.say_edits(snapshot(5, 8, false));
    stage.session.submit(stage.room, put("a"));
    stage.say_edits(EditsToClient::Ack(Ack { number: 1, sequence: 9, time_ms: 1 }));
    stage.session.submit(stage.room, put("b"));
    let request = stage.again();
    stage.joined(request, 4, LATER, OWN, false);
    stage.events();
    stage.say_edits(snapshot(6, 9, true));
    assert_eq!(stage.sequence(), 8, "a part of it is none");
    stage.say_edits(edits(vec![edit(10, 70, "other")]));
    stage.say_edits(snapshot(6, 9, false));
    assert_eq!(stage.sequence(), 10);
    assert_eq!(stage.events(), [Event::DocumentLoaded { room: stage.room }]);
    assert!(!stage.shows("a"), "its place was in the document that is gone");
    assert!(stage.shows("b"), "what was not answered is submitted to the new one");
}

// proves D7
#[test]
fn nobody_knows_what_became_of_an_edit_that_was_sent_a_day_ago() {
    let mut stage = Stage::entered();
    stage.session.open_document(stage.room);
    stage.say_edits(snapshot(5, 8, false));
    stage.session.submit(stage.room, put("sent"));
    stage.said_on_both();
    stage.now = NOW + Duration::from_secs(1);
    stage.session.submit(stage.room, put("later"));
    stage.said_on_both();
    let request = stage.again();
    stage.session.submit(stage.room, put("unsent"));
    stage.events();
    stage.now = NOW + Duration::from_millis(EDITOR_MS);
    stage.joined(request, 4, EPOCH, OWN, false);
    let room = stage.room;
    let changed = Event::RecordsChanged { room, records: vec!["sent".into()] };
    assert_eq!(stage.events()[..2], [Event::EditUnanswered { room, number: 1 }, changed]);
    assert_eq!(submits(&stage.said_on_both().1), [2, 3]);
    assert!(stage.shows("later") && stage.shows("unsent") && !stage.shows("sent"));
}

// proves D7
#[test]
fn a_day_counts_from_when_an_edit_was_sent_and_not_from_when_it_was_made() {
    let mut stage = Stage::entered();
    let request = stage.again();
    stage.session.submit(stage.room, put("made"));
    stage.now = NOW + Duration::from_millis(EDITOR_MS);
    stage.joined(request, 4, EPOCH, OWN, true);
    assert_eq!(submits(&stage.said_on_both().1), [1]);
    stage.events();
    let request = stage.again();
    stage.joined(request, 4, EPOCH, OWN, true);
    assert_eq!(submits(&stage.said_on_both().1), [1]);
    let is_forgotten = |event: &Event| matches!(event, Event::EditUnanswered { .. });
    assert!(!stage.events().iter().any(is_forgotten));
}

// proves D1
#[test]
fn a_lane_that_the_server_ends_is_opened_again_after_a_second() {
    let mut stage = Stage::entered();
    stage.session.submit(stage.room, put("a"));
    stage.said_on_both();
    stage.session.handle_edits_ended(NOW, stage.room);
    stage.session.submit(stage.room, put("b"));
    assert_eq!(stage.said_on_both().1, []);
    stage.now = stage.session.poll_timeout().unwrap();
    assert_eq!(stage.now, NOW + Duration::from_secs(1));
    stage.session.handle_timeout(stage.now);
    let (_, said) = stage.said_on_both();
    assert!(matches!(&said[0], EditsToServer::Open(open) if open.unanswered == [1]), "{said:?}");
    assert_eq!(submits(&said), [1, 2]);
}

// proves D8
#[test]
fn who_asks_for_earlier_edits_has_an_answer_if_only_that_the_connection_is_gone() {
    let mut stage = Stage::entered();
    let asked = stage.session.history(stage.room, Some(5), 10).unwrap();
    let (_, said) = stage.said_on_both();
    let ask = AskHistory { request: asked, before: Some(5), limit: 10 };
    assert!(
        matches!(said[..], [EditsToServer::Open(_), EditsToServer::History(said)] if said == ask)
    );
    let history = History { request: asked, edits: vec![edit(4, 1, "a")], ..History::default() };
    stage.say_edits(EditsToClient::History(history.clone()));
    let room = stage.room;
    assert_eq!(stage.events(), [Event::History { room, history }]);

    let asked = stage.session.history(room, None, 10).unwrap();
    stage.session.handle_disconnected();
    let refused = Some(Refusal::Unavailable);
    let history = History { request: asked, refused, ..History::default() };
    assert_eq!(stage.events(), [Event::History { room, history }]);
    assert_eq!(stage.session.history(room, None, 10), None);
}

// proves D7
#[test]
fn sixty_four_edits_are_unanswered_at_most_and_others_wait_for_answers() {
    let mut stage = Stage::entered();
    for number in 1..=70 {
        assert_eq!(stage.session.submit(stage.room, put("a")), Some(number));
    }
    let submits = |stage: &mut Stage| submits(&stage.said_on_both().1);
    assert_eq!(submits(&mut stage), (1..=64).collect::<Vec<_>>());
    let ack = |number| EditsToClient::Ack(Ack { number, sequence: number, time_ms: 1 });
    stage.say_edits(ack(1));
    stage.say_edits(ack(1));
    assert_eq!(submits(&mut stage), [65], "an answer that comes again makes no room");
    let request = stage.again();
    stage.joined(request, 4, EPOCH, OWN, true);
    assert_eq!(submits(&mut stage), (2..=65).collect::<Vec<_>>());
    for number in 2..=65 {
        stage.say_edits(ack(number));
    }
    assert_eq!(submits(&mut stage), (66..=70).collect::<Vec<_>>());
}
