//! The words that texts are found by. Latin words are themselves; Chinese, Japanese and Korean have no spaces, so each
//! pair of neighbouring characters is a word, which finds the two-character words that most Chinese words are.

use std::collections::{BTreeMap, BTreeSet};

/// Longest word kept, in characters: longer ones are numbers and digests.
const WORD_MAX: usize = 40;
/// Words that a query is cut to.
const QUERY_MAX: usize = 60;

/// One word of a text, or a run of characters without spaces between its words.
#[derive(Debug, PartialEq)]
enum Run {
    Latin(String),
    Dense(Vec<char>),
}

/// Whether a character belongs to a script without spaces between words.
fn dense(c: char) -> bool {
    matches!(u32::from(c), 0x2E80..=0x2FDF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF
        | 0x20000..=0x3FFFF)
}

fn runs(text: &str) -> Vec<Run> {
    let mut all = Vec::new();
    let mut latin = String::new();
    let mut chars: Vec<char> = Vec::new();
    let flush = |latin: &mut String, chars: &mut Vec<char>, all: &mut Vec<Run>| {
        if (2..=WORD_MAX).contains(&latin.chars().count()) {
            all.push(Run::Latin(latin.clone()));
        }
        if !chars.is_empty() {
            all.push(Run::Dense(std::mem::take(chars)));
        }
        latin.clear();
    };
    for c in text.chars() {
        if dense(c) {
            if !latin.is_empty() {
                flush(&mut latin, &mut chars, &mut all);
            }
            chars.push(c);
        } else if c.is_alphanumeric() || c == '_' {
            if !chars.is_empty() {
                flush(&mut latin, &mut chars, &mut all);
            }
            latin.extend(c.to_lowercase());
        } else {
            flush(&mut latin, &mut chars, &mut all);
        }
    }
    flush(&mut latin, &mut chars, &mut all);
    all
}

/// Words of a text with how often they weigh: what stands in a weightier field counts more.
pub fn of_text(fields: &[(&str, i64)]) -> Vec<(String, i64)> {
    let mut words: BTreeMap<String, i64> = BTreeMap::new();
    for (text, weight) in fields {
        let mut seen = BTreeSet::new();
        for run in runs(text) {
            match run {
                Run::Latin(word) => {
                    seen.insert(word);
                }
                Run::Dense(chars) => {
                    seen.extend(chars.iter().map(char::to_string));
                    seen.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
                }
            }
        }
        for word in seen {
            *words.entry(word).or_default() += weight;
        }
    }
    words.into_iter().collect()
}

/// Words to look for: each once, pairs of characters where there are two.
pub fn of_query(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in runs(text) {
        match run {
            Run::Latin(word) => words.push(word),
            Run::Dense(chars) if chars.len() == 1 => words.push(chars[0].to_string()),
            Run::Dense(chars) => {
                words.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
            }
        }
    }
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words.truncate(QUERY_MAX);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str, query: &str) -> bool {
        let words = of_text(&[(text, 1)]);
        let wanted = of_query(query);
        let has = |word: &String| words.iter().any(|(known, _)| known == word);
        !wanted.is_empty() && wanted.iter().all(has)
    }

    #[test]
    fn chinese_words_are_found_inside_sentences() {
        let text = "用户无法登录系统，磁盘空间不足（ENOSPC），导出任务失败。";
        for (query, found) in [
            ("登录", true),
            ("磁盘空间不足", true),
            ("磁盘 导出", true),
            ("盘", true),
            ("enospc", true),
            ("ENOSPC 失败", true),
            ("录登", false),
            ("内存", false),
            ("", false),
        ] {
            assert_eq!(finds(text, query), found, "{query}");
        }
    }

    #[test]
    fn a_title_weighs_more_than_a_text() {
        let words = of_text(&[("Disk full", 5), ("the disk, the disk", 1)]);
        assert!(words.contains(&("disk".to_owned(), 6)), "{words:?}");
        assert!(words.contains(&("the".to_owned(), 1)));
        let long = "x".repeat(60);
        assert!(of_query(&long).is_empty(), "digests are no words");
    }
}
