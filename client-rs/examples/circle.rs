//! A bot that walks in a circle, until the connection ends or somebody presses Ctrl-C. With many of them in one room
//! one sees at a glance whether motion is smooth.
//!
//! `cargo run -p hither-client --example circle -- --url https://127.0.0.1:4433 --cert-sha256 HEX --room default:lobby`

use std::f64::consts::TAU;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use hither_client::{Client, Event, Map, Member, Position, Room, Transport};
use tokio::time::{Instant, MissedTickBehavior, interval};

#[derive(Parser)]
struct Arguments {
    /// The server.
    #[arg(long, default_value = "https://127.0.0.1:4433")]
    url: String,
    /// The SHA-256 of the server's certificate in hex, as a development server prints it; without it, the machine's
    /// roots decide.
    #[arg(long, value_parser = parse_hash)]
    cert_sha256: Option<[u8; 32]>,
    /// What carries the connection.
    #[arg(long, value_enum, default_value_t = Carrier::Quic)]
    transport: Carrier,
    /// The token, where the server wants one.
    #[arg(long)]
    token: Option<String>,
    /// The room to walk in.
    #[arg(long, default_value = "default:lobby")]
    room: String,
    /// The bot's name.
    #[arg(long, default_value = "circle")]
    name: String,
    /// The circle's middle, in the room's units.
    #[arg(long, num_args = 2, allow_negative_numbers = true, default_values_t = [400, 300])]
    middle: Vec<i32>,
    /// The circle's radius, in the room's units.
    #[arg(long, default_value_t = 150.0)]
    radius: f64,
    /// Seconds for once around.
    #[arg(long, default_value_t = 4.0)]
    period: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Carrier {
    Quic,
    Webtransport,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let client = connect(&arguments).await?;
    let presence = Map::from([("bot".into(), true.into())]);
    let room = client.enter(&arguments.room, presence).await?;
    eprintln!("in {}, with {} others", arguments.room, room.others().len());
    tokio::select! {
        () = walk(&room, &arguments) => {}
        () = tell(&room) => bail!(client.closed().await),
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    drop(room);
    eprintln!("{}", client.close().await);
    Ok(())
}

async fn connect(arguments: &Arguments) -> Result<Client> {
    let mut options = Client::builder(&arguments.url).name(&arguments.name);
    options = options.transport(match arguments.transport {
        Carrier::Quic => Transport::Quic,
        Carrier::Webtransport => Transport::WebTransport,
    });
    if let Some(hash) = arguments.cert_sha256 {
        options = options.cert_sha256(hash);
    }
    if let Some(token) = &arguments.token {
        options = options.token(token);
    }
    options.connect().await.with_context(|| arguments.url.clone())
}

/// Sets a position sixty times a second; the client sends as many as the room's tick can use.
async fn walk(room: &Room, arguments: &Arguments) {
    let begin = Instant::now();
    let mut steps = interval(Duration::from_micros(16_667));
    steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let now = steps.tick().await;
        let angle = TAU * (now - begin).as_secs_f64() / arguments.period;
        let along = |middle: i32, part: f64| middle + (arguments.radius * part).round() as i32;
        let [x, y] = [0, 1].map(|axis| arguments.middle[axis]);
        room.set_motion(Position::xy(along(x, angle.cos()), along(y, angle.sin())));
    }
}

/// Tells who comes and goes, until the membership ends.
async fn tell(room: &Room) {
    while let Some(event) = room.next_event().await {
        match event {
            Event::MemberJoined { slot, .. } => {
                eprintln!("{} came", room.member(slot).map_or_else(|| slot.to_string(), name));
            }
            Event::MemberLeft { member, .. } => eprintln!("{} left", name(member)),
            Event::Left { reason, .. } => eprintln!("thrown out: {reason:?}"),
            _ => {}
        }
    }
}

fn parse_hash(hex: &str) -> Result<[u8; 32]> {
    let mut hash = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        bail!("a SHA-256 has 64 digits");
    }
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16)?;
    }
    Ok(hash)
}

/// What to call a member: its user's name, or its slot.
fn name(member: Member) -> String {
    member.user.name.unwrap_or_else(|| member.slot.to_string())
}
