//! Files that other tools made: sos reports, other archives, single logs. Kept byte for byte, judged by the strict reader
//! of archives, and matched against the signatures; their files are not yet stored in a form that pages can be read from.

use std::fs::File;
use std::io::BufRead;

use sitrep_shared::archive::{self, Entry, Kind, Report, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reason, Reject};

use super::frame::{Decision, Verdict};
use super::matcher::Matcher;

/// Sees every entry of a foreign archive once.
pub(super) struct Foreign<'scope, 'e> {
    /// Matches the lines.
    pub(super) matcher: Matcher<'scope, 'e>,
    /// Files seen.
    pub(super) files: u64,
    /// Whether a zero byte stands near the start of a file.
    pub(super) binary: bool,
}

impl<'scope, 'e: 'scope> Visitor for Foreign<'scope, 'e> {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind != Kind::File {
            return Ok(());
        }
        self.files += 1;
        self.matcher.file(&as_collected(entry.path));
        loop {
            let chunk = data.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            self.binary |= chunk.iter().take(8 * 1024).any(|byte| *byte == 0);
            self.matcher.push(chunk);
            let taken = chunk.len();
            data.consume(taken);
        }
        self.matcher.end();
        Ok(())
    }
}

/// The path under which the signatures know a file: what is below the top folder of a sos report stands below `sos/` in
/// our bundles. A file of another archive, or a single log, is known by its own name.
fn as_collected(path: &str) -> String {
    match path.split_once('/') {
        Some((top, rest)) if top.starts_with("sosreport-") => format!("sos/{rest}"),
        _ => path.to_owned(),
    }
}

/// Reads the whole file and judges it.
pub(super) fn read<'s, 'e: 's>(
    input: &mut File,
    limits: &Limits,
    seen: &mut Foreign<'s, 'e>,
) -> Verdict {
    let report = archive::inspect(input, limits, seen);
    // A single file is a log or nothing we know.
    if report.format == "file" && report.verdict != archive::Verdict::Reject && seen.binary {
        return Verdict::reject(
            Reason::UnknownFormat.as_str(),
            "neither a known archive nor text",
        );
    }
    verdict(report, seen.files)
}

fn verdict(report: Report, files: u64) -> Verdict {
    let decision = match report.verdict {
        archive::Verdict::Accept => Decision::Accept,
        archive::Verdict::Neutralise => Decision::Neutralise,
        archive::Verdict::Reject => Decision::Reject,
    };
    Verdict {
        verdict: decision,
        reason: (decision != Decision::Accept).then(|| report.reason.to_owned()),
        detail: Some(report.detail).filter(|detail| !detail.is_empty()),
        format: report.format,
        sha256: None,
        bytes: 0,
        unpacked_bytes: report.unpacked_bytes,
        files,
        neutralised: report
            .notes
            .into_iter()
            .map(|note| (note.path, note.reason.as_str().to_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_sos_is_known_as_our_own_collection_is() {
        for (path, expected) in [
            (
                "sosreport-h1-2026-11-21-abc/var/log/syslog",
                "sos/var/log/syslog",
            ),
            ("logs/app.log", "logs/app.log"),
            ("syslog", "syslog"),
        ] {
            assert_eq!(as_collected(path), expected);
        }
    }
}
