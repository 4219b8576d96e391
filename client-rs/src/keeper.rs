//! Keeps a client connected: runs one connection after the other, by the word of the protocol's `Reconnect`, which
//! decides when. Apart from the driver, which knows one connection, and from the handles, which outlive all.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hither_protocol::Timestamp;
use hither_protocol::reconnect::{Action, Config, Reconnect, Status};
use hither_protocol::session::{Event, Session};
use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;

use crate::closed::Closed;
use crate::connect::{ConnectError, Way};
use crate::driver::{Activity, Driver, Handle};
use crate::mailbox::Mailbox;

/// What becomes of a client's connection, for all its handles.
#[derive(Debug)]
pub(crate) struct Life {
    status: watch::Sender<Status>,
    ended: watch::Sender<Option<Closed>>,
    /// Rings when the application wants no connection any more.
    closing: Notify,
}

impl Life {
    pub(crate) fn new() -> Arc<Self> {
        let (status, ended) = (watch::Sender::new(Status::Connecting), watch::Sender::new(None));
        Arc::new(Self { status, ended, closing: Notify::new() })
    }

    pub(crate) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Waits until the status is another one.
    pub(crate) async fn status_after(&self, status: Status) -> Status {
        let mut statuses = self.status.subscribe();
        let changed = statuses.wait_for(|now| *now != status).await;
        changed.map_or(Status::Disconnected, |status| *status)
    }

    /// How it ended for good, if it has.
    pub(crate) fn ended_now(&self) -> Option<Closed> {
        self.ended.borrow().clone()
    }

    /// Waits for the end for good.
    pub(crate) async fn ended(&self) -> Closed {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        ended.unwrap_or_else(Closed::abandoned)
    }

    /// Ends the connection, or the attempts to have one.
    pub(crate) fn close(&self, handle: &Handle) {
        handle.close();
        self.closing.notify_one();
    }
}

/// The task of a client.
pub(crate) struct Keeper {
    way: Way,
    handle: Handle,
    mailbox: Arc<Mailbox>,
    life: Arc<Life>,
    machine: Mutex<Reconnect>,
}

/// Ends the life of a client whose keeper is dropped, however that comes.
struct End(Arc<Life>, Arc<Mailbox>);

impl Keeper {
    pub(crate) fn new(way: Way, handle: Handle, mailbox: Arc<Mailbox>, life: Arc<Life>) -> Self {
        let config = Config {
            lost_connection_timeout: way.lost_connection_timeout,
            can_renew_token: way.can_renew_token(),
        };
        Self { way, handle, mailbox, life, machine: Mutex::new(Reconnect::new(config)) }
    }

    /// Runs connections until the application wants none, or the server says stop, or there is no way to another one.
    /// The first is there already.
    pub(crate) async fn run(self, first: Driver) {
        let end = End(Arc::clone(&self.life), Arc::clone(&self.mailbox));
        self.act(Reconnect::handle_wanted);
        let mut driver = first;
        let closed = loop {
            let closed = self.run_connection(driver).await;
            self.handle.with(|session, _now| self.mailbox.drain(session));
            let closed = if self.handle.is_closing() { closed } else { closed.of_link() };
            // The first attempt is the caller's, who hears of its failure.
            let was_welcome = self.handle.with(|session, _now| session.user().is_some());
            if self.handle.is_closing() || !was_welcome || !self.way.is_repeatable() {
                break closed;
            }
            self.handle_end(&closed);
            match self.connect_again(closed).await {
                Ok(again) => driver = again,
                Err(closed) => break closed,
            }
        };
        self.life.ended.send_replace(Some(closed));
        drop(end);
    }

    /// Runs a connection to its end, or until there was no welcome in time.
    async fn run_connection(&self, driver: Driver) -> Closed {
        let mut running = pin!(driver.run(|session, activity| self.observe(session, activity)));
        loop {
            let due = self.machine().poll_timeout();
            let timer = sleep_until(self.handle.instant(due.unwrap_or_default()));
            tokio::select! {
                closed = &mut running => return closed,
                () = timer, if due.is_some() => {
                    if self.handle_timeout().contains(&Action::Abandon) {
                        return Closed::without_welcome();
                    }
                }
            }
        }
    }

