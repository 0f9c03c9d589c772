//! Profiles: which sources, with which limits. Data in `agent/profiles/`, or a file of the person's own.
//!
//! A profile of a file may add files, commands and probes; it cannot lift the deny list, and a command must
//! be on the local allow-list and an installed program of root.

use crate::collect::source::{Params, PlannedItem, Source, Tier};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The built-in ones, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("minimal", include_str!("../../profiles/minimal.toml")),
    ("standard", include_str!("../../profiles/standard.toml")),
    ("full", include_str!("../../profiles/full.toml")),
    ("network", include_str!("../../profiles/network.toml")),
    ("storage", include_str!("../../profiles/storage.toml")),
    ("containers", include_str!("../../profiles/containers.toml")),
];

/// The profile that is used when none is named.
pub const DEFAULT: &str = "standard";

/// What an endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Resolve the name.
    Dns,
    /// Connect.
    Tcp,
    /// Connect and read the certificate chain.
    Tls,
    /// Ask for a page and note the status.
    Http,
}

/// An active probe of a named endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What to ask.
    pub kind: ProbeKind,
    /// `name`, `name:port`, or an `http://` address.
    pub target: String,
}

/// A file or command that a profile adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// Path or pattern of files.
    pub file: Option<String>,
    /// Program and arguments; no shell.
    pub command: Option<Vec<String>>,
    /// Most bytes to keep.
    pub limit: Option<u64>,
    /// Most seconds of a command.
    pub seconds: Option<u64>,
    /// Keep the end of a file instead of its beginning.
    #[serde(default)]
    pub tail: bool,
    /// Treat the files as logs: newest first, by time window, decompressed.
    #[serde(default)]
    pub log: bool,
}

/// Limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most bytes before compression.
    pub max_bytes: u64,
    /// Most seconds.
    pub max_seconds: u64,
    /// Most bytes of one group of logs.
    pub log_group_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 100_000_000,
            max_seconds: 60,
            log_group_bytes: 25 << 20,
        }
    }
}

/// A profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub title: String,
    /// Tags: every source with one of them is chosen. `all` is every source.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Sources by id, besides the tags.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Whom bundles of this profile are encrypted to, in the form of `age`.
    #[serde(default)]
    pub age_recipient: Option<String>,
    /// Only the must-collect tier of the chosen sources, and their logs when `logs` is set.
    #[serde(default)]
    pub must_only: bool,
    /// With `must_only`: logs as well.
    #[serde(default)]
    pub logs: bool,
    /// Things that sources leave out unless asked, for example `lsof`, `lastb`, `smart`.
    #[serde(default)]
    pub opt_in: Vec<String>,
    /// Items to leave out: ids, paths, patterns.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// Probes.
    #[serde(default)]
    pub probe: Vec<Probe>,
    /// Additions.
    #[serde(default)]
    pub add: Vec<Custom>,
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No such name.
    #[error("there is no profile {name:?}; known are {}", names().join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read profile {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not a profile.
    #[error("profile {name} is not valid")]
    Parse {
        /// Name or path.
        name: String,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// An addition that says neither file nor command.
    #[error("profile {name}: each [[add]] needs exactly one of file (absolute) and command")]
    Addition {
        /// Name or path.
        name: String,
    },
}

/// Names of the built-in profiles.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(n, _)| *n).collect()
}

/// All built-in profiles.
///
/// # Errors
/// Never for a released program; a test reads them all.
pub fn built_in() -> Result<Vec<Profile>, ProfileError> {
    BUILT_IN
        .iter()
        .map(|(name, text)| Profile::parse(name, text))
        .collect()
}

impl Profile {
    /// A built-in profile by name, or the file when `name` has a slash or ends in `.toml`. `quick` is another
    /// name of `minimal`.
    ///
    /// # Errors
    /// When there is none, or it is not valid.
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        if name.contains('/') || name.ends_with(".toml") {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Read {
                path: path.to_owned(),
                source,
            })?;
            return Self::parse(name, &text);
        }
        let wanted = if name == "quick" { "minimal" } else { name };
        let found = BUILT_IN.iter().find(|(n, _)| *n == wanted);
        let (name, text) = found.ok_or_else(|| ProfileError::Unknown {
            name: name.to_owned(),
        })?;
        Self::parse(name, text)
    }

    /// Reads a profile from its text.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text).map_err(|source| ProfileError::Parse {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        let sound = |c: &Custom| match (&c.file, &c.command) {
            (Some(file), None) => file.starts_with('/') && !file.contains("/../"),
            (None, Some(argv)) => !argv.is_empty(),
            _ => false,
        };
        if !profile.add.iter().all(sound) {
            return Err(ProfileError::Addition {
                name: name.to_owned(),
            });
        }
        Ok(profile)
    }

    /// Whether it chooses a source.
    pub fn chooses(&self, source: &dyn Source) -> bool {
        self.tags
            .iter()
            .any(|t| t == "all" || source.tags().contains(&t.as_str()))
            || self.sources.iter().any(|s| s == source.id())
            || (source.id() == "custom" && !self.add.is_empty())
    }

    /// Whether it takes an item of a source that it chose.
    pub fn takes(&self, item: &PlannedItem) -> bool {
        !self.must_only
            || item.tier == Tier::Must
            || (self.logs && item.tier == Tier::Logs)
            || item.source == "custom"
    }

    /// Fills the profile's values in where the caller left the defaults.
    pub fn apply(&self, params: &Params) -> Params {
        let defaults = Params::default();
        let mut out = params.clone();
        let pick = |given: u64, default: u64, own: u64| if given == default { own } else { given };
        out.max_bytes = pick(out.max_bytes, defaults.max_bytes, self.limits.max_bytes);
        out.max_time_ms = pick(
            out.max_time_ms,
            defaults.max_time_ms,
            self.limits.max_seconds * 1000,
        );
        out.log_group_bytes = pick(
            out.log_group_bytes,
            defaults.log_group_bytes,
            self.limits.log_group_bytes,
        );
        out.probes.extend(self.probe.iter().cloned());
        out.custom.extend(self.add.iter().cloned());
        out.opt_in.extend(self.opt_in.iter().cloned());
        out.exclude.extend(self.exclude.iter().cloned());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_are_valid() {
        let all = built_in().expect("valid");
        assert_eq!(
            all.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
            names()
        );
        assert!(
            all.iter()
                .all(|p| !p.title.is_empty() && !p.version.is_empty())
        );
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            (
                "name='x'\nversion='1'\ntitle='x'\ntag=['y']\n",
                "unknown field `tag`",
            ),
            (
                "name='x'\nversion='1'\ntitle='x'\n[[add]]\nlimit=1\n",
                "exactly one",
            ),
            (
                "name='x'\nversion='1'\ntitle='x'\n[[add]]\nfile='etc/x'\n",
                "absolute",
            ),
        ] {
            let error = Profile::parse("mine", text).expect_err("refused");
            assert!(
                sitrep_shared::error::chain(&error).contains(part),
                "{error:?}"
            );
        }
        assert!(matches!(
            Profile::load("nosuch"),
            Err(ProfileError::Unknown { .. })
        ));
    }
}
