//! The screen: draws what is known of the room. It keeps nothing and asks nobody, so that a test sees the same as a
//! user.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hither_client::{Map, Member, Position, Slot, Status, Value};
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Padding, Paragraph, Widget};

use crate::app::{App, hue, hue_of, name_of, number};

/// What the keys 1 to 6 send.
pub(crate) const REACTIONS: [&str; 6] = ["👍", "🎉", "😄", "😮", "💜", "👋"];

/// Steps of the room's space on each axis.
const SPACE: f64 = 2000.0;
/// The longest label of a cursor or a note, in columns.
const LABEL_MAX: usize = 24;
/// How long a reaction stands still before it rises by a row.
const RISE: Duration = Duration::from_millis(400);

/// Everything that is to be seen.
pub(crate) struct Picture<'a> {
    /// The room.
    pub(crate) app: &'a App,
    /// Where its members are to be seen.
    pub(crate) positions: &'a BTreeMap<Slot, Position>,
    /// Its name.
    pub(crate) room: &'a str,
    /// The connection in one line.
    pub(crate) status: &'a str,
    /// The moment that is shown.
    pub(crate) now: Instant,
}

/// Where things are on a screen of some size.
struct Areas {
    field: Rect,
    /// Who is here, and what happened; none where the field would have no room beside it.
    panel: Option<[Rect; 2]>,
    status: Rect,
}

impl Areas {
    fn of(area: Rect) -> Self {
        let [main, status] = cut_bottom(area, u16::from(area.height >= 4));
        let (field, panel) = if main.width >= 72 && main.height >= 10 {
            let [field, panel] = cut_right(main, 28);
            (field, Some(cut_bottom(panel, panel.height / 2)))
        } else if main.width >= 40 && main.height >= 20 {
            let [field, panel] = cut_bottom(main, 8);
            (field, Some(cut_right(panel, panel.width / 2)))
        } else {
            (main, None)
        };
        Self { field, panel, status }
    }

    /// The cells of the room's space, within the border.
    fn space(&self) -> Rect {
        Block::bordered().inner(self.field)
    }
}

/// What is left and the lowest rows. By hand, since a layout's solver would be asked for each move of the mouse.
fn cut_bottom(area: Rect, height: u16) -> [Rect; 2] {
    let rest = Rect { height: area.height - height, ..area };
    [rest, Rect { y: rest.bottom(), height, ..area }]
}

/// What is left and the columns furthest to the right.
fn cut_right(area: Rect, width: u16) -> [Rect; 2] {
    let rest = Rect { width: area.width - width, ..area };
    [rest, Rect { x: rest.right(), width, ..area }]
}

/// The place in the room under a cell, none outside of the room's space.
pub(crate) fn position_at(area: Rect, column: u16, row: u16) -> Option<Position> {
    let space = Areas::of(area).space();
    let along = |cell: u16, first: u16, cells: u16| {
        ((f64::from(cell - first) + 0.5) * SPACE / f64::from(cells)).round() as i32
    };
    space.contains((column, row).into()).then(|| {
        Position::xy(along(column, space.x, space.width), along(row, space.y, space.height))
    })
}

/// The place some cells away, at most at the edge of the room's space.
pub(crate) fn moved(area: Rect, from: Position, columns: i32, rows: i32) -> Position {
    let space = Areas::of(area).space();
    let along = |from: i32, by: i32, cells: u16| {
        let to = f64::from(from) + f64::from(by) * SPACE / f64::from(cells.max(1));
        to.clamp(0.0, SPACE).round() as i32
    };
    Position::xy(along(from.x(), columns, space.width), along(from.y(), rows, space.height))
}

/// The middle of the room's space.
pub(crate) fn middle() -> Position {
    Position::xy(SPACE as i32 / 2, SPACE as i32 / 2)
}

impl Widget for &Picture<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let areas = Areas::of(area);
        frame(&format!(" {} ", self.room)).render(areas.field, buffer);
        self.draw_space(areas.space(), buffer);
        if let Some([members, log]) = areas.panel {
            self.draw_members(members, buffer);
            self.draw_log(log, buffer);
        }
        self.draw_status(areas.status, buffer);
    }
}

