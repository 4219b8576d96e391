//! Bots as a person meets them: they come when the page asks for them, act like people, and go.

use std::collections::BTreeSet;

use hither_client::{Event, Member, Transport, Value};

use crate::support::{Host, Target, enter, event, until};

impl Target {
    fn own_origin(&self) -> String {
        format!("http://{}", self.http)
    }
}

fn is_a_bot(member: &Member) -> bool {
    let field = |name| member.presence.get(name);
    matches!(field("name"), Some(Value::String(name)) if member.user.name.as_ref() == Some(name))
        && matches!(field("color"), Some(Value::Int(0..360)))
        && field("bot") == Some(&Value::Bool(true))
}

#[tokio::test]
async fn fifty_bots_come_move_react_and_go() {
    let server = Host::start().await;
    let origin = server.own_origin();
    let ada = server.client(Transport::WebTransport).await;
    let room = enter(&ada, "default:lobby").await;
    let ask = async |count: usize| {
        let json = format!(r#"{{"room":"default:lobby","count":{count}}}"#);
        let answer = server.ask_for_bots(Some(&origin), &json).await;
        assert_eq!(answer, (200, format!(r#"{{"count":{count}}}"#)));
    };
    ask(50).await;
    until("all are there", || room.others().len() == 50).await;
    assert!(room.others().iter().all(is_a_bot));
    let mut moved = BTreeSet::new();
    let everyone_moves = || {
        while let Some((slot, position)) = room.poll_motion() {
            let Some(position) = position else { continue };
            let [x, y, ..] = position.axes();
            assert!((0..2_000).contains(&x) && (0..2_000).contains(&y), "{position:?}");
            if room.member(slot).is_some_and(|member| is_a_bot(&member)) {
                moved.insert((slot, position.axes()));
            }
        }
        let movers: BTreeSet<_> = moved.iter().map(|(slot, _)| *slot).collect();
        movers.len() == 50 && moved.len() > 500
    };
    until("all move", everyone_moves).await;
    let reaction = event(&room, |event| match event {
        Event::Broadcast { name, data, .. } if name == "reaction" => Some(data),
        _ => None,
    });
    let Value::Map(reaction) = reaction.await else { panic!("no map") };
    assert!(matches!(reaction.get("emoji"), Some(Value::String(_))), "{reaction:?}");
    ask(10).await;
    until("most are gone", || room.others().len() == 10).await;
    ask(0).await;
    until("all are gone", || room.others().is_empty()).await;
    // The room hears of the last leave before that bot's connection has ended.
    server.metric_until("hither_connections{transport=\"memory\"}", |count| count == 0).await;
}

#[tokio::test]
async fn only_own_pages_call_bots() {
    let server = Host::start().await;
    let own = server.own_origin();
    let lobby = r#"{"room":"default:lobby","count":1}"#;
    for origin in [None, Some("null"), Some("https://evil.example"), Some(&*format!("{own}0"))] {
        assert_eq!(server.ask_for_bots(origin, lobby).await.0, 403, "{origin:?}");
    }
    for (json, status) in [
        (r#"{"room":"default","count":1}"#, 400),
        (r#"{"room":"elsewhere:lobby","count":1}"#, 404),
        (r#"{"room":"default:lobby","count":-1}"#, 422),
        (r#"{"room":"#, 400),
        (&*format!(r#"{{"count":1,"room":"{}"}}"#, "x".repeat(2_000)), 413),
    ] {
        assert_eq!(server.ask_for_bots(Some(&own), json).await.0, status, "{json}");
    }
    assert_eq!(server.metric("hither_members").await, 0);
}

#[tokio::test]
async fn a_server_without_the_demo_has_no_bots() {
    let server = Host::with(|config| config.demo = None).await;
    let json = r#"{"room":"default:lobby","count":1}"#;
    assert_eq!(server.ask_for_bots(Some(&server.own_origin()), json).await.0, 404);
}
