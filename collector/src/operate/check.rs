//! `sitrepd check`: whether everything is there that the service needs, and what to do when not. All faults at once.

use std::sync::Arc;

use crate::bundles::storage::Store;
use crate::db::{Db, migrate};

/// Clocks of service and database may differ by so much, in milliseconds.
const CLOCK_MS: i64 = 60_000;

/// Looks at database and store; every line is a fault, with what to do.
pub async fn check(db: &Db, store: &Arc<Store>, now_ms: i64) -> Vec<String> {
    let mut faults = Vec::new();
    match migrate::pending(db).await {
        Ok(pending) if pending.is_empty() => {}
        Ok(pending) => faults.push(format!(
            "the database needs migrations: {} (`sitrepd migrate`, or `serve` applies them)",
            pending.join(", ")
        )),
        Err(error) => faults.push(sitrep_shared::error::chain(&error)),
    }
    match db.now_ms().await {
        Ok(there) if (there - now_ms).abs() > CLOCK_MS => faults.push(format!(
            "the database's clock is {} s away from this machine's: set the clocks (NTP)",
            (there - now_ms) / 1000
        )),
        Ok(_) => {}
        Err(error) => faults.push(sitrep_shared::error::chain(&error)),
    }
    let opened = Arc::clone(store);
    let probed = tokio::task::spawn_blocking(move || opened.probe().map(|()| opened.space())).await;
    match probed {
        Ok(Ok(Ok(space))) if !space.admits(0) => faults.push(
            "less than 5 % of the disk (or 4 GiB) is free: uploads are refused until there is room"
                .to_owned(),
        ),
        Ok(Ok(Ok(_))) => {}
        Ok(Err(error) | Ok(Err(error))) => faults.push(format!(
            "{} (see storage.* and data_dir in `sitrepd config`)",
            sitrep_shared::error::chain(&error)
        )),
        Err(error) => faults.push(error.to_string()),
    }
    faults
}
