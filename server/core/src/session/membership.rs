//! A session in one room: its slot, its rights, and what it may still send.

use std::time::Duration;

use hither_protocol::message::{Refusal, Rights};
use hither_protocol::motion::Axes;
use hither_protocol::motion::upward::Sample;
use hither_protocol::{RoomName, Slot, Timestamp};

use crate::policy::Rates;
use crate::rate::Bucket;

/// A larger edit counts as one for each of these.
const EDIT_TOKEN_BYTES: usize = 4 * 1024;

/// Why something was not taken, and after how many milliseconds it may be.
pub(super) type NotTaken = (Refusal, Option<u64>);

/// Samples that a session dropped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Over the rate, and a newer one took their place.
    pub rate: u64,
    /// The member has no right to move.
    pub no_right: u64,
}

/// What a session may still send to the rooms of one namespace. It outlives memberships, so that joining again gives
/// nothing back.
#[derive(Debug)]
pub(super) struct Allowance {
    namespace: String,
    motion: Bucket,
    presence: Bucket,
    events: Bucket,
    edits: Bucket,
}

impl Allowance {
    /// The place of the namespace's allowance among those of a session, made full if there is none.
    pub(super) fn of(all: &mut Vec<Self>, namespace: &str, rates: &Rates) -> usize {
        let known = all.iter().position(|allowance| allowance.namespace == namespace);
        known.unwrap_or_else(|| {
            all.push(Self {
                namespace: namespace.to_owned(),
                motion: Bucket::new(rates.motion),
                presence: Bucket::new(rates.presence),
                events: Bucket::new(rates.events),
                edits: Bucket::new(rates.edits),
            });
            all.len() - 1
        })
    }
}

impl Allowance {
    /// Takes an edit of so many bytes; returns how long the next one is to wait.
    pub(super) fn take_edit(&mut self, now: Timestamp, bytes: usize) -> Duration {
        let tokens = bytes.div_ceil(EDIT_TOKEN_BYTES).max(1);
        self.edits.take_ahead(now, u32::try_from(tokens).unwrap_or(u32::MAX))
    }

    /// A change of the viewport counts like one of presence.
    pub(super) fn take_view(&mut self, now: Timestamp) -> Result<(), NotTaken> {
        self.presence.take(now).map_err(rate_limited)
    }
}

/// A membership as its session knows it.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) name: RoomName,
    pub(super) slot: Slot,
    pub(super) axes: Axes,
    /// The place of its namespace's allowance.
    pub(super) allowance: usize,
    rights: Rights,
    /// The newest sample over the rate, and when there is room for it.
    waiting: Option<(Timestamp, Sample)>,
}

impl Membership {
    pub(super) fn new(
        name: RoomName,
        slot: Slot,
        rights: Rights,
        axes: Axes,
        allowance: usize,
    ) -> Self {
        Self { name, slot, axes, allowance, rights, waiting: None }
    }

    pub(super) fn take_presence(
        &self,
        now: Timestamp,
        allowance: &mut Allowance,
    ) -> Result<(), NotTaken> {
        self.check(Rights::PRESENCE, &mut allowance.presence, now)
    }

    pub(super) fn take_event(
        &self,
        now: Timestamp,
        allowance: &mut Allowance,
    ) -> Result<(), NotTaken> {
        self.check(Rights::BROADCAST, &mut allowance.events, now)
    }

    pub(super) fn may_edit(&self) -> bool {
        self.rights.contains(Rights::EDIT)
    }

    /// The newest sample, if it may pass now. One over the rate waits for its turn, an older one and one without the
    /// right are dropped, as motion has no answers; what is dropped is counted.
    pub(super) fn take_sample(
        &mut self,
        now: Timestamp,
        sample: Sample,
        allowance: &mut Allowance,
        dropped: &mut Dropped,
    ) -> Option<Sample> {
        if !self.rights.contains(Rights::MOTION) {
            dropped.no_right += 1;
            return None;
        }
        let waiting = self.waiting.take().map(|(_, waiting)| waiting);
        dropped.rate += u64::from(waiting.is_some());
        let newest = waiting.filter(|waiting| waiting.number > sample.number).unwrap_or(sample);
        match allowance.motion.take(now) {
            Ok(()) => Some(newest),
            Err(pause) => {
                self.waiting = Some((now + pause, newest));
                None
            }
        }
    }

    pub(super) fn sample_due(&self) -> Option<Timestamp> {
        self.waiting.map(|(due, _)| due)
    }

    /// The sample that waited, if its turn has come.
    pub(super) fn poll_sample(
        &mut self,
        now: Timestamp,
        allowance: &mut Allowance,
    ) -> Option<Sample> {
        let (_, sample) = self.waiting.take_if(|(due, _)| *due <= now)?;
        self.take_sample(now, sample, allowance, &mut Dropped::default())
    }

    fn check(&self, needed: Rights, bucket: &mut Bucket, now: Timestamp) -> Result<(), NotTaken> {
        if !self.rights.contains(needed) {
            return Err((Refusal::Forbidden, None));
        }
        bucket.take(now).map_err(rate_limited)
    }
}

/// What somebody over a rate is told.
pub(super) fn rate_limited(pause: Duration) -> NotTaken {
    (Refusal::RateLimited, Some(pause.as_millis() as u64 + 1))
}
