//! Answering byte ranges: which part of a body is meant, by RFC 9110, one range at a time.

/// A range of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub from: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a Range header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The whole.
    Whole,
    /// A part: 206.
    Part(Span),
    /// Nothing that exists: 416.
    Outside,
}

/// Reads a Range header against a body of `size` bytes. Several ranges, other units and nonsense ask for the whole, as
/// the RFC allows.
pub fn ask(header: Option<&str>, size: u64) -> Ask {
    let Some(spec) = header.and_then(|header| header.strip_prefix("bytes=")) else {
        return Ask::Whole;
    };
    let Some((from, to)) = spec.split_once('-') else {
        return Ask::Whole;
    };
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    match (from, to) {
        ("", last) => match number(last) {
            Some(0) => Ask::Outside,
            Some(_) if size == 0 => Ask::Outside,
            Some(last) => part(size.saturating_sub(last), size - 1),
            None => Ask::Whole,
        },
        (from, to) => match (
            number(from),
            if to.is_empty() {
                Some(u64::MAX)
            } else {
                number(to)
            },
        ) {
            (Some(from), Some(to)) if to < from => Ask::Whole,
            (Some(from), Some(_)) if from >= size => Ask::Outside,
            (Some(from), Some(to)) => part(from, to.min(size - 1)),
            _ => Ask::Whole,
        },
    }
}

fn part(from: u64, last: u64) -> Ask {
    Ask::Part(Span {
        from,
        bytes: last - from + 1,
    })
}

/// The name to offer for a download: what a header and any file system can hold.
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+') {
                c
            } else {
                '_'
            }
        })
        .take(120)
        .collect();
    if clean.trim_matches(['.', '_']).is_empty() {
        "download".to_owned()
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_the_book() {
        for (header, expected) in [
            (None, Ask::Whole),
            (Some("bytes=0-0"), Ask::Part(Span { from: 0, bytes: 1 })),
            (Some("bytes=2-"), Ask::Part(Span { from: 2, bytes: 8 })),
            (Some("bytes=2-100"), Ask::Part(Span { from: 2, bytes: 8 })),
            (Some("bytes=-3"), Ask::Part(Span { from: 7, bytes: 3 })),
            (Some("bytes=-30"), Ask::Part(Span { from: 0, bytes: 10 })),
            (Some("bytes=10-"), Ask::Outside),
            (Some("bytes=-0"), Ask::Outside),
            (Some("bytes=5-2"), Ask::Whole),
            (Some("bytes=0-1,3-4"), Ask::Whole),
            (Some("lines=0-1"), Ask::Whole),
            (Some("bytes=x-1"), Ask::Whole),
        ] {
            assert_eq!(ask(header, 10), expected, "{header:?}");
        }
        assert_eq!(ask(Some("bytes=0-"), 0), Ask::Outside);
        assert_eq!(ask(Some("bytes=-1"), 0), Ask::Outside);
    }

    #[test]
    fn names_hold_nothing_a_header_could_trip_over() {
        assert_eq!(safe_name("sos/var/log/a b\"\r\n.log"), "a_b___.log");
        assert_eq!(safe_name(".."), "download");
        assert_eq!(safe_name("日志"), "download");
    }
}
