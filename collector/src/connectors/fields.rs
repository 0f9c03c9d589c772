//! What goes into the fields of other systems, and texts between them and us.

use super::{Fault, Settings};
use crate::db::findings::FindingRow;
use crate::db::tickets::TicketRow;
use crate::tickets;

pub(super) use crate::tickets::one_line;

/// Longest text that is taken from another system, in characters.
const TAKEN_MAX: usize = 19_000;

/// What the settings may put into a field.
pub(super) const VALUES: [&str; 8] = [
    "key", "url", "priority", "severity", "finding", "customer", "product", "category",
];

/// The fields of the settings with what goes into them now.
pub(super) fn values(
    settings: &Settings,
    (ticket, url): (&TicketRow, &str),
    found: &[FindingRow],
) -> Vec<(String, String)> {
    let worst = found.iter().find(|row| row.stands());
    let value = |word: &str| match word {
        "key" => tickets::key(ticket),
        "url" => url.to_owned(),
        "priority" => ticket.priority.clone(),
        "severity" => worst.map(|row| row.severity.clone()).unwrap_or_default(),
        "finding" => ticket.top_finding.clone().unwrap_or_default(),
        "customer" => ticket.customer.clone(),
        "product" => ticket.product.clone(),
        _ => ticket.category.clone(),
    };
    let set = pairs(&settings.fields);
    set.map(|(field, word)| (field.to_owned(), value(word)))
        .collect()
}

/// Lines of the form `theirs = ours`; the first of several that mean the same is the one that is set there.
pub(super) fn pairs(lines: &[String]) -> impl Iterator<Item = (&str, &str)> + Clone {
    lines.iter().filter_map(|line| {
        let (theirs, ours) = line.rsplit_once('=')?;
        Some((theirs.trim(), ours.trim()))
    })
}

/// The mark of an event in a text there.
pub(super) fn mark(event_id: &str) -> String {
    format!("[sitrep:{event_id}]")
}

/// What [`mark`] was given, when the last line of a text is a mark. A quotation of it is none: an answer may quote what it answers.
pub(super) fn marked(text: &str) -> Option<&str> {
    let last = text.trim_end().lines().next_back()?.trim();
    last.strip_prefix("[sitrep:")?.strip_suffix(']')
}

/// A text from outside as it is stored here: no NUL, not longer than our texts.
pub(super) fn taken(text: &str) -> String {
    let text = text.replace('\0', "\u{fffd}").replace("\r\n", "\n");
    let text = text.trim();
    match text.char_indices().nth(TAKEN_MAX) {
        Some((end, _)) => format!("{}\n…", &text[..end]),
        None => text.to_owned(),
    }
}

/// HTML as plain text, for those who wrote with an editor. What it gives is text again, so nothing of it is ever markup.
pub(super) fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('>') else {
            rest = "";
            break;
        };
        let tag = rest[at + 1..at + end].trim_start_matches('/');
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        if ["br", "p", "div", "li", "tr", "h1", "h2", "h3"].contains(&&*name.to_ascii_lowercase()) {
            out.push('\n');
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        // The last, so that nothing is decoded twice.
        ("&amp;", "&"),
    ];
    let mut text = out;
    for (entity, character) in entities {
        text = text.replace(entity, character);
    }
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    lines.join("\n").trim().to_owned()
}

/// The new set of a field of several values: ours are added, those of ours that are over go, all others stay.
pub(super) fn merged(there: &[String], add: &[String], remove: &[String]) -> Vec<String> {
    let gone = |value: &&String| remove.contains(value) && !add.contains(value);
    let mut all: Vec<String> = there.iter().filter(|v| !gone(v)).cloned().collect();
    for value in add {
        if !all.contains(value) {
            all.push(value.clone());
        }
    }
    all
}

/// An id of another system, which becomes a part of a path: digits only.
pub(super) fn number(id: &str) -> Result<&str, Fault> {
    let good = !id.is_empty() && id.len() < 19 && id.bytes().all(|byte| byte.is_ascii_digit());
    good.then_some(id)
        .ok_or_else(|| Fault::Refused(format!("{id:?} is not the number of a ticket")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_the_last_line_and_not_in_a_quotation() {
        for (text, found) in [
            ("done\n\n[sitrep:a-1]\n", Some("a-1")),
            ("thanks\n> [sitrep:a-1]", None),
            ("[sitrep:a-1]\nthanks", None),
            ("", None),
        ] {
            assert_eq!(marked(text), found, "{text}");
        }
        assert_eq!(marked(&format!("x\n{}", mark("e"))), Some("e"));
    }

    #[test]
    fn html_becomes_plain_text() {
        for (html, text) in [
            ("<p>a &lt;b&gt;</p><p>c<br/>d</p>", "a <b>\n\nc\nd"),
            ("&amp;lt;", "&lt;"),
            ("plain", "plain"),
            ("cut <off", "cut"),
            ("<script>x</script>", "x"),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }

    #[test]
    fn values_of_others_stay() {
        let list = |words: &str| {
            words
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let after = merged(
            &list("theirs ours old"),
            &list("ours new"),
            &list("old ours"),
        );
        assert_eq!(after, list("theirs ours new"));
    }

    #[test]
    fn texts_and_ids_from_outside_are_limited() {
        assert_eq!(taken(" a\0b\r\nc "), "a\u{fffd}b\nc");
        assert!(taken(&"密".repeat(30_000)).chars().count() <= TAKEN_MAX + 2);
        for (id, good) in [
            ("12", true),
            ("", false),
            ("1/../2", false),
            ("9999999999999999999", false),
        ] {
            assert_eq!(number(id).is_ok(), good, "{id}");
        }
    }
}
