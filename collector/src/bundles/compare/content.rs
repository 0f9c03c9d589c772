//! The lines that differ between two texts, with some of those around them.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use crate::bundles::redactions::without_fingerprints;

/// Bytes of a file that are compared; configuration is shorter.
pub(super) const BYTES_MAX: u64 = 256 * 1024;
/// Lines that are told.
const LINES_MAX: usize = 400;
/// Lines around a difference.
const AROUND: usize = 2;
/// After this a rougher answer is good enough: two texts can be made so that the best one takes very long.
const LONGEST: Duration = Duration::from_millis(300);
/// Bytes of a line that are told.
const LINE_MAX: usize = 500;

/// A line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `same`, `gone`, `new`, or `gap` where lines that are the same are left out.
    pub kind: &'static str,
    /// Its number in the earlier text, from 1.
    pub before: Option<usize>,
    /// Its number in the later text.
    pub after: Option<usize>,
    /// The line.
    pub text: String,
}

/// How a text differs from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Lines that differ, and those around them.
    pub lines: Vec<Line>,
    /// Whether there are more.
    pub cut: bool,
}

/// Compares two texts line by line.
pub(super) fn compare(before: &[u8], after: &[u8]) -> Change {
    let cut = [before, after]
        .iter()
        .any(|text| text.len() as u64 >= BYTES_MAX);
    let [before, after] = [before, after].map(plain);
    let diff = TextDiff::configure()
        .timeout(LONGEST)
        .diff_lines(&before, &after);
    let mut change = Change {
        lines: Vec::new(),
        cut,
    };
    for (place, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if place > 0 {
            change.lines.push(Line {
                kind: "gap",
                before: None,
                after: None,
                text: String::new(),
            });
        }
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let kind = match line.tag() {
                ChangeTag::Equal => "same",
                ChangeTag::Delete => "gone",
                ChangeTag::Insert => "new",
            };
            change.lines.push(Line {
                kind,
                before: line.old_index().map(|n| n + 1),
                after: line.new_index().map(|n| n + 1),
                text: clip(line.value()),
            });
        }
    }
    change.cut |= change.lines.len() > LINES_MAX;
    change.lines.truncate(LINES_MAX);
    change
}

/// Whether two texts are the same but for the fingerprints of what was removed from them.
pub(super) fn same(before: &[u8], after: &[u8]) -> bool {
    plain(before) == plain(after)
}

fn plain(text: &[u8]) -> String {
    without_fingerprints(&String::from_utf8_lossy(text)).into_owned()
}

fn clip(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let end = line.floor_char_boundary(LINE_MAX);
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_with_what_is_around_it() {
        let before: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let after = before
            .replace("line 3\n", "line three\n")
            .replace("line 20\n", "");
        let told: Vec<String> = compare(before.as_bytes(), after.as_bytes())
            .lines
            .iter()
            .map(|line| format!("{} {}", line.kind, line.text))
            .collect();
        let expected = [
            "same line 1",
            "same line 2",
            "gone line 3",
            "new line three",
            "same line 4",
            "same line 5",
            "gap ",
            "same line 18",
            "same line 19",
            "gone line 20",
        ];
        assert_eq!(told, expected);
        assert_eq!(compare(b"a\n", b"a\n"), Change::default());
        let keyed = |key: &str| format!("password = REMOVED-pass-{key}\n").into_bytes();
        let (one, other) = (keyed("0123456789ab"), keyed("ba9876543210"));
        assert_eq!(
            compare(&one, &other),
            Change::default(),
            "keys are new in each bundle"
        );
        assert!(same(&one, &other) && !same(&one, b"password = REMOVED-token"));
    }

    #[test]
    fn whatever_the_texts_are_there_is_an_answer() {
        let one: Vec<u8> = (0..50_000u32)
            .map(|n| if n % 7 == 0 { b'\n' } else { (n % 251) as u8 })
            .collect();
        let other: Vec<u8> = one.iter().rev().copied().collect();
        let change = compare(&one, &other);
        assert!(change.cut && change.lines.len() == LINES_MAX);
        let long = "é".repeat(1000);
        assert_eq!(compare(b"", long.as_bytes()).lines[0].text.len(), LINE_MAX);
    }
}
