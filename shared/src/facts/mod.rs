//! Typed facts about a host, and how they are read from the texts of files and commands.
//!
//! Agent and collector read facts the same way, from the same texts: [`Reader`] takes bundle paths and
//! bytes and gives [`Facts`]. So a foreign sos report yields the same facts as a bundle of ours. Each group
//! names the item that it came from. The JSON Schema is `shared/src/facts/schema.json`.

mod inventory;
mod network;
mod process;
pub mod read;
mod storage;
mod system;

pub use read::{MAX_TEXT, Reader, wants};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Value of [`Facts::schema`].
pub const SCHEMA: &str = "sitrep.facts/1";
/// The JSON Schema of the facts.
pub const JSON_SCHEMA: &str = include_str!("schema.json");

/// The distribution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[serde(default)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// Taint bits; 0 is clean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tainted: Option<u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// Processors and load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Mount point.
    pub mount: String,
    /// Device.
    pub device: String,
    /// Type.
    pub fstype: String,
    /// Size.
    pub total_bytes: u64,
    /// In use.
    pub used_bytes: u64,
    /// In use as df counts it.
    pub used_pct: f64,
    /// Inodes in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inodes_used_pct: Option<f64>,
    /// Mounted read-only.
    pub read_only: bool,
    /// No storage behind it (tmpfs, squashfs images).
    pub pseudo: bool,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Operational state.
    pub state: String,
    /// MTU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u64>,
    /// Receive errors.
    pub rx_errors: u64,
    /// Send errors.
    pub tx_errors: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
}

/// The network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// Interfaces.
    pub interfaces: Vec<Interface>,
    /// Whether there is a default route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes_default: Option<bool>,
    /// TCP sockets by state.
    pub tcp: BTreeMap<String, u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// Name resolution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resolver {
    /// Servers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// Units of systemd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// A package that changed lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecentPackage {
    /// Name.
    pub name: String,
    /// Version now.
    pub version: String,
    /// When, as the log says.
    pub at: String,
}

/// Installed software.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Packages {
    /// `dpkg` or `rpm`.
    pub manager: String,
    /// Installed packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Changed lately, newest first.
    pub recent: Vec<RecentPackage>,
    /// Version by name.
    pub versions: BTreeMap<String, String>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// One certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// File.
    pub path: String,
    /// Subject.
    pub subject: String,
    /// End of validity, UTC ms.
    pub expires_ms: i64,
    /// Days from collection; negative when expired.
    pub days_left: i64,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// System-wide limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image.
    pub image: String,
    /// State or status line.
    pub state: String,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// The hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// Everything typed that is known of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// [`SCHEMA`].
    pub schema: String,
    /// The distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// The kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
    /// The machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostFacts>,
    /// The hardware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// The processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// The memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The pressure stall shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// The mounted file systems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// The network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The name resolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolver: Option<Resolver>,
    /// The clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// The units of systemd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Units>,
    /// The processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<Processes>,
    /// The installed software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
    /// The certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// The system-wide limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// Kernel variables that signatures ask for, by dotted name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: BTreeMap<String, String>,
}
