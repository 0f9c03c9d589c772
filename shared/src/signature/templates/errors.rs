//! What is an error line, and which files have lines of events at all.

/// What makes a line an error line.
pub(super) const WORDS: &[&str] = &[
    "error",
    "Error",
    "ERROR",
    "fatal",
    "Fatal",
    "FATAL",
    "panic",
    "Panic",
    "PANIC",
    "fail",
    "Fail",
    "FAIL",
    "CRITICAL",
    "critical",
    "Critical",
    "xception",
    "Traceback",
    "segfault",
    "refused",
    "denied",
    "timed out",
    "SEVERE",
    "EMERG",
];
/// What makes it none after all.
pub(super) const QUIET: &[&str] = &[
    "0 errors",
    "no error",
    "No error",
    "errors: 0",
    "error=nil",
    "error: nil",
    "err=nil",
    "error=<nil>",
    "error=null",
    " INFO",
    "level=info",
    "\"level\":\"info\"",
    "[info]",
    " DEBUG",
    "level=debug",
    "[debug]",
    " TRACE",
    "0 failed",
    "failed: 0",
    "failed=0",
];

/// Whether a file's lines are events, by its path.
pub(super) fn is_log(path: &str) -> bool {
    let state = ["sos/etc/", "sos/proc/", "sos/sys/", "sos/usr/", "sos/lib/"];
    if path.starts_with("sos/sos_commands/") {
        return ["/logs/", "journal", "dmesg"]
            .iter()
            .any(|part| path.contains(part));
    }
    // What package managers did, with names such as `liberror-perl`; what failed there is elsewhere.
    let done = [
        "/var/log/dpkg.log",
        "/var/log/alternatives.log",
        "/var/log/apt/history.log",
    ];
    !state.iter().any(|start| path.starts_with(start)) && !done.iter().any(|log| path.contains(log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_no_event() {
        for path in ["sos/var/log/syslog", "sos/var/log/apt/term.log"] {
            assert!(is_log(path), "{path}");
        }
        for path in [
            "sos/etc/motd",
            "sos/var/log/dpkg.log.1",
            "report-x/var/log/alternatives.log",
        ] {
            assert!(!is_log(path), "{path}");
        }
    }
}
