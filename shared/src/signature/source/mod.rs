//! Which files a data source means: from `event.source` to paths, as data.

mod glob;
mod origin;

use serde::Deserialize;
use thiserror::Error;

use super::time::FORMATS;
use crate::data;
pub(super) use origin::unit;

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
    /// The lists are added to those of the source that has the name already.
    #[serde(default)]
    extends: bool,
    /// Globs over host paths, without the leading slash; `*` stays within a folder, `**` does not.
    #[serde(default)]
    paths: Vec<String>,
    /// Globs over the names of programs: their lines in the journal and in the system's log.
    #[serde(default)]
    units: Vec<String>,
    /// Globs over the names of containers: their logs.
    #[serde(default)]
    containers: Vec<String>,
    /// Forms of time stamps that its files are written with; tried before all others.
    #[serde(default)]
    formats: Vec<String>,
}

/// What of a file belongs to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cover {
    /// Nothing.
    No,
    /// The lines of the source with this index that its units wrote.
    Units(usize),
    /// Everything.
    Whole,
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
        let name = "sources.yaml";
        let files = data::unpack::<RawMap>(data::SOURCES).map_err(|error| SourceError {
            name: name.to_owned(),
            message: error.to_string(),
        })?;
        let maps = files.into_iter().flat_map(|(_, documents)| documents);
        Self::check(name, maps.flat_map(|map| map.sources).collect())
    }

    /// Reads a map of the operator's.
    ///
    /// # Errors
    /// The text is not a source map, or names a form of time stamps that does not exist.
    pub fn load(name: &str, text: &str) -> Result<Self, SourceError> {
        let map: RawMap = serde_saphyr::from_str(text).map_err(|error| SourceError {
            name: name.to_owned(),
            message: error.without_snippet().to_string(),
        })?;
        Self::check(name, map.sources)
    }

    fn check(name: &str, sources: Vec<Source>) -> Result<Self, SourceError> {
        let mut named = sources
            .iter()
            .flat_map(|s| s.formats.iter().map(|f| (&s.name, f)));
        if let Some((source, format)) =
            named.find(|(_, format)| FORMATS.iter().all(|known| known.name != **format))
        {
            return Err(SourceError {
                name: name.to_owned(),
                message: format!("{source}: there is no format `{format}`"),
            });
        }
        Ok(Self { sources })
    }

    /// Adds the sources of another map; a source of the same name is replaced, unless the other one
    /// `extends` it.
    #[must_use]
    pub fn extended(mut self, other: Self) -> Self {
        for source in other.sources {
            match self.sources.iter_mut().find(|s| s.name == source.name) {
                Some(own) if source.extends => own.add(source),
                Some(own) => *own = source,
                None => self.sources.push(source),
            }
        }
        self
    }

    /// The names of all sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|s| s.name.as_str())
    }

    /// For each source, what of a file belongs to it.
    pub(super) fn look(&self, path: &str) -> Vec<Cover> {
        let path = host_path(path);
        let shared = origin::is_shared(path);
        let container = origin::container(path);
        let cover = |(index, source): (usize, &Source)| {
            if any(&source.paths, path) || container.is_some_and(|c| any(&source.containers, c)) {
                Cover::Whole
            } else if shared && !source.units.is_empty() {
                Cover::Units(index)
            } else {
                Cover::No
            }
        };
        self.sources.iter().enumerate().map(cover).collect()
    }

    /// What of a file a rule's source means. A source that the map does not know means files whose
    /// path has its last part as a word: `cre.log.kafka` means `var/log/kafka/server.log`.
    pub(super) fn covers(&self, source: &str, looked: &[Cover], path: &str) -> Cover {
        let named = self
            .sources
            .iter()
            .zip(looked)
            .filter(|(s, _)| s.is_named(source));
        if let Some(cover) = named.map(|(_, cover)| *cover).max() {
            return cover;
        }
        let word = source.rsplit('.').next().unwrap_or(source);
        if has_word(host_path(path), word) {
            Cover::Whole
        } else {
            Cover::No
        }
    }

    /// Whether a program is a unit of the source with this index.
    pub(super) fn is_unit(&self, index: usize, unit: &[u8]) -> bool {
        self.sources.get(index).is_some_and(|source| {
            source
                .units
                .iter()
                .any(|glob| glob::matches(glob.as_bytes(), unit))
        })
    }

    /// Names of the forms of time stamps that the sources of a file are written with.
    pub(super) fn formats(&self, looked: &[Cover]) -> Vec<&str> {
        let whole = self
            .sources
            .iter()
            .zip(looked)
            .filter(|(_, cover)| **cover == Cover::Whole);
        whole
            .flat_map(|(source, _)| source.formats.iter().map(String::as_str))
            .collect()
    }

    /// A path that a source accepts, to test rules with.
    pub(super) fn sample_path(&self, source: &str) -> String {
        match self
            .sources
            .iter()
            .find(|s| s.is_named(source))
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

impl Source {
    fn is_named(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|also| also == name)
    }

    fn add(&mut self, other: Self) {
        self.also.extend(other.also);
        self.paths.extend(other.paths);
        self.units.extend(other.units);
        self.containers.extend(other.containers);
        self.formats.extend(other.formats);
    }
}

fn any(globs: &[String], text: &str) -> bool {
    globs
        .iter()
        .any(|glob| glob::matches(glob.as_bytes(), text.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_cover_their_files_and_no_others() {
        let map = SourceMap::embedded().unwrap();
        let check = |source: &str, path: &str, expected: bool| {
            assert_eq!(
                map.covers(source, &map.look(path), path) == Cover::Whole,
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
            assert_eq!(
                map.covers(name, &map.look(&path), &path),
                Cover::Whole,
                "{name}: {path}"
            );
        }
    }
    #[test]
    fn a_map_of_the_operators_adds_units_containers_and_formats() {
        let own = "sources:\n  - name: sitrep.log.nginx\n    extends: true\n    paths: [srv/web/*.log]\n  \
                   - name: own.shop\n    units: ['shop*']\n    containers: [shop]\n    formats: [spark]\n    \
                   paths: [srv/shop.log]\n";
        let map = SourceMap::embedded()
            .unwrap()
            .extended(SourceMap::load("own.yaml", own).unwrap());
        let cover = |source: &str, path: &str| map.covers(source, &map.look(path), path);
        assert_eq!(cover("cre.log.nginx", "srv/web/a.log"), Cover::Whole);
        assert_eq!(
            cover("cre.log.nginx", "var/log/nginx/error.log"),
            Cover::Whole
        );
        assert_eq!(
            cover("own.shop", "sos/var/log/pods/n_p_u/shop/0.log"),
            Cover::Whole
        );
        assert_eq!(
            cover("own.shop", "sos/var/log/pods/n_p_u/web/0.log"),
            Cover::No
        );
        let Cover::Units(index) = cover("own.shop", "sos/var/log/syslog") else {
            panic!("the system's log has lines of every unit");
        };
        assert!(map.is_unit(index, b"shopd"));
        assert!(!map.is_unit(index, b"nginx"));
        assert_eq!(map.formats(&map.look("srv/shop.log")), ["spark"]);
        let wrong = SourceMap::load("own.yaml", "sources:\n  - {name: x, formats: [sparkle]}\n");
        assert!(wrong.unwrap_err().message.contains("no format `sparkle`"));
    }
}
