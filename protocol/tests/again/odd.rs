//! What comes between two connections in odd orders: rooms that are left, refused or not whole yet, and events that may
//! have arrived.

use super::*;

#[test]
fn a_room_that_is_left_or_refused_meanwhile_is_left() {
    let mut stage = Stage::entered();
    let request = stage.again();
    let (code, message) = (Refusal::Forbidden, String::new());
    let refused =
        ErrorMessage { request: Some(request), room: None, code, message, retry_after_ms: None };
    stage.say(ToClient::Error(refused));
    assert_eq!(stage.events(), [Event::Left { room: stage.room, reason: Some(code) }]);
    assert!(stage.session.room(stage.room).is_none());

    let mut stage = Stage::entered();
    let request = stage.again();
    stage.session.leave(stage.room);
    assert_eq!(stage.events(), [Event::Left { room: stage.room, reason: None }]);
    assert_eq!(stage.said(), []);
    stage.joined(request, 6, EPOCH, OWN, true);
    assert_eq!(stage.said(), [ToServer::Leave(Leave { room: RoomHandle(6) })]);

    let mut stage = Stage::entered();
    stage.session.leave(stage.room);
    stage.session.handle_disconnected();
    assert_eq!(stage.events(), [Event::Left { room: stage.room, reason: None }]);
    stage.session.begin_again(None);
    assert!(matches!(stage.said()[..], [ToServer::Hello(_)]), "and no join");
}

#[test]
fn what_was_asked_for_and_not_answered_is_asked_for_again_under_its_number() {
    let mut stage = Stage::entered();
    let name = "default:b".parse().unwrap();
    let request = stage.session.enter(name, map("x", 1), None);
    stage.said();
    stage.session.handle_disconnected();
    stage.session.begin_again(None);
    let said = stage.said();
    let [ToServer::Hello(_), ToServer::Join(first), ToServer::Join(second)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((first.request, first.room.as_str()), (request, "default:b"));
    // The server's name for it may be one by which the application knows another room.
    let again = second.request;
    stage.joined(request, stage.room.0, LATER, Slot(0), false);
    stage.joined(again, 2, LATER, OWN, true);
    stage.roster(4, vec![member(0, 0, "me")]);
    stage.roster(2, vec![member(0, 0, "ann"), member(1, 0, "me")]);
    let entered: Vec<_> = stage
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Entered { request, room, .. } => Some((request, room)),
            _ => None,
        })
        .collect();
    assert_eq!(entered[1], (again, stage.room));
    assert_eq!(entered[0].0, request);
    assert_ne!(entered[0].1, stage.room);
}

