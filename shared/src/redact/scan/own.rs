//! The customer's own words and the names that the host states about itself.

use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::names::Kind;
use crate::redact::redactor::Rules;
use crate::redact::standin;
use crate::redact::window::View;

pub(crate) fn look(rules: &Rules, view: &View<'_>, hit: Hit, n: u32, found: &mut Found) {
    let Some(kind) = rules.own.kinds.get(n as usize) else {
        return;
    };
    let end = hit.at + hit.len;
    let free = |b: Option<u8>| !b.is_some_and(|b| b.is_ascii_alphanumeric());
    if *kind == Kind::Word {
        return found.mark(hit.at, end, rules.own.word_rule);
    }
    if !free(view.before(hit.at)) || !free(view.at(end)) {
        return;
    }
    let name = view.slice(hit.at, end);
    let (rule, put) = match kind {
        Kind::User => (rules.ids.user, standin::user(&rules.keyed, name)),
        Kind::Host => (rules.ids.host, standin::host(&rules.keyed, name)),
        _ => (rules.ids.serial, standin::serial(&rules.keyed, name)),
    };
    found.push(hit.at, end, rule, Put::Text(put));
}
