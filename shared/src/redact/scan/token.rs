//! Well-known token formats: a literal leads to it, an expression tells it.

use crate::redact::edit::Found;
use crate::redact::family::{Family, RuleError};
use crate::redact::filter::{Anchor, Hit, Literal};
use crate::redact::redactor::{RuleTable, Rules, literal};
use crate::redact::window::View;
use regex::bytes::{Regex, RegexBuilder};

/// Longest token that an expression is run on; longer ones are taken on to their last character.
const MAX_TOKEN: usize = 16 * 1024;

struct Format {
    rule: u16,
    re: Regex,
    back: Option<(Box<[bool; 256]>, usize, usize)>,
    glued: bool,
    mixed: bool,
    group: usize,
}

/// The compiled token formats.
pub(crate) struct Tokens {
    formats: Vec<Format>,
}

impl Tokens {
    pub(crate) fn new(
        families: &[&Family],
        table: &RuleTable,
        literals: &mut Vec<Literal>,
    ) -> Result<Self, RuleError> {
        let mut formats = Vec::new();
        for token in families.iter().flat_map(|f| &f.tokens) {
            let pattern = |source| RuleError::Pattern {
                rule: token.id.clone(),
                source: Box::new(source),
            };
            let compile = |re: &str| {
                RegexBuilder::new(re)
                    .unicode(false)
                    .size_limit(1 << 20)
                    .build()
                    .map_err(pattern)
            };
            let back = match &token.back {
                None => None,
                Some(b) => {
                    let class = compile(&format!("^(?:{})$", b.class))?;
                    let mut set = Box::new([false; 256]);
                    for n in 0..=255u8 {
                        set[n as usize] = class.is_match(&[n]);
                    }
                    Some((set, b.min, b.max))
                }
            };
            literals.push(literal(
                &token.lit,
                false,
                Anchor::Token(formats.len() as u16),
            ));
            formats.push(Format {
                rule: table.ids.get(&token.id).copied().unwrap_or_default(),
                re: compile(&format!("^(?:{})", token.re))?,
                back,
                glued: token.glued,
                mixed: token.mixed,
                group: token.group,
            });
        }
        Ok(Self { formats })
    }
}

pub(crate) fn look(rules: &Rules, view: &View<'_>, hit: Hit, n: u16, found: &mut Found) {
    let Some(format) = rules.tokens.formats.get(n as usize) else {
        return;
    };
    let mut start = hit.at;
    if let Some((class, min, max)) = &format.back {
        let run = (1..=*max + 1)
            .take_while(|i| {
                start
                    .checked_sub(*i)
                    .and_then(|p| view.at(p))
                    .is_some_and(|b| class[b as usize])
            })
            .count();
        if run < *min || run > *max {
            return;
        }
        start -= run;
    }
    if !format.glued
        && view
            .before(start)
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        return;
    }
    let text = view.slice(hit.at, hit.at + MAX_TOKEN);
    let Some(caps) = format.re.captures(text) else {
        return;
    };
    let Some(m) = caps.get(format.group) else {
        return;
    };
    let mut end = hit.at + m.end();
    if m.end() == text.len() {
        end += view
            .slice(end, view.hi)
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
            .count();
    }
    if format.group > 0 {
        start = hit.at + m.start();
    }
    if format.mixed && !mixed(view.slice(start, end)) {
        return;
    }
    found.mark(start, end, format.rule);
}

/// Digits and letters both occur.
fn mixed(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic)
}
