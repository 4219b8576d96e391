//! A client's session: a server that sends anything, in any order, beside a user who does anything. Whatever comes, the
//! session ends or goes on, and all that it sends can be read by a server.
#![no_main]

use hither_protocol::limits::MOTION_DATAGRAM_BYTES_MAX;
use hither_protocol::message::control::{
    AxisFormat, Hello, Joined, Member, MotionFormat, Roster, Status, ToClient, ToServer,
};
use hither_protocol::message::edits::{EditsToServer, Op, OpKind};
use hither_protocol::message::{FrameBuffer, Map, Value, frame};
use hither_protocol::motion::Position;
use hither_protocol::motion::upward::read;
use hither_protocol::session::{Session, Transmit};
use hither_protocol::varint::Reader;
use hither_protocol::{EditorId, RoomHandle, Slot, Tick, Timestamp};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Running out of bytes is how every input ends.
    let _ = run(&mut Unstructured::new(bytes));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut session = Session::new(Hello::default(), EditorId::default());
    let mut now = Timestamp::from_millis(1_000_000);
    // On another connection the server has other names for the rooms, which only the session knows.
    let mut are_names_known = true;
    drain(&mut session, now, are_names_known);
    while !input.is_empty() {
        // Few handles, so that what the server says meets what the user does.
        let room = RoomHandle(u32::from(input.arbitrary::<u8>()? % 4));
        let failed = match input.arbitrary::<u8>()? % 15 {
            0 => session.handle_control(now, &frame(input.arbitrary()?)).is_err(),
            1 => session.handle_control(now, input.arbitrary()?).is_err(),
            2 => session.handle_edits(room, &frame(input.arbitrary()?)).is_err(),
            3 => session.handle_control(now, &welcome(room, input)?.encode()).is_err(),
            4 | 5 => {
                session.handle_datagram(now, input.arbitrary()?);
                false
            }
            14 => {
                session.handle_disconnected();
                session.begin_again(None);
                are_names_known = false;
                false
            }
            other => {
                act(&mut session, now, other, room, input)?;
                false
            }
        };
        if failed {
            return Ok(());
        }
        now = now + std::time::Duration::from_millis(input.arbitrary::<u8>()?.into());
        session.handle_timeout(now);
        drain(&mut session, now, are_names_known);
    }
    Ok(())
}

/// What a server says to let a user into a room: too rare a find for chance.
fn welcome(room: RoomHandle, input: &mut Unstructured<'_>) -> Result<ToClient> {
    let slot = Slot(input.arbitrary::<u8>()?.into());
    let member = Member { slot, ..Member::default() };
    if input.arbitrary()? {
        let more = input.arbitrary()?;
        let tick = Tick(input.arbitrary()?);
        return Ok(ToClient::Roster(Roster { room, tick, members: vec![member], more }));
    }
    let axes: Vec<(i32, i32, bool)> = input.arbitrary()?;
    let axis = |(min, max, wraps)| AxisFormat { min, max, wraps, ..AxisFormat::default() };
    let motion =
        MotionFormat { tick_hz: input.arbitrary()?, axes: axes.into_iter().map(axis).collect() };
    let request = input.arbitrary::<u8>()?.into();
    Ok(ToClient::Joined(Joined { request, room, slot, motion, ..Joined::default() }))
}

/// What a user does.
fn act(
    session: &mut Session,
    now: Timestamp,
    action: u8,
    room: RoomHandle,
    input: &mut Unstructured<'_>,
) -> Result<()> {
    let map = Map::from([(input.arbitrary()?, Value::Nil)]);
    match action {
        6 => {
            if let Ok(name) = "default:lobby".parse() {
                session.enter(name, map, None);
            }
        }
        7 => session.set_motion(now, room, Position::new(input.arbitrary()?)),
        8 => session.update_presence(room, map),
        9 => {
            let kinds = [OpKind::Put, OpKind::Patch, OpKind::Remove, OpKind::Increment];
            let record: String = input.arbitrary()?;
            session.submit(room, vec![Op::new(*input.choose(&kinds)?, record, map)]);
            match input.arbitrary::<u8>()? % 8 {
                0 => drop(session.undo(room)),
                1 => drop(session.redo(room)),
                2 => session.handle_edits_ended(now, room),
                3 => {
                    session.kept_events(room, None, input.arbitrary()?);
                }
                _ => {}
            }
        }
        10 => session.leave(room),
        _ => {
            session.set_status(Status::Away);
            session.broadcast(room, input.arbitrary()?, Value::Map(map), vec![Slot(1)]);
        }
    }
    Ok(())
}

/// Reads all that the session sends as its server would, and takes all that it says.
fn drain(session: &mut Session, now: Timestamp, are_names_known: bool) {
    while let Some(transmit) = session.poll_transmit(now) {
        match transmit {
            Transmit::Control(bytes) => {
                assert!(matches!(ToServer::decode(&unframed(&bytes)), Ok(Some(_))));
            }
            Transmit::Edits(room, bytes) => {
                assert!(session.room(room).is_some());
                assert!(matches!(EditsToServer::decode(&unframed(&bytes)), Ok(Some(_))));
            }
            Transmit::Datagram(bytes) => {
                assert!((2..=MOTION_DATAGRAM_BYTES_MAX).contains(&bytes.len()));
                if are_names_known {
                    check_datagram(session, &bytes);
                }
            }
            Transmit::CloseEdits(room) => assert!(session.room(room).is_none()),
        }
    }
    assert!(session.poll_timeout().is_none_or(|due| due > now), "what is due has been sent");
    while session.poll_event().is_some() {}
    for room in (0..4).map(RoomHandle) {
        while let Some((slot, position)) = session.poll_motion(room) {
            let shown = session.room(room).and_then(|room| room.position(slot));
            assert_eq!(shown, position);
        }
    }
}

fn check_datagram(session: &Session, bytes: &[u8]) {
    assert_eq!(bytes.first(), Some(&0), "the transport's own byte");
    let axes = |room| Some(session.room(room)?.motion_format().format().axes);
    let mut reader = Reader::new(&bytes[1..]);
    while !reader.is_empty() {
        assert!(matches!(read(&mut reader, axes), Ok(Some(_))));
    }
}

fn unframed(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = FrameBuffer::default();
    buffer.push(bytes);
    match buffer.pop() {
        Ok(Some(message)) if buffer.is_empty() => message.to_vec(),
        other => panic!("not one message: {other:?}"),
    }
}
