//! Joining, leaving, rights and sizes (R1, R2, E1, H5, P1, P3, P4, V1).

use super::*;

fn presence(patch: Map) -> ToServer {
    ToServer::Presence(Presence { room: ROOM, patch })
}

fn event() -> SendEvent {
    SendEvent { room: ROOM, name: "said".into(), data: 1.into(), to: Vec::new() }
}

#[test]
fn r2_a_join_carries_the_user_that_the_server_knows() {
    let mut stage = Stage::welcome(Rights::ALL);
    let presence = Map::from([("color".into(), "red".into())]);
    let message =
        Join { request: 5, room: "test:a".into(), presence: presence.clone(), seen: None };
    stage.say(ToServer::Join(message));
    let effects = stage.effects();
    let [Effect::Join { request: 5, name, member }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(name.as_str(), "test:a");
    assert_eq!((member.user.id.as_str(), member.user.name.as_deref()), ("ann", Some("Ann")));
    assert_eq!((member.rights, &member.presence), (Rights::ALL, &presence));
    stage.session.handle_joined(stage.now, ROOM, Slot(3), &RoomPolicy::default());
    assert_eq!(stage.session.memberships().collect::<Vec<_>>(), [(ROOM, Slot(3))]);
}

#[test]
fn r2_what_follows_a_join_is_read_once_it_is_answered() {
    let mut stage = Stage::welcome(Rights::ALL);
    stage.say(join(1, "test:a"));
    stage.say(presence(Map::new()));
    assert!(matches!(stage.effects()[..], [Effect::Join { .. }]));
    stage.session.handle_joined(stage.now, ROOM, Slot(3), &RoomPolicy::default());
    assert!(matches!(stage.effects()[..], [Effect::Presence { .. }]));
}

#[test]
fn r1_a_room_that_cannot_be_named_so_is_refused() {
    for name in ["", "lobby", "Test:a", "test:", "test:a\n"] {
        let mut stage = Stage::welcome(Rights::ALL);
        stage.say(join(4, name));
        let error = stage.refusal();
        assert_eq!((error.request, error.code), (Some(4), Refusal::BadRequest), "{name:?}");
    }
}

#[test]
fn e1_a_second_join_of_a_room_is_refused() {
    let mut stage = Stage::with_all();
    stage.say(join(2, "test:a"));
    let error = stage.refusal();
    assert_eq!((error.request, error.code), (Some(2), Refusal::AlreadyJoined));
}

#[test]
fn e1_more_rooms_than_a_session_may_be_in_are_refused() {
    let mut stage = Stage::with_all();
    stage.join("test:b", RoomHandle(8), Slot(0), &RoomPolicy::default());
    stage.say(join(3, "test:c"));
    assert_eq!(stage.refusal().code, Refusal::TooManyRooms);
    stage.say(ToServer::Leave(Leave { room: ROOM }));
    assert!(matches!(stage.effects()[..], [Effect::Leave { .. }]));
    stage.join("test:c", RoomHandle(9), Slot(0), &RoomPolicy::default());
}

#[test]
fn e1_a_refusal_of_the_room_itself_answers_the_request() {
    let mut stage = Stage::welcome(Rights::ALL);
    stage.say(join(6, "test:a"));
    stage.effects();
    stage.session.handle_join_refused(stage.now, 6, Refusal::RoomFull);
    let error = stage.refusal();
    assert_eq!((error.request, error.code), (Some(6), Refusal::RoomFull));
    stage.join("test:a", ROOM, Slot(0), &RoomPolicy::default());
    stage.session.handle_refused(ROOM, Refusal::TooLarge);
    let error = stage.refusal();
    assert_eq!((error.request, error.room), (None, Some(ROOM)));
    stage.session.handle_refused(ROOM, Refusal::RateLimited);
    assert!(stage.refusal().retry_after_ms.is_some());
}

#[test]
fn e1_without_the_right_to_join_a_room_is_closed() {
    let rights = [("test:a", Rights::JOIN), ("test:b", Rights(30))];
    let mut stage = Stage::welcome_with(grant(&rights));
    for name in ["test:b", "test:c", "other:a"] {
        stage.say(join(1, name));
        assert_eq!(stage.refusal().code, Refusal::Forbidden, "{name}");
    }
    stage.join("test:a", ROOM, Slot(0), &RoomPolicy::default());
}

#[test]
fn e1_each_right_withheld_is_refused_and_costs_no_other() {
    let all = [Rights::PRESENCE, Rights::BROADCAST];
    for withheld in all {
        let rights = Rights(Rights::ALL.0 & !withheld.0);
        let mut stage = Stage::joined(rights, &RoomPolicy::default());
        for (needed, message) in all.iter().zip([presence(Map::new()), ToServer::Event(event())]) {
            stage.say(message);
            if *needed == withheld {
                let error = stage.refusal();
                assert_eq!((error.room, error.code), (Some(ROOM), Refusal::Forbidden));
            } else {
                assert_eq!(stage.effects().len(), 1);
            }
        }
    }
}

#[test]
fn e1_a_first_presence_needs_the_right_too() {
    let mut stage = Stage::welcome(Rights::JOIN);
    let presence = Map::from([("color".into(), "red".into())]);
    let message = Join { request: 1, room: "test:a".into(), presence, seen: None };
    stage.say(ToServer::Join(message));
    assert_eq!(stage.refusal().code, Refusal::Forbidden);
}

#[test]
fn e1_what_names_a_room_that_the_session_is_not_in_is_refused() {
    let elsewhere = RoomHandle(99);
    let mut stage = Stage::with_all();
    for message in [
        ToServer::Leave(Leave { room: elsewhere }),
        ToServer::Presence(Presence { room: elsewhere, patch: Map::new() }),
        ToServer::Event(SendEvent { room: elsewhere, ..event() }),
    ] {
        stage.say(message);
        let error = stage.refusal();
        assert_eq!((error.room, error.code), (Some(elsewhere), Refusal::NotFound));
    }
    stage.session.handle_removed(ROOM);
    stage.say(presence(Map::new()));
    assert_eq!(stage.refusal().code, Refusal::NotFound, "the room has ended the membership");
}

#[test]
fn l1_values_deeper_than_8_are_too_large() {
    let mut stage = Stage::with_all();
    let deep = |depth| Map::from([("x".into(), nested(depth))]);
    stage.say(presence(deep(8)));
    stage.say(ToServer::Event(SendEvent { data: nested(8), ..event() }));
    assert_eq!(stage.effects().len(), 2);
    stage.say(presence(deep(9)));
    assert_eq!(stage.refusal().code, Refusal::TooLarge);
    stage.say(ToServer::Event(SendEvent { data: nested(9), ..event() }));
    assert_eq!(stage.refusal().code, Refusal::TooLarge);
    let message = Join { request: 1, room: "test:b".into(), presence: deep(9), seen: None };
    stage.say(ToServer::Join(message));
    assert_eq!(stage.refusal().code, Refusal::TooLarge);
}

#[test]
fn l1_an_events_name_and_its_targets_have_bounds() {
    let mut stage = Stage::with_all();
    let slots = |count| (0..count).map(Slot).collect::<Vec<_>>();
    for (name, to, code) in [
        ("x".repeat(64), slots(64), None),
        (String::new(), slots(0), Some(Refusal::BadRequest)),
        ("x".repeat(65), slots(0), Some(Refusal::TooLarge)),
        ("x".into(), slots(65), Some(Refusal::TooLarge)),
    ] {
        stage.say(ToServer::Event(SendEvent { name, to, ..event() }));
        match code {
            Some(code) => assert_eq!(stage.refusal().code, code),
            None => assert!(matches!(stage.effects()[..], [Effect::Event { .. }])),
        }
    }
}

#[test]
fn p4_a_status_is_for_all_rooms_and_for_those_to_come() {
    let mut stage = Stage::with_all();
    stage.say(ToServer::Status(SetStatus { status: Status::Away }));
    let away = Effect::Status { room: ROOM, slot: Slot(3), status: Status::Away };
    assert_eq!(stage.effects(), [away]);
    stage.say(join(2, "test:b"));
    let effects = stage.effects();
    let [Effect::Join { member, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(member.status, Status::Away);
}
