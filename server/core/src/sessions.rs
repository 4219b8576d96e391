//! Which sessions there are and which of their resume tokens are good (S1 to S3), apart from a session's own life: an
//! entry outlives its connections. It knows no signatures: what it is shown was signed by this server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hither_protocol::Timestamp;
use hither_protocol::limits::RESUME_MS;
use serde::{Deserialize, Serialize};

use crate::session::SessionId;

/// How long after its last connection a session is kept.
const RESUME: Duration = Duration::from_millis(RESUME_MS);
/// The most sessions without a connection that are kept, about 8 MiB of them; beyond, the oldest are forgotten.
const ENDED_MAX: usize = 65_536;

/// A connection's number, never used again while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What a resume token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeClaims {
    /// The session.
    pub id: SessionId,
    /// The token's number among those of its session, from 1.
    pub serial: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// The session's user.
    pub user_id: String,
    /// The name that the user had.
    pub name: Option<String>,
}

/// What becomes of a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The session is this connection's, and its next token has this serial.
    Begun {
        /// The session.
        id: SessionId,
        /// The serial of the token that the welcome has.
        serial: u64,
        /// Whether it goes on.
        resumed: bool,
    },
    /// Another connection has the session: close that, wait until it is gone, and ask again.
    Taken {
        /// The session.
        id: SessionId,
        /// The connection that has it.
        by: ConnectionId,
    },
}

/// A session as it is kept over the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    /// Its id.
    pub id: SessionId,
    /// The serial of its newest token.
    pub newest: u64,
    /// That of the one before, while it is good.
    pub before: Option<u64>,
}

/// All sessions that have a connection, or can be resumed.
#[derive(Debug)]
pub struct Sessions {
    entries: BTreeMap<SessionId, Entry>,
    /// Sessions by the time of their end, the oldest first. One that was resumed since does not count.
    ended: VecDeque<(Timestamp, SessionId)>,
    started: Timestamp,
    /// Sessions of the process before that began later may be unknown.
    known_until_ms: u64,
    forgotten: u64,
}

#[derive(Debug)]
struct Entry {
    newest: u64,
    before: Option<u64>,
    connection: Option<ConnectionId>,
    ended: Option<Timestamp>,
}

impl Sessions {
    /// Those of the process before, as they were at `known_until_ms`; of a server that keeps none, none. What has a
    /// token that was made later is believed.
    pub fn new(now: Timestamp, known_until_ms: u64, saved: Vec<SavedSession>) -> Self {
        let entry = |SavedSession { id, newest, before }| {
            (id, Entry { newest, before, connection: None, ended: Some(now) })
        };
        let entries: BTreeMap<_, _> = saved.into_iter().map(entry).collect();
        let ended = entries.keys().map(|id| (now, *id)).collect();
        Self { entries, ended, started: now, known_until_ms, forgotten: 0 }
    }

    /// A connection has said hello, with this resume token if any. `user_id` is who it is by its token, `None` where
    /// the server makes users up; `fresh` is the id of a new session.
    pub fn handle_hello(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        claims: Option<&ResumeClaims>,
        user_id: Option<&str>,
        fresh: SessionId,
    ) -> Verdict {
        self.forget_old(now);
        let is_same_user = |c: &&ResumeClaims| user_id.is_none_or(|user_id| user_id == c.user_id);
        let Some(claims) = claims.filter(is_same_user).filter(|c| self.is_good(now, c)) else {
            let entry =
                Entry { newest: 1, before: None, connection: Some(connection), ended: None };
            self.entries.insert(fresh, entry);
            return Verdict::Begun { id: fresh, serial: 1, resumed: false };
        };
        let (id, shown) = (claims.id, claims.serial);
        let entry = self.entries.entry(id).or_insert(Entry {
            newest: shown,
            before: None,
            connection: None,
            ended: None,
        });
        if let Some(other) = entry.connection {
            return Verdict::Taken { id, by: other };
        }
        entry.newest = entry.newest.max(shown) + 1;
        entry.before = Some(shown);
        entry.connection = Some(connection);
        entry.ended = None;
        Verdict::Begun { id, serial: entry.newest, resumed: true }
    }

    /// The newest token has arrived: the one before is good no longer (S2).
    pub fn handle_resumable(&mut self, id: SessionId, connection: ConnectionId) {
        if let Some(entry) = self.entry_of(id, connection) {
            entry.before = None;
        }
    }

    /// A session's connection is gone; from now on it can be resumed for 5 minutes.
    pub fn handle_gone(&mut self, now: Timestamp, id: SessionId, connection: ConnectionId) {
        let Some(entry) = self.entry_of(id, connection) else { return };
        entry.connection = None;
        entry.ended = Some(now);
        self.ended.push_back((now, id));
        while self.ended.len() > ENDED_MAX {
            self.forgotten += u64::from(self.forget_oldest());
        }
    }

