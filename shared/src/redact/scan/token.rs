//! Well-known token formats: a literal leads to it, an expression tells it.

use crate::redact::context::Context;
use crate::redact::edit::{Found, Put};
use crate::redact::family::{Family, RuleError, Token};
use crate::redact::filter::{Anchor, Hit, Literal};
use crate::redact::keyed::MARK;
use crate::redact::redactor::{RuleTable, Rules, literal};
use crate::redact::scan::{addr, mac};
use crate::redact::standin;
use crate::redact::value;
use crate::redact::window::View;
use regex::bytes::{Regex, RegexBuilder};
use std::sync::OnceLock;

/// Longest token that an expression is run on; longer ones are taken on to their last character.
const MAX_TOKEN: usize = 16 * 1024;

/// An expression that is compiled when it is first needed: most hosts need few of them, and together they would be
/// a third of the agent's memory.
struct Pattern {
    text: String,
    fold: bool,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    fn new(text: &str, fold: bool) -> Self {
        Self {
            text: format!("^(?:{text})"),
            fold,
            compiled: OnceLock::new(),
        }
    }

    fn get(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            compile(&self.text, self.fold)
                .expect("every expression of the families that are compiled in is tested")
        })
    }
}

/// Whether the expression of a token compiles.
pub(crate) fn check(token: &Token) -> Result<(), RuleError> {
    let pattern = Pattern::new(&token.re, token.fold);
    compile(&pattern.text, pattern.fold)
        .map(drop)
        .map_err(|source| RuleError::Pattern {
            rule: token.id.clone(),
            source: Box::new(source),
        })
}

fn compile(text: &str, fold: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(fold)
        .size_limit(1 << 20)
        .build()
}

struct Format {
    rule: u16,
    re: Pattern,
    back: Option<(Box<[bool; 256]>, usize, usize)>,
    glued: bool,
    mixed: bool,
    random: bool,
    only: Option<Only>,
    stand: Stand,
    /// The literal, when the expression searches on from it.
    searches: Option<Vec<u8>>,
    group: usize,
}

/// What stands in a token's place.
#[derive(Clone, Copy)]
enum Stand {
    Mark,
    User,
    Card,
    Serial,
    DashedIp,
    Mac,
}

/// Files that a format is looked for in.
#[derive(Clone, Copy)]
enum Only {
    Network,
    Modem,
}

impl Only {
    fn of(token: &Token) -> Result<Option<Self>, RuleError> {
        match token.only.as_deref() {
            None => Ok(None),
            Some("network") => Ok(Some(Self::Network)),
            Some("modem") => Ok(Some(Self::Modem)),
            Some(other) => Err(RuleError::Rule {
                rule: token.id.clone(),
                message: format!("unknown kind of files '{other}'"),
            }),
        }
    }
}

impl Stand {
    fn of(token: &Token) -> Result<Self, RuleError> {
        Ok(match token.stand.as_deref() {
            None => Self::Mark,
            Some("user") => Self::User,
            Some("card") => Self::Card,
            Some("serial") => Self::Serial,
            Some("ip") => Self::DashedIp,
            Some("mac") => Self::Mac,
            Some(other) => {
                let message = format!("unknown stand-in '{other}'");
                return Err(RuleError::Rule {
                    rule: token.id.clone(),
                    message,
                });
            }
        })
    }
}

/// Accounts that every host has; they are no persons.
fn is_role(name: &[u8]) -> bool {
    const ROLES: &[&str] = &[
        "root",
        "admin",
        "administrator",
        "nobody",
        "daemon",
        "bin",
        "sys",
        "sync",
        "mail",
        "news",
        "www-data",
        "messagebus",
        "sshd",
        "polkitd",
        "ntp",
        "chrony",
        "dbus",
        "unknown",
        "user",
        "none",
        "null",
        "invalid",
        "syslog",
        "systemd",
        "systemd-network",
        "systemd-resolve",
        "lp",
        "shared",
        "public",
        "authentication",
        "password",
        "the",
        "a",
        "is",
        "name",
        "id",
        "default",
        "linuxbrew",
        "lost+found",
    ];
    name.iter().all(u8::is_ascii_digit)
        || name.len() < 2
        || name.starts_with(b"usr-")
        || name.starts_with(b"systemd-")
        || ROLES
            .iter()
            .any(|r| name.eq_ignore_ascii_case(r.as_bytes()))
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
            let back = match &token.back {
                None => None,
                Some(b) => {
                    let class = compile(&format!("^(?:{})$", b.class), token.fold);
                    let class = class.map_err(|source| RuleError::Pattern {
                        rule: token.id.clone(),
                        source: Box::new(source),
                    })?;
                    let mut set = Box::new([false; 256]);
                    for n in 0..=255u8 {
                        set[n as usize] = class.is_match(&[n]);
                    }
                    Some((set, b.min, b.max))
                }
            };
            let tag = Anchor::Token(formats.len() as u16);
            let lit = if token.fold {
                token.lit.to_ascii_lowercase()
            } else {
                token.lit.clone()
            };
            literals.push(literal(&lit, token.fold, tag));
            formats.push(Format {
                rule: table.ids.get(&token.id).copied().unwrap_or_default(),
                re: Pattern::new(&token.re, token.fold),
                back,
                glued: token.glued,
                mixed: token.mixed,
                random: token.random,
                only: Only::of(token)?,
                stand: Stand::of(token)?,
                searches: token
                    .re
                    .contains("{0,")
                    .then(|| token.lit.clone().into_bytes()),
                group: token.group,
            });
        }
        Ok(Self { formats })
    }
}

