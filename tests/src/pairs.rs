//! The four pairs of database and store that the collector runs on, each with real servers.

use crate::collector::{Collector, Setting};
use crate::garage::Garage;
use crate::postgres::Postgres;

/// A pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// PostgreSQL instead of SQLite.
    pub postgres: bool,
    /// Garage instead of a folder.
    pub objects: bool,
}

/// Everything embedded.
pub const SQLITE_FOLDER: Pair = Pair {
    postgres: false,
    objects: false,
};
/// Embedded database, object store.
pub const SQLITE_OBJECTS: Pair = Pair {
    postgres: false,
    objects: true,
};
/// Database server, folder.
pub const POSTGRES_FOLDER: Pair = Pair {
    postgres: true,
    objects: false,
};
/// Both grown.
pub const POSTGRES_OBJECTS: Pair = Pair {
    postgres: true,
    objects: true,
};

/// A collector on a pair, with the servers it needs.
pub struct World {
    /// Dropped first.
    pub collector: Collector,
    /// The database server, if any.
    pub postgres: Option<Postgres>,
    /// The object store, if any.
    pub garage: Option<Garage>,
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
        let garage = pair
            .objects
            .then(|| Garage::start(&dir.path().join("garage"), 1))
            .transpose()?;
        if let Some(garage) = &garage {
            setting
                .env
                .extend(garage.settings(garage.port(0), "sitrep"));
        }
        Ok(Self {
            collector: Collector::start_with(&dir.path().join("collector"), setting)?,
            postgres,
            garage,
            dir,
        })
    }
}
