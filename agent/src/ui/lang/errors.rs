//! Errors in the person's language. They are written in English where they arise; here their patterns
//! are found again and said otherwise. What has no pattern stays as it is.

use super::Lang;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Holes may hold texts of ours, which hold others, and no more.
const DEPTH: usize = 2;

struct Pattern {
    /// What stands before, between and after the holes.
    literals: Vec<String>,
    other: String,
}

impl Lang {
    /// An error, note or hint in this language.
    pub fn error(self, text: &str) -> String {
        match self {
            Self::En => text.to_owned(),
            Self::ZhCn => translate(text, DEPTH),
        }
    }

    /// What stands between an error and its cause.
    pub fn colon(self) -> &'static str {
        match self {
            Self::En => ": ",
            Self::ZhCn => "：",
        }
    }
}

fn patterns() -> &'static [Pattern] {
    static PATTERNS: OnceLock<Vec<Pattern>> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let table: BTreeMap<String, String> = toml::from_str(include_str!("errors.zh-CN.toml"))
            .unwrap_or_else(|error| unreachable!("the texts are tested: {error}"));
        let mut patterns: Vec<Pattern> = table
            .into_iter()
            .map(|(english, other)| Pattern {
                literals: english.split("{}").map(str::to_owned).collect(),
                other,
            })
            .collect();
        // What says more is tried first.
        patterns.sort_by_key(|pattern| {
            let said: usize = pattern.literals.iter().map(String::len).sum();
            std::cmp::Reverse(said)
        });
        patterns
    })
}

/// Whether there is a pattern of exactly this form.
#[cfg(test)]
pub(super) fn knows(english: &str) -> bool {
    let wanted: Vec<&str> = english.split("{}").collect();
    patterns().iter().any(|pattern| pattern.literals == wanted)
}

fn translate(text: &str, depth: usize) -> String {
    for pattern in patterns() {
        let Some(holes) = holes(&pattern.literals, text) else {
            continue;
        };
        let mut said = pattern.other.clone();
        for (number, hole) in holes.iter().enumerate() {
            let hole = match depth {
                0 => (*hole).to_owned(),
                _ => translate(hole, depth - 1),
            };
            said = said.replace(&format!("{{{number}}}"), &hole);
        }
        return said;
    }
    text.to_owned()
}

/// What stands in the holes, when the text is of this pattern.
fn holes<'t>(literals: &[String], text: &'t str) -> Option<Vec<&'t str>> {
    let (first, rest) = literals.split_first()?;
    let mut left = text.strip_prefix(first.as_str())?;
    let Some((last, between)) = rest.split_last() else {
        return left.is_empty().then(Vec::new);
    };
    let mut holes = Vec::new();
    for literal in between {
        // Two holes side by side cannot be told apart: the first one takes nothing.
        let at = left.find(literal.as_str())?;
        holes.push(&left[..at]);
        left = &left[at + literal.len()..];
    }
    holes.push(left.strip_suffix(last.as_str())?);
    Some(holes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_found_again() {
        for (english, chinese) in [
            ("cannot open /x y", "无法打开 /x y"),
            (
                "needs about 3 MB in /tmp, 1 MB free",
                "需要 /tmp 中约 3 MB 的空间，剩余 1 MB",
            ),
            (
                "cannot ask for consent: standard input is not a terminal",
                "无法征求同意：标准输入不是终端",
            ),
            ("cannot create /var/x", "无法创建 /var/x"),
            ("something else", "something else"),
        ] {
            assert_eq!(Lang::ZhCn.error(english), chinese);
            assert_eq!(Lang::En.error(english), english);
        }
    }
}
