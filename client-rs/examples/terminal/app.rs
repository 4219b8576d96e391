//! What is known of the room, and what becomes known of it. Apart from the connection, so that tests need none, and
//! from the screen and the lines, which both show it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hither_client::{Map, Member, Position, Refusal, Slot, Status, Value};

/// How many of the last happenings are kept for the screen.
const LOG_MAX: usize = 50;
/// How long a reaction stays at its cursor.
pub(crate) const REACTION_STAYS: Duration = Duration::from_secs(2);

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// The room was entered as this slot; all members, this one too.
    Entered(Slot, Vec<Member>),
    /// Another member is new.
    Joined(Member),
    /// Another member's presence or status is new.
    Changed(Member),
    /// Another member is gone.
    Left(Member),
    /// This membership has ended, by the server if there is a reason.
    Out(Slot, Option<Refusal>),
    /// Another member is somewhere else, on this many axes.
    Moved(Slot, Position, usize),
    /// Another member sent an event, to this one alone if it has no number.
    Event { from: Slot, name: String, data: Value, number: Option<u64> },
    /// Events are missing here.
    EventsLost,
    /// The document is there, or has changed.
    Records(BTreeMap<String, Map>),
    /// An edit of this number is durable.
    Acked(u64),
    /// An edit of this number has no effect.
    Rejected { number: u64, code: Refusal, message: String },
    /// The server did not do something else.
    Refused { code: Refusal, message: String, retry_after_ms: Option<u64> },
    /// The connection is over, or never came to be.
    Closed { code: Option<u32>, reason: String },
}

/// The room as this member knows it.
#[derive(Debug, Default)]
pub(crate) struct App {
    /// The own slot, once the room is entered.
    pub(crate) slot: Option<Slot>,
    /// Everybody, this member too.
    pub(crate) members: BTreeMap<Slot, Member>,
    /// Where they are, as far as they have moved.
    pub(crate) positions: BTreeMap<Slot, Position>,
    /// The document, once it is loaded.
    pub(crate) records: Option<BTreeMap<String, Map>>,
    /// What happened last, the newest at the end.
    pub(crate) log: VecDeque<Entry>,
    /// Reactions that came within the last [`REACTION_STAYS`] or not long before.
    pub(crate) reactions: Vec<Reaction>,
}

/// A happening, as a person would tell it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Who, and in which hue.
    pub(crate) name: String,
    /// The member's hue.
    pub(crate) hue: u16,
    /// What.
    pub(crate) text: String,
}

/// An emoji at a cursor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reaction {
    /// Whose cursor.
    pub(crate) slot: Slot,
    /// The emoji.
    pub(crate) emoji: String,
    /// When it came.
    pub(crate) at: Instant,
}

impl App {
    /// Begins a membership.
    pub(crate) fn enter(&mut self, slot: Slot, members: Vec<Member>) -> News {
        let log = std::mem::take(&mut self.log);
        let known = members.iter().map(|member| (member.slot, member.clone())).collect();
        *self = Self { slot: Some(slot), members: known, log, ..Self::default() };
        News::Entered(slot, members)
    }

    /// Compares a slot with what the room says of it now: who is told of, is known from then on, and the other way
    /// round, whatever events were lost or came late.
    pub(crate) fn refresh(&mut self, slot: Slot, now: Option<Member>) -> Vec<News> {
        let old = self.members.remove(&slot);
        if let Some(now) = &now {
            self.members.insert(slot, now.clone());
        }
        match (old, now) {
            (Some(old), Some(now)) if old.generation == now.generation => match old == now {
                true => Vec::new(),
                false => vec![News::Changed(now)],
            },
            (old, now) => {
                if old.is_some() {
                    self.positions.remove(&slot);
                }
                old.map(News::Left).into_iter().chain(now.map(News::Joined)).collect()
            }
        }
    }

