//! The documents in `meta/` that the agent writes itself.

use serde_json::{Value, json};
use sitrep_shared::redact::FileReport;
use std::collections::BTreeMap;

/// Places listed for one file; the counts are complete.
const PLACES_PER_FILE: usize = 1_000;

/// A document as it is stored: readable without tools, with a line end.
pub fn document(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Collects what redaction reports file by file.
#[derive(Default)]
pub struct Redactions {
    files: Vec<Value>,
    by_rule: BTreeMap<String, u64>,
    total: u64,
    withheld: Vec<Value>,
}

impl Redactions {
    /// Adds the report of a file that has something to report.
    pub fn add(&mut self, path: &str, report: &FileReport) {
        if report.total == 0 {
            return;
        }
        self.total += report.total;
        for (rule, count) in &report.by_rule {
            *self.by_rule.entry(rule.clone()).or_default() += count;
        }
        let places: Vec<Value> = report
            .places
            .iter()
            .take(PLACES_PER_FILE)
            .map(|place| json!({"line": place.line, "rule": place.rule}))
            .collect();
        self.files.push(
            json!({"path": path, "total": report.total, "by_rule": report.by_rule,
            "places": places}),
        );
    }

    /// Notes a file that redaction could not handle and that was therefore left out.
    pub fn withhold(&mut self, path: &str, reason: &str) {
        self.withheld.push(json!({"path": path, "reason": reason}));
    }

    /// `meta/redaction.json`.
    pub fn document(self, level: &str) -> Value {
        json!({"schema": "sitrep.redaction/1", "level": level, "total": self.total,
            "by_rule": self.by_rule, "files": self.files, "withheld": self.withheld})
    }
}

/// Collects one span per item in Trace Event format.
#[derive(Default)]
pub struct Trace {
    events: Vec<Value>,
}

impl Trace {
    /// Adds an item's span; times in milliseconds since the run began.
    pub fn span(&mut self, source: &str, id: &str, start_ms: u64, duration_ms: u64, outcome: &str) {
        self.events.push(
            json!({"name": id, "cat": source, "ph": "X", "pid": 1, "tid": 1,
            "ts": start_ms * 1000, "dur": duration_ms * 1000, "args": {"outcome": outcome}}),
        );
    }

    /// `meta/trace.json`.
    pub fn document(self) -> Value {
        json!({"traceEvents": self.events, "displayTimeUnit": "ms"})
    }
}
