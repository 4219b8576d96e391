//! When a client connects, and connects again, sans-IO: the one place that knows pauses, ranges of close codes and what
//! an application is told of a lost connection. It stands apart from the session, which knows one connection.
//!
//! Tell it what the application wants and what became of attempts (`handle_*`), drain [`Reconnect::poll_action`] after
//! each of these, and call [`Reconnect::handle_timeout`] no later than [`Reconnect::poll_timeout`] says. `random` is a
//! number from 0 up to 1, a new one for each call. `vectors/reconnect.json` has it in action.

use std::collections::VecDeque;
use std::time::Duration;

use crate::close::Reaction;
use crate::time::Timestamp;

/// Pauses are random below a bound that doubles from the first to the last with each failure.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_LAST: Duration = Duration::from_secs(20);
/// After so many failures the bound is the last: 250 ms times 2^7 is beyond it.
const DOUBLINGS: u32 = 7;
/// An attempt ends after so long without a welcome.
const ATTEMPT: Duration = Duration::from_secs(5);
/// After so long a welcome is no failure's any more: a server that takes everyone and drops them at once has as long
/// pauses as one that takes nobody. Longer, and a member on a network that breaks now and then would be away beyond its
/// grace.
const STABLE: Duration = Duration::from_secs(5);

/// What a [`Reconnect`] takes from its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a connection may be gone until the application is told that it is lost. Shorter, and each change of a
    /// network is told; longer, and users write into nothing. 5 s by default.
    pub lost_connection_timeout: Duration,
    /// Whether there is a way to a new token. Without one, the codes 4100-4199 end it for good. Default: false.
    pub can_renew_token: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { lost_connection_timeout: Duration::from_secs(5), can_renew_token: false }
    }
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No connection is wanted.
    Initial,
    /// The first attempt is under way.
    Connecting,
    /// There is a connection, and it is welcome.
    Connected,
    /// A connection or an attempt has ended, and there is or will be another attempt.
    Reconnecting,
    /// The server does not want this client, or not without another token; it is not tried again.
    Disconnected,
}

/// What an application is told of its connection, less often than its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostConnection {
    /// It was there, and has not been for a while.
    Lost,
    /// It was lost, and is there again.
    Restored,
    /// It was there, and is not tried for any more.
    Failed,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect and say hello; `handle_welcome` or `handle_end` tells what came of it.
    Connect {
        /// Whether to get a token first, since there is none or the server does not like the last one.
        new_token: bool,
    },
    /// Give the attempt up that is under way, and say nothing of it to the server: the session goes on. What it brings
    /// later counts for nothing.
    Abandon,
    /// Tell the application its status, which has changed.
    Status(Status),
    /// Tell the application of its lost connection.
    LostConnection(LostConnection),
}

/// The machine.
#[derive(Debug)]
pub struct Reconnect {
    config: Config,
    state: State,
    status: Status,
    /// The `n` of rule C3.
    failures: u32,
    /// Whether the newest attempt has, or will have, a new token.
    new_token: bool,
    told: Told,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing is wanted, or it is over.
    Idle,
    /// An attempt is given up at this time.
    Attempt(Timestamp),
    /// Welcome since this time.
    Welcome(Timestamp),
    /// The next attempt is at `until`, and not before the server's advice, `at_least`.
    Pause { until: Timestamp, at_least: Timestamp },
}

/// What the application was told of the connection.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// That there was none yet.
    Nothing,
    /// It is there.
    Here,
    /// It is gone, and lost at this time.
    Gone(Timestamp),
    /// It was told that it is lost.
    Lost,
}

