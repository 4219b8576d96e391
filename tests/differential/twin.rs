//! One client twice: the TypeScript session, which really is the member, and beside it the Rust session, which gets the
//! same bytes at the same times and says nothing. After every step both must have sent, told and known the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hither_protocol::message::control::{Hello, SetViewport, ToServer};
use hither_protocol::message::{Map, MessageError};
use hither_protocol::motion::Position;
use hither_protocol::session::{Session, Transmit};
use hither_protocol::{EditorId, RoomHandle, Timestamp};
use serde_json::{Value as Json, json};

use crate::news::News;
use crate::node::Node;
use crate::plain::{difference, plain_map, plain_room, to_hex};
use crate::sent::{Numbers, Sending, control_messages, plain_sendings, read_sendings};
use crate::step::Step;

/// Virtual time goes in steps of so many microseconds: an eighth of a millisecond is exact in TypeScript's numbers.
pub(crate) const GRID_MICROS: u64 = 125;

/// Both ends are told that they are this editor, since what they send is compared.
pub(crate) const EDITOR: EditorId = EditorId([0xed; 16]);

/// Both ends of one client.
pub(crate) struct Twin {
    /// The Rust end.
    pub(crate) session: Session,
    /// TypeScript gets other bytes than Rust, to see whether that is noticed.
    pub(crate) is_lied_to: bool,
    /// Its streams may bring anything.
    pub(crate) hears_noise: bool,
    /// Its motion goes over the control lane.
    pub(crate) is_reliable: bool,
    start: Timestamp,
    news: News,
    /// The rooms whose edits lane is open.
    lanes: BTreeSet<RoomHandle>,
    our_numbers: Numbers,
    their_numbers: Numbers,
    /// What the user has patched in each room and TypeScript has not sent.
    unsent: BTreeMap<RoomHandle, Map>,
    /// What the user wants to see of each room, where TypeScript has not said so.
    unsaid: BTreeMap<RoomHandle, SetViewport>,
}

/// What came of a step.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What TypeScript wants sent.
    pub(crate) sendings: Vec<Sending>,
    /// When it wants to be woken.
    pub(crate) due: Timestamp,
    /// All that TypeScript says.
    pub(crate) answer: Json,
    /// Both ends say that the server has broken the protocol: the session is of no use any more.
    pub(crate) is_broken: bool,
}

impl Twin {
    /// A client that connects at `start`; [`Step::Connect`] is its first step.
    pub(crate) fn new(start: Timestamp, hello: Hello) -> Self {
        Self {
            is_reliable: hello.reliable_motion,
            session: Session::new(hello, EDITOR),
            is_lied_to: false,
            hears_noise: false,
            start,
            news: News::default(),
            lanes: BTreeSet::new(),
            our_numbers: Numbers::default(),
            their_numbers: Numbers::default(),
            unsent: BTreeMap::new(),
            unsaid: BTreeMap::new(),
        }
    }

    /// The rooms that it is in, and has not left.
    pub(crate) fn rooms(&self) -> Vec<RoomHandle> {
        self.news.entered().collect()
    }

    /// Whether it has asked for a room and waits.
    pub(crate) fn is_entering(&self) -> bool {
        self.news.is_entering()
    }

