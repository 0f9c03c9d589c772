//! Names inside a bundle: fixed paths, command file names, the top directory.

use crate::time::UtcMs;

/// First entry: who asked, when, what is missing, top findings.
pub const README: &str = "README.txt";
/// Last entry: every item and the block index.
pub const MANIFEST: &str = "meta/manifest.json";
/// Typed facts.
pub const FACTS: &str = "meta/facts.json";
/// Findings of the host's own analysis.
pub const FINDINGS: &str = "meta/findings.json";
/// Counts per rule and file.
pub const REDACTION: &str = "meta/redaction.json";
/// What was shown and agreed to.
pub const CONSENT: &str = "meta/consent.json";
/// One span per source.
pub const TRACE: &str = "meta/trace.json";
/// Root of the sos-shaped tree.
pub const SOS_ROOT: &str = "sos";

/// Gives the file name that sos gives a command's output: `ip -s -d link` is `ip_-s_-d_link`.
#[must_use]
pub fn mangle_command(command: &str) -> String {
    let command = command.trim();
    let command = ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"]
        .iter()
        .find_map(|prefix| command.strip_prefix(prefix))
        .unwrap_or(command);
    let mut name = String::with_capacity(command.len());
    for c in command.chars() {
        match c {
            '/' => name.push('.'),
            c if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => name.push(c),
            // A run of odd characters becomes one underscore.
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    name.trim_matches([' ', '.', '_', '-']).to_owned()
}

/// Names the top directory: `<ticket or local>-<host>-<YYYYMMDDTHHMMSSZ>`.
#[must_use]
pub fn top_dir(ticket: Option<&str>, host: &str, at: UtcMs) -> String {
    let ticket = clean(ticket.unwrap_or("local"), 32, "local");
    format!("{ticket}-{}-{}", clean(host, 64, "host"), at.compact())
}

fn clean(text: &str, max: usize, fallback: &str) -> String {
    let kept: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
                c
            } else {
                '_'
            }
        })
        .take(max)
        .collect();
    let kept = kept.trim_matches(['.', '-', '_']);
    if kept.is_empty() {
        fallback.to_owned()
    } else {
        kept.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_as_sos_names_them() {
        for (command, name) in [
            ("ip -s -d link", "ip_-s_-d_link"),
            ("ls -lanR /boot", "ls_-lanR_.boot"),
            ("/sbin/blkid -c /dev/null", "blkid_-c_.dev.null"),
            ("/usr/bin/lsof +M -n -l -c ''", "lsof_M_-n_-l_-c"),
            ("../../x", "x"),
        ] {
            assert_eq!(mangle_command(command), name);
        }
    }

    #[test]
    fn top_directory_is_one_plain_component() {
        let at = UtcMs(1_795_269_720_000);
        assert_eq!(
            top_dir(Some("TKT-7"), "web1", at),
            "TKT-7-web1-20261121T140200Z"
        );
        assert_eq!(top_dir(None, "../é/..", at), "local-host-20261121T140200Z");
    }
}
