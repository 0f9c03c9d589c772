//! What the history of a ticket tells of changes that RT has undone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::connectors::desks::word;

/// Changes of a field of several values that somebody made and another account has undone in the moments of our write:
/// hardly after looking at what the other did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Undone {
    /// Values that were set, and are gone.
    pub lost: Vec<String>,
    /// Values that were taken off, and are back.
    pub back: Vec<String>,
}

/// From what the history says of a field, oldest first.
pub(super) fn undone<'a>(rows: impl Iterator<Item = &'a Value>) -> Undone {
    let mut last: BTreeMap<String, [Option<(bool, String)>; 2]> = BTreeMap::new();
    for row in rows {
        let author = word(&row["Creator"]["id"]);
        for (value, set) in [("OldValue", false), ("NewValue", true)] {
            let value = word(&row[value]);
            if !value.is_empty() {
                let two = last.entry(value).or_default();
                *two = [two[1].take(), Some((set, author.clone()))];
            }
        }
    }
    let mut undone = Undone::default();
    for (value, two) in last {
        match two {
            [Some((true, by)), Some((false, other))] if by != other => undone.lost.push(value),
            [Some((false, by)), Some((true, other))] if by != other => undone.back.push(value),
            _ => {}
        }
    }
    undone
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_account_undid_is_known() {
        let row = |by: &str, old: &str, new: &str| json!({"Creator": {"id": by}, "OldValue": old, "NewValue": new});
        let told = [
            row("anna", "", "lost"),
            row("us", "lost", ""),
            row("anna", "back", ""),
            row("us", "", "back"),
            row("anna", "", "changed her mind"),
            row("anna", "changed her mind", ""),
            row("anna", "", "restored"),
            row("us", "restored", ""),
            row("us", "", "restored"),
            row("anna", "", "stays"),
            row("us", "ours", "stays too"),
        ];
        let expected = Undone {
            lost: vec!["lost".into()],
            back: vec!["back".into()],
        };
        assert_eq!(undone(told.iter()), expected);
        assert_eq!(undone(told[11..].iter()), Undone::default());
    }
}
