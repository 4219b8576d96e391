//! One bot: a client's session, driven over a link in memory. Nothing in it waits, as its crowd calls it in turn.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use hither_protocol::message::control::Hello;
use hither_protocol::message::{Map, Value};
use hither_protocol::motion::Position;
use hither_protocol::session::{Event, Session, Transmit};
use hither_protocol::{EditorId, RoomHandle, RoomName, Timestamp};
use hither_transport::{Link, RecvStream, SendStream, memory};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::hand::Hand;
use crate::connection::{Shared, run_local};

/// What marks a bot among people: a field of its presence, true.
const MARK: &str = "bot";
const NAMES: [&str; 50] = [
    "Ada", "Alma", "Amir", "Anouk", "Aoife", "Björn", "Carmen", "Chidi", "Clara", "Dana", "Davide",
    "Edith", "Elio", "Emre", "Esme", "Farah", "Finn", "Grace", "Hana", "Hugo", "Ines", "Isak",
    "Jules", "Kai", "Kofi", "Lea", "Linus", "Luz", "Malik", "Maya", "Mila", "Nadia", "Nils",
    "Noor", "Omar", "Otto", "Paula", "Priya", "Quinn", "Rosa", "Sami", "Selma", "Sven", "Tomás",
    "Uma", "Vera", "Wen", "Yara", "Yuki", "Zoë",
];
/// Neighbours on this way round the circle of hues are never alike.
const GOLDEN_ANGLE: u32 = 137;
const EMOJIS: [&str; 6] = ["👋", "🎉", "❤️", "👍", "😄", "🔥"];
/// Between two reactions of a bot, in seconds.
const REACTION_EVERY_S: std::ops::Range<f64> = 20.0..40.0;
const CHUNK_BYTES: usize = 16 * 1024;

/// A client that acts by itself.
pub(super) struct Bot {
    number: u32,
    link: Link,
    send: SendStream,
    recv: RecvStream,
    session: Session,
    /// The room, once it has been entered.
    room: Option<RoomHandle>,
    hand: Hand,
    born_at: Timestamp,
    rng: StdRng,
    reacts_at: Timestamp,
}

impl Bot {
    /// Connects and asks to enter a room. The number decides its name, its colour and all that it does. `None` if the
    /// server does not take it.
    pub(super) async fn enter(shared: &Arc<Shared>, room: &RoomName, number: u32) -> Option<Self> {
        let (there, link) = memory::pair();
        tokio::spawn(run_local(shared.clone(), there));
        let (send, recv) = link.open_stream().await.ok()?;
        let name = name(number);
        let hello = Hello { name: Some(name.clone()), ..Hello::default() };
        let mut session = Session::new(hello, EditorId(rand::random()));
        session.enter(room.clone(), presence(name, number), None);
        let now = shared.clock.now();
        let mut rng = StdRng::seed_from_u64(number.into());
        // The first reaction is due sooner, so that whoever calls bots soon sees one.
        let reacts_at = now + Duration::from_secs_f64(rng.random_range(2.0..REACTION_EVERY_S.end));
        let hand = Hand::new(rng.random());
        let room = None;
        Some(Self { number, link, send, recv, session, room, hand, born_at: now, rng, reacts_at })
    }

    /// What tells it from the others of its crowd.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Takes what came, moves, and sends what is due; false once it is out of the room.
    pub(super) fn act(&mut self, now: Timestamp) -> bool {
        if !self.take_in(now) {
            return false;
        }
        if let Some(room) = self.room {
            let (x, y) = self.hand.position_at(now.since(self.born_at).as_secs_f64());
            self.session.set_motion(now, room, Position::xy(x, y));
            if now >= self.reacts_at {
                self.react(now, room);
            }
        }
        self.session.handle_timeout(now);
        self.give_out(now)
    }

    /// Says bye; the server's answer ends it.
    pub(super) fn leave(&mut self) {
        self.room = None;
        self.session.bye();
    }

    /// Whether anybody but bots is in the room; `None` while it is not in the room itself.
    pub(super) fn has_company(&self) -> Option<bool> {
        let room = self.session.room(self.room?)?;
        Some(room.members().any(|member| member.presence.get(MARK) != Some(&Value::Bool(true))))
    }

    fn react(&mut self, now: Timestamp, room: RoomHandle) {
        let emoji = EMOJIS[self.rng.random_range(0..EMOJIS.len())];
        let data = Map::from([("emoji".to_owned(), emoji.into())]);
        self.session.broadcast(room, "reaction", Value::Map(data), Vec::new());
        self.reacts_at = now + Duration::from_secs_f64(self.rng.random_range(REACTION_EVERY_S));
    }

    fn take_in(&mut self, now: Timestamp) -> bool {
        while let Some(Ok(datagram)) = self.link.recv_datagram().now_or_never() {
            self.session.handle_datagram(now, &datagram);
        }
        while let Some(read) = self.recv.read_chunk(CHUNK_BYTES).now_or_never() {
            let Ok(Some(chunk)) = read else { return false };
            if self.session.handle_control(now, &chunk).is_err() {
                return false;
            }
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Entered { room, .. } => self.room = Some(room),
                Event::Refused(error) if error.request.is_some() => return false,
                Event::Left { .. } | Event::Bye(_) => return false,
                _ => {}
            }
        }
        true
    }

    /// False if the server takes no more.
    fn give_out(&mut self, now: Timestamp) -> bool {
        while let Some(transmit) = self.session.poll_transmit(now) {
            let taken = match transmit {
                Transmit::Control(bytes) => self.write(bytes),
                Transmit::Datagram(datagram) => self.link.send_datagram(datagram).is_ok(),
                // It opens no document.
                Transmit::Edits(..) | Transmit::CloseEdits(_) => true,
            };
            if !taken {
                return false;
            }
        }
        true
    }

    /// What a bot says is far less than a stream holds, so a server that has to be waited for does not read.
    fn write(&mut self, bytes: Bytes) -> bool {
        matches!(self.send.write_chunk(bytes).now_or_never(), Some(Ok(())))
    }
}

fn presence(name: String, number: u32) -> Map {
    Map::from([
        ("name".to_owned(), name.into()),
        ("color".to_owned(), (number * GOLDEN_ANGLE % 360).into()),
        (MARK.to_owned(), true.into()),
    ])
}

/// The names, then the names again with a number.
fn name(number: u32) -> String {
    let (round, place) = (number as usize / NAMES.len(), number as usize % NAMES.len());
    match round {
        0 => NAMES[place].to_owned(),
        _ => format!("{} {}", NAMES[place], round + 1),
    }
}
