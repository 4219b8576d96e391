//! A stay in one room over the polled handle: each turn takes what has come and gives it out as news.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use hither_client::{
    ConnectError, Event, Map, Member, Op, Polled, PolledState, Position, RoomHandle, RoomName,
    SendError, Slot, Value, session,
};

use crate::app::{App, News};

/// What a member can do in a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Be there.
    Motion(Position),
    /// Patch the own presence.
    Presence(Map),
    /// Send an event of this name with this data to everyone else.
    Event(String, Value),
    /// Change the document.
    Edit(Op),
    /// Leave the room.
    Leave,
}

/// The stay, from connecting to the end of the connection.
pub(crate) struct Visit {
    /// What is known of the room.
    pub(crate) app: App,
    net: Polled,
    name: RoomName,
    presence: Map,
    stage: Stage,
    /// Edits that the server has not answered yet.
    unanswered: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Connecting,
    /// Asked for the room by the request of this number.
    Entering(u32),
    In(RoomHandle),
    /// Not in the room, and not going to be.
    Out,
    /// The connection has ended, and was told of.
    Over,
}

impl Visit {
    /// Goes to a room with a first presence as soon as there is a connection.
    pub(crate) fn new(net: Polled, name: RoomName, presence: Map) -> Self {
        let (app, stage) = (App::default(), Stage::Connecting);
        Self { app, net, name, presence, stage, unanswered: 0 }
    }

    /// Takes what has come since the last turn. [`News::Closed`] is the last there is.
    pub(crate) fn turn(&mut self) -> Vec<News> {
        let closed = match self.net.update() {
            PolledState::Connected if self.stage == Stage::Connecting => {
                let presence = std::mem::take(&mut self.presence);
                match self.net.enter(self.name.clone(), presence) {
                    Ok(request) => {
                        self.stage = Stage::Entering(request);
                        None
                    }
                    Err(error) => Some(News::Closed { code: None, reason: error.to_string() }),
                }
            }
            PolledState::Connecting | PolledState::Connected | PolledState::Reconnecting => None,
            PolledState::Failed(ConnectError::Refused(closed)) | PolledState::Closed(closed) => {
                Some(News::Closed { code: closed.code, reason: closed.reason.clone() })
            }
            PolledState::Failed(error) => {
                Some(News::Closed { code: None, reason: error.to_string() })
            }
        };
        let mut news = Vec::new();
        let mut edited = false;
        while let Some(event) = self.net.poll_event() {
            edited |= matches!(
                event,
                Event::DocumentLoaded { .. }
                    | Event::RecordsChanged { .. }
                    | Event::EventsLost { .. }
            );
            self.handle(event, &mut news);
        }
        if let Stage::In(room) = self.stage {
            self.look(room, edited, &mut news);
        }
        if self.stage != Stage::Over && closed.is_some() {
            self.stage = Stage::Over;
            news.extend(closed);
        }
        news
    }

    /// Where the members are to be seen: the others on their way, and this member where it has said that it is.
    pub(crate) fn positions_at(&self, now: Instant) -> BTreeMap<Slot, Position> {
        let seen = |slot: Slot, newest: Position| {
            let Stage::In(room) = self.stage else { return newest };
            let sample = self.net.sample(room, slot, now).filter(|_| Some(slot) != self.app.slot);
            sample.map_or(newest, |values| Position::new(values.map(|value| value.round() as i32)))
        };
        self.app.positions.iter().map(|(slot, newest)| (*slot, seen(*slot, *newest))).collect()
    }

    /// Does something in the room.
    ///
    /// # Errors
    /// [`SendError`]; nothing was done then.
    pub(crate) fn act(&mut self, command: Command) -> Result<(), SendError> {
        let Stage::In(room) = self.stage else { return Err(SendError::NotInRoom) };
        match command {
            Command::Motion(position) => {
                self.net.set_motion(room, position);
                self.app.positions.extend(self.app.slot.map(|slot| (slot, position)));
            }
            Command::Presence(patch) => {
                self.net.update_presence(room, patch)?;
                if let Some(slot) = self.app.slot {
                    self.app.refresh(slot, self.member(room, slot));
                }
            }
            Command::Event(name, data) => self.net.broadcast(room, &name, data)?,
            Command::Edit(op) => {
                self.net.submit(room, vec![op])?;
                self.unanswered += 1;
            }
            Command::Leave => self.net.leave(room)?,
        }
        Ok(())
    }

    /// Sends the newest position; the end of each turn.
    pub(crate) fn flush(&mut self) {
        self.net.flush();
    }

    /// Says bye; [`News::Closed`] comes within a second.
    pub(crate) fn close(&mut self) {
        self.net.close();
    }

    /// Whether the room is neither entered nor given up.
    pub(crate) fn is_entering(&self) -> bool {
        matches!(self.stage, Stage::Connecting | Stage::Entering(_))
    }

