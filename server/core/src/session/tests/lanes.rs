//! Datagrams and edits lanes (M1, M8, D1, E1).

use super::*;
use bytes::Bytes;
use hither_protocol::Tick;
use hither_protocol::motion::Axes;

fn sample(room: RoomHandle) -> Vec<u8> {
    let mut bytes = Vec::new();
    Sample { room, number: 1, position: Position::xy(1, 2) }.put(&mut bytes, &Axes::TWO);
    bytes
}

fn ack(room: RoomHandle) -> Vec<u8> {
    let mut bytes = Vec::new();
    Ack { room, tick: Tick(5), parts: 1 }.put(&mut bytes);
    bytes
}

fn open_of(room: RoomHandle, slot: Slot) -> Open {
    Open { room, slot, unanswered: vec![4], ..Open::default() }
}

fn open(room: RoomHandle, slot: Slot) -> Bytes {
    EditsToServer::Open(open_of(room, slot)).encode()
}

fn submit() -> EditsToServer {
    let op = Op::new(OpKind::Remove, "a", Map::new());
    EditsToServer::Submit(Submit { number: 1, ops: vec![op] })
}

#[test]
fn m8_a_datagram_brings_samples_and_acks_to_their_rooms() {
    let mut stage = Stage::with_all();
    let (motions, read) = stage.datagram(&[ack(ROOM), sample(ROOM)].concat());
    assert_eq!(read, Ok(()));
    assert!(matches!(
        motions[..],
        [Motion::Ack { slot: Slot(3), .. }, Motion::Sample { slot: Slot(3), .. }]
    ));
    assert!(motions.iter().all(|motion| motion.room() == ROOM));
}

#[test]
fn m1_a_datagram_of_no_use_is_dropped_and_what_came_before_stands() {
    let elsewhere = RoomHandle(99);
    for (rest, error) in [
        (sample(elsewhere), DecodeError::Room),
        (vec![0x55], DecodeError::Kind),
        (vec![0x02, 0x07], DecodeError::Truncated),
    ] {
        let mut stage = Stage::with_all();
        let (motions, read) = stage.datagram(&[sample(ROOM), rest].concat());
        assert_eq!((motions.len(), read), (1, Err(error)));
        assert!(stage.effects().is_empty(), "and nothing is closed");
    }
    let mut stage = Stage::with_all();
    let (motions, read) = stage.datagram(&[ack(elsewhere), sample(ROOM)].concat());
    assert_eq!((motions.len(), read), (1, Ok(())), "an ack of a room just left is nothing wrong");
}

#[test]
fn m1_a_datagram_has_a_size_and_a_number_of_records() {
    let mut stage = Stage::with_all();
    let (motions, read) = stage.datagram(&ack(ROOM).repeat(65));
    assert_eq!((motions.len(), read), (64, Err(DecodeError::Range)));
    let (motions, read) = stage.datagram(&ack(ROOM).repeat(251));
    assert_eq!((motions.len(), read), (0, Err(DecodeError::TooLong)), "1,004 bytes");
}

#[test]
fn e1_motion_without_the_right_is_dropped_without_an_answer() {
    let rights = Rights(Rights::ALL.0 & !Rights::MOTION.0);
    let mut stage = Stage::joined(rights, &RoomPolicy::default());
    let (motions, read) = stage.datagram(&[sample(ROOM), ack(ROOM)].concat());
    assert_eq!(read, Ok(()));
    assert!(matches!(motions[..], [Motion::Ack { .. }]), "who may not move may look");
    assert_eq!(stage.session.take_dropped(), Dropped { rate: 0, no_right: 1 });
    assert!(stage.effects().is_empty());
}

#[test]
fn m1_datagrams_before_the_welcome_are_of_no_use() {
    let mut stage = Stage::new();
    let (motions, read) = stage.datagram(&sample(ROOM));
    assert_eq!((motions.len(), read), (0, Err(DecodeError::Room)));
}

#[test]
fn d1_open_makes_a_stream_the_edits_lane_of_its_room() {
    let mut stage = Stage::with_all();
    let opened = stage.open_lane(&open(ROOM, Slot(3)));
    assert_eq!(opened, Some(open_of(ROOM, Slot(3))));
    stage.say_on_edits(ROOM, &submit());
    let effects = stage.effects();
    let [Effect::Submit { room, slot, refused, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!((room, slot, refused), (ROOM, Slot(3), None));
}

#[test]
fn d1_a_lane_of_a_room_or_a_membership_that_has_ended_is_ended() {
    let mut stage = Stage::with_all();
    let mut opens = |message: Bytes| stage.open_lane(&message).is_some();
    assert!(!opens(open(RoomHandle(99), Slot(3))));
    assert!(!opens(open(ROOM, Slot(2))), "the slot of an earlier membership");
    assert!(opens(open(ROOM, Slot(3))));
    assert!(stage.effects().is_empty(), "nobody is at fault");
    stage.session.handle_removed(ROOM);
    stage.say_on_edits(ROOM, &submit());
    assert!(stage.effects().is_empty());
}

#[test]
fn d1_messages_out_of_order_close() {
    let mut stage = Stage::with_all();
    assert_eq!(stage.open_lane(&submit().encode()), None);
    assert_eq!(stage.close_code(), CloseCode::Malformed.number());
    let mut stage = Stage::with_all();
    stage.session.handle_edits(stage.now, ROOM, after_prefix(&open(ROOM, Slot(3))));
    assert_eq!(stage.close_code(), CloseCode::Malformed.number());
}

#[test]
fn f4_what_is_no_message_on_an_edits_lane_closes() {
    let mut stage = Stage::with_all();
    stage.session.handle_edits(stage.now, ROOM, &[0xc1]);
    assert_eq!(stage.close_code(), CloseCode::Malformed.number());
    let mut stage = Stage::with_all();
    stage.session.handle_malformed(MessageError::TooLong);
    assert_eq!(stage.close_code(), CloseCode::TooLarge.number());
    let mut stage = Stage::with_all();
    stage.session.handle_edits(stage.now, ROOM, &[0x92, 0x7f, 0x80]);
    assert!(stage.effects().is_empty(), "unknown kinds are skipped (F5)");
}

#[test]
fn e1_edits_without_the_right_are_rejected() {
    let rights = Rights(Rights::ALL.0 & !Rights::EDIT.0);
    let mut stage = Stage::joined(rights, &RoomPolicy::default());
    let opened = stage.open_lane(&open(ROOM, Slot(3)));
    assert!(opened.is_some(), "who may not edit may read");
    stage.say_on_edits(ROOM, &submit());
    let effects = stage.effects();
    let [Effect::Refused(Refusal::Forbidden), Effect::Submit { refused, .. }] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(refused, Some(Refusal::Forbidden));
}
