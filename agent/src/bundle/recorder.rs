//! One pass over every byte: redact, match, hand on to be hashed, compressed and stored.
//!
//! Fails closed: when redaction gives up on a file, nothing more of it is kept, and a file of which
//! nothing was kept yet is withheld altogether.

use super::meta::{Redactions, Trace};
use super::output::Output;
use crate::collect::{ItemEnd, ItemStart, Sink};
use crate::ui::{Done, Progress, Ui};
use sitrep_shared::bundle::manifest::{Item, Kind, Outcome, Truncated};
use sitrep_shared::bundle::{BundleWriter, WriteError};
use sitrep_shared::redact::{FileContext, Redactor, Stream};
use sitrep_shared::signature::{FileScan, Run};
use std::collections::BTreeMap;

/// Redacted bytes are handed on in parts of about this size.
const PART_BYTES: usize = 128 * 1024;

/// The sink of a run.
pub struct Recorder<'u, 'a> {
    ui: &'u mut Ui,
    progress: Progress,
    redactor: &'a Redactor,
    analysis: Run<'a>,
    writer: BundleWriter<Output>,
    fault: Option<WriteError>,
    open: Option<Open<'a>>,
    /// Every item so far.
    pub items: Vec<Item>,
    /// What was removed.
    pub redactions: Redactions,
    /// How long things took.
    pub trace: Trace,
}

struct Open<'a> {
    start: ItemStart,
    path: Option<String>,
    stream: Stream,
    scan: Option<FileScan<'a>>,
    ready: Vec<u8>,
    begun: bool,
    bytes: u64,
    withheld: Option<String>,
}

impl<'u, 'a> Recorder<'u, 'a> {
    /// A recorder that stores through `writer`.
    pub fn new(
        ui: &'u mut Ui,
        progress: Progress,
        redactor: &'a Redactor,
        analysis: Run<'a>,
        writer: BundleWriter<Output>,
    ) -> Self {
        Self {
            ui,
            progress,
            redactor,
            analysis,
            writer,
            fault: None,
            open: None,
            items: Vec::new(),
            redactions: Redactions::default(),
            trace: Trace::default(),
        }
    }

    /// Ends the display and gives back what is needed to seal.
    ///
    /// # Errors
    /// Something could not be written.
    pub fn finish(mut self) -> Result<Recorded<'a>, WriteError> {
        self.progress.finish(self.ui);
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        Ok(Recorded {
            writer: self.writer,
            analysis: self.analysis,
            items: self.items,
            redactions: self.redactions,
            trace: self.trace,
        })
    }

    /// Remembers the first failure to write; the run stops on it.
    fn note<T>(&mut self, result: Result<T, WriteError>) {
        if let Err(error) = result {
            self.fault.get_or_insert(error);
        }
    }

    fn store(&mut self, open: &mut Open<'a>, all: bool) {
        let Some(path) = &open.path else { return };
        if open.ready.is_empty() || (!all && open.ready.len() < PART_BYTES) {
            return;
        }
        if !open.begun {
            let begun = self.writer.start(path);
            self.note(begun);
            open.begun = true;
        }
        if let Some(scan) = &mut open.scan {
            scan.push(&open.ready);
        }
        if self.fault.is_none() {
            let written = self.writer.write_data(&open.ready);
            self.note(written);
        }
        open.ready.clear();
    }

    /// Ends redaction: what was removed by rule, or why the rest of the file is withheld.
    fn settle(&mut self, open: &mut Open<'a>) -> Result<BTreeMap<String, u64>, String> {
        let report = match open.withheld.take() {
            None => open
                .stream
                .finish(&mut open.ready)
                .map_err(|error| error.to_string()),
            Some(why) => Err(why),
        };
        let path = open.path.as_deref().unwrap_or(&open.start.id);
        match report {
            Ok(report) => {
                self.redactions.add(path, &report);
                Ok(report.by_rule)
            }
            Err(why) => {
                self.redactions.withhold(path, &why);
                open.ready.clear();
                Err(why)
            }
        }
    }

    /// Ends the entry in the bundle, also an empty one when `even_empty`.
    fn end_entry(&mut self, open: &mut Open<'a>, even_empty: bool) {
        self.store(open, true);
        if let (Some(path), false, true) = (&open.path, open.begun, even_empty) {
            let begun = self.writer.start(path);
            self.note(begun);
            open.begun = true;
        }
        if !open.begun {
            return;
        }
        if self.fault.is_none() {
            let ended = self.writer.end();
            self.note(ended);
            let settled = self.writer.output().settle();
            self.note(settled.map_err(|source| WriteError::Io {
                doing: "send",
                source,
            }));
        }
        if let Some(scan) = open.scan.take() {
            self.analysis.done(scan.finish());
        }
    }

    fn close(&mut self, mut open: Open<'a>, end: &ItemEnd) -> Item {
        let settled = self.settle(&mut open);
        let (outcome, reason) = match &settled {
            Ok(_) => (end.outcome, end.reason.clone()),
            Err(why) => {
                let outcome = if open.begun {
                    Outcome::Partial
                } else {
                    Outcome::Refused
                };
                (
                    outcome,
                    Some(format!("withheld, cannot be redacted: {why}")),
                )
            }
        };
        let complete = matches!(outcome, Outcome::Collected | Outcome::Partial);
        let even_empty = complete || (open.bytes > 0 && settled.is_ok());
        self.end_entry(&mut open, even_empty);
        let start = open.start;
        Item {
            id: self.redactor.name(&start.id).into_owned(),
            source: start.source.to_owned(),
            kind: start.kind,
            origin: self.redactor.name(&start.origin).into_owned(),
            path: open.path.filter(|_| open.begun),
            outcome,
            reason: reason.map(|reason| self.redactor.name(&reason).into_owned()),
            original_bytes: end.original_bytes,
            truncated: end.truncated.as_ref().map(|cut| Truncated {
                end: cut.end.to_owned(),
                limit_bytes: cut.limit_bytes,
            }),
            exit_code: end.exit_code,
            start_ms: i64::try_from(start.start_ms).unwrap_or(i64::MAX),
            duration_ms: end.duration_ms,
            cpu_ms: end.cpu_ms,
            needs: end.needs.clone(),
            redactions: settled.unwrap_or_default(),
            ..Item::default()
        }
    }
}

