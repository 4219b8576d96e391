//! A session in one room: its slot, its rights, and what it may still send.

use std::time::Duration;

use hither_protocol::message::{Refusal, Rights};
use hither_protocol::motion::Axes;
use hither_protocol::motion::upward::Sample;
use hither_protocol::{RoomName, Slot, Timestamp};

use crate::policy::RoomPolicy;
use crate::rate::Bucket;

/// Why something was not taken, and after how many milliseconds it may be.
type NotTaken = (Refusal, Option<u64>);

/// Samples that a session dropped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Over the rate, and a newer one took their place.
    pub rate: u64,
    /// The member has no right to move.
    pub no_right: u64,
}

/// A membership as its session knows it.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) name: RoomName,
    pub(super) slot: Slot,
    pub(super) axes: Axes,
    rights: Rights,
    motion: Bucket,
    presence: Bucket,
    events: Bucket,
    edits: Bucket,
    /// The newest sample over the rate, and when there is room for it.
    waiting: Option<(Timestamp, Sample)>,
}

impl Membership {
    pub(super) fn new(name: RoomName, slot: Slot, rights: Rights, policy: &RoomPolicy) -> Self {
        Self {
            name,
            slot,
            axes: policy.axes,
            rights,
            motion: Bucket::new(policy.rates.motion),
            presence: Bucket::new(policy.rates.presence),
            events: Bucket::new(policy.rates.events),
            edits: Bucket::new(policy.rates.edits),
            waiting: None,
        }
    }

    pub(super) fn take_presence(&mut self, now: Timestamp) -> Result<(), NotTaken> {
        check(self.rights, Rights::PRESENCE, &mut self.presence, now)
    }

    pub(super) fn take_event(&mut self, now: Timestamp) -> Result<(), NotTaken> {
        check(self.rights, Rights::BROADCAST, &mut self.events, now)
    }

    pub(super) fn take_edit(&mut self, now: Timestamp) -> Result<(), NotTaken> {
        check(self.rights, Rights::EDIT, &mut self.edits, now)
    }

    /// The sample, if it may pass now. One over the rate waits in the place of the one before it, and one without the
    /// right is dropped, as motion has no answers; both are counted in `dropped`.
    pub(super) fn take_sample(
        &mut self,
        now: Timestamp,
        sample: Sample,
        dropped: &mut Dropped,
    ) -> Option<Sample> {
        if !self.rights.contains(Rights::MOTION) {
            dropped.no_right += 1;
            return None;
        }
        match self.motion.take(now) {
            Ok(()) => {
                dropped.rate += u64::from(self.waiting.take().is_some());
                Some(sample)
            }
            Err(pause) => {
                let older = self.waiting.filter(|(_, waiting)| waiting.number > sample.number);
                dropped.rate += u64::from(self.waiting.is_some());
                self.waiting = older.or(Some((now + pause, sample)));
                None
            }
        }
    }

    pub(super) fn sample_due(&self) -> Option<Timestamp> {
        self.waiting.map(|(due, _)| due)
    }

    pub(super) fn poll_sample(&mut self, now: Timestamp) -> Option<Sample> {
        let (_, sample) = self.waiting.take_if(|(due, _)| *due <= now)?;
        self.take_sample(now, sample, &mut Dropped::default())
    }
}

fn check(
    rights: Rights,
    needed: Rights,
    bucket: &mut Bucket,
    now: Timestamp,
) -> Result<(), NotTaken> {
    if !rights.contains(needed) {
        return Err((Refusal::Forbidden, None));
    }
    let millis = |pause: Duration| pause.as_millis() as u64 + 1;
    bucket.take(now).map_err(|pause| (Refusal::RateLimited, Some(millis(pause))))
}
