//! Types about disks and what is mounted from them.

use serde::{Deserialize, Serialize};

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// One block device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Device {
    /// Name of the kernel, or of the mapping.
    pub name: String,
    /// `disk`, `part`, `lvm`, `raid`, `crypt`, `rom`, `loop` and their like.
    pub kind: String,
    /// Size.
    pub size_bytes: u64,
    /// Model, as the device says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Spinning, by the kernel's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// Cannot be written.
    pub read_only: bool,
    /// The device that it stands on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent: String,
    /// What is on it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fstype: String,
    /// Where it is mounted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount: String,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// One line of the mount table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Mount {
    /// Mount point.
    pub target: String,
    /// What is mounted.
    pub device: String,
    /// Type.
    pub fstype: String,
    /// Options.
    pub options: Vec<String>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}
