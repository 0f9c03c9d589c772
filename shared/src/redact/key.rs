//! Judges whether a key names a secret: `mysql_password1` does, `password_file` does not.

use crate::redact::family::Family;
use crate::redact::filter::{Anchor, Literal};
use crate::redact::redactor::RuleTable;
use std::collections::{HashMap, HashSet};

/// What a key says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not a secret.
    No,
    /// A secret of this rule.
    Secret(u16),
    /// A secret of this rule if the value looks random.
    IfRandom(u16),
    /// The same, and only as a parameter of a URL.
    InQuery(u16),
}

struct Word {
    rule: u16,
    after: Vec<Vec<u8>>,
    unless: Vec<Vec<u8>>,
    random: bool,
    query: bool,
    provider: bool,
}

/// The compiled key words.
pub(crate) struct Keys {
    words: Vec<Word>,
    is: HashMap<Vec<u8>, usize>,
    ends: Vec<(Vec<u8>, usize)>,
    tails: HashSet<Vec<u8>>,
    innocent: HashSet<Vec<u8>>,
}

/// Longest key looked at.
pub(crate) const MAX_KEY: usize = 160;

impl Keys {
    pub(crate) fn new(
        families: &[&Family],
        table: &RuleTable,
        literals: &mut Vec<Literal>,
    ) -> Self {
        let mut keys = Self {
            words: Vec::new(),
            is: HashMap::new(),
            ends: Vec::new(),
            tails: HashSet::new(),
            innocent: HashSet::new(),
        };
        let bytes = |s: &String| s.as_bytes().to_vec();
        for family in families {
            for w in &family.words {
                let n = keys.words.len();
                keys.words.push(Word {
                    rule: table.ids.get(&w.rule).copied().unwrap_or_default(),
                    after: w.after.iter().map(bytes).collect(),
                    unless: w.unless.iter().map(bytes).collect(),
                    random: w.random,
                    query: w.query,
                    provider: w.provider,
                });
                keys.is.extend(w.is.iter().map(|s| (bytes(s), n)));
                keys.ends.extend(w.ends.iter().map(|s| (bytes(s), n)));
            }
            keys.tails.extend(family.tails.iter().map(bytes));
            keys.innocent.extend(family.innocent.iter().map(bytes));
            literals.extend(family.anchors.iter().map(|a| Literal {
                bytes: bytes(a),
                fold: true,
                tag: Anchor::Key,
            }));
        }
        keys.ends.sort_by_key(|(s, _)| std::cmp::Reverse(s.len()));
        keys
    }

    /// Judges a key of word characters, `-` and `.`.
    pub(crate) fn judge(&self, key: &[u8]) -> Verdict {
        let mut buf = [0u8; MAX_KEY];
        let mut ends = [0u8; 24];
        let n = split(key, &mut buf, &mut ends);
        let word = |i: usize| -> &[u8] {
            let from = if i == 0 { 0 } else { ends[i - 1] as usize };
            &buf[from..ends[i] as usize]
        };
        // A number at the end says nothing about what the key names: `key-file-2`.
        let numbers = (0..n)
            .rev()
            .take_while(|i| word(*i).iter().all(u8::is_ascii_digit))
            .count();
        let (all, n) = (n, n - numbers);
        // `session_id` is one word in two.
        if n >= 2 {
            let from = if n == 2 { 0 } else { ends[n - 3] as usize };
            let two = self.is.get(&buf[from..ends[n - 1] as usize]);
            if let Some(rule) = two.map(|w| &self.words[*w]).filter(|r| !r.query) {
                return if rule.random {
                    Verdict::IfRandom(rule.rule)
                } else {
                    Verdict::Secret(rule.rule)
                };
            }
        }
        if n == 0 || self.tails.contains(plain(word(n - 1))) && n > 1 {
            return Verdict::No;
        }
        let mut provider = Verdict::No;
        // The last telling word decides; what follows it may only be a neutral word.
        for i in (0..n).rev() {
            let w = plain(word(i));
            if self.innocent.contains(w) {
                return Verdict::No;
            }
            let Some(found) = self.find(w) else { continue };
            let rule = &self.words[found.0];
            if rule.provider {
                provider = Verdict::IfRandom(rule.rule);
                continue;
            }
            if rule.query {
                return Verdict::InQuery(rule.rule);
            }
            if (0..i).any(|k| rule.unless.iter().any(|u| u == plain(word(k)))) {
                return Verdict::No;
            }
            let dotted = key
                .iter()
                .rposition(|b| *b == b'.')
                .is_some_and(|dot| i + split_count(&key[dot + 1..]) < all);
            // `x-stratum-auth`: an extension header; `_auth` of npm.
            let header = i > 0 && key.len() > 2 && key[..2].eq_ignore_ascii_case(b"x-");
            let npm = i == 0 && key.starts_with(b"_") && all == 1;
            if (header || npm) && w == b"auth" || header && w == b"key" {
                return Verdict::Secret(rule.rule);
            }
            if rule.random || dotted {
                return Verdict::IfRandom(rule.rule);
            }
            let before = &buf[..ends[i] as usize];
            let qualified = rule.after.is_empty()
                || rule.after.iter().any(|a| {
                    let head = &before[..before
                        .len()
                        .saturating_sub(word(i).len() - w.len() + found.1)];
                    head.ends_with(a)
                });
            return if qualified {
                Verdict::Secret(rule.rule)
            } else {
                Verdict::IfRandom(rule.rule)
            };
        }
        provider
    }

