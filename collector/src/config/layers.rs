//! Reads the layers (built-in < file < environment < flags) and merges them, each value with its origin.
//!
//! All faults are collected and reported at once. This is the only place that reads the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, Kind, env_name, nearest};
use super::units::{parse_bytes, parse_duration};

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `file:line`, the variable's name, or the flag.
    pub place: String,
    /// What is wrong, and what was probably meant.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A named file cannot be read.
    #[error("cannot read {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// Wrong keys or values.
    #[error("the settings have faults:\n{}", list_faults(faults))]
    Faults {
        /// All that were found.
        faults: Vec<Fault>,
    },
    /// `listen` is not an address.
    #[error("listen: {text:?} is not ADDRESS:PORT")]
    Listen {
        /// The value.
        text: String,
    },
    /// A proxy is not an address.
    #[error("trusted_proxies: {text:?} is not an address")]
    Proxy {
        /// The value.
        text: String,
    },
    /// Plain HTTP would leave the machine.
    #[error("tls.mode = \"off\" is allowed on loopback only, not on {listen}")]
    PlainOutside {
        /// The address.
        listen: SocketAddr,
    },
    /// A key of age is none.
    #[error("{key}: {source}")]
    Key {
        /// The setting.
        key: &'static str,
        /// What is wrong.
        source: sitrep_shared::age::KeyError,
    },
    /// The bucket or a part of the key is missing.
    #[error(
        "an object store needs storage.bucket; s3 storage.access_key_id with its secret or neither, azure at least \
         the account as storage.access_key_id, gcs no id"
    )]
    Storage,
    /// Files are missing for `tls.mode = "files"`.
    #[error("tls.mode = \"files\" needs tls.certificate and tls.key")]
    TlsFiles,
}

fn list_faults(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|f| format!("  {f}")).collect();
    lines.join("\n")
}

/// A merged value and where it came from.
#[derive(Debug, Clone)]
pub struct Value {
    /// Text form; list items are joined by commas.
    pub text: String,
    /// `built-in`, `file:line`, a variable or a flag.
    pub origin: String,
}

/// All settings after merging.
#[derive(Clone, Default)]
pub struct Resolved(BTreeMap<&'static str, Value>);

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secret: only names and origins are shown.
        f.debug_map()
            .entries(self.0.iter().map(|(k, v)| (k, &v.origin)))
            .finish()
    }
}

impl Resolved {
    /// The text of a key, empty when unset.
    pub fn text(&self, name: &str) -> &str {
        debug_assert!(
            KEYS.iter().any(|k| k.name == name),
            "{name} is not a registered key"
        );
        self.0.get(name).map_or("", |v| v.text.as_str())
    }

    /// The text of a key when it is set and not empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|t| !t.is_empty())
    }

    /// A path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.optional(name).map(PathBuf::from)
    }

    /// A whole number; the loader has checked it.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// Bytes.
    pub fn bytes(&self, name: &str) -> u64 {
        parse_bytes(self.text(name)).unwrap_or_default()
    }

    /// A time span.
    pub fn duration(&self, name: &str) -> Duration {
        parse_duration(self.text(name)).unwrap_or_default()
    }

    /// The items of a list.
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.text(name).split(',').map(str::trim);
        items.filter(|i| !i.is_empty()).map(str::to_owned).collect()
    }

    /// Every key with its value (secrets hidden) and origin, in the registry's order.
    pub fn show(&self) -> Vec<(&'static str, String, String)> {
        KEYS.iter()
            .map(|key| {
                let value = self.0.get(key.name);
                let text = value.map_or(String::new(), |v| v.text.clone());
                let shown = if key.secret && !text.is_empty() {
                    "(hidden)".to_owned()
                } else {
                    text
                };
                let origin = value.map_or_else(|| "unset".to_owned(), |v| v.origin.clone());
                (key.name, shown, origin)
            })
            .collect()
    }
}

/// The layers to merge.
#[derive(Debug, Default)]
pub struct Sources {
    /// Settings file, if any.
    pub file: Option<PathBuf>,
    /// `(name, value)` of the environment.
    pub environment: Vec<(String, String)>,
    /// `(flag, key, value)` from the command line.
    pub flags: Vec<(String, String, String)>,
}

impl Sources {
    /// The variables of this process that could be ours.
    pub fn process_environment() -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .filter(|(k, _)| k.starts_with("SITREPD_"))
            .collect()
    }
}

/// Merges all layers, or reports every fault at once.
pub fn load(sources: &Sources) -> Result<Resolved, ConfigError> {
    let mut merge = Merge::default();
    for key in KEYS.iter().filter(|k| !k.default.is_empty()) {
        merge.set(key, key.default.to_owned(), "built-in".to_owned());
    }
    if let Some(path) = &sources.file {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::ReadFile {
            path: path.clone(),
            source,
        })?;
        merge.file(path, &text);
    }
    for (name, value) in &sources.environment {
        let Some(key) = KEYS.iter().find(|k| env_name(k.name) == *name) else {
            // Not ours to judge: SITREPD_LOG and tools around the service use the prefix, too.
            continue;
        };
        merge.set(key, value.clone(), name.clone());
    }
    for (flag, name, value) in &sources.flags {
        match KEYS.iter().find(|k| k.name == name) {
            Some(key) => merge.set(key, value.clone(), flag.clone()),
            None => merge.unknown(flag.clone(), name),
        }
    }
    if merge.faults.is_empty() {
        Ok(Resolved(merge.values))
    } else {
        Err(ConfigError::Faults {
            faults: merge.faults,
        })
    }
}

