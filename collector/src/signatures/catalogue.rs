//! Which signatures are in force: those that are built in, packs, and the operator's own, each where people put it; and
//! the file from which the confined reader of bundles takes the same ones.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sitrep_shared::signature::{
    Catalogue, Engine, EngineError, LoadError, Signature, SourceError, SourceMap, Status,
};
use tokio::sync::Mutex;

use crate::db::{Db, DbError, packs, settings};

/// Name under which the built-in signatures are shown.
pub const BUILT_IN: &str = "built-in";
/// Name of the setting that changes with everything here.
pub const REVISION: &str = "signatures.revision";
/// Name of the setting with the operator's extension of the source map, YAML.
pub const SOURCES: &str = "signatures.sources";
/// Readers that were started with an older file have read it by then.
const OLD_FILES: Duration = Duration::from_secs(3600);

/// Signatures that cannot be brought in force.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The database failed.
    #[error("read the signatures")]
    Db(#[from] DbError),
    /// The built-in ones are damaged.
    #[error("load the built-in signatures: {0}")]
    BuiltIn(String),
    /// A source map is no source map.
    #[error("read the source map")]
    Sources(#[from] SourceError),
    /// They do not compile.
    #[error("compile the signatures")]
    Engine(#[from] EngineError),
    /// The file for the readers cannot be written.
    #[error("write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A blocking task did not end.
    #[error("run the loading")]
    Task(#[from] tokio::task::JoinError),
}

/// Everything that is not built in; what the readers' file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Pack, path and YAML of the files that are in force.
    pub files: Vec<(String, String, String)>,
    /// Signature and status, when it is not as its file says.
    pub states: Vec<(String, Status)>,
    /// Extension of the source map, YAML.
    pub sources: Option<String>,
}

/// A signature of the service.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The signature, with the status that is in force.
    pub signature: Signature,
    /// Its pack.
    pub pack: String,
    /// The YAML file it came from; built-in ones have none.
    pub text: Option<Arc<str>>,
}

/// All signatures, at one moment.
#[derive(Debug)]
pub struct Loaded {
    /// Changes with every change.
    pub revision: String,
    /// By pack and file, built-in ones first.
    pub entries: Vec<Entry>,
    /// What their sources mean.
    pub sources: SourceMap,
    /// Files of packs that this program refuses, although it took them once.
    pub refused: Vec<LoadError>,
    /// What readers load; none when only the built-in ones are in force.
    pub file: Option<PathBuf>,
}

impl Loaded {
    /// Loads the built-in signatures and these.
    ///
    /// # Errors
    /// When what is built in is damaged, or the source map is none.
    pub fn new(revision: &str, own: &Own) -> Result<Self, CatalogueError> {
        let built_in = Catalogue::embedded().map_err(|errors| {
            CatalogueError::BuiltIn(errors.first().map(ToString::to_string).unwrap_or_default())
        })?;
        let mut sources = SourceMap::embedded()?;
        if let Some(text) = &own.sources {
            sources = sources.extended(SourceMap::load("the operator's source map", text)?);
        }
        let mut loaded = Self {
            revision: revision.to_owned(),
            entries: Vec::new(),
            sources,
            refused: Vec::new(),
            file: None,
        };
        let mut known = HashSet::new();
        for signature in built_in.signatures {
            loaded.take(signature, BUILT_IN, None, &mut known);
        }
        for (pack, path, text) in &own.files {
            match Catalogue::load([(path, text)]) {
                Ok(catalogue) => {
                    let text: Arc<str> = text.as_str().into();
                    for signature in catalogue.signatures {
                        loaded.take(signature, pack, Some(&text), &mut known);
                    }
                }
                Err(errors) => loaded.refused.extend(errors),
            }
        }
        let states: HashMap<&str, Status> = own
            .states
            .iter()
            .map(|(id, status)| (id.as_str(), *status))
            .collect();
        for entry in &mut loaded.entries {
            if let Some(status) = states.get(entry.signature.id.as_str()) {
                let extension = entry.signature.extension.get_or_insert_default();
                extension.status = *status;
            }
        }
        Ok(loaded)
    }

    /// Takes a signature, unless one of its id is there: findings are told apart by it.
    fn take(
        &mut self,
        signature: Signature,
        pack: &str,
        text: Option<&Arc<str>>,
        known: &mut HashSet<String>,
    ) {
        let fresh = !known.contains(&signature.id) && !known.contains(&signature.rule_id);
        if fresh {
            known.insert(signature.id.clone());
            known.insert(signature.rule_id.clone());
            self.entries.push(Entry {
                signature,
                pack: pack.to_owned(),
                text: text.cloned(),
            });
        }
    }

    /// The signature of an id.
    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.signature.id == id)
    }

    /// Compiles all that are in force.
    ///
    /// # Errors
    /// When a condition does not compile.
    pub fn engine(&self) -> Result<Engine, EngineError> {
        let signatures = self.entries.iter().map(|e| e.signature.clone()).collect();
        Engine::new(&Catalogue { signatures }, &self.sources)
    }
}

/// The engine a reader of bundles needs: from the file, or with what is built in.
///
/// # Errors
/// When the file cannot be read, or nothing can be loaded.
pub fn engine_of(file: Option<&Path>) -> Result<Engine, CatalogueError> {
    let own = match file {
        None => Own::default(),
        Some(path) => {
            let fault = |source| CatalogueError::File {
                path: path.to_owned(),
                source,
            };
            let json = std::fs::read(path).map_err(fault)?;
            serde_json::from_slice(&json).map_err(|error| fault(error.into()))?
        }
    };
    Ok(Loaded::new("", &own)?.engine()?)
}

