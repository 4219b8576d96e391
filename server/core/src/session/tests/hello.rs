//! From the first byte to the welcome, and the end of a session (H2, H4, H5, F1 to F5, C1).

use super::*;
use bytes::Bytes;

#[test]
fn h2_the_hello_asks_for_the_user_and_is_answered_once_it_is_known() {
    let mut stage = Stage::new();
    let hello = Hello {
        token: Some("secret".into()),
        name: Some("Ann".into()),
        version: VERSION,
        reliable_motion: true,
        resume_token: Some("before".into()),
    };
    let bytes = ToServer::Hello(hello).encode();
    for byte in bytes.iter() {
        assert_eq!(stage.session.poll_effect(), None);
        stage.session.handle_control(stage.now, &[*byte]);
    }
    let expected = Effect::Authenticate {
        token: Some("secret".into()),
        name: Some("Ann".into()),
        resume_token: Some("before".into()),
    };
    assert_eq!(stage.effects(), [expected]);
    assert!(!stage.session.is_welcome());
    stage.session.handle_granted(stage.now, grant(&[]), begun());
    assert!(stage.session.is_welcome());
    let answers = stage.answers();
    let [ToClient::Welcome(welcome)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((welcome.version, welcome.time_ms), (VERSION, 1_000_000));
    assert_eq!(welcome.user.id, "ann");
    assert_eq!((welcome.resume_token.as_deref(), welcome.resumed), (Some("next"), false));
}

#[test]
fn h2_what_follows_the_hello_is_read_once_it_is_granted() {
    let mut stage = Stage::new();
    let chunk = [hello().encode(), join(7, "default:a").encode()].concat();
    stage.session.handle_control(stage.now, &chunk);
    assert!(matches!(stage.effects()[..], [Effect::Authenticate { .. }]));
    stage.session.handle_granted(stage.now, grant(&[("*", Rights::ALL)]), begun());
    assert!(matches!(stage.effects()[..], [Effect::Send(_), Effect::Join { request: 7, .. }]));
}

#[test]
fn h2_anything_else_than_hello_closes_first() {
    let unknown = hither_protocol::message::frame(&[0x92, 0x7f, 0x80]);
    for first in [join(1, "test:a").encode(), unknown] {
        let mut stage = Stage::new();
        stage.session.handle_control(stage.now, &first);
        assert_eq!(stage.close_code(), CloseCode::Malformed.number());
    }
}

#[test]
fn h2_a_second_hello_closes() {
    let mut stage = Stage::welcome(Rights::ALL);
    stage.say(hello());
    assert_eq!(stage.close_code(), CloseCode::Malformed.number());
}

#[test]
fn h2_a_hello_has_to_come_in_time() {
    let mut stage = Stage::new();
    assert_eq!(stage.session.poll_timeout(), Some(stage.now + Duration::from_secs(5)));
    stage.pass(4_999);
    assert!(stage.effects().is_empty());
    stage.pass(1);
    assert_eq!(stage.close_code(), CloseCode::HelloTimeout.number());
    let mut stage = Stage::welcome(Rights::ALL);
    assert_eq!(stage.session.poll_timeout(), None, "once it has come there is no hurry");
    stage.pass(60_000);
    assert!(stage.effects().is_empty());
}

#[test]
fn h1_a_hello_of_another_version_closes() {
    let mut stage = Stage::new();
    stage.say(ToServer::Hello(Hello { version: VERSION + 1, ..Hello::default() }));
    assert_eq!(stage.close_code(), CloseCode::Version.number());
}

#[test]
fn l1_a_token_or_a_name_over_its_size_closes() {
    let long = |len: usize| Some("x".repeat(len));
    for (token, name, closes) in [
        (long(8 * 1024), long(64), false),
        (long(8 * 1024 + 1), None, true),
        (None, long(65), true),
    ] {
        let mut stage = Stage::new();
        stage.say(ToServer::Hello(Hello { version: VERSION, token, name, ..Hello::default() }));
        if closes {
            assert_eq!(stage.close_code(), CloseCode::TooLarge.number());
        } else {
            assert!(matches!(stage.effects()[..], [Effect::Authenticate { .. }]));
        }
    }
}

#[test]
fn h4_a_token_ends_within_the_session_too() {
    let expires_ms = Some(1_000_000 + 60_000);
    let mut stage = Stage::welcome_with(Grant { expires_ms, ..grant(&[("*", Rights::ALL)]) });
    assert_eq!(stage.session.poll_timeout(), Some(Timestamp::from_millis(1_060_000)));
    stage.pass(59_999);
    assert!(stage.effects().is_empty());
    stage.pass(1);
    assert_eq!(stage.close_code(), CloseCode::TokenExpired.number());
}

#[test]
fn f5_unknown_kinds_are_skipped() {
    let mut stage = Stage::welcome(Rights::ALL);
    let unknown = hither_protocol::message::frame(&[0x92, 0x7f, 0x81, 0xa1, b'x', 0x01]);
    stage.session.handle_control(stage.now, &unknown);
    assert!(stage.effects().is_empty());
    stage.say(ToServer::Ping(Ping { token: 9 }));
    let answers = stage.answers();
    assert!(matches!(&answers[..], [ToClient::Pong(pong)] if pong.token == 9), "{answers:?}");
}

#[test]
fn f4_what_is_no_message_closes() {
    let frame = hither_protocol::message::frame;
    for (bytes, code) in [
        (frame(&[0xc1]), CloseCode::Malformed),
        (frame(&[0x92, 0x02]), CloseCode::Malformed),
        (frame(&[0x92, 0x02, 0x80]), CloseCode::Malformed),
        (frame(&[0x92, 0x07, 0x81, 0xa1, b't', 0x01, 0x00]), CloseCode::Malformed),
        (Bytes::from_static(&[0x81, 0x80, 0x04]), CloseCode::TooLarge),
    ] {
        let mut stage = Stage::welcome(Rights::ALL);
        stage.session.handle_control(stage.now, &bytes);
        assert_eq!(stage.close_code(), code.number(), "{bytes:?}");
    }
}

#[test]
fn c1_the_end_of_the_control_lane_ends_the_session() {
    let mut stage = Stage::welcome(Rights::ALL);
    stage.session.handle_control_end();
    assert_eq!(stage.close_code(), CloseCode::Done.number());
    let mut stage = Stage::welcome(Rights::ALL);
    stage.session.handle_control(stage.now, &[5, 0x92]);
    stage.session.handle_control_end();
    assert_eq!(stage.close_code(), CloseCode::Malformed.number(), "cut off in a message");
}

#[test]
fn c1_a_bye_leaves_every_room_and_closes() {
    let mut stage = Stage::with_all();
    stage.join("test:b", RoomHandle(8), Slot(4), &RoomPolicy::default());
    stage.say(ToServer::Bye(Bye::new(CloseCode::Done, "")));
    let effects = stage.effects();
    let leave = |room, slot| Effect::Leave { room, slot };
    assert_eq!(effects[..2], [leave(ROOM, Slot(3)), leave(RoomHandle(8), Slot(4))]);
    assert!(matches!(&effects[2..], [Effect::Over, Effect::Close(bye)] if bye.code == 4000));
    assert_eq!(stage.session.memberships().count(), 0);
}

#[test]
fn c1_a_session_closes_once_and_says_when_to_come_back() {
    let mut stage = Stage::with_all();
    let bye = Bye { retry_after_ms: Some(500), ..Bye::new(CloseCode::GoingAway, "stopping") };
    stage.session.close_with(bye.clone());
    stage.session.close(CloseCode::TooSlow, "");
    assert_eq!(stage.effects(), [Effect::Close(bye)]);
    assert_eq!(stage.session.memberships().count(), 1, "the driver tells its rooms");
}
