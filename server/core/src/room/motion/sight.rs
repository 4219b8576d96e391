//! What a viewer with a viewport sees: whom, since when, and what it was sent of each (M13).
//!
//! A member comes into sight within a tenth of the viewport's size around it, and goes out of sight beyond a quarter.
//! What this viewer was sent is a [`Track`] for each slot in sight, as the viewer has it: everything that was in a
//! frame since the baseline is in the next one again, so that at any tick that it acks both know the same.

use std::ops::Range;

use hither_protocol::motion::frame::PartHeader;
use hither_protocol::motion::{Axes, Entry, Known, Place, Point, Track};
use hither_protocol::{Slot, Tick};

use super::grid::Grid;
use super::mover::{Mover, change};
use super::news::{self, Look, News};
use super::rectangle::Rectangle;

/// What a frame of a viewer with a viewport may hold, in bits: one datagram, with room for estimates that fall short.
const FRAME_BITS: u32 = 7_200;

/// How many tracks wait to be used again: about as many as come and go in a tick.
const SPARE_TRACKS_MAX: usize = 256;

/// Whom one viewer sees.
#[derive(Debug)]
pub(super) struct Sight {
    look: Look,
    /// Whether the viewer wants to see everybody again.
    is_over: bool,
    seen: Vec<Seen>,
    /// Nothing before this tick can be a baseline: its points were forgotten before this sight began.
    pub(super) begin: Tick,
    /// Whether something did not fit the last frame.
    pub(super) has_backlog: bool,
    /// What the next frame should take, in bits, and what a frame may take by such estimates. They fall short where
    /// motion is wild; what frames took corrects them.
    estimate: u32,
    budget: u32,
}

/// One slot, as the viewer was sent it.
#[derive(Debug)]
struct Seen {
    slot: Slot,
    track: Track,
    /// Whether it is in sight.
    is_visible: bool,
    /// Since when nothing new was said of it.
    since: Tick,
}

/// What there is to be seen, when, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Space<'a> {
    pub(super) tick: Tick,
    pub(super) own: Slot,
    pub(super) axes: &'a Axes,
    pub(super) movers: &'a [Mover],
}

/// What all viewers with a viewport are looked after with; it only saves allocations.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    slots: Vec<Slot>,
    news: Vec<News>,
    /// Tracks of slots that went out of some viewer's sight, for those that come into another's.
    tracks: Vec<Track>,
}

impl Sight {
    /// Starts with what a viewer of the whole room has; it has points from `begin` on. Then say where it looks.
    pub(super) fn new(movers: &[Mover], begin: Tick) -> Self {
        let seen = movers.iter().enumerate().filter_map(|(index, mover)| {
            let since = mover.track.latest()?.tick;
            let (slot, track) = (Slot(index as u16), mover.track.clone());
            Some(Seen { slot, track, is_visible: true, since })
        });
        let seen = seen.collect();
        let (look, budget) = (Look::default(), FRAME_BITS);
        Self { look, is_over: false, seen, begin, has_backlog: false, estimate: 0, budget }
    }

    /// The viewer looks elsewhere, or wants to see everybody again.
    pub(super) fn look(&mut self, rectangle: Option<Rectangle>, follow: Option<Slot>) {
        self.is_over = rectangle.is_none();
        self.look = Look { rectangle: rectangle.unwrap_or(self.look.rectangle), follow };
    }

    /// Whether the viewer wants to see everybody again.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Decides what the frame of this tick says, which [`Self::fill`] then knows. `state` gives the tick that the part
    /// of a slot is coded against, and whether an ack of it is to come. True if there is news of others; if not, no
    /// frame of this tick goes out.
    pub(super) fn update(
        &mut self,
        space: Space<'_>,
        grid: &mut Grid,
        scratch: &mut Scratch,
        state: impl Fn(Slot) -> (Option<Tick>, bool),
    ) -> bool {
        let Scratch { slots, news, tracks } = scratch;
        let Space { tick, own, .. } = space;
        self.list_visible(own, space.movers, grid, slots);
        self.merge(tick, slots, tracks);
        self.estimate = self.list_news(space, news, &state);
        let mut room = self.budget.saturating_sub(self.estimate);
        let is_full = news.iter().map(|news| news.bits).sum::<u32>() > room;
        if is_full {
            news.sort_unstable_by(|a, b| b.cmp(a));
        }
        let mut is_news = false;
        self.has_backlog = false;
        for news in news.iter() {
            let seen = &mut self.seen[news.index];
            // What is under way is said again in any case, but not what is new of it: or it would always be under way.
            if !is_full || !news.can_wait && room >= news.bits {
                room = room.saturating_sub(news.bits);
                self.estimate += news.bits;
                seen.record(tick, seen.now(space.movers));
                is_news = true;
            } else {
                self.has_backlog = true;
                // What does not fit is not overtaken by what matters less; what only waits for its ack takes no room.
                room = if news.can_wait { room } else { 0 };
            }
        }
        if is_news {
            self.record_own(space, state(own).0);
        }
        is_news
    }

