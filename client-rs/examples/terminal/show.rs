//! The room on the screen: mouse and keys in, pictures out, until somebody quits or the connection ends.

use std::io::stdout;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hither_client::{Map, Value};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyCode, KeyEvent, KeyEventKind,
    KeyModifiers,
};
use ratatui::crossterm::execute;
use ratatui::layout::Rect;

use crate::app::News;
use crate::screen::{self, Picture, REACTIONS};
use crate::visit::{Command, Visit};

/// How long a picture stands, if no key and no mouse changes it: 60 in a second.
const FRAME: Duration = Duration::from_millis(16);

/// Runs until the user quits.
///
/// # Errors
/// The room was not entered, the membership or the connection ended, or the terminal is none.
pub(crate) fn run(mut visit: Visit) -> Result<ExitCode> {
    let mut screen = Screen::open()?;
    let mut quitting = false;
    // Why it ends before the user quits.
    let mut cause = None;
    loop {
        let now = Instant::now();
        for news in visit.turn() {
            visit.app.tell(&news, now);
            cause = match news {
                News::Out(_, reason) => Some(reason.map_or("left", |reason| reason.name()).into()),
                News::Refused { message, .. } if !visit.is_in() => Some(message),
                News::Closed { .. } if quitting => return Ok(ExitCode::SUCCESS),
                News::Closed { reason, .. } => Some(reason),
                _ => cause,
            };
        }
        if let Some(cause) = cause {
            drop(screen);
            bail!(cause);
        }
        let (room, status) = (visit.room().to_string(), visit.status());
        let positions = visit.positions_at(now);
        let picture =
            Picture { app: &visit.app, positions: &positions, room: &room, status: &status, now };
        let area = screen.terminal.draw(|frame| frame.render_widget(&picture, frame.area()))?.area;
        let mut wait = FRAME;
        while event::poll(std::mem::take(&mut wait))? {
            quitting |= handle(&event::read()?, area, &mut visit);
        }
        visit.flush();
        if quitting {
            visit.close();
        }
    }
}

/// Does what a key or the mouse says; true to quit.
fn handle(event: &Event, area: Rect, visit: &mut Visit) -> bool {
    let command = match event {
        Event::Mouse(mouse) => {
            screen::position_at(area, mouse.column, mouse.row).map(Command::Motion)
        }
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            if is_quit(key) {
                return true;
            }
            on_key(key.code, area, visit)
        }
        _ => None,
    };
    if let Some(command) = command {
        // Before the room is entered and while the connection is ending there is nobody to be told.
        let _ = visit.act(command);
    }
    false
}

fn is_quit(key: &KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

fn on_key(key: KeyCode, area: Rect, visit: &mut Visit) -> Option<Command> {
    let step = |columns, rows| {
        let own = visit.app.slot.and_then(|slot| visit.app.positions.get(&slot));
        let from = own.copied().unwrap_or_else(screen::middle);
        Some(Command::Motion(screen::moved(area, from, columns, rows)))
    };
    match key {
        KeyCode::Left => step(-1, 0),
        KeyCode::Right => step(1, 0),
        KeyCode::Up => step(0, -1),
        KeyCode::Down => step(0, 1),
        KeyCode::Char(digit) => {
            let index = digit.to_digit(10)?.checked_sub(1)?;
            let emoji = REACTIONS.get(index as usize)?;
            visit.app.tell_own_reaction(emoji, Instant::now());
            let data = Map::from([("emoji".into(), (*emoji).into())]);
            Some(Command::Event("reaction".into(), Value::Map(data)))
        }
        _ => None,
    }
}

/// The terminal as this program wants it; dropped, also by a panic, it is as it was before.
struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    fn open() -> Result<Self> {
        let screen = Self { terminal: ratatui::try_init()? };
        execute!(stdout(), EnableMouseCapture)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = execute!(stdout(), DisableMouseCapture);
        ratatui::restore();
    }
}
