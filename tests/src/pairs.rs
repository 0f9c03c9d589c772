//! The four pairs of database and store that the collector runs on, each with real servers; and another maker's store.

use crate::azurite::Azurite;
use crate::collector::{Collector, Setting};
use crate::garage::Garage;
use crate::postgres::Postgres;
use crate::process::Running;

/// A pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// PostgreSQL instead of SQLite.
    pub postgres: bool,
    /// Where bundles lie.
    pub store: Store,
}

/// A store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// The collector's folder.
    Folder,
    /// Garage, by the interface of S3.
    Garage,
    /// Azurite, by the interface of Azure.
    Azurite,
    /// Garage behind what takes requests as Google's clients make them.
    Google,
}

/// Everything embedded.
pub const SQLITE_FOLDER: Pair = Pair {
    postgres: false,
    store: Store::Folder,
};
/// Embedded database, object store.
pub const SQLITE_OBJECTS: Pair = Pair {
    postgres: false,
    store: Store::Garage,
};
/// Database server, folder.
pub const POSTGRES_FOLDER: Pair = Pair {
    postgres: true,
    store: Store::Folder,
};
/// Both grown.
pub const POSTGRES_OBJECTS: Pair = Pair {
    postgres: true,
    store: Store::Garage,
};

/// Embedded database, another maker's object store.
pub const SQLITE_AZURE: Pair = Pair {
    postgres: false,
    store: Store::Azurite,
};

/// The same.
pub const SQLITE_GOOGLE: Pair = Pair {
    postgres: false,
    store: Store::Google,
};

/// A collector on a pair, with the servers it needs.
pub struct World {
    /// Dropped first.
    pub collector: Collector,
    /// The database server, if any.
    pub postgres: Option<Postgres>,
    /// The object store, if it is Garage.
    pub garage: Option<Garage>,
    /// The object store, if it is Azurite.
    pub azurite: Option<Azurite>,
    _front: Option<Running>,
    /// Where everything lies.
    pub dir: tempfile::TempDir,
}

impl World {
    /// Starts everything.
    ///
    /// # Errors
    /// When a server or the collector does not come up.
    pub fn start(pair: Pair) -> Result<Self, String> {
        Self::start_with(pair, &[])
    }

    /// Starts everything, with more of the collector's environment.
    ///
    /// # Errors
    /// When a server or the collector does not come up.
    pub fn start_with(pair: Pair, env: &[(&str, &str)]) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let own = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut setting = Setting {
            env: own.collect(),
            ..Setting::default()
        };
        let postgres = pair.postgres.then(Postgres::start).transpose()?;
        if let Some(postgres) = &postgres {
            let url = postgres.database("sitrep")?;
            setting.env.push(("SITREPD_DATABASE_URL".to_owned(), url));
        }
        let (mut garage, mut azurite, mut front) = (None, None, None);
        match pair.store {
            Store::Folder => {}
            Store::Garage => {
                let store = garage.insert(Garage::start(&dir.path().join("garage"), 1)?);
                let settings = store.settings(store.port(0), "sitrep");
                setting.env.extend(settings);
            }
            Store::Google => {
                let store = garage.insert(Garage::start(&dir.path().join("garage"), 1)?);
                let (process, settings) = store.as_google("sitrep")?;
                front = Some(process);
                setting.env.extend(settings);
            }
            Store::Azurite => {
                let store = azurite.insert(Azurite::start(&dir.path().join("azurite"))?);
                setting.env.extend(store.settings("sitrep"));
            }
        }
        Ok(Self {
            collector: Collector::start_with(&dir.path().join("collector"), setting)?,
            postgres,
            garage,
            azurite,
            _front: front,
            dir,
        })
    }
    /// Objects in the object store; none when bundles lie in a folder.
    ///
    /// # Errors
    /// With what the store says.
    pub fn objects(&self) -> Result<Option<u64>, String> {
        let garage = self.garage.as_ref().map(Garage::objects);
        let azurite = self.azurite.as_ref().map(Azurite::objects);
        garage.or(azurite).transpose()
    }
}
