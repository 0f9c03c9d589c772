//! Commands for whoever runs the service; what they do is in `operate`.

use std::path::Path;
use std::sync::Arc;

use super::{CliError, pepper_file, print};
use crate::bundles::storage::Store;
use crate::config::Config;
use crate::db::{Db, migrate};
use crate::operate::backup::Backup;
use crate::operate::{backup, check, restore, verify};
use crate::serve::ServeError;
use crate::state::Clock;

async fn parts(config: &Config) -> Result<(Db, Arc<Store>), CliError> {
    let db = Db::open(&config.database(), config.database_connections).await?;
    let objects = config.resolved.object_store()?;
    let store = Store::open_with(&config.data_dir, objects.as_ref())?;
    Ok((db, Arc::new(store)))
}

pub(super) async fn check(config: Config) -> Result<(), CliError> {
    let (db, store) = parts(&config).await?;
    let mut faults = check::check(&db, &store, Clock::System.now_ms()).await;
    if let Err(error) = crate::serve::tls::acceptor(&config).map_err(ServeError::from) {
        faults.push(sitrep_shared::error::chain(&error));
    }
    if !faults.is_empty() {
        return Err(CliError::Unfit(faults));
    }
    print("settings, database, store and certificate are in order");
    Ok(())
}

pub(super) async fn backup(config: Config, folder: &Path) -> Result<(), CliError> {
    let (db, store) = parts(&config).await?;
    let pepper = pepper_file(&config);
    let written = backup::backup(Backup {
        db: &db,
        store: &store,
        pepper: &pepper,
        into: folder,
        now_ms: Clock::System.now_ms(),
    });
    let written = written.await?;
    print(&format!(
        "{} rows and {} bundles are in {}",
        written.rows,
        written.bundles,
        folder.display()
    ));
    Ok(())
}

pub(super) async fn restore(config: Config, folder: &Path) -> Result<(), CliError> {
    let (db, store) = parts(&config).await?;
    migrate::run(&db, Clock::System.now_ms()).await?;
    let back = restore::restore(&db, &store, &pepper_file(&config), folder).await?;
    print(&format!(
        "{} rows and {} bundles are back",
        back.rows, back.bundles
    ));
    Ok(())
}

pub(super) async fn verify(config: Config) -> Result<(), CliError> {
    let (db, store) = parts(&config).await?;
    let read = verify::verify(&db, &store, &mut |fault| print(fault)).await?;
    print(&format!("{read} bundles are what was received"));
    Ok(())
}
