//! What the specification refuses and Rust's decoders take: numbers out of their range, binary data for a string, an
//! array for a map (rule F6). TypeScript refuses these, so here Rust's word does not count.

use hither_protocol::Slot;
use hither_protocol::limits::{MEMBERS_MAX, TICK_HZ_MAX};
use hither_protocol::message::control::{AxisFormat, ToClient};
use hither_protocol::message::edits::EditsToClient;
use hither_protocol::motion::Axes;
use serde_json::Value as Json;

/// Whether every value of a message lies in the range that its table gives.
pub(crate) trait Ranged {
    fn is_in_range(&self) -> bool;
}

impl Ranged for ToClient {
    fn is_in_range(&self) -> bool {
        match self {
            Self::Joined(joined) => {
                let motion = &joined.motion;
                slot(joined.slot)
                    && (1..=TICK_HZ_MAX).contains(&motion.tick_hz)
                    && motion.axes.iter().all(|axis| axis.step > 0.0 && axis.step.is_finite())
                    && Axes::new(&motion.axes.iter().map(AxisFormat::axis).collect::<Vec<_>>())
                        .is_some()
                    && joined.events.iter().all(|event| slot(event.from))
            }
            Self::Roster(roster) => roster.members.iter().all(|member| slot(member.slot)),
            Self::Diff(diff) => {
                diff.leaves.iter().all(|one| slot(*one))
                    && diff.joins.iter().all(|member| slot(member.slot))
                    && diff.presence.iter().all(|(one, _)| slot(*one))
                    && diff.statuses.iter().all(|(one, _)| slot(*one))
                    && diff.events.iter().all(|event| slot(event.from))
            }
            Self::Direct(direct) => slot(direct.from),
            Self::Welcome(_)
            | Self::Left(_)
            | Self::Error(_)
            | Self::Pong(_)
            | Self::Bye(_)
            | Self::Motion(_)
            | Self::Kept(_) => true,
        }
    }
}

impl Ranged for EditsToClient {
    fn is_in_range(&self) -> bool {
        match self {
            Self::Edits(edits) => edits.edits.iter().all(|edit| slot(edit.slot)),
            Self::History(history) => history.edits.iter().all(|edit| slot(edit.slot)),
            Self::Snapshot(_) | Self::Ack(_) | Self::Reject(_) => true,
        }
    }
}

/// Whether Rust read `message` as something of other types: `again` is what it wrote when it had read it.
pub(crate) fn has_other_types(message: &Json, again: &Json) -> bool {
    match (message, again) {
        (Json::Array(before), Json::Array(after)) => {
            before.iter().zip(after).any(|(before, after)| has_other_types(before, after))
        }
        (Json::Object(before), Json::Object(after))
            if before.contains_key("$bin") == after.contains_key("$bin") =>
        {
            before.iter().any(|(key, before)| {
                after.get(key).is_some_and(|after| has_other_types(before, after))
            })
        }
        (Json::Object(before), _) => before.contains_key("$bin"),
        (Json::String(_), Json::Object(_)) => true,
        (Json::Array(_), Json::Object(_)) => true,
        _ => false,
    }
}

fn slot(slot: Slot) -> bool {
    slot.index() < MEMBERS_MAX
}
