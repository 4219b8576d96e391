//! One record, and what each operation makes of it; apart from documents, since what is laid over one changes alike.

use std::sync::Arc;

use super::Failure;
use crate::message::edits::{Op, OpKind};
use crate::message::{Map, Refusal, Value, encoded_len};

/// A record as it is. It is never changed in place: who keeps the one before can put it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// The number of the edit that changed it last.
    pub(super) version: u64,
    /// Of its id and its fields, kept up to date, since counting costs by the whole record.
    pub(super) bytes: usize,
    pub(super) fields: Arc<Map>,
}

impl Entry {
    pub(super) fn new(id: &str, version: u64, fields: Arc<Map>) -> Self {
        let of_fields = fields.iter().map(|(name, value)| field_len(name, value));
        let bytes = id.len() + of_fields.sum::<usize>();
        Self { version, bytes, fields }
    }

    /// It with this field, or without it.
    fn set(&mut self, name: &str, value: Option<Value>) {
        let fields = Arc::make_mut(&mut self.fields);
        self.bytes += value.as_ref().map_or(0, |value| field_len(name, value));
        let old = match value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
        self.bytes -= old.map_or(0, |old| field_len(name, &old));
    }
}

/// Does one operation to the record `old`: gives the record that there is then, which has the old version until the
/// whole edit is in.
///
/// # Errors
/// `Conflict` if its condition does not hold; `NoRecord` for a patch or an increment without a record; `BadRequest` for
/// an increment by, or of, what is no number.
pub(super) fn perform(old: Option<&Entry>, op: &Op) -> Result<Option<Entry>, Failure> {
    let version = old.map(|entry| entry.version);
    if op.if_version.is_some_and(|wanted| (wanted > 0).then_some(wanted) != version) {
        let value = Some(version.unwrap_or(0));
        return Err(Failure { refusal: Refusal::Conflict, limit: None, value });
    }
    let mut entry = match (op.kind, old) {
        (OpKind::Remove, _) => return Ok(None),
        (OpKind::Put, _) => {
            let fields = op.fields.clone().into();
            return Ok(Some(Entry::new(&op.record, version.unwrap_or(0), fields)));
        }
        (OpKind::Patch | OpKind::Increment, None) => return Err(Refusal::NoRecord.into()),
        (OpKind::Patch | OpKind::Increment, Some(old)) => old.clone(),
    };
    for (name, value) in &op.fields {
        let value = match op.kind {
            OpKind::Increment => {
                let old = entry.fields.get(name).unwrap_or(&Value::Int(0));
                Some(sum(old, value).ok_or(Refusal::BadRequest)?)
            }
            _ => Some(value.clone()).filter(|value| *value != Value::Nil),
        };
        entry.set(name, value);
    }
    Ok(Some(entry))
}

/// The operation that takes one back which was done to the record `old`. `None` if it has done nothing. What was added
/// is taken away again, and what was set is as before, whoever has changed it since.
pub(super) fn inverse(old: Option<&Entry>, op: &Op) -> Option<Op> {
    let (kind, fields) = match (op.kind, old) {
        (OpKind::Remove, None) => return None,
        (_, None) => (OpKind::Remove, Map::new()),
        (OpKind::Put | OpKind::Remove, Some(old)) => (OpKind::Put, Map::clone(&old.fields)),
        (OpKind::Patch, Some(old)) => {
            let before = |name: &String| old.fields.get(name).cloned().unwrap_or(Value::Nil);
            (OpKind::Patch, op.fields.keys().map(|name| (name.clone(), before(name))).collect())
        }
        (OpKind::Increment, Some(_)) => {
            let negated = op.fields.iter().map(|(name, by)| (name.clone(), negated(by)));
            (OpKind::Increment, negated.collect())
        }
    };
    Some(Op::new(kind, op.record.clone(), fields))
}

fn negated(number: &Value) -> Value {
    match number {
        Value::Int(number) => Value::Int(-number),
        Value::Float(number) => Value::Float(-number),
        other => other.clone(),
    }
}

/// The sum of two numbers: an integer if both are and it can be carried (F3), else a float. `None` if one is no number.
fn sum(a: &Value, b: &Value) -> Option<Value> {
    const INT_MAX: u64 = (1 << 53) - 1;
    Some(match (a, b) {
        (Value::Int(a), Value::Int(b)) => {
            let sum = a.saturating_add(*b);
            if sum.unsigned_abs() <= INT_MAX { sum.into() } else { (sum as f64).into() }
        }
        (Value::Float(a), Value::Float(b)) => (a + b).into(),
        (Value::Int(a), Value::Float(b)) => (*a as f64 + b).into(),
        (Value::Float(a), Value::Int(b)) => (a + *b as f64).into(),
        _ => return None,
    })
}

/// The bytes that count for a field.
fn field_len(name: &str, value: &Value) -> usize {
    encoded_len(&name) + encoded_len(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_sums_are_integers_where_they_can_be() {
        let (large, small) = (Value::Int((1 << 53) - 1), Value::Int(1));
        assert_eq!(sum(&small, &Value::Int(-3)), Some(Value::Int(-2)));
        assert_eq!(sum(&large, &small), Some(Value::Float((1_u64 << 53) as f64)));
        assert_eq!(sum(&small, &Value::Float(0.5)), Some(Value::Float(1.5)));
        assert_eq!(sum(&Value::Float(0.5), &Value::Float(0.5)), Some(Value::Float(1.0)));
        assert_eq!(sum(&"1".into(), &small), None);
    }
}
