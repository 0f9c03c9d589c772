//! The customer's own words and the names that the host states about itself.

use crate::redact::edit::Found;
use crate::redact::filter::Hit;
use crate::redact::names::Kind;
use crate::redact::redactor::Rules;
use crate::redact::window::{View, is_word};

pub(crate) fn look(rules: &Rules, view: &View<'_>, hit: Hit, n: u32, found: &mut Found) {
    let Some(kind) = rules.own.kinds.get(n as usize) else {
        return;
    };
    let end = hit.at + hit.len;
    let bordered = |b: Option<u8>| !b.is_some_and(|b| b.is_ascii_alphanumeric());
    match kind {
        Kind::Word => found.mark(hit.at, end, rules.own.word_rule),
        _ if !bordered(view.before(hit.at)) || !bordered(view.at(end)) => {}
        _ if view.at(end).is_some_and(is_word) && *kind == Kind::User => {}
        _ => {}
    }
}