    /// Lets both ends do a step.
    ///
    /// # Errors
    /// Says where the ends differ.
    pub(crate) fn handle(
        &mut self,
        node: &mut Node,
        now: Timestamp,
        step: &Step,
    ) -> Result<Outcome, String> {
        let ms = now.since(self.start).as_micros() as f64 / 1e3;
        let mut question = step.question(ms, &self.session);
        if self.is_lied_to
            && let Step::Datagram(bytes) | Step::Control(bytes) = step
        {
            question["bytes"] = Json::from(to_hex(&lie(bytes)));
        }
        let mut theirs = node.ask(&question)?;
        let is_broken = self.take(now, step).is_err();
        let sendings = read_sendings(&theirs["sent"])?;
        self.say_what_waited(&sendings)?;
        let due = theirs["due"].as_f64().ok_or("a client always has something to do later")?;
        let before = self.send(now);
        if let Some(ms) = theirs["roundTrip"].as_f64() {
            // Rust is told by its transport.
            let micros = (ms * 1e3).round() as u64;
            self.session.handle_round_trip(Duration::from_micros(micros));
        }
        theirs["sent"] = plain_sendings(&sendings, &self.session, &mut self.their_numbers)?;
        theirs["news"] = without_order(&theirs["news"]);
        let mut ours = self.tell(now, before)?;
        ours["broken"] = json!(is_broken);
        if is_broken {
            // What was due then is never sent.
            ours["sent"] = theirs["sent"].clone();
        }
        // Of what the specification refuses Rust takes some: see `book.rs`.
        let is_lenient = !is_broken && theirs["broken"] == true;
        if self.hears_noise && (is_lenient || self.is_entered_twice()) {
            return Ok(Outcome { sendings, due: now, is_broken: true, answer: theirs });
        }
        for key in ["broken", "news", "moved", "unusable", "rooms", "sent"] {
            if let Some(found) = difference(key, &ours[key], &theirs[key]) {
                let step: String = format!("{step:?}").chars().take(1_000).collect();
                return Err(format!("{found}\n    at {ms} ms, {step}"));
            }
        }
        let grid = (due * 1e3 / GRID_MICROS as f64).ceil() as u64 * GRID_MICROS;
        let due = Timestamp::from_micros(self.start.as_micros() + grid);
        Ok(Outcome { sendings, due, is_broken, answer: theirs })
    }

