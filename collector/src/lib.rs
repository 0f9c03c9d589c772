//! The collector: receives bundles, attaches them to tickets, flags known errors.
//!
//! Direction inside: `http` → services (`tickets`, `bundles`, `auth` …) → `db`. Services never
//! name `http`; only `db` holds SQL; only `tasks` spawns.

pub mod audit;
pub mod auth;
pub mod bundles;
pub mod cli;
pub mod config;
pub mod connectors;
pub mod db;
pub mod error;
pub mod http;
pub mod jobs;
pub mod knowledge;
pub mod locale;
pub mod metrics;
pub mod operate;
pub mod queue;
pub mod search;
pub mod serve;
pub mod signatures;
pub mod state;
pub mod tasks;
pub mod tickets;