impl Picture<'_> {
    fn draw_space(&self, space: Rect, buffer: &mut Buffer) {
        let dots =
            space.positions().filter(|at| (at.x - space.x) % 8 == 4 && (at.y - space.y) % 4 == 2);
        for at in dots {
            buffer[at].set_symbol("·").set_fg(Color::DarkGray);
        }
        for (_, note) in self.app.records.iter().flatten().filter(|(id, _)| id.starts_with("note-"))
        {
            draw_note(note, space, buffer);
        }
        let own = self.app.slot;
        let (mine, others): (Vec<_>, Vec<_>) =
            self.positions.iter().partition(|(slot, _)| Some(**slot) == own);
        for (slot, position) in others.into_iter().chain(mine) {
            if let Some(member) = self.app.members.get(slot) {
                let label = if Some(*slot) == own { "you".into() } else { name_of(member) };
                draw_cursor(member, &label, *position, space, buffer);
            }
        }
        self.draw_reactions(space, buffer);
        let is_alone = own.is_some() && self.app.members.len() == 1;
        if is_alone && self.positions.is_empty() {
            let line = Line::from("Nobody else is here. Move the mouse.").dark_gray().centered();
            let row = Rect { y: space.y + space.height / 2, height: space.height.min(1), ..space };
            line.render(row, buffer);
        }
    }

    fn draw_reactions(&self, space: Rect, buffer: &mut Buffer) {
        for reaction in &self.app.reactions {
            let age = self.now.duration_since(reaction.at);
            let Some(position) = self.positions.get(&reaction.slot) else { continue };
            let Some((column, row)) = cell_of(space, *position) else { continue };
            let risen = 1 + (age.as_millis() / RISE.as_millis()) as u16;
            if age < crate::app::REACTION_STAYS && row >= space.y + risen {
                // Two columns wide, also at the edge.
                let column = column.min(space.right().saturating_sub(2)).max(space.x);
                put(buffer, space, (column, row - risen), &reaction.emoji, Style::new());
            }
        }
    }

    fn draw_members(&self, area: Rect, buffer: &mut Buffer) {
        let title = format!(" here {} ", self.app.members.len());
        let lines = self.app.members.values().map(|member| {
            let dot = match member.status {
                Status::Active => "● ",
                Status::Away | Status::Lost => "○ ",
            };
            let note = match (member.status, Some(member.slot) == self.app.slot) {
                (_, true) => " (you)",
                (Status::Away, _) => " (away)",
                (Status::Lost, _) => " (lost)",
                (Status::Active, _) => "",
            };
            Line::from(vec![
                Span::from(dot).fg(color(hue_of(member))),
                Span::from(name_of(member)),
                Span::from(note).dark_gray(),
            ])
        });
        let rows = usize::from(area.height.saturating_sub(2));
        let mut lines: Vec<Line> = lines.collect();
        if lines.len() > rows && rows > 0 {
            let more = lines.len() - (rows - 1);
            lines.truncate(rows - 1);
            lines.push(Line::from(format!("  and {more} more")).dark_gray());
        }
        Paragraph::new(lines).block(frame(&title)).render(area, buffer);
    }

    fn draw_log(&self, area: Rect, buffer: &mut Buffer) {
        let rows = usize::from(area.height.saturating_sub(2));
        let newest = self.app.log.len().saturating_sub(rows);
        let lines = self.app.log.iter().skip(newest).map(|entry| {
            let name = Span::from(&entry.name).fg(color(entry.hue));
            Line::from(vec![name, Span::from(" "), Span::from(&entry.text)])
        });
        let lines: Vec<Line> = lines.collect();
        Paragraph::new(lines).block(frame(" lately ")).render(area, buffer);
    }

    /// The connection on the left, the keys on the right as far as there is room.
    fn draw_status(&self, area: Rect, buffer: &mut Buffer) {
        let status = Line::from(format!(" {}", self.status)).dark_gray();
        let keys = REACTIONS.iter().zip(1..).flat_map(|(emoji, key)| {
            [Span::from(format!(" {key}")).dark_gray(), Span::from(format!(" {emoji}"))]
        });
        let keys: Line = keys.chain([Span::from("  q quit ").dark_gray()]).collect();
        let free = usize::from(area.width).saturating_sub(status.width() + 1);
        status.render(area, buffer);
        if keys.width() <= free {
            keys.alignment(Alignment::Right).render(area, buffer);
        }
    }
}

/// The cell of a place in the room; places outside of its space are at its edge. None where there are no cells.
fn cell_of(space: Rect, position: Position) -> Option<(u16, u16)> {
    let along = |value: i32, first: u16, cells: u16| {
        let last = cells.checked_sub(1)?;
        let cell = (f64::from(value) * f64::from(cells) / SPACE).clamp(0.0, f64::from(last));
        Some(first + cell as u16)
    };
    Some((along(position.x(), space.x, space.width)?, along(position.y(), space.y, space.height)?))
}