pub(crate) fn look(
    rules: &Rules,
    ctx: &Context,
    view: &View<'_>,
    hit: Hit,
    n: u16,
    found: &mut Found,
) {
    let Some(format) = rules.tokens.formats.get(n as usize) else {
        return;
    };
    if match format.only {
        None => false,
        Some(Only::Network) => !ctx.network,
        Some(Only::Modem) => !ctx.modem,
    } {
        return;
    }
    let mut start = hit.at;
    if let Some((class, min, max)) = &format.back {
        let is = |i: &usize| {
            start
                .checked_sub(*i)
                .and_then(|p| view.at(p))
                .is_some_and(|b| class[b as usize])
        };
        let run = (1..=*max + 1).take_while(is).count();
        if run < *min || run > *max {
            return;
        }
        start -= run;
    }
    let joins = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !format.glued && view.before(start).is_some_and(joins) {
        return;
    }
    // `nopassword` says that there is none.
    if format.only.is_some() && view.slice(start.saturating_sub(2), start) == b"no" {
        return;
    }
    let text = view.slice(hit.at, hit.at + MAX_TOKEN);
    if format.group > 0 {
        if format
            .searches
            .as_ref()
            .is_some_and(|l| view.crowded(hit.at, l))
        {
            return;
        }
        // Most texts fail, and failing is cheaper without groups.
        if !format.re.get().is_match(text) {
            return;
        }
        let Some(caps) = format.re.get().captures(text) else {
            return;
        };
        for m in caps.iter().skip(format.group).flatten() {
            format.put(rules, view, hit.at + m.start(), hit.at + m.end(), found);
        }
        return;
    }
    let Some(m) = format.re.get().find(text) else {
        return;
    };
    let mut end = hit.at + m.end();
    if m.end() == text.len() {
        let goes_on = |b: &&u8| joins(**b) || **b == b'.';
        end += view.slice(end, view.hi).iter().take_while(goes_on).count();
    }
    format.put(rules, view, start, end, found);
}

impl Format {
    /// By position even a common word is a secret; a name is none.
    fn says_nothing(&self, text: &[u8]) -> bool {
        memchr::memmem::find(text, MARK.as_bytes()).is_some()
            || if matches!(self.stand, Stand::Mark) && self.only.is_none() {
                value::is_unset(text)
            } else {
                value::says_nothing(text)
            }
    }

    fn put(&self, rules: &Rules, view: &View<'_>, start: usize, end: usize, found: &mut Found) {
        let text = view.slice(start, end);
        let fits = (!self.mixed || mixed(text)) && (!self.random || value::looks_random(text));
        if !fits || end <= start || self.group > 0 && self.says_nothing(text) {
            return;
        }
        if !matches!(self.stand, Stand::Mark) && standin::is_one(text) {
            return;
        }
        let put = match self.stand {
            Stand::Mark => Put::Mark,
            Stand::User if is_role(text) => return,
            Stand::User => Put::Text(standin::user(&rules.keyed, text)),
            Stand::Card => Put::Text(standin::card(&rules.keyed, text)),
            Stand::Serial => Put::Text(standin::serial(&rules.keyed, text)),
            Stand::Mac => return mac::bare_mac(rules, view, start, end, found),
            Stand::DashedIp => return addr::dashed_ip(rules, view, start, found),
        };
        found.push(start, end, self.rule, put);
    }
}

/// Digits and letters both occur.
fn mixed(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_compiles() {
        for token in crate::redact::families().iter().flat_map(|f| &f.tokens) {
            check(token).unwrap();
        }
    }
}
