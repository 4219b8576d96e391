//! Reads a licence expression as SPDX writes it. Apart from the rule on dependencies, being a grammar of its own.

/// Whether the allowed licences alone can meet an expression: one side of OR, both of AND. The old `A/B` means OR.
pub(crate) fn is_met(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let word = words.get(*at);
    // Past the end, too: an expression that breaks off is met by nothing.
    *at += 1;
    let Some(word) = word else { return false };
    if *word == "(" {
        let met = any(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return allowed.contains(&format!("{word} WITH {exception}").as_str());
    }
    allowed.contains(word)
}

#[test]
fn expressions_are_met_as_spdx_means_them() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    let met = |expression| is_met(expression, &allowed);
    assert!(met("MIT"));
    assert!(met("GPL-3.0 OR MIT"));
    assert!(met("GPL-3.0/MIT"));
    assert!(met("ISC AND (GPL-3.0 OR MIT)"));
    assert!(met("Apache-2.0 WITH LLVM-exception OR GPL-3.0"));
    assert!(!met("MIT AND GPL-3.0"));
    assert!(!met("ISC AND (GPL-3.0 OR LGPL-2.1)"));
    assert!(!met("Apache-2.0"));
    assert!(!met(""));
    assert!(!met("MIT)"));
    assert!(!met("(MIT"));
    assert!(!met("MIT OR"), "cut off: not a licence anybody granted");
}
