//! Types about what is installed: packages, certificates, containers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A package that changed lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