impl Reconnect {
    /// A machine that does nothing until a connection is wanted.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Idle,
            status: Status::Initial,
            failures: 0,
            new_token: true,
            told: Told::Nothing,
            actions: VecDeque::new(),
        }
    }

    /// Where the client stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The application wants a connection: the first attempt is made at once, also after an end for good. Nothing
    /// happens if it is wanted already.
    pub fn handle_wanted(&mut self, now: Timestamp) {
        if matches!(self.status, Status::Initial | Status::Disconnected) {
            self.failures = 0;
            self.new_token = true;
            self.told = Told::Nothing;
            self.set_status(Status::Connecting);
            self.connect(now);
        }
    }

    /// The application wants none any more. Who calls this ends the attempt or the connection that there is.
    pub fn handle_unwanted(&mut self) {
        self.state = State::Idle;
        self.told = Told::Nothing;
        self.set_status(Status::Initial);
    }

    /// The attempt's hello was answered by a welcome.
    pub fn handle_welcome(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Attempt(_)) {
            return;
        }
        self.state = State::Welcome(now);
        self.set_status(Status::Connected);
        if matches!(self.told, Told::Lost) {
            self.tell(LostConnection::Restored);
        }
        self.told = Told::Here;
    }

    /// The attempt or the connection has ended: by the server's bye, with its code and advice, or without a code by
    /// itself. Nothing happens if there was none.
    pub fn handle_end(
        &mut self,
        now: Timestamp,
        code: Option<u32>,
        retry_after_ms: Option<u64>,
        random: f64,
    ) {
        let was_stable = match self.state {
            State::Idle | State::Pause { .. } => return,
            State::Attempt(_) => false,
            State::Welcome(since) => now.since(since) >= STABLE,
        };
        if was_stable {
            self.failures = 0;
        }
        if let Told::Here = self.told {
            self.told = Told::Gone(now + self.config.lost_connection_timeout);
        }
        let reaction = code.map_or(Reaction::Retry, Reaction::to);
        if reaction == Reaction::Stop
            || reaction == Reaction::NewToken && !self.config.can_renew_token
        {
            return self.stop();
        }
        // A new token is a reason to go at once, but not when the last one was new and not liked either.
        let is_renewal = reaction == Reaction::NewToken && (was_stable || !self.new_token);
        self.new_token = reaction == Reaction::NewToken;
        let pause = if is_renewal { Duration::ZERO } else { self.next_pause(random) };
        let at_least = now + Duration::from_millis(retry_after_ms.unwrap_or(0));
        self.state = State::Pause { until: at_least.max(now + pause), at_least };
        self.set_status(Status::Reconnecting);
    }

    /// The page is seen again, or its machine is online again: the next attempt is soon, if the server lets it.
    pub fn handle_nudge(&mut self, now: Timestamp, random: f64) {
        if let State::Pause { until, at_least } = &mut self.state {
            *until = (*until).min(now + part(PAUSE_FIRST, random)).max(*at_least);
        }
    }

    /// Tells the machine that time has passed. `random` counts if an attempt is given up.
    pub fn handle_timeout(&mut self, now: Timestamp, random: f64) {
        if let Told::Gone(lost) = self.told
            && now >= lost
        {
            self.told = Told::Lost;
            self.tell(LostConnection::Lost);
        }
        match self.state {
            State::Attempt(ends) if now >= ends => {
                self.actions.push_back(Action::Abandon);
                self.handle_end(now, None, None, random);
            }
            State::Pause { until, .. } if now >= until => self.connect(now),
            _ => {}
        }
    }

    /// When [`Self::handle_timeout`] has something to do; `None`: not until more is handled.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let next = match self.state {
            State::Idle | State::Welcome(_) => None,
            State::Attempt(ends) => Some(ends),
            State::Pause { until, .. } => Some(until),
        };
        let lost = match self.told {
            Told::Gone(lost) => Some(lost),
            _ => None,
        };
        next.into_iter().chain(lost).min()
    }

    /// The next thing to be done. Drain it after every call that takes `&mut self`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn connect(&mut self, now: Timestamp) {
        self.state = State::Attempt(now + ATTEMPT);
        self.actions.push_back(Action::Connect { new_token: self.new_token });
    }

    fn stop(&mut self) {
        self.state = State::Idle;
        self.set_status(Status::Disconnected);
        if !matches!(self.told, Told::Nothing) {
            self.tell(LostConnection::Failed);
        }
        self.told = Told::Nothing;
    }

    fn next_pause(&mut self, random: f64) -> Duration {
        let bound = PAUSE_FIRST * (1 << self.failures.min(DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        part(bound.min(PAUSE_LAST), random)
    }

    fn set_status(&mut self, status: Status) {
        if status != self.status {
            self.status = status;
            self.actions.push_back(Action::Status(status));
        }
    }

    fn tell(&mut self, change: LostConnection) {
        self.actions.push_back(Action::LostConnection(change));
    }
}

/// A part of a bound, in whole microseconds.
fn part(bound: Duration, random: f64) -> Duration {
    // `as` cuts what is no number in the range.
    Duration::from_micros((bound.as_micros() as f64 * random.clamp(0.0, 1.0)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn wanted(can_renew_token: bool) -> Reconnect {
        let mut machine = Reconnect::new(Config { can_renew_token, ..Config::default() });
        machine.handle_wanted(at(0));
        machine
    }

    fn actions(machine: &mut Reconnect) -> Vec<Action> {
        std::iter::from_fn(|| machine.poll_action()).collect()
    }

    /// The pause that follows when an attempt of now fails.
    fn pause_after_failure(machine: &mut Reconnect, random: f64) -> Duration {
        let now = match machine.poll_timeout() {
            Some(due) if machine.status() == Status::Reconnecting => {
                machine.handle_timeout(due, 0.0);
                due
            }
            _ => at(0),
        };
        machine.handle_end(now, None, None, random);
        machine.poll_timeout().map_or(Duration::MAX, |due| due.since(now))
    }

    #[test]
    fn c3_pauses_are_random_below_a_bound_that_doubles_up_to_20_s() {
        for random in [0.0, 0.5, 1.0] {
            let mut machine = wanted(false);
            let ms = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000];
            for bound in ms {
                let pause = pause_after_failure(&mut machine, random);
                assert_eq!(pause, Duration::from_millis(bound).mul_f64(random));
            }
        }
    }

    #[test]
    fn c3_no_number_for_random_is_no_pause_and_no_panic() {
        for random in [f64::NAN, f64::INFINITY, -1.0, 7.0] {
            assert!(pause_after_failure(&mut wanted(false), random) <= PAUSE_FIRST);
        }
    }

    #[test]
    fn c2_advice_of_any_length_is_kept_and_a_nudge_does_not_break_it() {
        let mut machine = wanted(false);
        machine.handle_end(at(10), Some(4200), Some(u64::MAX), 0.0);
        machine.handle_nudge(at(20), 0.0);
        assert!(machine.poll_timeout() > Some(at(1 << 50)));
    }

    #[test]
    fn c2_what_comes_out_of_turn_is_nothing() {
        let mut machine = Reconnect::new(Config::default());
        machine.handle_welcome(at(1));
        machine.handle_end(at(2), Some(4000), None, 0.0);
        machine.handle_nudge(at(3), 0.0);
        machine.handle_timeout(at(4), 0.0);
        assert_eq!((actions(&mut machine), machine.poll_timeout()), (vec![], None));
        assert_eq!(machine.status(), Status::Initial);
    }

    #[test]
    fn c3_nothing_is_due_once_it_is_unwanted_or_over() {
        for end in 0..3 {
            let mut machine = wanted(false);
            machine.handle_welcome(at(1));
            match end {
                0 => machine.handle_end(at(2), Some(4005), None, 0.0),
                1 => machine.handle_end(at(2), Some(4101), None, 0.0),
                _ => machine.handle_unwanted(),
            }
            assert_eq!(machine.poll_timeout(), None, "{end}");
        }
    }
}