    /// Takes the position of a member, which must be the one that is known at that slot.
    pub(crate) fn locate(
        &mut self,
        member: &Member,
        position: Position,
        axes: usize,
    ) -> Option<News> {
        let known = self.members.get(&member.slot)?;
        if known.generation != member.generation {
            return None;
        }
        let old = self.positions.insert(member.slot, position);
        (old != Some(position)).then_some(News::Moved(member.slot, position, axes))
    }

    /// Takes the document as it is now.
    pub(crate) fn load(&mut self, records: BTreeMap<String, Map>) -> Option<News> {
        let is_new = self.records.as_ref() != Some(&records);
        is_new.then(|| News::Records(self.records.insert(records).clone()))
    }

    /// Writes what happened into the log.
    pub(crate) fn tell(&mut self, news: &News, now: Instant) {
        match news {
            News::Entered(..) => self.note("you", self.slot, "came in".into()),
            News::Joined(member) => self.note_of(member, "came"),
            News::Left(member) => self.note_of(member, "left"),
            News::Changed(member) => match member.status {
                Status::Active => {}
                Status::Away => self.note_of(member, "is away"),
                Status::Lost => self.note_of(member, "lost the connection"),
            },
            News::Event { from, name, data, .. } => {
                let text = match emoji(name, data) {
                    Some(emoji) => {
                        self.react(*from, &emoji, now);
                        emoji
                    }
                    None => format!("{name} {}", crate::values::to_json(data)),
                };
                let who = self.members.get(from).map(name_of);
                self.note(&who.unwrap_or_else(|| from.to_string()), Some(*from), text);
            }
            News::EventsLost => self.note("some events", None, "were missed".into()),
            News::Refused { message, .. } | News::Rejected { message, .. } => {
                self.note("refused:", None, message.clone());
            }
            _ => {}
        }
    }

    /// Shows and logs a reaction of this member's own.
    pub(crate) fn tell_own_reaction(&mut self, emoji: &str, now: Instant) {
        if let Some(slot) = self.slot {
            self.react(slot, emoji, now);
            self.note("you", Some(slot), emoji.to_owned());
        }
    }

    fn react(&mut self, slot: Slot, emoji: &str, now: Instant) {
        self.reactions.retain(|old| now.duration_since(old.at) < REACTION_STAYS);
        self.reactions.push(Reaction { slot, emoji: emoji.to_owned(), at: now });
    }

    fn note_of(&mut self, member: &Member, text: &str) {
        self.push(Entry { name: name_of(member), hue: hue_of(member), text: text.to_owned() });
    }

    fn note(&mut self, name: &str, slot: Option<Slot>, text: String) {
        let member = slot.and_then(|slot| self.members.get(&slot));
        self.push(Entry { name: name.to_owned(), hue: member.map_or(0, hue_of), text });
    }

    fn push(&mut self, entry: Entry) {
        if self.log.len() == LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }
}

/// What to call a member: by its presence, its user, or its slot.
pub(crate) fn name_of(member: &Member) -> String {
    match (member.presence.get("name"), &member.user.name) {
        (Some(Value::String(name)), _) | (_, Some(name)) if !name.is_empty() => name.clone(),
        _ => format!("#{}", member.slot),
    }
}

/// The hue of a member in degrees: by its presence, or its slot.
pub(crate) fn hue_of(member: &Member) -> u16 {
    hue(member.presence.get("color")).unwrap_or_else(|| (member.slot.0 * 7 % 36) * 10)
}

/// A value as a hue in degrees.
pub(crate) fn hue(value: Option<&Value>) -> Option<u16> {
    number(value).map(|hue| hue.rem_euclid(360.0) as u16)
}

/// A value as a number.
pub(crate) fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) if value.is_finite() => Some(*value),
        _ => None,
    }
}

