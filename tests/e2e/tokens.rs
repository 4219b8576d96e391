//! Tokens: who comes in, for how long, as whom, and what each right is good for.

use hither_client::{Closed, ConnectError, Event, Map, Position, Reaction, Refusal, SubmitError};
use hither_client::{Op, OpKind, Room};
use serde_json::{Value, json};

use crate::support::{Host, Issuer, Target, enter, event, field, now_s, on_all, slot, soon, until};

const ALL: [&str; 5] = ["join", "presence", "motion", "broadcast", "edit"];

async fn with_tokens() -> (Host, Issuer) {
    let issuer = Issuer::new();
    (Host::with(|config| issuer.configure(config)).await, issuer)
}

async fn refused(builder: hither_client::ConnectOptions) -> Closed {
    match soon(builder.connect()).await {
        Err(ConnectError::Refused(closed)) => closed,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn h4_a_wrong_token_is_refused_with_the_code_that_says_how() {
    on_all(async |on| {
        let (server, issuer) = with_tokens().await;
        let token = |changes| Some(issuer.token("ada", &ALL, changes));
        let unsigned =
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJhdWQiOiJlMmUiLCJleHAiOjk5OTk5OTk5OTl9.";
        let cases = [
            ("missing", None, 4100),
            ("no token", Some("ada".to_owned()), 4100),
            ("unsigned", Some(unsigned.to_owned()), 4100),
            ("forged", Some(issuer.forged()), 4100),
            ("expired", token(json!({ "exp": now_s() - 1.0 })), 4101),
            ("not yet", token(json!({ "nbf": now_s() + 60.0 })), 4100),
            ("other audience", token(json!({ "aud": "else" })), 4100),
            ("no audience", token(json!({ "aud": null })), 4100),
            ("no end", token(json!({ "exp": null })), 4100),
            ("unknown right", token(json!({ "rooms": { "*": ["fly"] } })), 4100),
        ];
        let total = cases.len() as u64;
        for (name, token, code) in cases {
            let mut builder = server.builder(on);
            if let Some(token) = token {
                builder = builder.token(token);
            }
            let closed = refused(builder).await;
            assert_eq!(closed.code, Some(code), "{name}: {closed}");
            assert_eq!(closed.reaction, Reaction::NewToken);
        }
        assert_eq!(server.metric("hither_rejects_total{cause=\"auth\"}").await, total);
        let good = server.builder(on).token(issuer.token("ada", &ALL, json!({})));
        soon(good.connect()).await.expect("a good token is let in");
    })
    .await;
}

// proves C1
#[tokio::test]
async fn h4_a_token_that_expires_ends_the_session() {
    on_all(async |on| {
        let (server, issuer) = with_tokens().await;
        let client = async |sub: &str, changes| {
            let token = issuer.token(sub, &ALL, changes);
            soon(server.builder(on).token(token).connect()).await.unwrap()
        };
        let (ada, bob) =
            (client("ada", json!({ "exp": now_s() + 1.0 })).await, client("bob", json!({})).await);
        let (here, there) = (enter(&ada, "default:a").await, enter(&bob, "default:a").await);
        let closed = soon(ada.closed()).await;
        assert_eq!(closed.code, Some(4101), "{closed}");
        assert_eq!(closed.reaction, Reaction::NewToken);
        let lost = event(&there, |event| match event {
            Event::MemberChanged { slot, .. } => Some(slot),
            _ => None,
        });
        assert_eq!(lost.await, slot(&here));
        assert_eq!(server.metric("hither_rejects_total{cause=\"auth\"}").await, 1);
    })
    .await;
}

#[tokio::test]
async fn h5_the_server_says_who_a_member_is() {
    on_all(async |on| {
        let (server, issuer) = with_tokens().await;
        let token = issuer.token("ada@example", &ALL, json!({ "name": "Ada" }));
        let ada = soon(server.builder(on).token(token).name("Eve").connect()).await.unwrap();
        assert_eq!((&*ada.user().id, ada.user().name.as_deref()), ("ada@example", Some("Ada")));
        let bob = server.builder(on).token(issuer.token("bob", &ALL, json!({}))).name("Mallory");
        let bob = soon(bob.connect()).await.unwrap();
        assert_eq!(bob.user().name, None, "a proposed name does not count beside a token");
        let (here, there) = (enter(&ada, "default:a").await, enter(&bob, "default:a").await);
        let seen = there.member(slot(&here)).unwrap();
        assert_eq!(seen.user, ada.user());
    })
    .await;
}

/// A member with some rights, and one with all who watches it; both in `default:a`.
async fn members(
    server: &Target,
    issuer: &Issuer,
    on: hither_client::Transport,
    rights: &[&str],
) -> (Room, Room) {
    let mut rooms = Vec::new();
    for (sub, rights) in [("limited", rights), ("watcher", &ALL[..])] {
        let token = issuer.token(sub, rights, json!({}));
        let client = soon(server.builder(on).token(token).connect()).await.unwrap();
        rooms.push(enter(&client, "default:a").await);
    }
    let watcher = rooms.pop().unwrap();
    (rooms.pop().unwrap(), watcher)
}

fn without(right: &str) -> Vec<&'static str> {
    ALL.into_iter().filter(|name| *name != right).collect()
}

async fn forbidden(room: &Room) {
    let refused = event(room, |event| match event {
        Event::Refused(error) => Some(error.code),
        _ => None,
    });
    assert_eq!(refused.await, Refusal::Forbidden);
}

fn put() -> Vec<Op> {
    vec![Op::new(OpKind::Put, "a", field("x", 1))]
}

// proves E1
#[tokio::test]
async fn h4_a_room_without_the_right_to_join_stays_closed() {
    on_all(async |on| {
        let (server, issuer) = with_tokens().await;
        let rooms = json!({ "rooms": {
            "default:open": ["join"], "default:team-*": ALL, "default:no": without("join")
        } });
        let token = issuer.token("ada", &[], rooms);
        let ada = soon(server.builder(on).token(token).connect()).await.unwrap();
        for (room, presence, open) in [
            ("default:open", Map::new(), true),
            ("default:open-too", Map::new(), false),
            ("default:team-a", field("a", 1), true),
            ("default:team", Map::new(), false),
            ("default:no", Map::new(), false),
            ("hz10:team-a", Map::new(), false),
        ] {
            match soon(ada.enter(room, presence)).await {
                Ok(entered) => assert!(open, "entered {}", entered.handle()),
                Err(hither_client::EnterError::Refused(refused)) => {
                    assert!(!open && refused.code == Refusal::Forbidden, "{room}: {refused}");
                }
                Err(other) => panic!("{room}: {other}"),
            }
        }
        let early = soon(ada.enter("default:open", field("a", 1))).await;
        assert!(early.is_err(), "a first presence is a presence");
        assert_eq!(server.metric("hither_rejects_total{cause=\"no_right\"}").await, 5);
    })
    .await;
}

// proves E1
#[tokio::test]
async fn h4_each_right_that_is_withheld_has_its_refusal_and_the_others_work() {
    on_all(async |on| {
        for right in &ALL[1..] {
            let (server, issuer) = with_tokens().await;
            let (here, there) = members(&server, &issuer, on, &without(right)).await;
            here.set_motion(Position::xy(3, 4));
            match *right {
                "presence" => {
                    here.update_presence(field("a", 1)).unwrap();
                    forbidden(&here).await;
                }
                "broadcast" => {
                    here.broadcast("wave", 1).unwrap();
                    forbidden(&here).await;
                    here.send_to(vec![slot(&there)], "psst", 1).unwrap();
                    forbidden(&here).await;
                }
                "edit" => {
                    let Err(SubmitError::Rejected(refused)) = soon(here.submit(put())).await else {
                        panic!("not rejected");
                    };
                    assert_eq!(refused.code, Refusal::Forbidden);
                }
                _ => {
                    // Motion has no answers: it is dropped, and counted.
                    let dropped = "hither_datagrams_dropped_total{cause=\"no_right\"}";
                    server.metric_until(dropped, |dropped| dropped > 0).await;
                }
            }
            the_others_work(&here, &there, right).await;
        }
    })
    .await;
}

/// Does everything but what `right` is for, and looks whether the other has seen just that.
async fn the_others_work(here: &Room, there: &Room, right: &str) {
    if right != "edit" {
        soon(here.submit(put())).await.unwrap();
    }
    if right != "presence" {
        here.update_presence(field("b", 2)).unwrap();
    }
    if right != "broadcast" {
        here.broadcast("wave", 1).unwrap();
        event(there, |event| matches!(event, Event::Broadcast { .. }).then_some(())).await;
    }
    let presence = if right == "presence" { Map::new() } else { field("b", 2) };
    until("the presence is seen", || there.member(slot(here)).unwrap().presence == presence).await;
    if right == "motion" {
        assert_eq!(there.position(slot(here)), None);
    } else {
        until("the motion is seen", || there.position(slot(here)) == Some(Position::xy(3, 4)))
            .await;
    }
    there.open_document().unwrap();
    let records =
        || there.read(|room| room.records().map(|records| records.iter().count())).flatten();
    until("the document is seen", || records() == Some(usize::from(right != "edit"))).await;
}

#[tokio::test]
async fn h4_a_grant_holds_its_time_and_no_longer_than_its_token_says() {
    let issuer = Issuer::new();
    let server = Host::with(|config| issuer.configure(config)).await;
    let far: Value = json!({ "exp": 253_402_300_799_u64 });
    let token = issuer.token("ada", &ALL, far);
    let on = hither_client::Transport::Quic;
    let ada = soon(server.builder(on).token(token).connect()).await.unwrap();
    enter(&ada, "default:a").await;
}
