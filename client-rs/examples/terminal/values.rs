//! Users' values as JSON and back: the one mapping that commands and lines share.

use hither_client::{Map, Value};
use serde_json::{Number, Value as Json, json};

const BINARY: &str = "$bin";

/// A value as JSON.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::String(value) => Json::from(value.as_str()),
        Value::Binary(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ BINARY: hex })
        }
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map_to_json(map),
    }
}

/// A map's fields as JSON.
pub(crate) fn map_to_json(map: &Map) -> Json {
    map.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}

/// JSON as a value; `None` for integers that are none of 64 bits and for `$bin` without hex.
pub(crate) fn from_json(json: Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) if number.is_f64() => Value::Float(number.as_f64()?),
        Json::Number(number) => Value::Int(number.as_i64()?),
        Json::String(value) => Value::String(value),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(from_json).collect::<Option<_>>()?)
        }
        Json::Object(fields) => match (fields.len(), fields.get(BINARY)) {
            (1, Some(hex)) => Value::Binary(parse_hex(hex.as_str()?)?),
            _ => Value::Map(map_from_json(fields)?),
        },
    })
}

/// A JSON object's fields as a map; `None` as for [`from_json`].
pub(crate) fn map_from_json(fields: serde_json::Map<String, Json>) -> Option<Map> {
    fields.into_iter().map(|(name, value)| Some((name, from_json(value)?))).collect()
}

/// Bytes in hex; `None` if it is not that.
pub(crate) fn parse_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((digit(high)? << 4 | digit(low)?) as u8),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_json_and_come_back() {
        let text =
            r#"{"a":[1,-2,1.0,true,null],"b":{"$bin":"00ff"},"c":"x","d":{"$bin":"00","e":1}}"#;
        let value = from_json(serde_json::from_str(text).unwrap()).unwrap();
        let Value::Map(map) = &value else { panic!("{value:?}") };
        let list = vec![1.into(), (-2).into(), 1.0.into(), true.into(), Value::Nil];
        assert_eq!(map["a"], Value::Array(list));
        assert_eq!(map["b"], Value::Binary(vec![0, 255]));
        assert!(matches!(map["d"], Value::Map(_)), "it has more than `$bin`");
        assert_eq!(to_json(&value).to_string(), text);
    }

    #[test]
    fn what_the_wire_does_not_have_is_no_value() {
        for text in ["18446744073709551615", r#"{"$bin":"0"}"#, r#"{"$bin":"0g"}"#, r#"{"$bin":1}"#]
        {
            assert_eq!(from_json(serde_json::from_str(text).unwrap()), None, "{text}");
        }
        assert_eq!(to_json(&Value::Float(f64::NAN)), Json::Null);
    }
}