    /// Whether this member is in the room.
    pub(crate) fn is_in(&self) -> bool {
        matches!(self.stage, Stage::In(_))
    }

    /// Whether the server has answered all edits.
    pub(crate) fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// The room's full name.
    pub(crate) fn room(&self) -> &RoomName {
        &self.name
    }

    /// The connection and the room's clock in one line: what carries it, ticks, members, round trip.
    pub(crate) fn status(&self) -> String {
        let Some(link) = self.net.link() else { return "connecting".into() };
        if let PolledState::Reconnecting = self.net.state() {
            return "reconnecting".into();
        }
        let mut parts = vec![link.transport().to_string()];
        if let Stage::In(room) = self.stage {
            let clock = self.net.read(room, |room| {
                format!("{} Hz · tick {}", room.motion_format().tick_hz, room.tick().0)
            });
            parts.extend(clock);
            parts.push(format!("{} here", self.app.members.len()));
        }
        let ms = link.round_trip().map(|time| time.as_secs_f64() * 1000.0);
        parts.extend(ms.map(|ms| format!("{ms:.1} ms")));
        parts.join(" · ")
    }

    fn handle(&mut self, event: Event, news: &mut Vec<News>) {
        match event {
            Event::Entered { room, .. } => {
                self.stage = Stage::In(room);
                let members =
                    |room: &session::Room| (room.slot(), room.members().cloned().collect());
                if let Some((slot, members)) = self.net.read(room, members) {
                    news.push(self.app.enter(slot, members));
                    // Fails only where the connection has ended, which is told of as that.
                    let _ = self.net.open_document(room);
                }
            }
            Event::Refused(error) => {
                if error.request.is_some_and(|request| self.stage == Stage::Entering(request)) {
                    self.stage = Stage::Out;
                }
                let (code, message) = (error.code, error.message);
                let retry_after_ms = error.retry_after_ms;
                news.push(News::Refused { code, message, retry_after_ms });
            }
            Event::Left { reason, .. } => {
                self.stage = Stage::Out;
                self.unanswered = 0;
                news.extend(self.app.slot.map(|slot| News::Out(slot, reason)));
            }
            Event::MemberJoined { room, slot } | Event::MemberChanged { room, slot } => {
                news.extend(self.app.refresh(slot, self.member(room, slot)));
            }
            Event::MemberLeft { room, member } => {
                news.extend(self.app.refresh(member.slot, self.member(room, member.slot)));
            }
            Event::EventsLost { room } => {
                news.push(News::EventsLost);
                news.extend(self.refresh_all(room));
            }
            Event::Broadcast { from, id, name, data, .. } => {
                news.push(News::Event { from, name, data, number: Some(id.number) });
            }
            Event::Direct(direct) => {
                let (from, name, data) = (direct.from, direct.name, direct.data);
                news.push(News::Event { from, name, data, number: None });
            }
            Event::EditAcked { ack, .. } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                news.push(News::Acked(ack.number));
            }
            Event::EditRejected { reject, .. } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                let (number, code, message) = (reject.number, reject.code, reject.message);
                news.push(News::Rejected { number, code, message });
            }
            _ => {}
        }
    }

    /// What has no events of its own: positions, and the document as it is after all edits that have come.
    fn look(&mut self, room: RoomHandle, edited: bool, news: &mut Vec<News>) {
        let Self { net, app, .. } = self;
        net.read(room, |room| {
            let axes = room.motion_format().axes.len();
            for member in room.members().filter(|member| member.slot != room.slot()) {
                let position = room.position(member.slot);
                news.extend(position.and_then(|position| app.locate(member, position, axes)));
            }
            if let Some(records) = room.records().filter(|_| edited) {
                let records = records.iter().map(|(id, fields)| (id.to_owned(), fields.clone()));
                news.extend(app.load(records.collect()));
            }
        });
    }

    fn refresh_all(&mut self, room: RoomHandle) -> Vec<News> {
        let members: Vec<Member> =
            self.net.read(room, |room| room.members().cloned().collect()).unwrap_or_default();
        let here = |slot: Slot| members.iter().find(|member| member.slot == slot).cloned();
        let known = self.app.members.keys().copied();
        let slots: BTreeSet<Slot> = known.chain(members.iter().map(|member| member.slot)).collect();
        let mut news: Vec<News> =
            slots.into_iter().flat_map(|slot| self.app.refresh(slot, here(slot))).collect();
        let own = self.app.slot;
        news.retain(|news| !matches!(news, News::Changed(member) if Some(member.slot) == own));
        news
    }

    fn member(&self, room: RoomHandle, slot: Slot) -> Option<Member> {
        self.net.read(room, |room| room.member(slot).cloned()).flatten()
    }
}
