//! Asking for events that the server keeps: one answer to each who has asked, whatever becomes of the connection.

use hither_protocol::message::Refusal;
use hither_protocol::message::control::*;
use hither_protocol::session::Event;
use hither_protocol::{Epoch, RoomHandle};

use super::*;

const FIRST: EventId = EventId { epoch: Epoch(3), number: 9 };

fn kept_event(id: EventId) -> KeptEvent {
    let user = User { id: "gone".into(), name: None };
    KeptEvent { id, user, name: "said".into(), data: 1.into(), time_ms: 5 }
}

impl Stage {
    /// Asks, and returns the number, after a look at what was said of the room that the server calls `wire`.
    fn ask(&mut self, wire: u32, before: Option<EventId>) -> u32 {
        let request = self.session.kept_events(self.room, before, 10).unwrap();
        let ask = AskKept { request, room: RoomHandle(wire), before, limit: 10 };
        assert_eq!(self.said(), [ToServer::Kept(ask)]);
        request
    }
}

#[test]
fn v6_each_who_asks_has_the_answer_to_its_own_number() {
    let mut stage = Stage::entered();
    let room = stage.room;
    let (latest, earlier) = (stage.ask(4, None), stage.ask(4, Some(FIRST)));
    assert_ne!(latest, earlier);
    let none = Kept { request: earlier, room, ..Kept::default() };
    let some = Kept { request: latest, room, events: vec![kept_event(FIRST)], ..Kept::default() };
    for kept in [&none, &some, &some, &Kept { request: 900, ..none.clone() }] {
        stage.say(ToClient::Kept(kept.clone()));
    }
    let told = [none, some].map(|kept| Event::Kept { room, kept });
    assert_eq!(stage.events(), told, "once each, and nothing that nobody has asked for");
}

#[test]
fn v6_who_has_asked_is_told_that_the_connection_is_gone_and_asks_the_next() {
    let mut stage = Stage::entered();
    let room = stage.room;
    let request = stage.ask(4, None);
    stage.session.handle_disconnected();
    let refused = Some(Refusal::Unavailable);
    let kept = Kept { request, room, refused, ..Kept::default() };
    assert_eq!(stage.events(), [Event::Kept { room, kept }]);
    assert_eq!(stage.session.kept_events(room, None, 10), None, "there is nobody to ask");
    let again = stage.again();
    stage.joined(again, 30, EPOCH, OWN, true);
    stage.roster(30, vec![member(1, 0, "me")]);
    stage.events();
    let request = stage.ask(30, Some(FIRST));
    let kept = Kept { request, room: RoomHandle(30), ..Kept::default() };
    stage.say(ToClient::Kept(kept.clone()));
    let told = Event::Kept { room, kept: Kept { room, ..kept } };
    assert_eq!(stage.events(), [told], "the application names it as ever");
}

#[test]
fn v6_who_has_left_has_no_answer_but_that() {
    let mut stage = Stage::entered();
    let room = stage.room;
    let request = stage.ask(4, None);
    stage.session.leave(room);
    stage.say(ToClient::Left(Left { room, reason: None }));
    stage.say(ToClient::Kept(Kept { request, room, ..Kept::default() }));
    assert_eq!(stage.events(), [Event::Left { room, reason: None }]);
    assert_eq!(stage.session.kept_events(room, None, 10), None);
    // Nor is it an answer to who enters the room again, whatever the server calls it then.
    let again = stage.session.enter("default:a".parse().unwrap(), Map::new(), None);
    stage.joined(again, room.0, EPOCH, OWN, false);
    stage.roster(room.0, vec![member(1, 1, "me")]);
    stage.events();
    stage.say(ToClient::Kept(Kept { request, room, ..Kept::default() }));
    assert_eq!(stage.events(), []);
}