    /// A session's client has said bye: it is over.
    pub fn handle_over(&mut self, id: SessionId, connection: ConnectionId) {
        if self.entry_of(id, connection).is_some() {
            self.entries.remove(&id);
        }
    }

    /// How many sessions were forgotten before their time since this was last asked.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// All that can be resumed, now or once their connections are gone.
    pub fn save(&self) -> Vec<SavedSession> {
        let saved = |(id, entry): (&SessionId, &Entry)| SavedSession {
            id: *id,
            newest: entry.newest,
            before: entry.before,
        };
        self.entries.iter().map(saved).collect()
    }

    fn is_good(&self, now: Timestamp, claims: &ResumeClaims) -> bool {
        match self.entries.get(&claims.id) {
            Some(entry) => {
                let is_late = entry.ended.is_some_and(|ended| now.since(ended) > RESUME);
                let is_known = [Some(entry.newest), entry.before].contains(&Some(claims.serial));
                // A token of the process before may be newer than what was saved.
                !is_late && (is_known || self.is_unsaved(now, claims, entry.newest))
            }
            None => self.is_unsaved(now, claims, 0),
        }
    }

    /// Whether a token was made by the process before, after it had saved its sessions for the last time.
    fn is_unsaved(&self, now: Timestamp, claims: &ResumeClaims, newest: u64) -> bool {
        claims.serial > newest
            && (self.known_until_ms..self.started.as_millis()).contains(&claims.issued_ms)
            && now.since(self.started) <= RESUME
    }

    fn entry_of(&mut self, id: SessionId, connection: ConnectionId) -> Option<&mut Entry> {
        self.entries.get_mut(&id).filter(|entry| entry.connection == Some(connection))
    }

    fn forget_old(&mut self, now: Timestamp) {
        while self.ended.front().is_some_and(|(ended, _)| now.since(*ended) > RESUME) {
            self.forget_oldest();
        }
    }

    /// True if there was something to forget: who was resumed since its end is not meant.
    fn forget_oldest(&mut self) -> bool {
        let Some((ended, id)) = self.ended.pop_front() else { return false };
        let is_meant = self.entries.get(&id).is_some_and(|entry| entry.ended == Some(ended));
        if is_meant {
            self.entries.remove(&id);
        }
        is_meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(DAY_MS + ms)
    }

    fn claims(id: SessionId, serial: u64, issued_ms: u64) -> ResumeClaims {
        ResumeClaims { id, serial, issued_ms, user_id: "ada".into(), name: None }
    }

    /// Sessions whose connections are numbered as they come, and so are their ids.
    struct Stage {
        sessions: Sessions,
        connections: u64,
    }

    impl Stage {
        fn new() -> Self {
            Self { sessions: Sessions::new(at(0), 0, Vec::new()), connections: 0 }
        }

        fn hello(&mut self, ms: u64, shown: Option<(SessionId, u64)>) -> (ConnectionId, Verdict) {
            self.hello_of(ms, shown.map(|(id, serial)| claims(id, serial, DAY_MS + 1)), None)
        }

        fn hello_of(
            &mut self,
            ms: u64,
            claims: Option<ResumeClaims>,
            user: Option<&str>,
        ) -> (ConnectionId, Verdict) {
            self.connections += 1;
            let connection = ConnectionId(self.connections);
            let fresh = SessionId(self.connections.into());
            let sessions = &mut self.sessions;
            (connection, sessions.handle_hello(at(ms), connection, claims.as_ref(), user, fresh))
        }
    }

    fn begun(id: SessionId, serial: u64) -> Verdict {
        Verdict::Begun { id, serial, resumed: true }
    }

    fn new(id: u128) -> Verdict {
        Verdict::Begun { id: SessionId(id), serial: 1, resumed: false }
    }

    #[test]
    fn s1_a_session_goes_on_within_five_minutes_of_its_connection() {
        let mut stage = Stage::new();
        let (first, verdict) = stage.hello(1, None);
        assert_eq!(verdict, new(1));
        let id = SessionId(1);
        stage.sessions.handle_gone(at(10), id, first);
        let (second, verdict) = stage.hello(10 + RESUME_MS, Some((id, 1)));
        assert_eq!(verdict, begun(id, 2));
        stage.sessions.handle_gone(at(20 + RESUME_MS), id, second);
        let (_, verdict) = stage.hello(21 + 2 * RESUME_MS, Some((id, 2)));
        assert_eq!(verdict, new(3));
    }

    #[test]
    fn s1_a_token_of_another_user_begins_a_new_session() {
        let mut stage = Stage::new();
        let (first, _) = stage.hello(1, None);
        stage.sessions.handle_gone(at(2), SessionId(1), first);
        let shown = claims(SessionId(1), 1, DAY_MS + 1);
        assert_eq!(stage.hello_of(3, Some(shown.clone()), Some("grace")).1, new(2));
        assert_eq!(stage.hello_of(3, Some(shown), Some("ada")).1, begun(SessionId(1), 2));
    }

