//! Types about processes and units.

use serde::{Deserialize, Serialize};

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Process {
    /// Id.
    pub pid: u64,
    /// Program.
    pub command: String,
    /// User.
    pub user: String,
    /// Share of a processor since its start.
    pub cpu_pct: f64,
    /// Resident memory.
    pub rss_bytes: u64,
}

/// Processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Processes {
    /// All.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Ended and not waited for.
    pub zombies: u64,
    /// In uninterruptible sleep.
    pub blocked: u64,
    /// Five by CPU.
    pub top_cpu: Vec<Process>,
    /// Five by memory.
    pub top_rss: Vec<Process>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// Units of systemd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Units {
    /// Failed units.
    pub failed: Vec<String>,
    /// Loaded units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}
