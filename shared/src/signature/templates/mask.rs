//! What stays of a log line when everything that differs from line to line is taken out.

use std::borrow::Cow;

/// Stands for what differs.
pub(super) const HOLE: &str = "<*>";
/// Words of a line that are looked at.
const MAX_WORDS: usize = 40;
/// Words at the start that may belong to the stamp.
const STAMP_WORDS: usize = 6;

const CALENDAR: &[&str] = &[
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon",
    "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "UTC", "GMT", "CET", "CEST", "AM", "PM",
];

/// The words of a line without stamp, host name and process number, with holes for what differs.
pub(super) fn mask(line: &str) -> Vec<Cow<'_, str>> {
    let mut words: Vec<&str> = line.split_ascii_whitespace().take(MAX_WORDS).collect();
    let stamp = words
        .iter()
        .take(STAMP_WORDS)
        .take_while(|word| is_time(word))
        .count();
    words.drain(..stamp);
    if stamp > 0 && is_host(&words) {
        words.remove(0);
    }
    let mut masked: Vec<Cow<'_, str>> = words.into_iter().map(word).collect();
    while masked.first().is_some_and(|first| first == HOLE) {
        masked.remove(0);
    }
    masked
}

/// Whether a word at the start of a line belongs to its time.
fn is_time(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    CALENDAR.contains(&bare)
        || (bare.starts_with(|c: char| c.is_ascii_digit())
            && bare
                .bytes()
                .all(|b| b.is_ascii_digit() || b"-:.,/+TZ".contains(&b)))
}

/// Whether the line goes on as syslog's do: host, then program with a colon.
fn is_host(words: &[&str]) -> bool {
    let [host, program, ..] = words else {
        return false;
    };
    let level = [
        "error", "warn", "warning", "fatal", "panic", "critical", "crit", "info", "err", "severe",
    ];
    program.ends_with(':')
        && program.starts_with(|c: char| c.is_ascii_alphabetic())
        && !host.contains(['[', ']', ':', '=', '"', '(', ')'])
        && !level.contains(&host.to_ascii_lowercase().as_str())
}

/// A word with holes for its parts that hold a digit.
fn word(word: &str) -> Cow<'_, str> {
    if !word.bytes().any(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(word);
    }
    let separates = |c: char| "=[](){},;\"'|<>".contains(c);
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(separates).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        if part.bytes().any(|b| b.is_ascii_digit()) {
            out.push_str(HOLE);
            if part.ends_with(':') {
                out.push(':');
            }
        } else {
            out.push_str(part);
        }
        let mut behind = behind.chars();
        out.extend(behind.next());
        rest = behind.as_str();
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_kind_come_to_one_text() {
        for (line, expected) in [
            (
                "Nov 21 02:00:01 web-1 sshd[812]: Failed password for root from 192.0.2.7 port 4711 ssh2",
                "sshd[<*>]: Failed password for root from <*> port <*> <*>",
            ),
            (
                "2026-11-21T02:00:01.004Z ERROR storage: write failed: errno=28 after 12ms",
                "ERROR storage: write failed: errno=<*> after <*>",
            ),
            (
                "[Sat Nov 21 02:00:01 2026] [error] [client 192.0.2.7] File does not exist: /srv/x",
                "[error] [client <*>] File does not exist: /srv/x",
            ),
            (
                "[12345.678901] usb 1-1: device error -71",
                "usb <*>: device error <*>",
            ),
            ("job 8f3c: failed", "job <*>: failed"),
            ("  plain   error ", "plain error"),
            ("", ""),
        ] {
            assert_eq!(mask(line).join(" "), expected, "{line}");
        }
    }
}
