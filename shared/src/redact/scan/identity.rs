//! Identifiers at `strict`: addresses, hardware addresses, names, mail.

use crate::redact::context::Context;
use crate::redact::edit::Found;
use crate::redact::filter::Hit;
use crate::redact::redactor::Rules;
use crate::redact::window::View;

pub(crate) fn look(
    _rules: &Rules,
    _ctx: &Context,
    _view: &View<'_>,
    _hit: Hit,
    _byte: u8,
    _found: &mut Found,
) {
}
