//! Hardware addresses in their spellings.

use crate::redact::edit::Found;
use crate::redact::redactor::Rules;
use crate::redact::scan::addr::replace;
use crate::redact::standin;
use crate::redact::window::View;
use std::fmt::Write as _;

/// A dash between hex digits: `00-1A-2B-3C-4D-5E`.
pub(crate) fn dashed(rules: &Rules, view: &View<'_>, dash: usize, found: &mut Found) {
    let start = dash.saturating_sub(2);
    let text = view.slice(start, start + 17);
    let shaped = text.len() == 17
        && text.iter().enumerate().all(|(i, b)| {
            if i % 3 == 2 {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        });
    let free =
        |b: Option<u8>| !b.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if shaped && free(view.before(start)) && free(view.at(start + 17)) {
        hardware(rules, view, start, start + 17, b'-', found);
    }
}

/// A dot after four hex digits: `0012.3456.789A`.
pub(crate) fn cisco(rules: &Rules, view: &View<'_>, dot: usize, found: &mut Found) -> bool {
    let start = dot.saturating_sub(4);
    let text = view.slice(start, start + 14);
    let shaped = text.len() == 14
        && text.iter().enumerate().all(|(i, b)| {
            if i % 5 == 4 {
                *b == b'.'
            } else {
                b.is_ascii_hexdigit()
            }
        });
    let free = |b: Option<u8>| {
        !b.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let telling = text.iter().any(u8::is_ascii_alphabetic) || text.starts_with(b"00");
    if shaped
        && telling
        && free(view.before(start))
        && !view
            .at(start + 14)
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        hardware(rules, view, start, start + 14, b'.', found);
        return true;
    }
    false
}

/// Twelve hex digits that a key calls a hardware address.
pub(crate) fn bare_mac(
    rules: &Rules,
    view: &View<'_>,
    start: usize,
    end: usize,
    found: &mut Found,
) {
    hardware(rules, view, start, end, 0, found);
}

/// Replaces a hardware address written with `sign`; 0 is none.
pub(crate) fn hardware(
    rules: &Rules,
    view: &View<'_>,
    start: usize,
    end: usize,
    sign: u8,
    found: &mut Found,
) {
    found.quiet = found.quiet.max(end);
    let digits: Vec<u8> = view
        .slice(start, end)
        .iter()
        .filter(|b| b.is_ascii_hexdigit())
        .map(u8::to_ascii_lowercase)
        .collect();
    let nobody = digits.iter().all(|b| *b == b'0') || digits.iter().all(|b| *b == b'f');
    if nobody || digits.starts_with(b"01005e") || digits.starts_with(b"3333") {
        return;
    }
    let n = standin::mac(&rules.keyed, &digits);
    let mut put = String::with_capacity(24);
    match sign {
        0 => {
            let _ = write!(
                put,
                "mm{:02x}{:02x}{:02x}{:02x}{:02x}",
                n[1], n[2], n[3], n[4], n[5]
            );
        }
        b'.' => {
            let _ = write!(
                put,
                "mm{:02x}.{:02x}{:02x}.{:02x}{:02x}",
                n[1], n[2], n[3], n[4], n[5]
            );
        }
        _ => {
            let s = char::from(sign);
            let _ = write!(
                put,
                "mm{s}{:02x}{s}{:02x}{s}{:02x}{s}{:02x}{s}{:02x}",
                n[1], n[2], n[3], n[4], n[5]
            );
        }
    }
    replace(view, start, end, put, rules.ids.mac, found);
}
