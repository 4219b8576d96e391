//! Keys that are put between others, anywhere and in any order, sort as they were put.

use hither_protocol::order::between;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn keys_sort_as_they_were_put(places in vec(any::<prop::sample::Index>(), 1..200)) {
        let mut keys: Vec<String> = Vec::new();
        for place in places {
            let at = place.index(keys.len() + 1);
            let before = keys.get(at).map(String::as_str);
            let after = at.checked_sub(1).map(|at| keys[at].as_str());
            let key = between(after, before).unwrap();
            keys.insert(at, key);
        }
        prop_assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    }

    #[test]
    fn any_two_keys_have_one_between(a in "[Z-a][0-9A-Za-z]{0,6}", b in "[X-b][0-9A-Za-z]{0,6}") {
        let (low, high) = (a.as_str().min(b.as_str()), a.as_str().max(b.as_str()));
        if let Ok(key) = between(Some(low), Some(high)) {
            prop_assert!(low < key.as_str() && key.as_str() < high, "{low} {key} {high}");
        }
    }
}