    /// TypeScript merges the patches of a tick and the viewports of a while, Rust sends each: so Rust is told of what
    /// TypeScript sends.
    fn say_what_waited(&mut self, sendings: &[Sending]) -> Result<(), String> {
        for message in control_messages(sendings)? {
            match message {
                ToServer::Presence(presence) => {
                    let unsent = self.unsent.remove(&presence.room);
                    let unsent = unsent.map_or(Json::Null, |unsent| plain_map(&unsent));
                    if let Some(found) = difference("patch", &unsent, &plain_map(&presence.patch)) {
                        return Err(found);
                    }
                    self.session.update_presence(presence.room, presence.patch);
                }
                ToServer::Viewport(said) => {
                    let unsaid = self.unsaid.remove(&said.room);
                    if unsaid.as_ref() != Some(&said) {
                        return Err(format!("viewport: Rust {unsaid:?}, TypeScript {said:?}"));
                    }
                    self.session.set_viewport(said.room, said.viewport, said.follow);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// It was let into a room in which it is. Both ends begin anew there, but only Rust's can be looked at before its
    /// roster is whole.
    fn is_entered_twice(&self) -> bool {
        let anew = |room| self.session.room(room).is_some_and(|room| !room.is_entered());
        self.news.entered().any(anew)
    }

    /// Does the step with the Rust session.
    fn take(&mut self, now: Timestamp, step: &Step) -> Result<(), MessageError> {
        let session = &mut self.session;
        match step.clone() {
            Step::Connect(_) => {}
            Step::Control(bytes) => return session.handle_control(now, &bytes),
            Step::Edits(room, bytes) => return session.handle_edits(room, &bytes),
            Step::Datagram(bytes) => session.handle_datagram(now, &bytes),
            Step::Timeout => session.handle_timeout(now),
            Step::Enter(name, presence, seen) => {
                self.news.handle_enter(session.enter(name, presence, seen));
            }
            Step::Leave(room) => {
                session.leave(room);
                self.news.handle_leave(room);
            }
            Step::Presence(room, patch) => self.unsent.entry(room).or_default().extend(patch),
            Step::Event(room, name, data, to) => session.broadcast(room, &name, data, to),
            Step::Status(status) => session.set_status(status),
            Step::Motion(room, axes) => session.set_motion(now, room, Position::new(axes)),
            Step::Viewport(room, viewport, follow) => {
                self.unsaid.insert(room, SetViewport { room, viewport, follow });
            }
            Step::Open(room) => session.open_document(room),
            Step::Submit(room, ops) => {
                session.submit(room, ops);
            }
            Step::Undo(room) => drop(session.undo(room)),
            Step::Redo(room) => drop(session.redo(room)),
            Step::Group(room) => session.begin_group(room),
            Step::Ungroup(room) => session.end_group(room),
            Step::Bye => session.bye(),
        }
        Ok(())
    }

    /// What the Rust session has told, and what it knows; and what it has sent, beside `sendings`.
    fn tell(&mut self, now: Timestamp, mut sendings: Vec<Sending>) -> Result<Json, String> {
        let news = self.news.poll_all(&mut self.session);
        let mut moved = serde_json::Map::new();
        let rooms = self.rooms();
        self.unsent.retain(|room, _| rooms.contains(room));
        self.unsaid.retain(|room, _| rooms.contains(room));
        for room in &rooms {
            let axes = self.session.room(*room).map_or(0, |room| room.motion_format().axes.len());
            while let Some((slot, position)) = self.session.poll_motion(*room) {
                let Some(position) = position else { continue };
                let axes = &position.axes()[..axes];
                moved.insert(format!("{room} {slot}"), json!(axes));
            }
        }
        let counters = self.session.counters();
        let shown =
            rooms.iter().filter_map(|room| Some(plain_room(self.session.room(*room)?, *room)));
        let shown = shown.collect::<Vec<_>>();
        // TypeScript ends the lane of a room that it leaves, Rust when the server says so.
        let left = self.lanes.extract_if(.., |room| !rooms.contains(room));
        sendings.extend(left.map(Sending::CloseEdits));
        sendings.extend(self.send(now));
        Ok(json!({
            "news": without_order(&Json::from(news)),
            "moved": moved,
            "unusable": counters.datagrams_unusable + counters.frames_unusable,
            "rooms": shown,
            "sent": plain_sendings(&sendings, &self.session, &mut self.our_numbers)?,
        }))
    }

    /// What the Rust session sends now.
    fn send(&mut self, now: Timestamp) -> Vec<Sending> {
        let mut sendings = Vec::new();
        self.session.handle_timeout(now);
        while let Some(transmit) = self.session.poll_transmit(now) {
            sendings.push(match transmit {
                Transmit::Control(bytes) => Sending::Control(bytes),
                Transmit::Edits(room, bytes) => {
                    self.lanes.insert(room);
                    Sending::Edits(room, bytes)
                }
                Transmit::CloseEdits(room) if !self.lanes.remove(&room) => continue,
                Transmit::CloseEdits(room) => Sending::CloseEdits(room),
                Transmit::Datagram(bytes) => Sending::Datagram(bytes.slice(1..)),
            });
        }
        sendings
    }
}

/// The news of a step. Changed members and records come in no order that anyone may rely on, and need be named only
/// once; a document that is loaded is another one anyway.
fn without_order(news: &Json) -> Json {
    let news: Vec<Json> = news.as_array().into_iter().flatten().flat_map(one_by_one).collect();
    let loaded = |room: &Json| news.iter().any(|one| one[0] == "loaded" && one[1] == *room);
    let is_told = |one: &&Json| one[0] != "changed" || !loaded(&one[2]);
    let is_update = |one: &&Json| one[0] == "update" || one[0] == "changed";
    let (updates, others): (Vec<&Json>, Vec<&Json>) =
        news.iter().filter(is_told).partition(is_update);
    let mut updates: Vec<String> = updates.into_iter().map(Json::to_string).collect();
    updates.sort();
    updates.dedup();
    json!({ "updates": updates, "others": others })
}

/// Changed records each by itself.
fn one_by_one(news: &Json) -> Vec<Json> {
    match news[1].as_array().filter(|_| news[0] == "changed") {
        Some(ids) => ids.iter().map(|id| json!(["changed", id, news[2]])).collect(),
        None => vec![news.clone()],
    }
}

/// The same with another last bit.
fn lie(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().last().into_iter().for_each(|last| *last ^= 1);
    bytes
}
