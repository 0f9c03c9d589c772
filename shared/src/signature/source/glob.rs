//! Globs over paths and names.

/// Matches a glob: `?` one byte, `*` any but a slash, `**` any.
pub(super) fn matches(glob: &[u8], path: &[u8]) -> bool {
    match glob {
        [] => path.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            matches(rest, path)
                || path
                    .iter()
                    .enumerate()
                    .any(|(i, b)| *b == b'/' && matches(rest, &path[i + 1..]))
        }
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|i| matches(rest, &path[i..])),
        [b'*', rest @ ..] => {
            let reach = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=reach).any(|i| matches(rest, &path[i..]))
        }
        [b'?', rest @ ..] => path.first().is_some_and(|b| *b != b'/') && matches(rest, &path[1..]),
        [byte, rest @ ..] => path.first() == Some(byte) && matches(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_stay_within_folders_unless_told() {
        let check = |glob: &str, path: &str, expected: bool| {
            assert_eq!(
                matches(glob.as_bytes(), path.as_bytes()),
                expected,
                "{glob} on {path}"
            );
        };
        check("var/log/syslog*", "var/log/syslog.1", true);
        check("var/log/*.log", "var/log/nginx/error.log", false);
        check("var/log/**/*.log", "var/log/nginx/error.log", true);
        check("var/log/**/*.log", "var/log/error.log", true);
        check("var/log/**", "var/log/a/b", true);
        check("var/log/ker?.log", "var/log/kern.log", true);
        check("postgresql*", "postgresql@16-main", true);
    }
}
