//! `meta/manifest.json`: every item that was asked for, what became of it, and the block index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::{Limits, Reason, Reject};
use crate::hash::Digest;

/// Value of [`Manifest::schema`].
pub const SCHEMA: &str = "sitrep.manifest/1";

/// The last entry of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `sitrep.manifest/1`.
    pub schema: String,
    /// Format of the bundle, 1.
    pub format: u32,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Name of the host.
    pub host: String,
    /// Ticket that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Profile that was collected.
    #[serde(default)]
    pub profile: ProfileRef,
    /// Program that collected.
    #[serde(default)]
    pub agent: AgentRef,
    /// `off`, `standard` or `strict`.
    #[serde(default)]
    pub redaction_level: String,
    /// Start, UTC milliseconds by the host's clock.
    #[serde(default)]
    pub started_ms: i64,
    /// How long it took.
    #[serde(default)]
    pub duration_ms: u64,
    /// What it cost the host.
    #[serde(default)]
    pub cost: Cost,
    /// Notes of the person who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Every item asked for.
    #[serde(default)]
    pub items: Vec<Item>,
    /// Compressed and uncompressed offset of each block before the manifest's own.
    #[serde(default)]
    pub blocks: Vec<[u64; 2]>,
}

/// Name and version of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRef {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// The agent that collected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRef {
    /// Version.
    pub version: String,
    /// User id that it ran as.
    pub uid: u32,
}

/// What collecting cost the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// CPU in user mode.
    pub user_ms: u64,
    /// CPU in the kernel.
    pub sys_ms: u64,
    /// Largest resident set.
    pub peak_rss_bytes: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// CPU of the commands that were run.
    pub children_cpu_ms: u64,
    /// Kernel modules loaded meanwhile; empty is the promise.
    pub modules_added: Vec<String>,
    /// Commands started; what is not installed is never started.
    pub commands: u64,
    /// What could not be done to spare the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What an item is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A copy of a file.
    #[default]
    File,
    /// Output of a command.
    Command,
    /// Read natively and rendered.
    Native,
    /// A symbolic link inside the bundle.
    Link,
    /// README and `meta/*`.
    Meta,
}

/// What became of an item.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Whole.
    #[default]
    Collected,
    /// In part; `truncated` or `reason` says why.
    Partial,
    /// Left out on purpose.
    Skipped,
    /// Not on this host.
    Absent,
    /// No right to read it.
    Denied,
    /// Took too long.
    TimedOut,
    /// Went wrong.
    Failed,
    /// Withheld for safety.
    Refused,
}

/// One item that was asked for. Paths are relative to the top directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Id within the profile.
    pub id: String,
    /// Source that it belongs to.
    pub source: String,
    /// What it is.
    pub kind: Kind,
    /// Path, command line or interface on the host.
    pub origin: String,
    /// Path in the bundle; absent when nothing was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, unless collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of the stored bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Bytes at the origin.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub original_bytes: u64,
    /// Bytes in the bundle.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stored_bytes: u64,
    /// Offset of the data in the uncompressed tar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How it was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncated>,
    /// Exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Start, milliseconds after the manifest's start.
    #[serde(default, skip_serializing_if = "is_zero_signed")]
    pub start_ms: i64,
    /// How long it took.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duration_ms: u64,
    /// CPU that it took.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_ms: u64,
    /// What it would need, such as `root`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Removed values by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redactions: BTreeMap<String, u64>,
    /// Target of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_target: Option<String>,
}

/// How an item was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// The end that was kept: `head` or `tail`.
    pub end: String,
    /// The limit that cut it.
    pub limit_bytes: u64,
}

impl Manifest {
    /// Reads a manifest from a stranger.
    ///
    /// # Errors
    /// `limit_manifest` when too large or too deep, `manifest_invalid` when it is no manifest.
    pub fn parse(json: &[u8], limits: &Limits) -> Result<Self, Reject> {
        if json.len() as u64 > limits.manifest_bytes {
            return Err(Reject::new(
                Reason::LimitManifest,
                format!("{} bytes", json.len()),
            ));
        }
        if depth(json) > limits.json_depth {
            return Err(Reject::new(Reason::LimitManifest, "nested too deep"));
        }
        let invalid =
            |error: serde_json::Error| Reject::new(Reason::ManifestInvalid, error.to_string());
        let manifest: Self = serde_json::from_slice(json).map_err(invalid)?;
        if manifest.schema != SCHEMA || manifest.format != 1 {
            return Err(Reject::new(
                Reason::ManifestInvalid,
                "unknown schema or format",
            ));
        }
        if manifest.items.len() as u64 > limits.entries {
            return Err(Reject::new(
                Reason::LimitEntries,
                format!("{} items", manifest.items.len()),
            ));
        }
        Ok(manifest)
    }

    /// The item stored at a path.
    #[must_use]
    pub fn item(&self, path: &str) -> Option<&Item> {
        self.items
            .iter()
            .find(|item| item.path.as_deref() == Some(path))
    }
}

/// Deepest nesting of brackets outside strings; counted before parsing so that depth costs nothing.
fn depth(json: &[u8]) -> usize {
    let (mut now, mut deepest, mut quoted, mut escaped) = (0usize, 0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_zero_signed(value: &i64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Manifest {
        Manifest {
            schema: SCHEMA.into(),
            format: 1,
            items: vec![Item::default()],
            ..Manifest::default()
        }
    }

    #[test]
    fn round_trips_and_skips_empty_fields() {
        let json = serde_json::to_string(&small()).unwrap();
        assert!(
            !json.contains("exit_code") && !json.contains("redactions"),
            "{json}"
        );
        assert_eq!(
            Manifest::parse(json.as_bytes(), &Limits::default()),
            Ok(small())
        );
    }

    #[test]
    fn strangers_are_refused_by_code() {
        let limits = Limits {
            manifest_bytes: 2000,
            ..Limits::default()
        };
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let other = serde_json::to_string(&Manifest {
            format: 2,
            ..small()
        })
        .unwrap();
        for (json, reason) in [
            ("{}".to_owned(), Reason::ManifestInvalid),
            ("nonsense".to_owned(), Reason::ManifestInvalid),
            (other, Reason::ManifestInvalid),
            (deep, Reason::LimitManifest),
            (" ".repeat(2001), Reason::LimitManifest),
        ] {
            assert_eq!(
                Manifest::parse(json.as_bytes(), &limits)
                    .unwrap_err()
                    .reason,
                reason,
                "{json}"
            );
        }
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(depth(br#"{"a":"[[[\"[["}"#), 1);
    }
}
