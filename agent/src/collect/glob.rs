//! File name patterns: `*` and `?` within a component, `[a-z]` classes, `**` across components.

/// Whether `path` matches `pattern`.
pub fn matches(pattern: &str, path: &str) -> bool {
    run(pattern.as_bytes(), path.as_bytes())
}

/// Whether the pattern has a wildcard at all.
pub fn is_pattern(text: &str) -> bool {
    text.bytes().any(|b| matches!(b, b'*' | b'?' | b'['))
}

fn run(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.first() {
        None => text.is_empty(),
        Some(b'*') if pattern.get(1) == Some(&b'*') => {
            let rest = &pattern[2..];
            // `**/x` also matches `x` itself.
            if let Some(after) = rest.strip_prefix(b"/")
                && run(after, text)
            {
                return true;
            }
            (0..=text.len()).any(|n| run(rest, &text[n..]))
        }
        Some(b'*') => {
            let rest = &pattern[1..];
            let end = text.iter().position(|b| *b == b'/').unwrap_or(text.len());
            (0..=end).any(|n| run(rest, &text[n..]))
        }
        Some(b'?') => text.first().is_some_and(|b| *b != b'/') && run(&pattern[1..], &text[1..]),
        Some(b'[') => class(pattern, text),
        Some(byte) => text.first() == Some(byte) && run(&pattern[1..], &text[1..]),
    }
}

fn class(pattern: &[u8], text: &[u8]) -> bool {
    let Some(close) = pattern.iter().position(|b| *b == b']') else {
        return text.first() == Some(&b'[') && run(&pattern[1..], &text[1..]);
    };
    let Some(byte) = text.first().filter(|b| **b != b'/') else {
        return false;
    };
    let mut set = &pattern[1..close];
    let negated = matches!(set.first(), Some(b'!' | b'^'));
    if negated {
        set = &set[1..];
    }
    let mut hit = false;
    let mut at = 0;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == b'-' {
            hit |= (set[at]..=set[at + 2]).contains(byte);
            at += 3;
        } else {
            hit |= set[at] == *byte;
            at += 1;
        }
    }
    hit != negated && run(&pattern[close + 1..], &text[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        for (pattern, path, expected) in [
            ("/etc/*.conf", "/etc/a.conf", true),
            ("/etc/*.conf", "/etc/x/a.conf", false),
            ("/etc/**", "/etc/x/a.conf", true),
            ("/**/.ssh/**", "/root/.ssh/x", true),
            ("/a/**/b", "/a/b", true),
            ("/a/?", "/a/b", true),
            ("/a/?", "/a//", false),
            ("/a[0-9]", "/a7", true),
            ("/a[!0-9]", "/a7", false),
            ("syslog*", "syslog.2.gz", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
