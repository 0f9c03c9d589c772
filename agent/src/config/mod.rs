//! Settings in layers; every value knows where it came from.
//!
//! flag > environment > user's file > system's file > built-in. What the system's file says under
//! `policy` is the administrator's word and no later layer changes it. Unknown keys are faults, and
//! all faults of all files are reported at once.

mod file;
mod keys;
mod moment;
mod values;

pub use keys::{KEYS, Key, Kind};
pub use moment::{local_minute, moment_ms};
pub use values::{distance, duration_ms, fraction};

use crate::error::Failure;
use crate::ui::Io;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program itself.
    BuiltIn,
    /// A file, with the line.
    File(PathBuf, usize),
    /// An environment variable.
    Env(&'static str),
    /// A flag of this call.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value with its origin. Lists keep their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// One value, or the elements of a list.
    pub values: Vec<String>,
    /// Where it came from.
    pub origin: Origin,
    /// The administrator decided; later layers do not count.
    pub locked: bool,
}

/// All settings after all layers.
#[derive(Clone, Debug)]
pub struct Config {
    settings: BTreeMap<&'static str, Setting>,
}

impl Config {
    /// Only what the program brings.
    pub fn built_in() -> Self {
        let settings = KEYS.iter().filter_map(|key| {
            let values = vec![key.default?.to_owned()];
            Some((
                key.name,
                Setting {
                    values,
                    origin: Origin::BuiltIn,
                    locked: false,
                },
            ))
        });
        Self {
            settings: settings.collect(),
        }
    }

    /// Built-in values, then files, then the environment. `chosen` is `--config`.
    pub fn load(io: &Io, chosen: Option<&Path>) -> Result<Self, Failure> {
        let mut config = Self::built_in();
        let mut faults = Vec::new();
        config.file(&io.system_config, true, false, &mut faults);
        let chosen = chosen
            .map(Path::to_path_buf)
            .or_else(|| io.var("SITREP_CONFIG").map(PathBuf::from));
        match (chosen, user_file(io)) {
            (Some(path), _) => config.file(&path, false, true, &mut faults),
            (None, Some(path)) => config.file(&path, false, false, &mut faults),
            (None, None) => {}
        }
        for key in KEYS {
            let Some(name) = key.env else { continue };
            let Some(value) = io.var(name) else { continue };
            let put = config.put(key, vec![value.to_owned()], Origin::Env(name), false);
            faults.extend(put.err());
        }
        if faults.is_empty() {
            return Ok(config);
        }
        let what = match faults.len() {
            1 => "the configuration has a fault".to_owned(),
            count => format!("the configuration has {count} faults"),
        };
        let mut failure = Failure::usage(what).hint("sitrep config show  lists the known keys");
        failure.notes = faults.into_iter().map(|fault| ("fault", fault)).collect();
        Err(failure)
    }

    /// Sets a value from a flag of the command.
    pub fn flag(&mut self, name: &str, flag: &'static str, value: &str) -> Result<(), Failure> {
        let key =
            keys::find(name).ok_or_else(|| Failure::usage(format!("unknown key {name:?}")))?;
        self.put(key, vec![value.to_owned()], Origin::Flag(flag), false)
            .map_err(Failure::usage)
    }

    fn file(&mut self, path: &Path, system: bool, must_exist: bool, faults: &mut Vec<String>) {
        match file::read(path) {
            Ok(None) if must_exist => faults.push(format!("{}: no such file", path.display())),
            Ok(None) => {}
            Ok(Some(entries)) => {
                for entry in entries {
                    let at = format!("{}:{}", path.display(), entry.line);
                    let origin = Origin::File(path.to_path_buf(), entry.line);
                    let Some(key) = keys::find(&entry.name) else {
                        let near = keys::nearest(&entry.name)
                            .map_or(String::new(), |name| format!(", did you mean {name:?}?"));
                        faults.push(format!("{at}: unknown key {:?}{near}", entry.name));
                        continue;
                    };
                    if let Err(fault) = self.put(key, entry.values, origin, system) {
                        faults.push(format!("{at}: {fault}"));
                    }
                }
            }
            Err(found) => faults.extend(found),
        }
    }

    fn put(
        &mut self,
        key: &'static Key,
        values: Vec<String>,
        origin: Origin,
        system: bool,
    ) -> Result<(), String> {
        for value in &values {
            key.kind
                .check(value)
                .map_err(|why| format!("{}: {why}", key.name))?;
        }
        if self
            .settings
            .get(key.name)
            .is_some_and(|setting| setting.locked)
        {
            return Ok(());
        }
        let locked = system && key.name.starts_with("policy.");
        self.settings.insert(
            key.name,
            Setting {
                values,
                origin,
                locked,
            },
        );
        Ok(())
    }

    /// The setting of a key, if any layer has it.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    /// The single value of a key.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.values.first().map(String::as_str)
    }

    /// The elements of a list; empty when unset.
    pub fn list(&self, name: &str) -> &[String] {
        self.settings
            .get(name)
            .map_or(&[], |setting| &setting.values)
    }

    /// A size in bytes. Values are checked when they come in.
    pub fn bytes(&self, name: &str) -> Option<u64> {
        sitrep_shared::size::parse_bytes(self.text(name)?).ok()
    }

    /// A percentage.
    pub fn percent(&self, name: &str) -> Option<u64> {
        values::percent(self.text(name)?)
    }

    /// A span in milliseconds.
    pub fn duration_ms(&self, name: &str) -> Option<u64> {
        duration_ms(self.text(name)?).ok()
    }

    /// A yes or no; false when unset.
    pub fn is(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }
}

fn user_file(io: &Io) -> Option<PathBuf> {
    let base = match io.var("XDG_CONFIG_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(io.var("HOME")?).join(".config"),
    };
    Some(base.join("sitrep/config.toml"))
}