    /// Whether the name of an entry below a key of secrets may name one: it names no place and no
    /// property.
    pub(crate) fn may_hold(&self, name: &[u8]) -> bool {
        let mut buf = [0u8; MAX_KEY];
        let mut ends = [0u8; 24];
        let n = split(name, &mut buf, &mut ends);
        let Some(last) = n.checked_sub(1) else {
            return true;
        };
        let from = if last == 0 {
            0
        } else {
            ends[last - 1] as usize
        };
        let word = plain(&buf[from..ends[last] as usize]);
        // Whose secret it is says nothing against it.
        const WHOSE: [&[u8]; 10] = [
            b"db",
            b"database",
            b"server",
            b"service",
            b"user",
            b"account",
            b"domain",
            b"host",
            b"test",
            b"env",
        ];
        memchr::memmem::find(name, b"://").is_some()
            || (!self.tails.contains(word) || WHOSE.contains(&word))
                && !self.innocent.contains(word)
                && word != b"external"
    }

    /// The longest of the known ends that a word has.
    fn end_of(&self, word: &[u8]) -> Option<&(Vec<u8>, usize)> {
        // The last byte tells most of them apart, without a call.
        let last = word.last()?;
        self.ends
            .iter()
            .find(|(end, _)| end.last() == Some(last) && word.ends_with(end))
    }

    /// The rule of a word, and how many of its last bytes matched.
    fn find(&self, w: &[u8]) -> Option<(usize, usize)> {
        let single = w.strip_suffix(b"s").filter(|s| s.len() > 2);
        for form in std::iter::once(w).chain(single) {
            if let Some(n) = self.is.get(form) {
                return Some((*n, w.len()));
            }
        }
        // `passwordforstuff`: the rest names neither a place nor a property.
        for s in [&b"password"[..], b"passwd", b"apikey", b"passphrase"] {
            if w.len() > s.len() + 2
                && let Some(at) = memchr::memmem::find(w, s)
                && let rest = &w[at + s.len()..]
                && rest.len() > 2
                && !self.tails.contains(rest)
                && ![
                    &b"less"[..],
                    b"auth",
                    b"authentication",
                    b"protected",
                    b"quality",
                ]
                .contains(&rest)
                && let Some((s, n)) = self.end_of(s)
            {
                return Some((*n, s.len() + rest.len()));
            }
        }
        for form in std::iter::once(w).chain(single) {
            if let Some((s, n)) = self.end_of(form) {
                return Some((*n, s.len() + w.len() - form.len()));
            }
        }
        None
    }
}

/// How many words the text has.
fn split_count(text: &[u8]) -> usize {
    split(text, &mut [0; MAX_KEY], &mut [0; 24])
}

/// A word without its number.
fn plain(w: &[u8]) -> &[u8] {
    let n = w.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    if n == w.len() { w } else { &w[..w.len() - n] }
}

/// Splits at separators and camel case into lower-case words, joined in `buf`; `ends` has each
/// word's end. Gives the number of words; the last ones of a very long key count.
fn split(key: &[u8], buf: &mut [u8; MAX_KEY], ends: &mut [u8; 24]) -> usize {
    let key = &key[key.len().saturating_sub(MAX_KEY)..];
    let (mut len, mut n) = (0, 0);
    let mut start = true;
    for (i, &b) in key.iter().enumerate() {
        if !b.is_ascii_alphanumeric() {
            start = true;
            continue;
        }
        let prev = i.checked_sub(1).map(|i| key[i]);
        let next = key.get(i + 1);
        let hump = b.is_ascii_uppercase()
            && (prev.is_some_and(|p| p.is_ascii_lowercase() || p.is_ascii_digit())
                || prev.is_some_and(|p| p.is_ascii_uppercase())
                    && next.is_some_and(u8::is_ascii_lowercase)
                    && key.get(i + 2).is_some_and(u8::is_ascii_lowercase));
        if start || hump {
            if n == ends.len() {
                return n;
            }
            n += 1;
            start = false;
        }
        buf[len] = b.to_ascii_lowercase();
        len += 1;
        ends[n - 1] = len as u8;
    }
    n
}
