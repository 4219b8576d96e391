//! The sessions of this process: core's table of them under a lock, the key of their tokens, and the way to each
//! session's connection, so that a new one can take its place. Looked at by hellos and ends, never by a move.

mod token;

pub(crate) use token::ResumeKey;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hither_core::session::Begun;
use hither_core::{ConnectionId, Grant, ResumeClaims, SavedSession, SessionId, Verdict};
use hither_transport::Clock;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::metrics::Metrics;
use crate::sync::{Mutex, MutexGuard};

/// How long a connection whose session is taken over has to go. It waits for nobody but the store.
const TAKEOVER_DEADLINE: Duration = Duration::from_secs(2);

/// All sessions that have a connection here, or can be resumed.
#[derive(Debug)]
pub(crate) struct Sessions {
    key: ResumeKey,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Told of whatever is worth to be saved.
    changed: Arc<Notify>,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    sessions: hither_core::Sessions,
    connections: BTreeMap<ConnectionId, Holder>,
    next_connection: u64,
}

/// The connection that has a session.
#[derive(Clone, Debug)]
struct Holder {
    /// Asks it to go.
    take_over: Arc<Notify>,
    /// Fails once it is gone.
    gone: watch::Receiver<()>,
}

impl Sessions {
    /// Those that were saved at `saved_ms` since the Unix epoch.
    pub(crate) fn new(
        key: ResumeKey,
        saved_ms: u64,
        saved: Vec<SavedSession>,
        clock: Clock,
        metrics: Arc<Metrics>,
        changed: Arc<Notify>,
    ) -> Arc<Self> {
        let sessions = hither_core::Sessions::new(clock.now(), saved_ms, saved);
        let table = Table { sessions, connections: BTreeMap::new(), next_connection: 0 };
        Arc::new(Self { key, clock, metrics, changed, table: Mutex::new(table) })
    }

    /// Gives a connection its session: the one of its resume token, if that is good, else a new one. Another
    /// connection that has it is asked to go, and waited for. Where the server makes up its users, `grant` becomes
    /// that of the user who was here before.
    ///
    /// The connection listens to `take_over`, and keeps the attachment until it has lost its members.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        grant: &mut Grant,
        is_made_up: bool,
        resume_token: Option<&str>,
        take_over: &Arc<Notify>,
    ) -> (Begun, Attachment) {
        let mut claims = resume_token.and_then(|token| self.key.open(token));
        let mut attachment = self.attach(take_over);
        let deadline = Instant::now() + TAKEOVER_DEADLINE;
        let (id, serial, resumed) = loop {
            let user_id = (!is_made_up).then_some(grant.user_id.as_str());
            match self.try_begin(attachment.connection, claims.as_ref(), user_id) {
                Ok(begun) => break begun,
                Err(Holder { take_over, mut gone }) => {
                    take_over.notify_one();
                    if timeout_at(deadline, gone.changed()).await.is_err() {
                        // It hangs, so its members are not lost yet: this is a new session.
                        claims = None;
                    }
                }
            }
        };
        attachment.id = Some(id);
        self.changed.notify_one();
        if let Some(claims) = claims.filter(|_| resumed && is_made_up) {
            grant.user_id = claims.user_id;
            grant.name = grant.name.take().or(claims.name);
        }
        let claims = ResumeClaims {
            id,
            serial,
            issued_ms: self.clock.now().as_millis(),
            user_id: grant.user_id.clone(),
            name: grant.name.clone(),
        };
        (Begun { id, resume_token: self.key.seal(&claims), resumed }, attachment)
    }

    /// All that can be resumed, to be saved.
    pub(crate) fn save(&self) -> Vec<SavedSession> {
        self.table().sessions.save()
    }

    /// The session with its token's serial and whether it goes on, or who has it.
    fn try_begin(
        &self,
        connection: ConnectionId,
        claims: Option<&ResumeClaims>,
        user_id: Option<&str>,
    ) -> Result<(SessionId, u64, bool), Holder> {
        let (now, fresh) = (self.clock.now(), SessionId(rand::random()));
        let mut table = self.table();
        loop {
            match table.sessions.handle_hello(now, connection, claims, user_id, fresh) {
                Verdict::Begun { id, serial, resumed } => return Ok((id, serial, resumed)),
                Verdict::Taken { id, by } => match table.connections.get(&by) {
                    Some(holder) => return Err(holder.clone()),
                    // No attachment is left, so nobody will say that it is gone.
                    None => table.sessions.handle_gone(now, id, by),
                },
            }
        }
    }

    fn attach(self: &Arc<Self>, take_over: &Arc<Notify>) -> Attachment {
        let (alive, gone) = watch::channel(());
        let mut table = self.table();
        let connection = ConnectionId(table.next_connection);
        table.next_connection += 1;
        table.connections.insert(connection, Holder { take_over: take_over.clone(), gone });
        Attachment { sessions: self.clone(), connection, id: None, _alive: alive }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing under this lock can panic halfway, so a poisoned table is still whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's hold on its session; dropped when the connection is gone.
#[derive(Debug)]
pub(crate) struct Attachment {
    sessions: Arc<Sessions>,
    connection: ConnectionId,
    /// `None` while it waits for another connection to go.
    id: Option<SessionId>,
    _alive: watch::Sender<()>,
}

impl Attachment {
    /// The resume token of the welcome has arrived.
    pub(crate) fn handle_resumable(&self) {
        self.tell(|sessions, id| sessions.handle_resumable(id, self.connection));
    }

    /// The client has said bye.
    pub(crate) fn handle_over(&self) {
        self.tell(|sessions, id| sessions.handle_over(id, self.connection));
    }

    fn tell(&self, tell: impl FnOnce(&mut hither_core::Sessions, SessionId)) {
        if let Some(id) = self.id {
            tell(&mut self.sessions.table().sessions, id);
            self.sessions.changed.notify_one();
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let now = self.sessions.clock.now();
        self.tell(|sessions, id| sessions.handle_gone(now, id, self.connection));
        let mut table = self.sessions.table();
        table.connections.remove(&self.connection);
        self.sessions.metrics.sessions_forgotten.inc_by(table.sessions.take_forgotten());
    }
}
