use super::*;
use crate::grant::{Pattern, RoomGrant};

#[test]
fn h2_what_follows_the_hello_is_read_once_it_is_granted() {
    let now = Timestamp::from_millis(1_000);
    let policy = SessionPolicy { hello_deadline: std::time::Duration::from_secs(5), rooms_max: 16 };
    let mut session = Session::new(policy, now);
    let hello = Hello { version: VERSION, ..Hello::default() };
    let join = Join { request: 7, room: "default:a".into(), ..Join::default() };
    let chunk = [ToServer::Hello(hello).encode(), ToServer::Join(join).encode()].concat();
    session.handle_control(now, &chunk);
    assert!(matches!(session.poll_effect(), Some(Effect::Authenticate { .. })));
    assert_eq!(session.poll_effect(), None, "nothing is read before the grant");

    let rooms = vec![RoomGrant { pattern: Pattern::any(), rights: Rights::ALL }];
    let grant = Grant { user_id: "a".into(), name: None, expires_ms: None, rooms };
    session.handle_granted(now, grant);
    assert!(matches!(session.poll_effect(), Some(Effect::Send(_))), "the welcome");
    assert!(matches!(session.poll_effect(), Some(Effect::Join { request: 7, .. })));
}