    #[test]
    fn s1_nobody_goes_on_with_a_session_whose_client_said_bye() {
        let mut stage = Stage::new();
        let (first, _) = stage.hello(1, None);
        stage.sessions.handle_over(SessionId(1), first);
        stage.sessions.handle_gone(at(2), SessionId(1), first);
        assert_eq!(stage.hello(3, Some((SessionId(1), 1))).1, new(2));
    }

    #[test]
    fn s2_the_token_before_is_good_until_the_new_one_has_arrived() {
        let mut stage = Stage::new();
        let id = SessionId(1);
        let (mut connection, _) = stage.hello(1, None);
        // Two welcomes are lost with their connections: the first token goes on being shown.
        for serial in [2, 3] {
            stage.sessions.handle_gone(at(2), id, connection);
            let (next, verdict) = stage.hello(3, Some((id, 1)));
            assert_eq!(verdict, begun(id, serial));
            connection = next;
        }
        stage.sessions.handle_gone(at(4), id, connection);
        assert_eq!(stage.hello(5, Some((id, 2))).1, new(4), "it never was the newest that arrived");
        let (connection, verdict) = stage.hello(5, Some((id, 3)));
        assert_eq!(verdict, begun(id, 4));
        stage.sessions.handle_resumable(id, connection);
        stage.sessions.handle_gone(at(6), id, connection);
        assert_eq!(stage.hello(7, Some((id, 3))).1, new(6));
        assert_eq!(stage.hello(7, Some((id, 4))).1, begun(id, 5));
    }

    #[test]
    fn s3_a_connection_that_has_the_session_goes_first() {
        let mut stage = Stage::new();
        let id = SessionId(1);
        let (first, _) = stage.hello(1, None);
        let (second, verdict) = stage.hello(2, Some((id, 1)));
        assert_eq!(verdict, Verdict::Taken { id, by: first });
        stage.sessions.handle_gone(at(3), id, first);
        let shown = claims(id, 1, DAY_MS + 1);
        let again = stage.sessions.handle_hello(at(3), second, Some(&shown), None, SessionId(9));
        assert_eq!(again, begun(id, 2));
        // What the first connection still says of its session counts for nothing.
        stage.sessions.handle_resumable(id, first);
        stage.sessions.handle_over(id, first);
        stage.sessions.handle_gone(at(4), id, first);
        assert_eq!(stage.hello(5, Some((id, 2))).1, Verdict::Taken { id, by: second });
    }

    #[test]
    fn s5_what_was_saved_is_known_and_what_came_later_is_believed() {
        let mut before = Stage::new();
        let (first, _) = before.hello(1, None);
        before.sessions.handle_gone(at(2), SessionId(1), first);
        before.hello(3, Some((SessionId(1), 1)));
        let saved = before.sessions.save();
        let (saved_at, restarted) = (DAY_MS + 100, 200);
        let stage = || Stage {
            sessions: Sessions::new(at(restarted), saved_at, saved.clone()),
            connections: 10,
        };
        let shown = |id, serial, issued| Some(claims(SessionId(id), serial, issued));
        let is_resumed = |ms, shown| {
            matches!(stage().hello_of(ms, shown, None).1, Verdict::Begun { resumed: true, .. })
        };
        let (earlier, later) = (saved_at - 1, saved_at);
        assert!(is_resumed(201, shown(1, 1, earlier)), "the one before is still good");
        assert!(is_resumed(201, shown(1, 2, earlier)));
        assert!(is_resumed(201, shown(1, 3, later)), "resumed after the save");
        assert!(!is_resumed(201, shown(1, 3, earlier)), "never made");
        assert!(is_resumed(201, shown(7, 1, later)), "begun after the save");
        assert!(!is_resumed(201, shown(7, 1, earlier)), "over before the save");
        assert!(!is_resumed(201, shown(7, 1, DAY_MS + restarted)), "none of the process before");
        assert!(!is_resumed(restarted + RESUME_MS + 1, shown(7, 1, later)));
        assert!(!is_resumed(restarted + RESUME_MS + 1, shown(1, 2, earlier)));
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let mut stage = Stage::new();
        for _ in 0..=ENDED_MAX {
            let (connection, _) = stage.hello(1, None);
            stage.sessions.handle_gone(at(1), SessionId(connection.0.into()), connection);
        }
        assert_eq!((stage.sessions.take_forgotten(), stage.sessions.entries.len()), (1, ENDED_MAX));
        assert_eq!(stage.hello(2, Some((SessionId(1), 1))).1, new(ENDED_MAX as u128 + 2));
        assert_eq!(stage.hello(2, Some((SessionId(2), 1))).1, begun(SessionId(2), 2));
    }
}