    /// The viewer's own place goes along with what its part says of others: in a frame that leaves the part out,
    /// nothing would be acked of it.
    fn record_own(&mut self, space: Space<'_>, baseline: Option<Tick>) {
        let Space { tick, own, axes, movers } = space;
        let slots = axes.slots_per_part();
        let first = own.index() - own.index() % slots;
        if self.has_news(first..first + slots, baseline, own)
            && let Some(seen) = self.seen.iter_mut().find(|seen| seen.slot == own)
        {
            seen.record(tick, seen.now(movers));
        }
    }

    /// The frame that was decided last took so many bytes.
    pub(super) fn handle_encoded(&mut self, bytes: usize) {
        let (bits, estimate) = (bytes as u32 * 8, std::mem::take(&mut self.estimate));
        // A repeat has no estimate of its own.
        if bits > FRAME_BITS / 2 && estimate > 0 {
            let fitting = FRAME_BITS * estimate.min(FRAME_BITS) / bits;
            self.budget = fitting.min((self.budget * 7 + FRAME_BITS) / 8).max(FRAME_BITS / 4);
        }
    }

    /// Nothing before this tick can be a baseline of these slots: points of then are forgotten.
    pub(super) fn horizon(&self, slots: Range<usize>) -> Tick {
        let of_tracks = self.of(slots).iter().map(|seen| seen.track.horizon());
        of_tracks.fold(self.begin, Tick::max)
    }

    /// The first tick of which the viewer has not acked what it was sent of others in these slots.
    pub(super) fn stop_after(
        &self,
        slots: Range<usize>,
        acked: Option<Tick>,
        own: Slot,
    ) -> Option<Tick> {
        let others = self.of(slots).iter().filter(|seen| seen.slot != own);
        let ticks = others.filter_map(|seen| seen.track.latest().map(|point| point.tick));
        ticks.filter(|tick| Some(*tick) > acked).min()
    }

    /// Whether a part has something to say of others. Also if it is only that somebody went: a viewer may have got what
    /// it has not acked.
    pub(super) fn has_news(&self, slots: Range<usize>, baseline: Option<Tick>, own: Slot) -> bool {
        self.stop_after(slots, baseline, own).is_some()
    }

    /// What a part says, of the slots from `slots.start` on.
    pub(super) fn fill(
        &self,
        slots: Range<usize>,
        part: PartHeader,
        known: &mut Vec<Known>,
        entries: &mut Vec<Entry>,
    ) {
        let first = slots.start;
        for seen in self.of(slots) {
            let offset = (seen.slot.index() - first) as u8;
            let base = part.baseline.and_then(|baseline| seen.track.at(baseline));
            if let Some(base) = base {
                let reference = part.reference.and_then(|reference| seen.track.at(reference));
                let reference = reference.map(|place| place.position);
                known.push(Known { offset, baseline: *base, reference });
            }
            let Some(latest) = seen.track.latest() else { continue };
            if part.baseline.is_none_or(|baseline| latest.tick > baseline) {
                entries.extend(change(base, latest.place).map(|change| Entry { offset, change }));
            }
        }
    }

    /// Forgets what no later frame needs: points before any baseline and reference to come, and slots that the viewer
    /// knows to have been out of sight by then. `state` gives the first such tick of a slot's part, and the acked one.
    pub(super) fn forget(
        &mut self,
        scratch: &mut Scratch,
        state: impl Fn(Slot) -> (Option<Tick>, Option<Tick>),
    ) {
        self.seen.retain_mut(|seen| {
            let (oldest, acked) = state(seen.slot);
            if let Some(oldest) = oldest {
                seen.track.forget_before(oldest);
            }
            // A viewer that acks nothing for long may show it still.
            let is_gone =
                |point: &Point| point.place.is_none() && Some(point.tick) <= oldest.min(acked);
            let is_kept = seen.is_visible || !seen.track.latest().is_none_or(is_gone);
            if !is_kept && scratch.tracks.len() < SPARE_TRACKS_MAX {
                seen.track.clear();
                scratch.tracks.push(std::mem::take(&mut seen.track));
            }
            is_kept
        });
    }

