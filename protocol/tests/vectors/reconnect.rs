//! `reconnect.json`: scripts of what befalls a client's connection, and what the reconnect machine makes of it.

use std::time::Duration;

use hither_protocol::Timestamp;
use hither_protocol::reconnect::{Action, Config, LostConnection, Reconnect, Status};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{items, text};

/// A script: its name, whether there is another token to be had, and what happens when, in milliseconds.
type Script = (&'static str, bool, Vec<Json>);

fn wanted(now: u64) -> Json {
    json!({ "now": now, "do": "wanted" })
}

fn welcome(now: u64) -> Json {
    json!({ "now": now, "do": "welcome" })
}

fn lost(now: u64, random: f64) -> Json {
    json!({ "now": now, "do": "end", "random": random })
}

fn bye(now: u64, code: u32, random: f64) -> Json {
    json!({ "now": now, "do": "end", "code": code, "random": random })
}

fn advised(now: u64, code: u32, retry_after_ms: u64, random: f64) -> Json {
    let mut step = bye(now, code, random);
    step["retry_after_ms"] = json!(retry_after_ms);
    step
}

fn nudge(now: u64, random: f64) -> Json {
    json!({ "now": now, "do": "nudge", "random": random })
}

fn timeout(now: u64, random: f64) -> Json {
    json!({ "now": now, "do": "timeout", "random": random })
}

fn unwanted(now: u64) -> Json {
    json!({ "now": now, "do": "unwanted" })
}

fn scripts() -> Vec<Script> {
    let mut all = pauses();
    all.extend(tokens());
    all.extend(told());
    all
}

fn pauses() -> Vec<Script> {
    let failing = [125, 375, 875, 1_875, 3_875, 7_875, 15_875, 25_875].into_iter();
    let mut growing = vec![wanted(0), lost(0, 0.5)];
    growing.extend(failing.flat_map(|now| [timeout(now, 0.0), lost(now, 0.5)]));
    let mut dropped = vec![wanted(0)];
    for now in [100, 225, 475, 975] {
        dropped.extend([welcome(now), lost(now, 0.5), timeout(now * 2 + 25, 0.0)]);
    }
    vec![
        ("C3: pauses double from 250 ms to 20 s, here by half of that", false, growing),
        (
            "C3: a server that takes everyone and drops them at once is met with growing pauses",
            false,
            dropped,
        ),
        (
            "C3: pauses begin anew after a connection that was welcome for 5 s",
            false,
            vec![
                wanted(0),
                lost(0, 0.5),
                timeout(125, 0.0),
                welcome(200),
                lost(5_199, 0.5),
                timeout(5_449, 0.0),
                welcome(5_500),
                lost(10_500, 0.5),
            ],
        ),
        (
            "C3: an attempt ends after 5 s without a welcome, and a late welcome is none",
            false,
            vec![
                wanted(0),
                timeout(4_999, 0.5),
                timeout(5_000, 0.5),
                welcome(5_050),
                timeout(5_125, 0.0),
            ],
        ),
        (
            "C2: a server's advice is kept, and the pause where that is longer",
            false,
            vec![
                wanted(0),
                welcome(50),
                advised(100, 4200, 3_000, 0.5),
                timeout(3_099, 0.0),
                timeout(3_100, 0.0),
                advised(3_200, 4201, 10, 0.5),
            ],
        ),
        (
            "C3: who is online or seen again waits no longer than 250 ms, and not longer than before",
            false,
            vec![
                wanted(0),
                lost(0, 0.5),
                nudge(10, 0.75),
                nudge(20, 0.25),
                timeout(83, 0.0),
                nudge(90, 0.0),
                lost(100, 1.0),
                nudge(110, 0.5),
            ],
        ),
        (
            "C2: who is online or seen again waits for as long as the server said",
            false,
            vec![
                wanted(0),
                welcome(50),
                advised(100, 4200, 3_000, 0.5),
                nudge(200, 0.0),
                nudge(3_050, 0.0),
            ],
        ),
    ]
}

fn tokens() -> Vec<Script> {
    let stops = [4000, 4005, 4099, 4300].map(|code| -> Script {
        let name = match code {
            4000 => "C2: 4000 is the end",
            4005 => "C2: 4005 is the end: another connection has the session",
            4099 => "C2: a code that is not known is the end by its range",
            _ => "C2: a code out of all ranges is the end",
        };
        (name, true, vec![wanted(0), welcome(50), bye(100, code, 0.5), timeout(60_000, 0.0)])
    });
    let mut all = Vec::from(stops);
    all.extend([
        (
            "C2: an expired token is renewed at once, and twice in a row with pauses",
            true,
            vec![
                wanted(0),
                welcome(50),
                lost(20_050, 0.5),
                timeout(20_175, 0.0),
                welcome(20_200),
                bye(20_300, 4101, 0.5),
                timeout(20_300, 0.0),
                bye(20_400, 4100, 0.5),
                timeout(20_650, 0.0),
                bye(20_700, 4100, 0.5),
                timeout(21_200, 0.0),
                welcome(21_250),
                bye(41_250, 4101, 0.5),
            ],
        ),
        (
            "C2: the first token counts as new, and one that is renewed waits for the server's advice",
            true,
            vec![
                wanted(0),
                bye(50, 4100, 0.5),
                timeout(175, 0.0),
                lost(200, 0.5),
                timeout(450, 0.0),
                advised(500, 4199, 800, 0.5),
            ],
        ),
        (
            "C2: without a way to a new token 41xx is the end",
            false,
            vec![wanted(0), welcome(50), bye(100, 4101, 0.5), timeout(60_000, 0.0)],
        ),
    ]);
    all
}

fn told() -> Vec<Script> {
    vec![
        (
            "C3: a connection that is gone for 5 s is lost, once, and restored",
            false,
            vec![
                wanted(0),
                welcome(50),
                lost(1_000, 0.5),
                timeout(1_125, 0.0),
                lost(1_200, 0.5),
                timeout(1_450, 0.0),
                timeout(6_000, 0.0),
                timeout(6_450, 0.5),
                timeout(6_950, 0.0),
                welcome(7_000),
                lost(8_000, 0.5),
            ],
        ),
        (
            "C3: one that is back within 5 s is not lost, and the time begins anew",
            false,
            vec![
                wanted(0),
                welcome(50),
                lost(1_000, 0.5),
                timeout(1_125, 0.0),
                welcome(5_999),
                lost(6_100, 0.5),
                timeout(6_350, 0.0),
                timeout(11_099, 0.0),
                timeout(11_100, 0.0),
            ],
        ),
        (
            "C3: what was never there is not lost",
            false,
            vec![wanted(0), lost(0, 0.5), timeout(125, 0.0), timeout(5_125, 0.5)],
        ),
        (
            "C3: what is lost and is not tried for any more has failed",
            false,
            vec![
                wanted(0),
                welcome(50),
                advised(1_000, 4200, 6_000, 0.5),
                timeout(6_000, 0.0),
                timeout(7_000, 0.0),
                bye(7_100, 4003, 0.5),
                wanted(8_000),
                lost(8_100, 0.5),
            ],
        ),
        (
            "C3: who wants none has no attempts, no pauses and nothing lost, and begins anew",
            false,
            vec![
                wanted(0),
                wanted(10),
                welcome(50),
                lost(1_000, 0.5),
                unwanted(1_010),
                timeout(9_000, 0.0),
                wanted(9_000),
                unwanted(9_010),
                welcome(9_020),
                lost(9_030, 0.5),
            ],
        ),
    ]
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Initial => "initial",
        Status::Connecting => "connecting",
        Status::Connected => "connected",
        Status::Reconnecting => "reconnecting",
        Status::Disconnected => "disconnected",
    }
}

