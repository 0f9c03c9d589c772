//! Who wrote: the unit of a line in a log that many share, and the container of a file.

/// Logs that many units write to, where the line says which: globs over host paths.
const SHARED_LOGS: &[&str] = &[
    "var/log/syslog*",
    "var/log/messages*",
    "var/log/daemon.log*",
    "var/log/user.log*",
    "sos_commands/logs/journalctl*",
    "sos_commands/systemd/journalctl*",
];

/// Whether lines of this file name their unit.
pub(super) fn is_shared(path: &str) -> bool {
    SHARED_LOGS
        .iter()
        .any(|glob| super::glob::matches(glob.as_bytes(), path.as_bytes()))
}

/// The name of the program that wrote a line of a shared log; `after` is what follows the stamp:
/// ` host name[pid]: text`.
pub(in crate::signature) fn unit(after: &[u8]) -> Option<&[u8]> {
    if let Some(found) = memchr::memmem::find(after, JOURNAL_FIELD) {
        let name = &after[found + JOURNAL_FIELD.len()..];
        return Some(&name[..memchr::memchr(b'"', name)?]);
    }
    let mut words = after
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty())
        .skip(1);
    let word = words.next()?;
    let end = word.iter().position(|b| matches!(b, b'[' | b':'))?;
    let name = &word[..end];
    // `postfix/smtpd` is a part of the unit `postfix`.
    Some(name.split(|b| *b == b'/').next().unwrap_or(name))
}

/// How a line of the journal as JSON names its program.
const JOURNAL_FIELD: &[u8] = b"\"SYSLOG_IDENTIFIER\":\"";

/// The container whose log a file is, by its path.
pub(super) fn container(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("var/log/pods/") {
        // namespace_pod_uid/container/0.log
        return rest
            .split('/')
            .nth(1)
            .filter(|_| rest.matches('/').count() >= 2);
    }
    if let Some(rest) = path.strip_prefix("var/log/containers/") {
        // pod_namespace_container-<64 hex>.log
        let last = rest.rsplit('_').next().filter(|last| *last != rest)?;
        let stem = last.strip_suffix(".log").unwrap_or(last);
        return Some(stem.rsplit_once('-').map_or(stem, |(name, _)| name));
    }
    for runtime in ["docker", "podman"] {
        let folder = path
            .strip_prefix("sos_commands/")
            .and_then(|p| p.strip_prefix(runtime))
            .and_then(|p| p.strip_prefix('/'));
        let Some(rest) = folder else { continue };
        let name = rest.strip_prefix("containers/").unwrap_or(rest);
        let name = name.split('/').next().unwrap_or(name);
        // `docker logs -t NAME` as a file name.
        return [
            "docker_logs_-t_",
            "podman_logs_-t_",
            "docker_logs_",
            "podman_logs_",
            "logs_",
        ]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .or_else(|| rest.starts_with("containers/").then_some(name));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_shared_log_names_its_unit() {
        let check = |after: &str, expected: Option<&str>| {
            let expected = expected.map(str::as_bytes);
            assert_eq!(unit(after.as_bytes()), expected, "{after}");
        };
        check(" host nginx[12]: bind() failed", Some("nginx"));
        check(" host kernel: Out of memory", Some("kernel"));
        check("  host postfix/smtpd[7]: connect", Some("postfix"));
        check(" host text without a name", None);
        check(
            r#"{"MESSAGE":"x","SYSLOG_IDENTIFIER":"sshd","PRIORITY":"3"}"#,
            Some("sshd"),
        );
        check("", None);
    }

    #[test]
    fn a_path_names_its_container() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(container(path), expected, "{path}");
        };
        check("var/log/pods/ns_web-1_uid/nginx/0.log", Some("nginx"));
        check("var/log/pods/ns_web-1_uid", None);
        check(
            "var/log/containers/web-1_default_nginx-0123456789abcdef.log",
            Some("nginx"),
        );
        check(
            "sos_commands/docker/containers/redis/redis-json.log",
            Some("redis"),
        );
        check("sos_commands/podman/podman_logs_-t_db", Some("db"));
        check("sos_commands/docker/docker_ps", None);
        check("var/log/nginx/error.log", None);
    }
}