    fn of(&self, slots: Range<usize>) -> &[Seen] {
        let from = self.seen.partition_point(|seen| seen.slot.index() < slots.start);
        let to = self.seen.partition_point(|seen| seen.slot.index() < slots.end);
        &self.seen[from..to]
    }

    /// Who is in sight, in order.
    fn list_visible(&self, own: Slot, movers: &[Mover], grid: &mut Grid, slots: &mut Vec<Slot>) {
        slots.clear();
        let at = |slot: Slot| movers.get(slot.index()).and_then(Mover::place);
        let Look { rectangle, follow } = &self.look;
        let (near, far) = (rectangle.grown(10), rectangle.grown(4));
        let is_in = |rectangle: &Rectangle, slot: Slot| {
            at(slot).is_some_and(|place| rectangle.holds(&place.position))
        };
        for piece in near.pieces() {
            grid.within(movers, &piece, |slot| slots.extend(is_in(&near, slot).then_some(slot)));
        }
        for seen in self.seen.iter().filter(|seen| seen.is_visible) {
            slots.extend(is_in(&far, seen.slot).then_some(seen.slot));
        }
        // Its own place comes back to it like anybody's (M12), and whom it follows it sees anywhere.
        let always = [Some(own), *follow].into_iter().flatten();
        slots.extend(always.filter(|slot| at(*slot).is_some()));
        slots.sort_unstable();
        slots.dedup();
    }

    /// Marks who is in sight, and adds who was not known.
    fn merge(&mut self, tick: Tick, visible: &[Slot], tracks: &mut Vec<Track>) {
        self.seen.iter_mut().for_each(|seen| seen.is_visible = false);
        let known = self.seen.len();
        let mut at = 0;
        for &slot in visible {
            while at < known && self.seen[at].slot < slot {
                at += 1;
            }
            if at < known && self.seen[at].slot == slot {
                self.seen[at].is_visible = true;
            } else {
                let track = tracks.pop().unwrap_or_default();
                self.seen.push(Seen { slot, track, is_visible: true, since: tick });
            }
        }
        if self.seen.len() > known {
            self.seen.sort_unstable_by_key(|seen| seen.slot);
        }
    }

    /// Lists what the viewer was not told of others, or must be told again. Returns what the frame says in any case, in
    /// bits: what was said since the baseline.
    fn list_news(
        &self,
        space: Space<'_>,
        news: &mut Vec<News>,
        state: impl Fn(Slot) -> (Option<Tick>, bool),
    ) -> u32 {
        let Space { tick, own, .. } = space;
        news.clear();
        let mut bits_said = 0;
        for (index, seen) in self.seen.iter().enumerate().filter(|(_, seen)| seen.slot != own) {
            let (baseline, is_waited_for) = state(seen.slot);
            let base = || baseline.and_then(|baseline| seen.track.at(baseline)).copied();
            let (has, now) = (seen.sent(), seen.now(space.movers));
            let was_said = seen.track.latest().is_some_and(|point| Some(point.tick) > baseline);
            let is_under_way = was_said && is_waited_for;
            if was_said {
                bits_said += news::bits(space.axes, base(), has);
            }
            if has != now || was_said && !is_under_way {
                let waiting = tick.since(seen.since).unwrap_or(0);
                let urgency = self.look.urgency(seen.slot, waiting, has, now);
                let bits = if was_said { 0 } else { news::bits(space.axes, base(), now) };
                // A viewer that has acked nothing of late is told everything in any case.
                let can_wait = is_under_way && baseline.is_some();
                news.push(News { urgency, index, bits, can_wait });
            }
        }
        bits_said
    }
}

impl Seen {
    /// Where the viewer was told that it is.
    fn sent(&self) -> Option<Place> {
        self.track.latest()?.place
    }

    /// Where it is for this viewer.
    fn now(&self, movers: &[Mover]) -> Option<Place> {
        movers.get(self.slot.index()).filter(|_| self.is_visible)?.place()
    }

    /// Notes what the frame of `tick` says, if the viewer was not told that before.
    fn record(&mut self, tick: Tick, now: Option<Place>) {
        if self.sent() != now {
            self.track.record(Point { tick, place: now });
            self.since = tick;
        }
    }
}