fn action(action: Action) -> Json {
    match action {
        Action::Connect { new_token } => json!({ "connect": { "new_token": new_token } }),
        Action::Abandon => json!({ "abandon": {} }),
        Action::Status(now) => json!({ "status": status(now) }),
        Action::LostConnection(LostConnection::Lost) => json!({ "lost_connection": "lost" }),
        Action::LostConnection(LostConnection::Restored) => {
            json!({ "lost_connection": "restored" })
        }
        Action::LostConnection(LostConnection::Failed) => json!({ "lost_connection": "failed" }),
    }
}

/// A time in milliseconds, with a fraction if it has one.
fn ms(time: Timestamp) -> Json {
    let micros = time.as_micros();
    if micros.is_multiple_of(1_000) {
        json!(micros / 1_000)
    } else {
        json!(micros as f64 / 1_000.0)
    }
}

/// Does a step, and returns it with what comes of it.
fn step(machine: &mut Reconnect, step: &Json) -> Json {
    let now = Timestamp::from_millis(step["now"].as_u64().unwrap());
    let random = step["random"].as_f64().unwrap_or_default();
    match text(&step["do"]) {
        "wanted" => machine.handle_wanted(now),
        "unwanted" => machine.handle_unwanted(),
        "welcome" => machine.handle_welcome(now),
        "end" => {
            let code = step["code"].as_u64().map(|code| code as u32);
            machine.handle_end(now, code, step["retry_after_ms"].as_u64(), random);
        }
        "nudge" => machine.handle_nudge(now, random),
        "timeout" => machine.handle_timeout(now, random),
        other => panic!("{other} is no step"),
    }
    let mut made = step.clone();
    made["actions"] = std::iter::from_fn(|| machine.poll_action()).map(action).collect();
    made["due"] = machine.poll_timeout().map_or(Json::Null, ms);
    made
}

fn run(script: &Json) -> Json {
    let config = &script["config"];
    let mut machine = Reconnect::new(Config {
        lost_connection_timeout: Duration::from_millis(
            config["lost_connection_ms"].as_u64().unwrap(),
        ),
        can_renew_token: config["can_renew_token"].as_bool().unwrap(),
    });
    items(&script["steps"]).iter().map(|made| step(&mut machine, made)).collect()
}

#[test]
fn c3_the_reconnect_machine_follows_its_scripts() {
    let scripts = scripts().into_iter().map(|(name, can_renew_token, steps)| {
        let config = json!({ "lost_connection_ms": 5_000, "can_renew_token": can_renew_token });
        let mut script = json!({ "name": name, "config": config, "steps": steps });
        script["steps"] = run(&script);
        script
    });
    let made = json!({
        "about": "What the reconnect machine does, step by step.",
        "scripts": scripts.collect::<Vec<_>>(),
    });
    let file = golden("reconnect.json", &made);
    for script in items(&file["scripts"]) {
        assert_eq!(run(script), script["steps"], "{}", script["name"]);
    }
}
