//! Files that other tools made: sos reports, other archives, single logs. Kept byte for byte, judged by the strict reader
//! of archives, matched against the signatures, and written into blocks that pages can be read from.

use std::fs::File;
use std::io::{BufRead, Seek, SeekFrom, Write};
use std::sync::Arc;

use serde_json::Value;
use sitrep_shared::archive::{self, Entry, Kind, Visitor};
use sitrep_shared::bundle::limits::{Reason, Reject};
use sitrep_shared::facts;
use sitrep_shared::signature::{Engine, RunOptions};
use sitrep_shared::time::UtcMs;

use super::child::{ChildFault, learnt};
use super::era;
use super::frame::{self, Decision, Verdict};
use super::gather::Gatherer;
use super::matcher::Matcher;
use super::normal::Normal;
use super::process::Task;

/// Sees every entry of a foreign archive once.
struct Foreign<'scope, 'e, 'o, O: Write> {
    matcher: Matcher<'scope, 'e>,
    gatherer: Gatherer<'scope>,
    normal: Normal<'o, O>,
    facts: facts::Reader,
    texts: u64,
}

impl<'scope, 'e: 'scope, O: Write> Visitor for Foreign<'scope, 'e, '_, O> {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind != Kind::File {
            return Ok(());
        }
        let known_as = as_collected(entry.path);
        self.matcher.file(&known_as);
        self.gatherer.file(&known_as, self.normal.position());
        self.normal.file(entry.path);
        let wanted = facts::wants(entry.path);
        let mut kept = Vec::new();
        loop {
            let chunk = data.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let shared: Arc<[u8]> = chunk.into();
            self.matcher.push(Arc::clone(&shared));
            self.gatherer.push(shared);
            let pipe = |error| Reject::new(Reason::ReadFailed, format!("the pipe: {error}"));
            self.normal.push(chunk).map_err(pipe)?;
            if wanted {
                let room = facts::MAX_TEXT.saturating_sub(kept.len());
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            let taken = chunk.len();
            data.consume(taken);
        }
        self.matcher.end();
        self.gatherer.end();
        if wanted && !kept.is_empty() {
            self.texts += 1;
            self.facts.add(entry.path, &kept);
        }
        Ok(())
    }
}

/// The path under which the signatures know a file: what is below the top folder of a sos report stands below `sos/` in
/// our bundles. A file of another archive, or a single log, is known by its own name.
pub(crate) fn as_collected(path: &str) -> String {
    match path.split_once('/') {
        Some((top, rest)) if top.starts_with("sosreport-") => format!("sos/{rest}"),
        _ => path.to_owned(),
    }
}

/// Reads a file that is no bundle of ours and writes all frames but the verdict. Every signature reads every file: names
/// tell little about sources here.
pub(super) fn read(
    mut input: File,
    engine: &Engine,
    task: &Task,
    output: &mut impl Write,
) -> Result<Verdict, ChildFault> {
    let made_ms = era::made_ms(&mut input, &task.limits, task.received_ms);
    let time_ms = made_ms.unwrap_or(task.received_ms);
    input.seek(SeekFrom::Start(0))?;
    let options = RunOptions {
        bundle_time: UtcMs(time_ms),
        ignore_source: true,
        ..RunOptions::default()
    };
    std::thread::scope(|scope| {
        let mut seen = Foreign {
            matcher: Matcher::start(scope, engine, options),
            gatherer: Gatherer::start(scope),
            normal: Normal::new(output, time_ms),
            facts: facts::Reader::new(time_ms),
            texts: 0,
        };
        let report = archive::inspect(&mut input, &task.limits, &mut seen);
        let mut verdict = judge(report);
        let Foreign {
            matcher,
            gatherer,
            normal,
            facts,
            texts,
        } = seen;
        if verdict.verdict == Decision::Reject {
            return Ok(verdict);
        }
        let (files, index) = normal.finish()?;
        verdict.files = files;
        verdict.bytes = task.bytes;
        verdict.made_ms = made_ms;
        frame::write(output, frame::Kind::Index, &index)?;
        let facts = (texts > 0).then(|| facts.finish());
        verdict.host = facts.as_ref().and_then(host);
        let facts: Option<Value> = facts.map(serde_json::to_value).transpose()?;
        if let Some(facts) = &facts {
            frame::write(output, frame::Kind::Facts, &serde_json::to_vec(facts)?)?;
        }
        learnt(matcher.finish(facts.as_ref()), gatherer, output)?;
        Ok(verdict)
    })
}

fn host(facts: &facts::Facts) -> Option<String> {
    let value = serde_json::to_value(facts).ok()?;
    let name = value.get("host")?.get("name")?.as_str()?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

fn judge(report: archive::Report) -> Verdict {
    let decision = match report.verdict {
        archive::Verdict::Accept => Decision::Accept,
        archive::Verdict::Neutralise => Decision::Neutralise,
        archive::Verdict::Reject => Decision::Reject,
    };
    Verdict {
        verdict: decision,
        detail: Some(report.detail).filter(|detail| !detail.is_empty()),
        format: report.format,
        unpacked_bytes: report.unpacked_bytes,
        files: report.entries,
        neutralised: report
            .notes
            .into_iter()
            .map(|note| (note.path, note.reason.as_str().to_owned()))
            .collect(),
        ..Verdict::reject(report.reason, "")
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
