//! When in a tick a client sends: late enough to take along the ack of the frame that has just come, and early enough
//! to be there before the next tick. What goes up is then one packet a tick, that carries QUIC's own ack of the frame,
//! and whose own ack rides on the next frame (rule M10).
//!
//! The beat is learned from when frames arrive: tick n should arrive n periods after tick 0, and the earliest arrivals
//! of late are those without a queue. How much is early enough is learned from which frame shows what was sent.

use std::time::Duration;

use crate::ids::Tick;
use crate::motion::Position;
use crate::time::Timestamp;

/// How much before the tick a sample should be there, at first: what a burst of them takes to be handled, and jitter.
const MARGIN_FIRST: i64 = 6_000;
const MARGIN_MIN: i64 = 2_000;
const MARGIN_MAX: i64 = 16_000;
/// By how much more when a sample has missed its tick, and by how much less when one has not. In balance one in a
/// hundred misses.
const MISSED: i64 = 2_000;
const MADE: i64 = 20;
/// How much before QUIC's ack leaves by itself the next packet should.
const ACK_MARGIN: Duration = Duration::from_millis(1);
/// To save the packet of a lone ack, samples may be so much older at the tick; else it is let go.
const EARLY_MAX: i64 = 10_000;
/// Of frames that come more often than this the acks are put together, and samples go out at once.
const PERIOD_MIN: Duration = Duration::from_millis(12);
/// A room that sent no frame for so many periods may tick at any time: there is no beat.
const STALE_PERIODS: u32 = 3;
/// A frame that is so late was waiting somewhere, and what it shows is not shown unless nothing fresher comes. The
/// repeats of who rests come earlier, whatever is lost (M11).
const STALE: Duration = Duration::from_millis(300);
/// For so long at most; then the path is taken to have become longer.
const STALE_FOR: Duration = Duration::from_millis(500);
/// How fast the beat follows frames that come later and later, and so a clock that is slower: a part of the difference.
const FOLLOW: i64 = 32;

/// What a connection's transport says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) round_trip: Duration,
    /// After how long a packet is acked by one of its own: 25 ms in RFC 9000 (`max_ack_delay`).
    pub(super) ack_delay: Duration,
}

/// The beat of one room's frames.
#[derive(Debug)]
pub(super) struct Beat {
    tick_hz: u64,
    period: Duration,
    /// When tick 0 would have arrived, in microseconds.
    zero: Option<i64>,
    heard_at: Timestamp,
    /// How much before the tick a sample should be there, in microseconds.
    margin: i64,
    /// The tick whose frame should show the position that was sent last.
    aimed: Option<(Tick, Position)>,
    /// Since when only stale frames have come.
    stale_since: Option<Timestamp>,
}

impl Beat {
    pub(super) fn new(tick_hz: u32) -> Self {
        Self {
            tick_hz: u64::from(tick_hz),
            period: Duration::from_secs(1) / tick_hz,
            zero: None,
            heard_at: Timestamp::default(),
            margin: MARGIN_FIRST,
            aimed: None,
            stale_since: None,
        }
    }

    /// The frame of `tick` has come. Returns when its ack is due at the latest.
    pub(super) fn handle_frame(&mut self, now: Timestamp, tick: Tick, path: Path) -> Timestamp {
        self.handle_timeout(now);
        let offset = now.as_micros() as i64 - self.start_of(tick);
        let before = self.zero.unwrap_or(offset);
        let is_stale = offset - before > STALE.as_micros() as i64;
        // What waited somewhere says nothing of the path.
        let follow = if is_stale { 0 } else { (offset - before) / FOLLOW };
        let zero = offset.min(before + follow);
        let late = offset - zero;
        self.zero = Some(zero);
        self.heard_at = now;
        self.stale_since = is_stale.then(|| self.stale_since.unwrap_or(now));
        if late > self.period.as_micros() as i64 / 2 {
            // A repeat: whoever sends it waits for the ack.
            return now;
        }
        let slot = self.slot_after(now, path);
        slot.map_or(now + PERIOD_MIN, |slot| slot.min(now + self.period))
    }

    /// The next moment at or after `time` at which a datagram is best sent; `None` if there is no beat to keep.
    pub(super) fn slot_after(&self, time: Timestamp, path: Path) -> Option<Timestamp> {
        let is_stale = time.since(self.heard_at) > self.period * STALE_PERIODS;
        let zero = self.zero.filter(|_| self.period >= PERIOD_MIN && !is_stale)?;
        let period = self.period.as_micros() as i64;
        let best = (-(path.round_trip.as_micros() as i64) - self.margin).rem_euclid(period);
        let within = path.ack_delay.saturating_sub(ACK_MARGIN).as_micros() as i64;
        let early = best - within <= EARLY_MAX;
        let phase = if early { best.min(within) } else { best };
        let into = (time.as_micros() as i64 - zero - phase).rem_euclid(period);
        let wait = if into == 0 { 0 } else { period - into };
        Some(time + Duration::from_micros(wait as u64))
    }