/// A tip and a label beside it, on the side where it fits.
fn draw_cursor(member: &Member, label: &str, position: Position, space: Rect, buffer: &mut Buffer) {
    let Some((column, row)) = cell_of(space, position) else { return };
    let color = match member.status {
        Status::Active => color(hue_of(member)),
        Status::Away | Status::Lost => Color::DarkGray,
    };
    let label =
        Span::from(format!(" {} ", short(label))).style(Style::new().bg(color).fg(Color::Black));
    let width = label.width() as u16;
    let (tip, from) = match column + 1 + width <= space.right() || column < space.x + width {
        true => ("◤", column + 1),
        false => ("◥", column - width),
    };
    put(buffer, space, (from, row), &label.content, label.style);
    put(buffer, space, (column, row), tip, Style::new().fg(color).bg(Color::Reset));
}

/// A note's text, as a label of its hue.
fn draw_note(note: &Map, space: Rect, buffer: &mut Buffer) {
    let place = |field| number(note.get(field)).map(|value| value as i32);
    let (Some(x), Some(y)) = (place("x"), place("y")) else { return };
    let Some(at) = cell_of(space, Position::xy(x, y)) else { return };
    let Some(Value::String(text)) = note.get("text") else { return };
    let style = Style::new().fg(color(hue(note.get("hue")).unwrap_or(50)));
    put(buffer, space, at, &format!("▌{}", short(text)), style.italic());
}

/// Writes within the space alone, and no control characters.
fn put(buffer: &mut Buffer, space: Rect, (column, row): (u16, u16), text: &str, style: Style) {
    let columns = space.right().saturating_sub(column);
    buffer.set_stringn(column, row, text, columns.into(), style);
}

fn short(text: &str) -> String {
    let line: String = text.lines().collect::<Vec<_>>().join(" ");
    match line.chars().count() > LABEL_MAX {
        true => line.chars().take(LABEL_MAX - 1).chain(['…']).collect(),
        false => line,
    }
}

fn frame(title: &str) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().dark_gray())
        .title(Span::from(title.to_owned()).gray())
        .padding(Padding::horizontal(1))
}