/// Gives the signatures that are in force; read again only when something changed.
#[derive(Debug)]
pub struct Signatures {
    db: Db,
    folder: PathBuf,
    loaded: Mutex<Option<Arc<Loaded>>>,
}

impl Signatures {
    /// Over a database; `folder` is for the readers' files.
    pub fn new(db: Db, folder: PathBuf) -> Self {
        // The reader starts in another folder.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Self {
            db,
            folder,
            loaded: Mutex::default(),
        }
    }

    /// What is in force now.
    ///
    /// # Errors
    /// When the database does not answer or the signatures do not load.
    pub async fn current(&self) -> Result<Arc<Loaded>, CatalogueError> {
        let revision = settings::find(&mut *self.db.read().await?, REVISION).await?;
        let revision = revision.unwrap_or_default();
        let mut loaded = self.loaded.lock().await;
        if let Some(known) = loaded.as_ref().filter(|known| known.revision == revision) {
            return Ok(Arc::clone(known));
        }
        let own = self.own().await?;
        let folder = self.folder.clone();
        let load = move || -> Result<Loaded, CatalogueError> {
            let mut loaded = Loaded::new(&revision, &own)?;
            if own != Own::default() {
                loaded.file = Some(write(&folder, &revision, &own)?);
            }
            Ok(loaded)
        };
        let fresh = Arc::new(tokio::task::spawn_blocking(load).await??);
        for error in &fresh.refused {
            tracing::warn!(%error, "a file of a signature pack is refused");
        }
        *loaded = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    async fn own(&self) -> Result<Own, DbError> {
        let mut conn = self.db.read().await?;
        let files = packs::files(&mut conn).await?;
        let states = packs::states(&mut conn).await?;
        let in_force = files.into_iter().filter(|file| file.1 == 1);
        Ok(Own {
            files: in_force
                .map(|(pack, _, path, text)| (pack, path, text))
                .collect(),
            states: states
                .into_iter()
                .filter_map(|(id, word)| Some((id, status(&word)?)))
                .collect(),
            sources: settings::find(&mut conn, SOURCES).await?,
        })
    }
}

/// The status of a word.
pub fn status(word: &str) -> Option<Status> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// The word of a status.
pub fn word(status: Status) -> &'static str {
    match status {
        Status::Draft => "draft",
        Status::Shadow => "shadow",
        Status::Live => "live",
        Status::Retired => "retired",
    }
}

/// Writes the readers' file of a revision, and removes older ones that nobody reads any more.
fn write(folder: &Path, revision: &str, own: &Own) -> Result<PathBuf, CatalogueError> {
    use std::os::unix::fs::DirBuilderExt;
    let path = folder.join(format!("{revision}.json"));
    let fault = |source| CatalogueError::File {
        path: path.clone(),
        source,
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(fault)?;
    for entry in std::fs::read_dir(folder).map_err(fault)?.flatten() {
        let age = entry.metadata().and_then(|meta| meta.modified());
        let age = age.ok().and_then(|time| time.elapsed().ok());
        if entry.path() != path && age.is_some_and(|age| age > OLD_FILES) {
            // It is looked for again next time.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let json = serde_json::to_vec(own).map_err(|error| fault(error.into()))?;
    let scratch = folder.join(format!("{}.tmp", uuid::Uuid::now_v7()));
    std::fs::write(&scratch, json)
        .and_then(|()| std::fs::rename(&scratch, &path))
        .map_err(fault)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: &str, text: &str) -> (String, String, String) {
        let yaml = format!(
            "rules:\n  - cre: {{id: {id}, severity: 1, title: T}}\n    rule:\n      set:\n        \
             event: {{source: sitrep.log.any}}\n        match: [{{value: '{text}'}}]\n"
        );
        ("pack".to_owned(), format!("{id}.yaml"), yaml)
    }

    #[test]
    fn packs_and_states_are_in_force_beside_what_is_built_in() {
        let plain = Loaded::new("1", &Own::default()).unwrap();
        let own = Own {
            files: vec![
                file("OWN-0001", "first text"),
                file("OWN-0001", "a second of the same id"),
                file("OWN-0002", "retired text"),
                ("pack".into(), "bad.yaml".into(), "rules: 7".into()),
            ],
            states: vec![("OWN-0002".into(), Status::Retired)],
            sources: Some("sources: [{name: cre.log.own, paths: ['var/own/*']}]".into()),
        };
        let loaded = Loaded::new("2", &own).unwrap();
        assert_eq!(loaded.entries.len(), plain.entries.len() + 2);
        assert_eq!(loaded.refused.len(), 1);
        assert!(loaded.find("OWN-0001").unwrap().signature.is_active());
        assert!(!loaded.find("OWN-0002").unwrap().signature.is_active());
        assert!(loaded.sources.names().any(|name| name == "cre.log.own"));
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder.path().join("signatures"), "2", &own).unwrap();
        let engines = (engine_of(Some(&path)).unwrap(), engine_of(None).unwrap());
        assert_eq!(engines.0.len(), engines.1.len() + 1);
    }
}
