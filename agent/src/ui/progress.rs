//! Progress of collecting (one line per source) and of sending (a bar, lines, or events).

use super::{Line, Tone, Ui};
use serde_json::json;
use sitrep_shared::size::{format_bytes, format_duration_ms};
use std::collections::BTreeMap;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Lines, with one that is rewritten in place.
    Terminal,
    /// Lines only: logs, serial consoles, screen readers.
    Plain,
    /// NDJSON events on stderr.
    Json,
    /// Nothing.
    None,
}

/// Missing items named under a source before the rest is only counted.
const NAMED_MISSING: usize = 3;

/// What became of one item, as far as the display needs to know.
#[derive(Clone, Debug)]
pub struct Done<'a> {
    /// Item id.
    pub id: &'a str,
    /// Source the item belongs to.
    pub source: &'a str,
    /// Something was collected.
    pub ok: bool,
    /// The item is missing although it should be there: reason and what helps.
    pub missing: Option<(String, Option<String>)>,
    /// Bytes stored.
    pub bytes: u64,
    /// Time it took.
    pub duration_ms: u64,
    /// Snake-case word of the outcome for events.
    pub outcome: &'a str,
}

#[derive(Default)]
struct Group {
    planned: usize,
    ended: usize,
    ok: usize,
    bytes: u64,
    duration_ms: u64,
    missing: Vec<(String, String, Option<String>)>,
}

/// The display of a collection.
#[derive(Default)]
pub struct Progress {
    groups: BTreeMap<String, Group>,
    planned: usize,
    ended: usize,
}

impl Progress {
    /// Starts with the number of planned items of each source.
    pub fn new<'a>(sources: impl Iterator<Item = &'a str>) -> Self {
        let mut progress = Self::default();
        for source in sources {
            progress
                .groups
                .entry(source.to_owned())
                .or_default()
                .planned += 1;
            progress.planned += 1;
        }
        progress
    }

    /// An item begins.
    pub fn started(&mut self, ui: &mut Ui, id: &str, source: &str) {
        if ui.style.progress == Mode::Json {
            let t = (ui.io.now)().rfc3339();
            ui.event(&json!({"t": t, "event": "item_started", "id": id}));
        }
        let count = format!("{}/{}", self.ended, self.planned);
        let line = Line::new()
            .text("  … ")
            .left(16, ui.source(source))
            .text(count)
            .text("  ")
            .tone(Tone::Dim, id);
        ui.transient(&line);
    }

    /// An item ended; prints the source's line when it was its last.
    pub fn ended(&mut self, ui: &mut Ui, done: &Done<'_>) {
        self.ended += 1;
        if ui.style.progress == Mode::Json {
            let t = (ui.io.now)().rfc3339();
            ui.event(
                &json!({"t": t, "event": "item_done", "id": done.id, "outcome": done.outcome,
                "bytes": done.bytes, "ms": done.duration_ms}),
            );
        }
        let group = self.groups.entry(done.source.to_owned()).or_default();
        group.ended += 1;
        group.ok += usize::from(done.ok);
        group.bytes += done.bytes;
        group.duration_ms += done.duration_ms;
        if let Some((reason, hint)) = &done.missing {
            let reason = ui.reason(done.outcome, reason);
            group
                .missing
                .push((done.id.to_owned(), reason, hint.clone()));
        }
        if group.ended >= group.planned {
            let group = std::mem::take(group);
            show(ui, done.source, &group);
        }
    }

    /// Prints sources that did not come to their end.
    pub fn finish(&mut self, ui: &mut Ui) {
        for (source, group) in std::mem::take(&mut self.groups) {
            if group.ended > 0 {
                show(ui, &source, &group);
            }
        }
    }
}

fn show(ui: &mut Ui, source: &str, group: &Group) {
    if group.ok > 0 {
        let count = group.ok.to_string();
        let items = if group.ok == 1 {
            ui.say("item", &[])
        } else {
            ui.say("items", &[("n", &count)])
        };
        let line = Line::new()
            .tone(Tone::Good, "  ✓ ")
            .left(16, ui.source(source))
            .right(10, items)
            .right(12, format_bytes(group.bytes))
            .right(10, format_duration_ms(group.duration_ms));
        ui.status(&line);
    }
    for (id, reason, hint) in group.missing.iter().take(NAMED_MISSING) {
        let line = Line::new()
            .tone(Tone::Warn, "  ! ")
            .left(34, id)
            .text(" ")
            .left(28, reason)
            .tone(Tone::Dim, format!(" {}", hint.as_deref().unwrap_or("")));
        ui.status(&line);
    }
    let rest = group.missing.len().saturating_sub(NAMED_MISSING);
    if rest > 0 {
        let text = ui.say("more", &[("n", &rest.to_string())]);
        ui.status(
            &Line::new()
                .tone(Tone::Warn, "  ! ")
                .tone(Tone::Dim, format!("{source}: {text}")),
        );
    }
}

/// The display of a transfer.
pub struct Bar {
    total: u64,
    start: u64,
    began: std::time::Instant,
    last_step: u64,
}

impl Bar {
    /// A transfer of `total` bytes of which `start` are already there.
    pub fn new(total: u64, start: u64) -> Self {
        Self {
            total,
            start,
            began: std::time::Instant::now(),
            last_step: 0,
        }
    }

    /// Shows the position.
    pub fn at(&mut self, ui: &mut Ui, done: u64) {
        let percent = crate::config::fraction(done, self.total);
        match ui.style.progress {
            Mode::Terminal => {
                let line = self.line(ui, done, percent);
                ui.transient(&line);
            }
            // A log wants some lines, not hundreds: one per tenth.
            Mode::Plain if percent / 10 > self.last_step => {
                let line = self.line(ui, done, percent);
                ui.status(&line);
                self.last_step = percent / 10;
            }
            Mode::Json if percent > self.last_step => {
                let t = (ui.io.now)().rfc3339();
                ui.event(&json!({"t": t, "event": "sent", "bytes": done, "total": self.total}));
                self.last_step = percent;
            }
            _ => {}
        }
    }

    fn line(&self, ui: &Ui, done: u64, percent: u64) -> Line {
        const CELLS: u64 = 32;
        let filled = usize::try_from(percent.min(100) * CELLS / 100).unwrap_or(0);
        let empty = usize::try_from(CELLS).unwrap_or(0) - filled;
        let millis = u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let rate = done.saturating_sub(self.start).saturating_mul(1000) / millis;
        let mut line = Line::new().text(ui.say("sending", &[])).text("  ");
        if ui.style.progress == Mode::Terminal {
            line = line
                .text("█".repeat(filled))
                .tone(Tone::Dim, "░".repeat(empty))
                .text("  ");
        }
        let done_text = format_bytes(done);
        let total = format_bytes(self.total);
        line = line
            .text(format!("{percent} %   "))
            .text(ui.say("of", &[("done", &done_text), ("total", &total)]));
        if rate > 0 && done < self.total {
            let left = format_duration_ms((self.total - done).saturating_mul(1000) / rate);
            line = line
                .text(format!("   {}/s   ", format_bytes(rate)))
                .text(ui.say("left", &[("time", &left)]));
        }
        line
    }
}