    fn observe(&self, session: &mut Session, activity: Activity) {
        if let Activity::Event(Event::Welcome { .. }) = activity {
            // The machine has no lock in common with anything that is called here.
            self.act(Reconnect::handle_welcome);
        }
        self.mailbox.handle(session, activity);
    }

    /// Waits for the time of the next attempt, and makes attempts until one has a link.
    async fn connect_again(&self, mut last: Closed) -> Result<Driver, Closed> {
        loop {
            if self.machine().status() == Status::Disconnected {
                return Err(last);
            }
            let Some(new_token) = self.next_attempt().await else {
                return Err(Closed::by_this_end());
            };
            let attempt = async {
                let token = if new_token { self.way.token().await? } else { None };
                Ok::<_, ConnectError>((self.way.connect().await?, token))
            };
            let mut attempt = pin!(attempt);
            let outcome = loop {
                let due = self.machine().poll_timeout();
                let timer = sleep_until(self.handle.instant(due.unwrap_or_default()));
                tokio::select! {
                    () = self.life.closing.notified() => return Err(Closed::by_this_end()),
                    outcome = &mut attempt => break Some(outcome),
                    () = timer, if due.is_some() => {
                        if self.handle_timeout().contains(&Action::Abandon) {
                            break None;
                        }
                    }
                }
            };
            match outcome {
                Some(Ok(_)) if self.handle.is_closing() => return Err(Closed::by_this_end()),
                Some(Ok((link, token))) => return Ok(self.handle.begin_again(link, token)),
                Some(Err(error)) => {
                    last = Closed::unreachable(&error);
                    self.handle_end(&last);
                }
                None => last = Closed::without_welcome(),
            }
        }
    }

    /// Waits until the machine wants an attempt, and says whether with a new token; `None` if the application has
    /// closed meanwhile.
    async fn next_attempt(&self) -> Option<bool> {
        loop {
            let due = self.machine().poll_timeout()?;
            tokio::select! {
                () = self.life.closing.notified() => return None,
                () = sleep_until(self.handle.instant(due)) => {}
            }
            let connect = |action: &Action| match action {
                Action::Connect { new_token } => Some(*new_token),
                _ => None,
            };
            if let Some(new_token) = self.handle_timeout().iter().find_map(connect) {
                return Some(new_token);
            }
        }
    }

    fn handle_end(&self, closed: &Closed) {
        let (code, random) = (closed.code, (self.way.random)());
        let retry_after_ms = closed.retry_after.map(|after| after.as_millis() as u64);
        self.act(|machine, now| machine.handle_end(now, code, retry_after_ms, random));
    }

    fn handle_timeout(&self) -> Vec<Action> {
        self.act(|machine, now| machine.handle_timeout(now, (self.way.random)()))
    }

    /// Tells the machine something and the application what comes of it; returns the rest.
    fn act(&self, act: impl FnOnce(&mut Reconnect, Timestamp)) -> Vec<Action> {
        let mut rest = Vec::new();
        let mut machine = self.machine();
        act(&mut machine, self.handle.now());
        while let Some(action) = machine.poll_action() {
            match action {
                Action::Status(status) => drop(self.life.status.send_replace(status)),
                Action::LostConnection(change) => self.mailbox.tell_lost(change),
                action => rest.push(action),
            }
        }
        rest
    }

    fn machine(&self) -> MutexGuard<'_, Reconnect> {
        // The machine does not panic, so it is whole.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.ended.send_if_modified(|ended| {
            let is_abandoned = ended.is_none();
            ended.get_or_insert_with(Closed::abandoned);
            is_abandoned
        });
        if self.0.status() == Status::Connected || self.0.status() == Status::Reconnecting {
            self.0.status.send_replace(Status::Disconnected);
        }
        self.1.end();
    }
}