/// The emoji of a reaction; others may send anything, so not more than a few characters.
fn emoji(name: &str, data: &Value) -> Option<String> {
    let Value::Map(data) = data else { return None };
    match data.get("emoji") {
        Some(Value::String(emoji)) if name == "reaction" => Some(emoji.chars().take(8).collect()),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A member with a name and a hue.
    pub(crate) fn member(slot: u16, name: &str, hue: i32) -> Member {
        let presence = Map::from([("name".into(), name.into()), ("color".into(), hue.into())]);
        Member { slot: Slot(slot), presence, ..Member::default() }
    }

    fn later(mut member: Member) -> Member {
        member.generation.0 += 1;
        member
    }

    #[test]
    fn a_slot_is_told_of_by_what_it_was_and_is() {
        let mut app = App::default();
        app.enter(Slot(0), vec![member(0, "Ada", 0)]);
        let bob = member(1, "Bob", 10);
        let renamed = member(1, "Bo", 10);
        assert_eq!(app.refresh(Slot(1), None), []);
        assert_eq!(app.refresh(Slot(1), Some(bob.clone())), [News::Joined(bob.clone())]);
        assert_eq!(app.refresh(Slot(1), Some(bob.clone())), []);
        assert_eq!(app.refresh(Slot(1), Some(renamed.clone())), [News::Changed(renamed.clone())]);
        let cleo = later(member(1, "Cleo", 20));
        let expected = [News::Left(renamed), News::Joined(cleo.clone())];
        assert_eq!(app.refresh(Slot(1), Some(cleo.clone())), expected);
        assert_eq!(app.refresh(Slot(1), None), [News::Left(cleo)]);
        assert_eq!(app.members.len(), 1);
    }

    #[test]
    fn a_position_is_told_once_and_only_of_the_member_that_is_known() {
        let mut app = App::default();
        let bob = member(1, "Bob", 10);
        let [here, there] = [Position::xy(1, 2), Position::xy(3, 4)];
        assert_eq!(app.locate(&bob, here, 2), None);
        app.refresh(Slot(1), Some(bob.clone()));
        assert_eq!(app.locate(&bob, here, 2), Some(News::Moved(Slot(1), here, 2)));
        assert_eq!(app.locate(&bob, here, 2), None);
        assert_eq!(app.locate(&later(bob.clone()), there, 2), None);
        app.refresh(Slot(1), Some(later(bob.clone())));
        assert_eq!(app.positions.len(), 0, "a new member is not where the old one was");
        let moved = app.locate(&later(bob), here, 2);
        assert_eq!(moved, Some(News::Moved(Slot(1), here, 2)));
    }

    #[test]
    fn a_document_is_told_of_when_it_is_there_and_when_it_is_another() {
        let mut app = App::default();
        let records = BTreeMap::from([("r".to_owned(), Map::new())]);
        assert_eq!(app.load(BTreeMap::new()), Some(News::Records(BTreeMap::new())));
        assert_eq!(app.load(BTreeMap::new()), None);
        assert_eq!(app.load(records.clone()), Some(News::Records(records)));
    }

    #[test]
    fn reactions_stay_for_a_while_and_the_log_is_bounded() {
        let mut app = App::default();
        app.enter(Slot(0), vec![member(0, "Ada", 0), member(1, "Bob", 10)]);
        let data = Map::from([("emoji".into(), "👍".into())]);
        let event = News::Event {
            from: Slot(1),
            name: "reaction".into(),
            data: Value::Map(data),
            number: Some(1),
        };
        let now = Instant::now();
        for _ in 0..LOG_MAX + 1 {
            app.tell(&event, now);
        }
        let entry = Entry { name: "Bob".into(), hue: 10, text: "👍".into() };
        assert_eq!((app.log.len(), app.log.back()), (LOG_MAX, Some(&entry)));
        app.tell_own_reaction("🎉", now + REACTION_STAYS);
        assert_eq!(app.reactions.len(), 1);
    }

    #[test]
    fn members_have_a_name_and_a_hue_whatever_they_say() {
        let mut odd = member(3, "", -90);
        assert_eq!((name_of(&odd).as_str(), hue_of(&odd)), ("#3", 270));
        odd.user.name = Some("Dora".into());
        odd.presence.insert("color".into(), "red".into());
        assert_eq!((name_of(&odd).as_str(), hue_of(&odd)), ("Dora", 210));
    }
}