    /// A new position leaves in a slot: the frame of the next tick should show it. `None` for one that a frame may show
    /// for another reason.
    pub(super) fn handle_sent(&mut self, now: Timestamp, position: Option<Position>) {
        self.aimed = self.aim(now).zip(position);
    }

    /// The frame of `tick` shows the own member at `position`; so what was sent for it was early enough, or was not.
    pub(super) fn handle_shown(&mut self, tick: Tick, position: Position) {
        let Some((aimed, sent)) = self.aimed.take_if(|(aimed, _)| *aimed <= tick) else { return };
        // A frame that was lost tells nothing.
        if aimed == tick {
            let margin = self.margin + if sent == position { -MADE } else { MISSED };
            self.margin = margin.clamp(MARGIN_MIN, MARGIN_MAX);
        }
    }

    /// Whether the last frame was so late that what it shows is old.
    pub(super) fn is_stale(&self) -> bool {
        self.stale_since.is_some()
    }

    /// When what is held back as stale is shown if nothing fresher comes.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.stale_since.map(|since| since + STALE_FOR)
    }

    /// What was stale for so long is how it is from now on: the beat begins anew.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if self.due().is_some_and(|due| now >= due) {
            (self.stale_since, self.zero) = (None, None);
        }
    }

    /// The next tick, as far as frames tell.
    fn aim(&self, now: Timestamp) -> Option<Tick> {
        let since = u64::try_from(now.as_micros() as i64 - self.zero?).ok()?;
        u32::try_from(since * self.tick_hz / 1_000_000 + 1).ok().map(Tick)
    }

    fn start_of(&self, tick: Tick) -> i64 {
        (u64::from(tick.0) * 1_000_000 / self.tick_hz) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path without length, of a transport that acks after 25 ms.
    const HERE: Path = Path { round_trip: Duration::ZERO, ack_delay: Duration::from_millis(25) };

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// The beat of a room whose tick 0 was at 1,000 ms, and whose frames take half of the round trip.
    fn heard(tick_hz: u32, path: Path, ticks: std::ops::Range<u32>) -> Beat {
        let mut beat = Beat::new(tick_hz);
        for tick in ticks {
            let sent =
                at(1_000) + Duration::from_micros(u64::from(tick) * 1_000_000 / u64::from(tick_hz));
            beat.handle_frame(sent + path.round_trip / 2, Tick(tick), path);
        }
        beat
    }

    #[test]
    fn m10_what_is_sent_in_the_slot_is_there_before_a_tick() {
        for tick_hz in [20, 30, 60] {
            for round_trip in [0, 10, 30, 60, 200].map(Duration::from_millis) {
                for ack_delay in [25, 49].map(Duration::from_millis) {
                    let path = Path { round_trip, ack_delay };
                    let beat = heard(tick_hz, path, 0..30);
                    let slot = beat.slot_after(beat.heard_at, path).unwrap();
                    let arrives = slot + round_trip / 2;
                    let period = 1_000_000 / i64::from(tick_hz);
                    let before_tick = period - arrives.since(at(1_000)).as_micros() as i64 % period;
                    let (least, most) = (MARGIN_FIRST - 2, MARGIN_FIRST + EARLY_MAX + 2);
                    assert!(
                        (least..=most).contains(&before_tick),
                        "{tick_hz} Hz, {path:?}: {before_tick} us"
                    );
                    let after_frame = slot.since(beat.heard_at);
                    let is_long = tick_hz == 20 && ack_delay.as_millis() == 25;
                    assert!(is_long || after_frame < ack_delay, "{tick_hz} Hz, {path:?}");
                }
            }
        }
    }

    #[test]
    fn m10_the_margin_follows_what_the_frames_show() {
        let mut beat = heard(30, HERE, 0..30);
        let before_tick = |beat: &Beat| {
            let path = Path { ack_delay: Duration::from_secs(1), ..HERE };
            33_333 - beat.slot_after(at(2_000), path).unwrap().since(at(2_000)).as_micros() as i64
        };
        let (here, there) = (Position::xy(1, 0), Position::xy(2, 0));
        let first = before_tick(&beat);
        let send = |beat: &mut Beat, shown| {
            beat.handle_sent(at(2_030), Some(here));
            beat.handle_shown(Tick(31), shown);
        };
        send(&mut beat, there);
        assert_eq!(before_tick(&beat) - first, MISSED);
        (0..MISSED / MADE).for_each(|_| send(&mut beat, here));
        assert_eq!(before_tick(&beat), first);
        (0..1_000).for_each(|_| send(&mut beat, here));
        assert_eq!(before_tick(&beat) - first, MARGIN_MIN - MARGIN_FIRST);
        (0..1_000).for_each(|_| send(&mut beat, there));
        assert_eq!(before_tick(&beat) - first, MARGIN_MAX - MARGIN_FIRST);
    }

    #[test]
    fn m10_only_the_frame_that_a_sample_was_sent_for_tells_of_it() {
        let mut beat = heard(30, HERE, 0..30);
        for (ms, tick) in [(1_990, 30), (1_999, 30), (2_001, 31), (2_060, 32)] {
            assert_eq!(beat.aim(at(ms)), Some(Tick(tick)), "{ms}");
        }
        assert_eq!(Beat::new(30).aim(at(5)), None);
        let (here, there) = (Position::xy(1, 0), Position::xy(2, 0));
        beat.handle_sent(at(2_001), Some(here));
        beat.handle_shown(Tick(30), there);
        assert_eq!(beat.margin, MARGIN_FIRST, "it is still to come");
        beat.handle_shown(Tick(32), there);
        beat.handle_shown(Tick(31), there);
        assert_eq!(beat.margin, MARGIN_FIRST, "it was lost");
        beat.handle_sent(at(2_001), Some(here));
        beat.handle_shown(Tick(31), there);
        beat.handle_shown(Tick(31), there);
        assert_eq!(beat.margin, MARGIN_FIRST + MISSED, "told once");
        beat.handle_sent(at(2_001), Some(here));
        beat.handle_sent(at(2_002), None);
        beat.handle_shown(Tick(31), there);
        assert_eq!(
            beat.margin,
            MARGIN_FIRST + MISSED,
            "it was overtaken by one that does not tell"
        );
    }

    #[test]
    fn m10_a_frame_that_is_late_moves_the_beat_little() {
        let mut beat = heard(30, HERE, 0..30);
        let before = beat.slot_after(at(2_000), HERE).unwrap();
        beat.handle_frame(at(2_010), Tick(30), HERE);
        let after = beat.slot_after(at(2_000), HERE).unwrap();
        assert!(after.since(before) < Duration::from_millis(1), "{before:?} {after:?}");
    }

    #[test]
    fn m7_a_repeat_is_acked_at_once_and_a_frame_within_25_ms() {
        let mut beat = heard(30, HERE, 0..30);
        let due = beat.handle_frame(at(2_000), Tick(30), HERE);
        let waits = due.since(at(2_000)).as_millis();
        assert!((23..=24).contains(&waits), "{waits} ms");
        assert_eq!(beat.handle_frame(at(2_020), Tick(30), HERE), at(2_020));
    }

    #[test]
    fn m16_frames_that_waited_are_stale_until_a_fresh_one_comes_or_none_does() {
        let mut beat = heard(30, HERE, 0..30);
        for tick in 30..60 {
            beat.handle_frame(at(3_000), Tick(tick), HERE);
            let is_old = 1_000 + u64::from(tick) * 1_000 / 30 < 3_000 - 300;
            assert_eq!(beat.is_stale(), is_old, "tick {tick}");
        }
        let mut beat = heard(30, HERE, 0..30);
        beat.handle_frame(at(2_400), Tick(30), HERE);
        assert_eq!((beat.is_stale(), beat.due()), (true, Some(at(2_900))));
        beat.handle_timeout(at(2_899));
        assert!(beat.is_stale());
        beat.handle_timeout(at(2_900));
        assert_eq!(
            (beat.is_stale(), beat.due()),
            (false, None),
            "a lone late frame is shown at last"
        );
        let mut beat = heard(30, HERE, 0..30);
        let stale = |tick| {
            let now = at(1_350 + u64::from(tick) * 1_000 / 30);
            // A timer that is punctual comes before the frame.
            if let Some(due) = beat.due().filter(|due| *due <= now) {
                beat.handle_timeout(due);
            }
            beat.handle_frame(now, Tick(tick), HERE);
            beat.is_stale()
        };
        let stale: Vec<bool> = (30..60).map(stale).collect();
        let until = stale.iter().rposition(|stale| *stale);
        assert!(stale[0] && until.is_some_and(|until| until < 16), "a longer path: {stale:?}");
    }

    #[test]
    fn m10_without_frames_there_is_no_beat() {
        assert_eq!(Beat::new(30).slot_after(at(5), HERE), None);
        let beat = heard(30, HERE, 0..10);
        assert!(beat.slot_after(beat.heard_at + beat.period * 2, HERE).is_some());
        assert_eq!(beat.slot_after(beat.heard_at + beat.period * 4, HERE), None);
        assert_eq!(heard(250, HERE, 0..10).slot_after(at(1_040), HERE), None, "at once");
    }
}
