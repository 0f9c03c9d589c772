//! Which files a data source means: from `event.source` to paths, as data.

use serde::Deserialize;
use thiserror::Error;

/// The map that is built in.
const EMBEDDED: &str = include_str!("../../signatures/sources.yaml");

/// A source map that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the source map {name}: {message}")]
pub struct SourceError {
    /// The map as the caller named it.
    pub name: String,
    /// What is wrong, with the line.
    pub message: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMap {
    sources: Vec<Source>,
}

/// One data source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    /// The name rules use.
    name: String,
    /// Other names of the same source.
    #[serde(default)]
    also: Vec<String>,
    /// Globs over host paths, without the leading slash; `*` stays within a folder, `**` does not.
    paths: Vec<String>,
}

/// From names of data sources to paths in a bundle or on a host.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// The built-in map.
    ///
    /// # Errors
    /// The built-in map is broken; a test makes sure that it is not.
    pub fn embedded() -> Result<Self, SourceError> {
        Self::load("sources.yaml", EMBEDDED)
    }

    /// Reads a map of the operator's.
    ///
    /// # Errors
    /// The text is not a source map.
    pub fn load(name: &str, text: &str) -> Result<Self, SourceError> {
        let map: RawMap = serde_saphyr::from_str(text).map_err(|e| SourceError {
            name: name.to_owned(),
            message: e.without_snippet().to_string(),
        })?;
        Ok(Self {
            sources: map.sources,
        })
    }

    /// Adds the sources of another map; a source of the same name is replaced.
    #[must_use]
    pub fn extended(mut self, other: Self) -> Self {
        self.sources
            .retain(|s| !other.sources.iter().any(|o| o.name == s.name));
        self.sources.extend(other.sources);
        self
    }

    /// The names of all sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|s| s.name.as_str())
    }

    /// For each source, whether a path belongs to it.
    pub(super) fn matches(&self, path: &str) -> Vec<bool> {
        let path = host_path(path);
        self.sources
            .iter()
            .map(|s| {
                s.paths
                    .iter()
                    .any(|glob| glob_matches(glob.as_bytes(), path.as_bytes()))
            })
            .collect()
    }

    /// Whether a rule's source means this file. A source that the map does not know means files
    /// whose path has its last part as a word: `cre.log.kafka` means `var/log/kafka/server.log`.
    pub(super) fn covers(&self, source: &str, matched: &[bool], path: &str) -> bool {
        let named = |s: &Source| s.name == source || s.also.iter().any(|a| a == source);
        let mut known = false;
        for (_, matches) in self.sources.iter().zip(matched).filter(|(s, _)| named(s)) {
            known = true;
            if *matches {
                return true;
            }
        }
        if known {
            return false;
        }
        let word = source.rsplit('.').next().unwrap_or(source);
        has_word(host_path(path), word)
    }

    /// A path that a source accepts, to test rules with.
    pub(super) fn sample_path(&self, source: &str) -> String {
        let named = |s: &&Source| s.name == source || s.also.iter().any(|a| a == source);
        match self
            .sources
            .iter()
            .find(named)
            .and_then(|s| s.paths.first())
        {
            Some(glob) => format!(
                "sos/{}",
                glob.replace("**/", "")
                    .replace("**", "sample")
                    .replace('*', "")
            ),
            None => format!(
                "sos/var/log/{}.log",
                source.rsplit('.').next().unwrap_or(source)
            ),
        }
    }
}

/// A bundle path as the host's: without `sos/` and the leading slash.
fn host_path(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.strip_prefix("sos/")
        .unwrap_or(path)
        .trim_start_matches('/')
}

fn has_word(path: &str, word: &str) -> bool {
    if word.len() < 2 {
        return false;
    }
    let path = path.to_ascii_lowercase();
    let word = word.to_ascii_lowercase();
    let bytes = path.as_bytes();
    path.match_indices(&word).any(|(at, _)| {
        let edge = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric());
        edge(at.checked_sub(1).and_then(|i| bytes.get(i))) && edge(bytes.get(at + word.len()))
    })
}

/// Matches a glob: `?` one byte, `*` any but a slash, `**` any.
fn glob_matches(glob: &[u8], path: &[u8]) -> bool {
    match glob {
        [] => path.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            glob_matches(rest, path)
                || path
                    .iter()
                    .enumerate()
                    .any(|(i, b)| *b == b'/' && glob_matches(rest, &path[i + 1..]))
        }
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|i| glob_matches(rest, &path[i..])),
        [b'*', rest @ ..] => {
            let reach = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=reach).any(|i| glob_matches(rest, &path[i..]))
        }
        [b'?', rest @ ..] => {
            path.first().is_some_and(|b| *b != b'/') && glob_matches(rest, &path[1..])
        }
        [byte, rest @ ..] => path.first() == Some(byte) && glob_matches(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_stay_within_folders_unless_told() {
        let check = |glob: &str, path: &str, expected: bool| {
            assert_eq!(
                glob_matches(glob.as_bytes(), path.as_bytes()),
                expected,
                "{glob} on {path}"
            );
        };
        check("var/log/syslog*", "var/log/syslog.1", true);
        check("var/log/*.log", "var/log/nginx/error.log", false);
        check("var/log/**/*.log", "var/log/nginx/error.log", true);
        check("var/log/**/*.log", "var/log/error.log", true);
        check("var/log/**", "var/log/a/b", true);
        check("var/log/ker?.log", "var/log/kern.log", true);
    }

    #[test]
    fn sources_cover_their_files_and_no_others() {
        let map = SourceMap::embedded().unwrap();
        let check = |source: &str, path: &str, expected: bool| {
            assert_eq!(
                map.covers(source, &map.matches(path), path),
                expected,
                "{source} on {path}"
            );
        };
        check("sitrep.log.kernel", "sos/var/log/kern.log", true);
        check("sitrep.log.kernel", "/var/log/syslog.1", true);
        check("sitrep.log.kernel", "sos/sos_commands/kernel/dmesg", true);
        check("sitrep.log.kernel", "sos/var/log/nginx/error.log", false);
        check("sitrep.log.nginx", "sos/var/log/nginx/error.log", true);
        check("cre.log.nginx", "sos/var/log/nginx/error.log", true);
        check("cre.log.kafka", "sos/var/log/kafka/server.log", true);
        check("cre.log.kafka", "sos/var/log/kafkaesque.log", false);
        check("sitrep.log.any", "sos/var/log/whatever/x.log", true);
    }

    #[test]
    fn every_source_has_a_sample_path_of_its_own() {
        let map = SourceMap::embedded().unwrap();
        for name in map.names() {
            let path = map.sample_path(name);
            assert!(
                map.covers(name, &map.matches(&path), &path),
                "{name}: {path}"
            );
        }
    }
}
