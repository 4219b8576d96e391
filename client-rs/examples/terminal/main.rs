//! The room in a terminal: the mouse is the cursor, and everybody else is drawn where they point. With `--json` it is
//! the same room for scripts, one JSON object a line. It shows how [`hither_client::Polled`] is used by a loop that
//! never waits for the network.
//!
//! ```text
//! cargo run -p hither-client --example terminal -- --url http://127.0.0.1:8080 --room default:lobby --name Ada
//! ```
//!
//! A URL that begins with `http://` is asked for `/.well-known/hither`, which says where the server's QUIC address is
//! and what its certificate's hash is. One that begins with `https://` is connected to as it is; `--cert-sha256` says
//! which certificate to trust, where no authority signed it.
//!
//! # On the screen
//!
//! The room's space is 0 to 2000 steps each way, as on the demo page. The mouse, or the arrow keys, move the cursor;
//! `1` to `6` send a reaction, `q` and Ctrl-C leave. Members call themselves by the presence fields `name` (a string)
//! and `color` (a hue, 0 to 359). A reaction is the event `reaction` with the data `{"emoji": "👍"}`. Notes are records
//! whose id begins with `note-`, with the fields `text`, `x`, `y` and `hue`.
//!
//! # JSON lines
//!
//! Commands come on stdin, one object a line. They wait until the room is entered.
//!
//! | command | what it does |
//! | --- | --- |
//! | `{"motion":[x,y]}` | moves the cursor: 1 to 4 numbers, rounded to whole steps; of many at once the last counts |
//! | `{"presence":{..}}` | patches the presence by field; null removes a field |
//! | `{"event":{"name":"..","data":..}}` | sends an event to everyone else |
//! | `{"put":{"id":"..","fields":{..}}}` | makes a record these fields, new or not |
//! | `{"patch":{"id":"..","fields":{..}}}` | patches a record by field; null removes a field |
//! | `{"remove":{"id":".."}}` | removes a record |
//! | `{"leave":true}` | leaves the room, and stays connected; edits that are not answered yet may be lost |
//!
//! The end of stdin waits for the answers to edits, 5 s at most, then says bye; the last line is `closed`, and the exit
//! status 0. It is 1 if the server or the network ended the connection, or the room could not be entered. A line that
//! can't be done is answered by `{"error":".."}`, and the next one is read.
//!
//! What happens comes on stdout, one object a line, each written out at once:
//!
//! | line | what happened |
//! | --- | --- |
//! | `{"entered":{"slot":..,"members":[MEMBER, ..]}}` | the room was entered; all members, this one (`slot`) too |
//! | `{"joined":MEMBER}` | somebody came |
//! | `{"changed":MEMBER}` | somebody's presence or status changed |
//! | `{"left":{"slot":..}}` | somebody is gone; if it is this member, with a `reason` if it did not ask |
//! | `{"motion":{"slot":..,"position":[x,y]}}` | somebody's newest position in steps; those between may be left out |
//! | `{"event":{"slot":..,"name":"..","data":..,"number":..}}` | an event, without `number` if for this member alone |
//! | `{"events_lost":true}` | this program was too slow, or the server forgot: events are missing here |
//! | `{"records":{"ID":{..}, ..}}` | the whole document, when it is loaded and whenever it changed |
//! | `{"acked":{"number":..}}` | an edit is durable; edits are counted from 1 |
//! | `{"rejected":{"number":..,"code":"..","message":".."}}` | an edit has no effect |
//! | `{"refused":{"code":"..","message":".."}}` | something else is not done; maybe with `retry_after_ms` |
//! | `{"closed":{"code":..,"reason":".."}}` | the connection ended, or never came to be; `code` may be null |
//!
//! A MEMBER is `{"slot":..,"generation":..,"name":..,"user":"..","presence":{..},"status":"active|away|lost"}`, where
//! `user` is the user's id and `name` its name or null, both by the server's word.
//!
//! Values are MessagePack on the wire. Nil, booleans, strings, arrays and maps are JSON's own; a number with a fraction
//! or an exponent is a float, any other an integer, within ±(2^53 - 1). Bytes are an object with one field, in hex:
//! `{"$bin":"00ff"}`. Floats that JSON does not have (infinities, NaN) are written as null.

#![forbid(unsafe_code)]

mod app;
mod discovery;
mod lines;
mod pipe;
mod screen;
mod show;
mod values;
mod visit;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use hither_client::{Client, ConnectOptions, Map, Polled, RoomName, Transport};

use crate::discovery::Server;
use crate::visit::Visit;

#[derive(Parser)]
struct Arguments {
    /// The server: its http address, which says the rest, or the https one to connect to.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The SHA-256 of the server's certificate in hex; without it, the http address or the machine's roots decide.
    #[arg(long, value_parser = discovery::parse_hash)]
    cert_sha256: Option<[u8; 32]>,
    /// What carries the connection.
    #[arg(long, value_enum, default_value_t = Carrier::Quic)]
    transport: Carrier,
    /// The token, where the server wants one.
    #[arg(long)]
    token: Option<String>,
    /// The room to enter.
    #[arg(long, default_value = "default:lobby")]
    room: RoomName,
    /// What the others call you.
    #[arg(long, default_value = "terminal")]
    name: String,
    /// The hue of your cursor, 0 to 359; made from the name by default.
    #[arg(long, value_parser = clap::value_parser!(u16).range(..360))]
    color: Option<u16>,
    /// One JSON object a line on stdin and stdout, instead of the screen.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Carrier {
    Quic,
    Webtransport,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let net = match options(&arguments) {
        Ok(options) => Polled::connect(options)?,
        Err(error) if arguments.json => return pipe::unreachable(&error),
        Err(error) => bail!(error),
    };
    let color = arguments.color.unwrap_or_else(|| hue_of(&arguments.name));
    let presence = Map::from([
        ("name".into(), arguments.name.into()),
        ("color".into(), u32::from(color).into()),
    ]);
    let visit = Visit::new(net, arguments.room, presence);
    if arguments.json { pipe::run(visit) } else { show::run(visit) }
}

fn options(arguments: &Arguments) -> Result<ConnectOptions> {
    let server = Server::find(&arguments.url)?;
    let mut options = Client::builder(server.url).name(&arguments.name);
    options = options.transport(match arguments.transport {
        Carrier::Quic => Transport::Quic,
        Carrier::Webtransport => Transport::WebTransport,
    });
    if let Some(hash) = arguments.cert_sha256.or(server.cert_sha256) {
        options = options.cert_sha256(hash);
    }
    if let Some(token) = &arguments.token {
        options = options.token(token);
    }
    Ok(options)
}

/// The same name has the same colour every time; names that differ in a letter have hues far apart.
fn hue_of(name: &str) -> u16 {
    let sum = name.bytes().fold(0u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (u32::from(sum) * 137 % 360) as u16
}