// proves V5
#[test]
fn own_events_that_did_not_come_back_are_sent_again_and_no_others() {
    let echo = |number, name: &str| control::Event {
        number,
        from: OWN,
        generation: Generation(0),
        name: name.into(),
        data: Value::Nil,
        time_ms: 1,
    };
    // What of the events is in `joined`, whether events are lost, the epoch, and what is sent again.
    type Case<'a> = (&'a [&'a str], bool, Epoch, &'a [&'a str]);
    let cases: [Case; 5] = [
        (&[], false, EPOCH, &["c", "d", "late"]),
        (&["c"], false, EPOCH, &["d", "late"]),
        // What was before one that has come was refused.
        (&["d"], false, EPOCH, &["late"]),
        (&[], true, EPOCH, &["late"]),
        (&[], true, LATER, &["late"]),
    ];
    for (missed, events_lost, epoch, expected) in cases {
        let mut stage = Stage::entered();
        let room = stage.room;
        for name in ["a", "b", "c", "d"] {
            stage.session.broadcast(room, name, Value::Nil, vec![]);
        }
        stage.session.broadcast(room, "to one", Value::Nil, vec![Slot(0)]);
        // The first was refused, the second has come back.
        stage.say(ToClient::Diff(Diff {
            room: RoomHandle(4),
            events: vec![echo(1, "b")],
            ..Diff::default()
        }));
        stage.said();
        stage.session.handle_disconnected();
        stage.session.broadcast(room, "late", Value::Nil, vec![]);
        let request = stage.again();
        let events = missed.iter().zip(2..).map(|(name, number)| echo(number, name)).collect();
        let joined = Joined {
            request,
            room: RoomHandle(4),
            epoch,
            slot: OWN,
            resumed: true,
            events,
            events_lost,
            ..Joined::default()
        };
        stage.say(ToClient::Joined(joined));
        let sent: Vec<_> = stage
            .said()
            .into_iter()
            .map(|message| match message {
                ToServer::Event(event) => event.name,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sent, expected, "{missed:?}, {events_lost}, {epoch:?}");
    }
}

#[test]
fn an_entry_whose_roster_was_never_whole_is_still_awaited_under_its_number() {
    for refused in [false, true] {
        let mut stage = Stage::entered();
        let name = "default:b".parse().unwrap();
        let request = stage.session.enter(name, Map::new(), None);
        stage.joined(request, 5, EPOCH, OWN, false);
        stage.events();
        stage.said();
        stage.session.handle_disconnected();
        stage.session.begin_again(None);
        let said = stage.said();
        let is_asked = said.iter().any(|message| match message {
            ToServer::Join(join) => join.request == request && join.room == "default:b",
            _ => false,
        });
        assert!(is_asked, "{said:?}");
        if refused {
            let (request, message) = (Some(request), String::new());
            let code = Refusal::RoomFull;
            let error = ErrorMessage { request, room: None, code, message, retry_after_ms: None };
            stage.say(ToClient::Error(error));
            let events = stage.events();
            let [Event::Refused(refused)] = &events[..] else { panic!("{events:?}") };
            assert_eq!((refused.request, refused.code), (request, code));
        } else {
            stage.joined(request, 5, EPOCH, OWN, false);
            stage.roster(5, vec![member(1, 0, "me")]);
            let events = stage.events();
            assert!(
                matches!(events[..], [Event::Entered { request: answered, .. }] if answered == request)
            );
        }
    }
}

// proves V4
#[test]
fn what_was_lost_on_a_connection_that_was_never_whole_is_told_by_the_next() {
    let mut stage = Stage::entered();
    let request = stage.again();
    let joined =
        Joined { request, room: RoomHandle(4), epoch: LATER, slot: OWN, ..Joined::default() };
    stage.say(ToClient::Joined(Joined { events_lost: true, ..joined }));
    let request = stage.again();
    stage.joined(request, 4, LATER, OWN, true);
    stage.roster(4, vec![member(1, 0, "me")]);
    let entered = stage.events().into_iter().find_map(|event| match event {
        Event::Entered { resumed, events_lost, .. } => Some((resumed, events_lost)),
        _ => None,
    });
    assert_eq!(entered, Some((false, true)));
}

// proves P3
#[test]
fn a_presence_that_the_server_would_refuse_is_not_what_the_room_is_joined_with_again() {
    let mut stage = Stage::entered();
    stage.session.update_presence(stage.room, map("a", "x".repeat(3_000)));
    stage.session.update_presence(stage.room, map("b", "x".repeat(2_000)));
    let events = stage.events();
    let [Event::Refused(refused)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((refused.code, refused.room), (Refusal::TooLarge, Some(stage.room)));
    stage.said();
    stage.session.handle_disconnected();
    stage.session.begin_again(None);
    let said = stage.said();
    let [_, ToServer::Join(join)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(join.presence.keys().collect::<Vec<_>>(), ["a", "color"]);
}

#[test]
fn a_handle_that_the_application_may_still_hold_names_no_other_room() {
    let mut stage = Stage::entered();
    stage.say(ToClient::Left(Left { room: RoomHandle(4), reason: Some(Refusal::RoomClosed) }));
    stage.session.handle_disconnected();
    stage.session.begin_again(None);
    let request = stage.session.enter("default:b".parse().unwrap(), Map::new(), None);
    stage.joined(request, 4, LATER, OWN, false);
    assert!(stage.session.room(stage.room).is_none());
}