/// What a recorder has gathered.
pub struct Recorded<'a> {
    /// The bundle so far.
    pub writer: BundleWriter<Output>,
    /// Scans of all files, merged.
    pub analysis: Run<'a>,
    /// Every item.
    pub items: Vec<Item>,
    /// What was removed.
    pub redactions: Redactions,
    /// How long things took.
    pub trace: Trace,
}

impl Sink for Recorder<'_, '_> {
    fn item(&mut self, start: &ItemStart) {
        self.progress.started(self.ui, &start.id, start.source);
        let path = start
            .path
            .as_deref()
            .map(|path| self.redactor.name(path).into_owned());
        let context = FileContext {
            path: start.path.as_deref().unwrap_or(""),
        };
        self.open = Some(Open {
            stream: self.redactor.stream(context),
            scan: path.as_deref().map(|path| self.analysis.file(path)),
            path,
            start: start.clone(),
            ready: Vec::new(),
            begun: false,
            bytes: 0,
            withheld: None,
        });
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.bytes += bytes.len() as u64;
        if open.withheld.is_none() {
            match open.stream.push(bytes, &mut open.ready) {
                Ok(()) => self.store(&mut open, false),
                Err(error) => {
                    open.ready.clear();
                    open.withheld = Some(error.to_string());
                }
            }
        }
        self.open = Some(open);
    }

    fn end(&mut self, end: &ItemEnd) {
        let Some(open) = self.open.take() else { return };
        let source = open.start.source;
        let (start_ms, bytes) = (open.start.start_ms, open.bytes);
        let item = self.close(open, end);
        let word = crate::cli::outcome_word(item.outcome);
        self.trace
            .span(source, &item.id, start_ms, end.duration_ms, word);
        let missing = crate::cli::is_missing(&item).then(|| {
            let reason = item.reason.clone().unwrap_or_else(|| word.to_owned());
            let root =
                item.needs.as_deref() == Some("root") && !rustix::process::geteuid().is_root();
            (reason, root.then(|| self.ui.say("run_as_root", &[])))
        });
        self.progress.ended(
            self.ui,
            &Done {
                id: &item.id,
                source,
                ok: matches!(item.outcome, Outcome::Collected | Outcome::Partial),
                missing,
                bytes,
                duration_ms: end.duration_ms,
                outcome: word,
            },
        );
        self.items.push(item);
    }

    fn link(&mut self, path: &str, target: &str, relative: &str) {
        let path = self.redactor.name(path).into_owned();
        let item = Item {
            id: path.clone(),
            source: "links".to_owned(),
            kind: Kind::Link,
            origin: target.to_owned(),
            path: Some(path.clone()),
            link_target: Some(relative.to_owned()),
            ..Item::default()
        };
        let linked = self.writer.link(&path, relative);
        self.note(linked);
        self.items.push(item);
    }

    fn shortage(&self) -> Option<String> {
        self.writer.written_to().shortage()
    }

    fn fault(&self) -> Option<String> {
        self.fault
            .as_ref()
            .map(|error| sitrep_shared::error::chain(error))
    }
}
