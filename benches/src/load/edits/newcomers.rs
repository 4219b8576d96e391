//! Newcomers that open one big document again and again, beside editors of other rooms.

use std::time::Duration;

use anyhow::{Result, bail};
use hither_client::{ClientEndpoint, ClientTls, Event, Map, Op, OpKind, Value};
use hither_protocol::limits::EDIT_OPS_MAX;
use tokio::time::{Instant, sleep_until};

use super::{Editor, Server, open};
use crate::process;

const EVERY: Duration = Duration::from_millis(500);

/// The room that newcomers open.
const ROOM: &str = "default:big";

/// Fills it, and stays there.
pub(super) async fn fill(
    records: usize,
    server: &Server,
    endpoint: &ClientEndpoint,
) -> Result<Option<Editor>> {
    if records == 0 {
        return Ok(None);
    }
    let (client, room) = open(&server.address, endpoint, ROOM).await?;
    let all: Vec<usize> = (0..records).collect();
    for some in all.chunks(EDIT_OPS_MAX) {
        let put = |number: &usize| {
            let fields = [("x", Value::Int(*number as i64)), ("text", "a note's words".into())];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            Op::new(OpKind::Put, format!("note-{number}"), Map::from(fields))
        };
        room.submit(some.iter().map(put).collect()).await?;
    }
    Ok(Some((client, room)))
}

/// How many milliseconds newcomers took from their first packet to the whole document, twice a second, sorted. It is
/// for a thread of its own, which gives way to all others: an editor whose ack waits until this one has read ten
/// thousand records measures the generator.
pub(super) async fn open_again_and_again(
    records: usize,
    address: String,
    sha256: [u8; 32],
    (from, to): (Instant, Instant),
) -> Result<Vec<f64>> {
    process::give_way()?;
    let endpoint = ClientEndpoint::bind(ClientTls::Hash(sha256))?;
    let mut times = Vec::new();
    let mut at = from;
    while records > 0 && at < to {
        sleep_until(at).await;
        let (_client, room) = open(&address, &endpoint, ROOM).await?;
        loop {
            match room.next_event().await {
                Some(Event::DocumentLoaded { .. }) => break,
                Some(_) => {}
                None => bail!("a newcomer was turned away"),
            }
        }
        times.push((Instant::now() - at).as_secs_f64() * 1_000.0);
        at += EVERY;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}