/// A hue as bright as black text can stand on it.
fn color(hue: u16) -> Color {
    let part = |offset: u16| {
        // HSL at 85 % saturation and 65 % lightness.
        let at = f64::from((offset + hue / 30) % 12) + f64::from(hue % 30) / 30.0;
        let wave = (at - 3.0).min(9.0 - at).clamp(-1.0, 1.0);
        ((0.65 - 0.85 * 0.35 * wave) * 255.0).round() as u8
    };
    Color::Rgb(part(0), part(8), part(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::member;
    use crate::app::{Entry, Reaction};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn app() -> App {
        let mut app = App::default();
        let mut cleo = member(2, "Cleo", 120);
        cleo.status = Status::Away;
        app.enter(Slot(0), vec![member(0, "Ada", 200), member(1, "Bob", 0), cleo]);
        app.positions.insert(Slot(0), Position::xy(1000, 1000));
        app.positions.insert(Slot(1), Position::xy(200, 500));
        app.positions.insert(Slot(2), Position::xy(9999, 9999));
        app.log.push_back(Entry { name: "Bob".into(), hue: 0, text: "came".into() });
        app
    }

    fn drawn(app: &App, now: Instant, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let (room, status) = ("default:lobby", "quic · 3 here");
        let picture = Picture { app, positions: &app.positions, room, status, now };
        terminal.draw(|frame| frame.render_widget(&picture, frame.area())).unwrap();
        terminal.backend().buffer().clone()
    }

    fn rows(buffer: &Buffer) -> Vec<String> {
        let width = usize::from(buffer.area.width);
        let row =
            |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect();
        buffer.content.chunks(width).map(row).collect()
    }

    /// Where a text is: its column and row.
    fn find(rows: &[String], text: &str) -> Option<(usize, usize)> {
        let column = |row: &String| Some(row[..row.find(text)?].chars().count());
        rows.iter().enumerate().find_map(|(at, row)| Some((column(row)?, at)))
    }

    #[test]
    fn everybody_is_drawn_where_they_are() {
        let buffer = drawn(&app(), Instant::now(), 80, 24);
        let rows = rows(&buffer);
        // The space is 50 by 21 cells within its border.
        assert_eq!(find(&rows, "◤ Bob "), Some((1 + 5, 1 + 5)), "{rows:#?}");
        assert_eq!(find(&rows, "◤ you "), Some((1 + 25, 1 + 10)), "{rows:#?}");
        assert_eq!(find(&rows, " Cleo ◥"), Some((1 + 43, 1 + 20)), "{rows:#?}");
        assert_eq!(buffer[(6, 6)].fg, color(0));
        assert_eq!(buffer[(50, 21)].fg, Color::DarkGray, "away");
    }

    #[test]
    fn the_panel_and_the_status_tell_the_rest() {
        let rows = rows(&drawn(&app(), Instant::now(), 80, 24));
        for text in [
            "default:lobby",
            "here 3",
            "● Ada (you)",
            "○ Cleo (away)",
            "Bob came",
            " quic · 3 here",
            "q quit",
        ] {
            assert!(find(&rows, text).is_some(), "{text}: {rows:#?}");
        }
    }

    #[test]
    fn reactions_rise_and_go() {
        let (mut app, now) = (app(), Instant::now());
        app.reactions.push(Reaction { slot: Slot(1), emoji: "👍".into(), at: now });
        let rows_at = |ms| {
            let rows = rows(&drawn(&app, now + Duration::from_millis(ms), 80, 23));
            find(&rows[..22], "👍").map(|(_, row)| row)
        };
        assert_eq!(rows_at(0), Some(5));
        assert_eq!(rows_at(800), Some(3));
        assert_eq!(rows_at(2000), None);
    }

    #[test]
    fn notes_are_drawn_and_what_is_no_note_is_not() {
        let mut app = app();
        let note = |text: &str| {
            Map::from([
                ("text".into(), text.into()),
                ("x".into(), 1000.into()),
                ("y".into(), 0.into()),
            ])
        };
        app.records = Some(BTreeMap::from([
            ("note-1".into(), note("buy\nmilk\u{1b}[31m")),
            ("note-2".into(), Map::new()),
            ("other".into(), note("secret")),
        ]));
        let rows = rows(&drawn(&app, Instant::now(), 80, 24));
        assert_eq!(find(&rows, "▌buy milk[31m"), Some((26, 1)), "{rows:#?}");
        assert_eq!(find(&rows, "secret"), None);
    }

    #[test]
    fn no_size_is_too_small_and_what_does_not_fit_is_left_out() {
        let app = app();
        // On both sides of every bound.
        for width in [1, 2, 3, 4, 8, 39, 40, 71, 72, 73] {
            for height in [1, 2, 3, 4, 5, 6, 10, 11, 20, 21] {
                drawn(&app, Instant::now(), width, height);
            }
        }
        let narrow = rows(&drawn(&app, Instant::now(), 30, 8));
        assert!(find(&narrow, "you").is_some() && find(&narrow, "here 3").is_none(), "{narrow:#?}");
        let low = rows(&drawn(&app, Instant::now(), 30, 3));
        assert!(find(&low, "quic").is_none(), "{low:#?}");
        let tall = rows(&drawn(&app, Instant::now(), 45, 30));
        assert!(find(&tall, "here 3").is_some() && find(&tall, "q quit").is_none(), "{tall:#?}");
    }

    #[test]
    fn a_cell_and_its_place_are_the_same_both_ways() {
        for area in [Rect::new(0, 0, 80, 24), Rect::new(0, 0, 31, 7), Rect::new(0, 0, 200, 60)] {
            let space = Areas::of(area).space();
            for at in space.positions() {
                let position = position_at(area, at.x, at.y).unwrap();
                assert_eq!(cell_of(space, position), Some((at.x, at.y)));
            }
            assert_eq!(position_at(area, 0, 0), None, "the border is not in the room");
        }
    }

    #[test]
    fn the_arrow_keys_stop_at_the_edge() {
        let area = Rect::new(0, 0, 80, 24);
        let right = moved(area, middle(), 1, 0);
        assert_eq!(right, Position::xy(1040, 1000));
        assert_eq!(moved(area, right, 99, -99), Position::xy(2000, 0));
    }

    #[test]
    fn hues_are_the_colours_of_their_names() {
        assert_eq!(
            [color(0), color(120), color(240)],
            [Color::Rgb(242, 90, 90), Color::Rgb(90, 242, 90), Color::Rgb(90, 90, 242)]
        );
    }
}
