//! The collector: receives bundles, attaches them to tickets, flags known errors.
//!
//! Direction inside: `http` → services (`tickets`, `bundles`, `auth` …) → `db`. Services never
//! name `http`; only `db` holds SQL; only `tasks` spawns.

pub mod bundles;
pub mod config;
pub mod db;
pub mod jobs;
pub mod locale;
pub mod metrics;
pub mod queue;
pub mod tasks;
