//! `order.json`: keys between others.

use hither_protocol::order::{OrderError, between};
use serde_json::{Value as Json, json};

use crate::golden;
use crate::json::{items, text};

/// So many are put at an end, and in the middle.
const COUNT: usize = 200;

fn outcome(after: Option<&str>, before: Option<&str>) -> Json {
    match between(after, before) {
        Ok(key) => json!({ "after": after, "before": before, "key": key }),
        Err(error) => {
            let error = match error {
                OrderError::NoKey => "no_key",
                OrderError::NotBefore => "not_before",
            };
            json!({ "after": after, "before": before, "error": error })
        }
    }
}

/// Keys that are made one after the other, between what `next` says of those before.
fn chain(next: impl Fn(&[String]) -> (Option<&str>, Option<&str>)) -> Vec<String> {
    let mut keys = vec!["a0".to_owned(), "a1".to_owned()];
    for _ in 0..COUNT {
        let (after, before) = next(&keys);
        let key = between(after, before).unwrap();
        keys.push(key);
    }
    keys
}

#[test]
fn keys_lie_between_others() {
    let (least, most) = (format!("A{}", "0".repeat(26)), format!("z{}", "z".repeat(26)));
    let (least_1, most_z) = (format!("{least}1"), format!("{most}z"));
    let second = format!("A{}1", "0".repeat(25));
    let pairs = [
        (None, None),
        (Some("a0"), None),
        (None, Some("a0")),
        (Some("az"), None),
        (None, Some("b00")),
        (None, Some("Z0")),
        (Some("Yzz"), None),
        (Some("Zz"), None),
        (Some("Zz"), Some("a0")),
        (Some("Zz"), Some("a0V")),
        (Some("a0"), Some("a1")),
        (Some("a0"), Some("a0V")),
        (Some("a0V"), Some("a1")),
        (Some("a0"), Some("a01")),
        (Some("a01"), Some("a02")),
        (Some("a0"), Some("a001")),
        (Some("a0zz"), Some("a1")),
        (Some("a0"), Some("c000")),
        (Some("a5G"), Some("a5H1")),
        (None, Some("a0V")),
        (Some(most.as_str()), None),
        (Some(most_z.as_str()), None),
        (None, Some(least_1.as_str())),
        (None, Some(second.as_str())),
        (Some(least.as_str()), None),
        (None, Some(least.as_str())),
        (Some("a1"), Some("a0")),
        (Some("a0"), Some("a0")),
        (Some("a00"), None),
        (Some("b1"), None),
        (Some(""), None),
        (Some("a0"), Some("a 1")),
    ];
    let made = json!({
        "about": "Keys between others. chains: each key but a0 and a1 is made from those before it, as the name says.",
        "between": pairs.map(|(after, before)| outcome(after, before)),
        "chains": {
            "behind the last": chain(|keys| (keys.last().map(String::as_str), None)),
            "before the last": chain(|keys| (None, keys.last().map(String::as_str))),
            "between the first and the last": chain(|keys| match keys {
                [_, _] => (Some("a0"), Some("a1")),
                _ => (Some("a0"), keys.last().map(String::as_str)),
            }),
            "between the last two": chain(|keys| {
                let [.., a, b] = keys else { return (None, None) };
                (Some(a.min(b)), Some(a.max(b)))
            }),
        },
    });
    let file = golden("order.json", &made);
    for vector in items(&file["between"]) {
        let key = |name: &str| vector[name].as_str().map(str::to_owned);
        assert_eq!(outcome(key("after").as_deref(), key("before").as_deref()), *vector);
        if let Some(made) = vector["key"].as_str() {
            assert!(key("after").is_none_or(|after| *after < *made));
            assert!(key("before").is_none_or(|before| *made < *before));
        }
    }
    for chain in file["chains"].as_object().unwrap().values() {
        assert!(items(chain).iter().all(|key| text(key).len() < 64), "they stay short");
    }
}
