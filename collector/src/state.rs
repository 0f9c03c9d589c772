//! What every request and job can reach: settings, database, tasks, clock, secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::auth::Pepper;
use crate::auth::password::Passwords;
use crate::bundles::Bundles;
use crate::config::Config;
use crate::db::Db;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// Source of the current time; tests hold it still and move it.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that moves only when told.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `ms`.
    pub fn fixed(ms: i64) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(ms)))
    }

    /// UTC milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
            Self::Fixed(ms) => ms.load(Ordering::Relaxed),
        }
    }

    /// Moves a fixed clock; does nothing to the system's.
    pub fn advance_ms(&self, by: i64) {
        if let Self::Fixed(ms) = self {
            ms.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// Shared state of the process; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Resolved settings.
    pub config: Arc<Config>,
    /// Database pool.
    pub db: Db,
    /// Spawns and awaits.
    pub tasks: Tasks,
    /// The time.
    pub clock: Clock,
    /// Counters for `/metrics`.
    pub metrics: Metrics,
    /// Key under which upload codes are stored.
    pub pepper: Pepper,
    /// Gate and parameters for password hashing.
    pub passwords: Passwords,
    /// Uploads and bundles.
    pub bundles: Arc<Bundles>,
    /// What links begin with, such as `https://support.example`.
    pub base_url: Arc<str>,
}

impl axum::extract::FromRef<AppState> for Arc<Bundles> {
    fn from_ref(state: &AppState) -> Self {
        Self::clone(&state.bundles)
    }
}

impl AppState {
    /// UTC milliseconds now.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

/// A new identifier: UUIDv7 as text, so that ids sort by age.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
