//! Types about the system as a whole.

use serde::{Deserialize, Serialize};

/// The distribution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Os {
    /// `ID` of os-release.
    pub id: String,
    /// `VERSION_ID`.
    pub version: String,
    /// `PRETTY_NAME`.
    pub pretty: String,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// Architecture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub machine: String,
    /// Command line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cmdline: String,
    /// Taint bits; 0 is clean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tainted: Option<u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct HostFacts {
    /// Host name.
    pub name: String,
    /// `none`, a hypervisor or a container engine.
    pub virtualization: String,
    /// Seconds since boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Hardware {
    /// System vendor.
    pub vendor: String,
    /// Product name.
    pub product: String,
    /// Firmware version.
    pub bios: String,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// Processors and load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Cpu {
    /// Online processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Model name.
    pub model: String,
    /// Load over one minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load1: Option<f64>,
    /// Over five.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load5: Option<f64>,
    /// Over fifteen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load15: Option<f64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Memory {
    /// Total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Available without swapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// Available as a share of total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_pct: Option<f64>,
    /// Promised to processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_bytes: Option<u64>,
    /// Written and not yet on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty_bytes: Option<u64>,
    /// Held by the kernel's own caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slab_bytes: Option<u64>,
    /// Swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_total_bytes: Option<u64>,
    /// Swap in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_used_bytes: Option<u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// Stall shares over ten seconds, percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Pressure {
    /// Some task waited for a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_some_avg10: Option<f64>,
    /// Some task waited for memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_some_avg10: Option<f64>,
    /// All tasks did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_full_avg10: Option<f64>,
    /// Some task waited for storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_some_avg10: Option<f64>,
    /// All tasks did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_full_avg10: Option<f64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Clock {
    /// Whether the kernel thinks so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronized: Option<bool>,
    /// Known offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_ms: Option<f64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// System-wide limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Limits {
    /// Open files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_nr: Option<u64>,
    /// Most open files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_max: Option<u64>,
    /// Share in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_pct: Option<f64>,
    /// Most processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_max: Option<u64>,
    /// Most threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads_max: Option<u64>,
    /// Tracked connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_count: Option<u64>,
    /// Most tracked connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_max: Option<u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}
