//! The room as JSON lines: reads commands from stdin and writes what happens to stdout until one of both ends.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use serde_json::Value as Json;

use crate::app::News;
use crate::lines;
use crate::visit::Visit;

/// How long a turn waits for a command: a quarter of a tick at 30 Hz.
const TURN: Duration = Duration::from_millis(8);
/// How long the end of stdin waits for the answers to edits.
const ANSWERS_DEADLINE: Duration = Duration::from_secs(5);
/// How many lines are read ahead.
const LINES_MAX: usize = 64;

/// Runs until the connection is closed.
///
/// # Errors
/// Stdout can't be written.
pub(crate) fn run(mut visit: Visit) -> Result<ExitCode> {
    let commands = read_stdin()?;
    let mut entered = false;
    // Since when stdin has ended.
    let mut ended: Option<Instant> = None;
    loop {
        for news in visit.turn() {
            write(&lines::print(&news))?;
            entered |= matches!(news, News::Entered(..));
            if let News::Closed { .. } = news {
                let well = entered && ended.is_some();
                return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
        if visit.is_entering() || ended.is_some() {
            thread::sleep(TURN);
        } else if !entered || !take(&commands, &mut visit)? {
            ended = Some(Instant::now());
        }
        visit.flush();
        let over = |since: Instant| visit.is_answered() || since.elapsed() > ANSWERS_DEADLINE;
        if ended.is_some_and(over) {
            visit.close();
        }
    }
}

/// Says why there was nothing to connect to.
///
/// # Errors
/// Stdout can't be written.
pub(crate) fn unreachable(error: &Error) -> Result<ExitCode> {
    write(&lines::print(&News::Closed { code: None, reason: format!("{error:#}") }))?;
    Ok(ExitCode::FAILURE)
}

/// Waits for a command for a turn and does it, and those that have come with it; false at the end of stdin.
fn take(commands: &Receiver<Vec<u8>>, visit: &mut Visit) -> Result<bool> {
    let mut wait = TURN;
    // Bounded, so that whoever writes without end does not keep this end from reading what comes.
    for _ in 0..LINES_MAX {
        let line = match commands.recv_timeout(std::mem::take(&mut wait)) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return Ok(true),
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        };
        let done = lines::parse(&line)
            .and_then(|command| visit.act(command).map_err(|error| error.to_string()));
        if let Err(error) = done {
            write(&lines::print_error(&error))?;
        }
    }
    Ok(true)
}

/// Reads lines on a thread of its own, since stdin can only be waited for.
fn read_stdin() -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    thread::Builder::new().name("stdin".into()).spawn(move || {
        let lines = io::stdin().lock().split(b'\n').map_while(Result::ok);
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn write(line: &Json) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
