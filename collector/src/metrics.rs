//! Counters and the Prometheus text they are shown as. Labels never carry customer data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

type Series = BTreeMap<(&'static str, String), f64>;

/// Registry of counters and gauges; clones share the values.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<Series>>);

impl Metrics {
    /// Adds `by` to the series `name{labels}`; `labels` is already in text form (`a="b"`).
    pub fn add(&self, name: &'static str, labels: impl Into<String>, by: f64) {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *series.entry((name, labels.into())).or_insert(0.0) += by;
    }

    /// Sets the gauge `name{labels}`.
    pub fn set(&self, name: &'static str, labels: impl Into<String>, value: f64) {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        series.insert((name, labels.into()), value);
    }

    /// All series in Prometheus text format.
    pub fn render(&self) -> String {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for ((name, labels), value) in series.iter() {
            let written = if labels.is_empty() {
                writeln!(out, "{name} {value}")
            } else {
                writeln!(out, "{name}{{{labels}}} {value}")
            };
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_sorted_series() {
        let metrics = Metrics::default();
        metrics.add("b_total", "code=\"200\"", 1.0);
        metrics.add("b_total", "code=\"200\"", 2.0);
        metrics.set("a", "", 0.5);
        assert_eq!(metrics.render(), "a 0.5\nb_total{code=\"200\"} 3\n");
    }
}
