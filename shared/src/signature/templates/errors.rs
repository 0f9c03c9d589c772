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
    !state.iter().any(|start| path.starts_with(start))
}