#[derive(Default)]
struct Merge {
    values: BTreeMap<&'static str, Value>,
    faults: Vec<Fault>,
}

impl Merge {
    fn set(&mut self, key: &Key, text: String, origin: String) {
        match check_value(key, &text) {
            Ok(()) => {
                self.values.insert(key.name, Value { text, origin });
            }
            Err(message) => self.faults.push(Fault {
                place: origin,
                message,
            }),
        }
    }

    fn unknown(&mut self, place: String, name: &str) {
        let message = match nearest(name) {
            Some(known) => format!("unknown key {name:?}; did you mean {known:?}?"),
            None => format!("unknown key {name:?}; `sitrepd config show` lists all keys"),
        };
        self.faults.push(Fault { place, message });
    }

    fn file(&mut self, path: &Path, text: &str) {
        let place = |offset: usize| {
            let line = text
                .as_bytes()
                .iter()
                .take(offset)
                .filter(|b| **b == b'\n')
                .count()
                + 1;
            format!("{}:{line}", path.display())
        };
        match DeTable::parse(text) {
            Ok(table) => self.table("", table.get_ref(), &place),
            Err(error) => self.faults.push(Fault {
                place: place(error.span().map_or(0, |s| s.start)),
                message: error.message().to_owned(),
            }),
        }
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>, place: &dyn Fn(usize) -> String) {
        for (name, value) in table {
            let dotted = format!("{prefix}{}", name.get_ref());
            let at = place(name.span().start);
            if let DeValue::Table(inner) = value.get_ref() {
                self.table(&format!("{dotted}."), inner, place);
                continue;
            }
            let Some(key) = KEYS.iter().find(|k| k.name == dotted) else {
                self.unknown(at, &dotted);
                continue;
            };
            match plain_text(value.get_ref()) {
                Some(text) => self.set(key, text, at),
                None => self.faults.push(Fault {
                    place: at,
                    message: format!("{dotted} must be {}", form(key.kind)),
                }),
            }
        }
    }
}

fn plain_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|i| plain_text(i.get_ref())).collect();
            texts.map(|t| t.join(","))
        }
        _ => None,
    }
}

fn form(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Number => "a whole number".to_owned(),
        Kind::Bytes => "a size such as 500M or 5 GiB".to_owned(),
        Kind::Duration => "a time span such as 30s, 15m, 72h or 7d".to_owned(),
        Kind::List => "a list of texts".to_owned(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
    }
}

/// Says whether `text` has the form that `key` asks for.
pub fn check_value(key: &Key, text: &str) -> Result<(), String> {
    let fits = match key.kind {
        Kind::Text | Kind::Path | Kind::List => true,
        Kind::Number => text.parse::<u64>().is_ok(),
        Kind::Bytes => parse_bytes(text).is_some(),
        Kind::Duration => parse_duration(text).is_some(),
        Kind::Choice(words) => words.contains(&text),
    };
    if fits {
        return Ok(());
    }
    let shown = if key.secret {
        String::new()
    } else {
        format!(", not {text:?}")
    };
    Err(format!("{} must be {}{shown}", key.name, form(key.kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(text: &str) -> Result<Resolved, Vec<String>> {
        let mut merge = Merge::default();
        merge.file(Path::new("s.toml"), text);
        if merge.faults.is_empty() {
            return Ok(Resolved(merge.values));
        }
        Err(merge.faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_faults_at_once_with_their_lines() {
        let faults = merged("listn = \"x\"\n\n[tls]\nmode = \"sometimes\"\n").unwrap_err();
        assert_eq!(
            faults,
            [
                "s.toml:1: unknown key \"listn\"; did you mean \"listen\"?",
                "s.toml:4: tls.mode must be one of own, files, off, not \"sometimes\"",
            ]
        );
        assert!(merged("a = = 1").unwrap_err()[0].starts_with("s.toml:1: "));
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let sources = Sources {
            file: None,
            environment: vec![
                ("SITREPD_NAME".into(), "Env".into()),
                ("SITREPD_TLS_MODE".into(), "off".into()),
            ],
            flags: vec![("--name".into(), "name".into(), "Flag".into())],
        };
        let resolved = load(&sources).unwrap();
        assert_eq!(resolved.text("name"), "Flag");
        assert_eq!(resolved.text("tls.mode"), "off");
        let shown = resolved.show();
        assert!(shown.contains(&("name", "Flag".into(), "--name".into())));
        assert!(shown.contains(&("tls.mode", "off".into(), "SITREPD_TLS_MODE".into())));
    }
}
