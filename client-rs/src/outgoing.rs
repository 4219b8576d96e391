//! What a client checks before it sends: limits that the server would answer with a refusal, or with a close that takes
//! the other rooms along.

use std::time::Duration;

use hither_protocol::Slot;
use hither_protocol::limits::{
    DEPTH_MAX, EDIT_OPS_MAX, EVENT_BYTES_MAX, EVENT_NAME_BYTES_MAX, EVENT_TARGETS_MAX,
    PRESENCE_BYTES_MAX, RECORD_BYTES_MAX, RECORD_ID_BYTES_MAX,
};
use hither_protocol::message::control::ErrorMessage;
use hither_protocol::message::edits::{Op, Reject};
use hither_protocol::message::{Map, Refusal, Value, encoded_len};

/// Why something was not sent. Except for `Closed` and `Backlogged` the caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection has ended, or is not there yet; nobody is at fault.
    #[error("the connection is closed")]
    Closed,
    /// This session is not in the room, or not any more.
    #[error("not in the room")]
    NotInRoom,
    /// 256 KiB wait for the server already: the network or the server is slower than this program. Try again later.
    #[error("too much waits to be sent")]
    Backlogged,
    /// Over a size or a count of the protocol.
    #[error("{what}: {size} is over the limit of {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes, or its count.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// A value is nested deeper than 8, or has an integer of 2^53 or more.
    #[error("a value is nested too deeply, or has an integer beyond 2^53")]
    Value,
}

/// The server's answer: no. The connection and the other rooms live on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused as {}: {message}", code.name())]
pub struct Refused {
    /// Why.
    pub code: Refusal,
    /// A sentence for the developer.
    pub message: String,
    /// Trying again makes sense after this, if the server said so.
    pub retry_after: Option<Duration>,
    /// Of an edit that is too large: the limit that it is over.
    pub limit: Option<u64>,
    /// What that would be with it; of one whose condition does not hold, the version that the record has, 0 for none.
    pub value: Option<u64>,
}

impl From<ErrorMessage> for Refused {
    fn from(ErrorMessage { code, message, retry_after_ms, .. }: ErrorMessage) -> Self {
        let retry_after = retry_after_ms.map(Duration::from_millis);
        Self { code, message, retry_after, limit: None, value: None }
    }
}

impl From<Reject> for Refused {
    fn from(Reject { code, message, retry_after_ms, limit, value, .. }: Reject) -> Self {
        let retry_after = retry_after_ms.map(Duration::from_millis);
        Self { code, message, retry_after, limit, value }
    }
}

/// A presence, or a patch of one.
pub(crate) fn check_presence(fields: &Map) -> Result<(), SendError> {
    within("presence", encoded_len(fields), PRESENCE_BYTES_MAX)?;
    check_fields(fields)
}

/// An event's name, data and targets.
pub(crate) fn check_event(name: &str, data: &Value, to: &[Slot]) -> Result<(), SendError> {
    within("event name", name.len(), EVENT_NAME_BYTES_MAX)?;
    within("event data", encoded_len(data), EVENT_BYTES_MAX)?;
    within("event targets", to.len(), EVENT_TARGETS_MAX)?;
    check_value(data, 0)
}

/// The operations of one edit.
pub(crate) fn check_edit(ops: &[Op]) -> Result<(), SendError> {
    within("operations", ops.len(), EDIT_OPS_MAX)?;
    for op in ops {
        within("record id", op.record.len(), RECORD_ID_BYTES_MAX)?;
        check_fields(&op.fields)?;
    }
    within("edit", ops.iter().map(encoded_len).sum(), RECORD_BYTES_MAX)
}

fn within(what: &'static str, size: usize, max: usize) -> Result<(), SendError> {
    if size <= max { Ok(()) } else { Err(SendError::TooLarge { what, size, max }) }
}

/// The map itself is an array's or a map's first level.
fn check_fields(fields: &Map) -> Result<(), SendError> {
    fields.values().try_for_each(|value| check_value(value, 1))
}

/// Stops at the limit of the depth, so that it can't recurse further than that.
fn check_value(value: &Value, depth: usize) -> Result<(), SendError> {
    const INTEGER_MAX: u64 = (1 << 53) - 1;
    match value {
        Value::Int(value) if value.unsigned_abs() > INTEGER_MAX => Err(SendError::Value),
        Value::Array(_) | Value::Map(_) if depth == DEPTH_MAX => Err(SendError::Value),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, depth + 1)),
        Value::Map(map) => map.values().try_for_each(|value| check_value(value, depth + 1)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_protocol::message::edits::OpKind;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Nil, |inner, _| Value::Array(vec![inner]))
    }

    // proves L1
    #[test]
    fn what_is_at_its_limit_passes_and_one_more_does_not() {
        let text = |len| Value::String("x".repeat(len));
        let event =
            |name: usize, data, to| check_event(&"n".repeat(name), &data, &vec![Slot(0); to]);
        assert_eq!(event(64, text(EVENT_BYTES_MAX - 3), 64), Ok(()));
        assert!(matches!(event(65, Value::Nil, 0), Err(SendError::TooLarge { size: 65, .. })));
        assert!(event(1, text(EVENT_BYTES_MAX - 2), 0).is_err());
        assert!(event(1, Value::Nil, 65).is_err());

        let presence = |len| check_presence(&Map::from([("a".into(), text(len))]));
        assert_eq!(presence(PRESENCE_BYTES_MAX - 6), Ok(()));
        assert!(presence(PRESENCE_BYTES_MAX - 5).is_err());

        let op = |fields| Op::new(OpKind::Put, "r", fields);
        assert_eq!(check_edit(&vec![op(Map::new()); 64]), Ok(()));
        assert!(check_edit(&vec![op(Map::new()); 65]).is_err());
        let half = || op(Map::from([("a".into(), text(RECORD_BYTES_MAX / 2))]));
        assert!(check_edit(&[half(), half()]).is_err());
        let long_id = Op { record: "r".repeat(129), ..op(Map::new()) };
        assert!(check_edit(&[long_id]).is_err());
    }

    // proves F3
    #[test]
    fn values_that_would_close_the_connection_are_not_sent() {
        let event = |data| check_event("n", &data, &[]);
        assert_eq!(event(nested(DEPTH_MAX)), Ok(()));
        assert_eq!(event(nested(DEPTH_MAX + 1)), Err(SendError::Value));
        assert_eq!(event(Value::Int((1 << 53) - 1)), Ok(()));
        assert_eq!(event(Value::Array(vec![Value::Int(-(1 << 53))])), Err(SendError::Value));
        let fields = |value| check_presence(&Map::from([("a".into(), value)]));
        assert_eq!(fields(nested(DEPTH_MAX - 1)), Ok(()));
        assert_eq!(fields(nested(DEPTH_MAX)), Err(SendError::Value));
    }
}
