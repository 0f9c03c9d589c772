//! The registry of all routes. A resource or page is one file and one line here.
//!
//! Access is an argument of every route, so the table can be walked by a test and described by
//! the OpenAPI document, which are the only other users of it.

pub mod api;
pub mod extract;
pub mod guard;
pub mod layers;
pub mod openapi;
pub mod pages;
pub mod routes;
#[cfg(test)]
mod tests;

use axum::Router;

pub use routes::{Route, Routes};

use crate::state::AppState;

/// All routes, in one table.
#[rustfmt::skip]
pub fn registry() -> Routes {
    Routes::default()
        .merge(api::health::routes())
        .merge(api::setup::routes())
        .merge(api::me::routes())
        .merge(api::users::routes())
        .merge(api::tokens::routes())
        .merge(api::audit::routes())
        .merge(api::tickets::routes())
        .merge(api::notes::routes())
        .merge(api::codes::routes())
        .merge(api::desk::routes())
        .merge(api::macros::routes())
        .merge(api::tags::routes())
        .merge(api::holds::routes())
        .merge(api::lifecycle::routes())
        .merge(api::articles::routes())
        .merge(api::connectors::routes())
        .merge(api::receipts::routes())
        .merge(api::uploads::routes())
        .merge(api::bundles::routes())
        .merge(api::redactions::routes())
        .merge(api::search::routes())
        .merge(api::place::routes())
        .merge(api::timeline::routes())
        .merge(api::find::routes())
        .merge(api::compare::routes())
        .merge(api::selection::routes())
        .merge(api::unknown::routes())
        .merge(api::signatures::routes())
        .merge(api::packs::routes())
        .merge(api::retro::routes())
        .merge(openapi::routes())
        .merge(pages::assets::routes())
        .merge(pages::preferences::routes())
        .merge(pages::login::routes())
        .merge(pages::setup::routes())
        .merge(pages::tickets::routes())
        .merge(pages::intake::routes())
        .merge(pages::request::routes())
        .merge(pages::ticket::routes())
        .merge(pages::customer::routes())
        .merge(pages::cases::routes())
        .merge(pages::kb::routes())
        .merge(pages::macros::routes())
        .merge(pages::tag_rules::routes())
        .merge(pages::stats::routes())
        .merge(pages::bundles::routes())
        .merge(pages::bundle::routes())
        .merge(pages::compare::routes())
        .merge(pages::timeline::routes())
        .merge(pages::search::routes())
        .merge(pages::redactions::routes())
        .merge(pages::file::routes())
        .merge(pages::overview::routes())
        .merge(pages::findings::routes())
        .merge(pages::signatures::routes())
        .merge(pages::signature::routes())
        .merge(pages::packs::routes())
        .merge(pages::upload::routes())
        .merge(pages::admin::routes())
        .merge(pages::connectors::routes())
        .merge(pages::account::routes())
}

/// The service's router with all layers.
pub fn router(state: AppState) -> Router {
    layers::wrap(registry().into_router(&state), &state).with_state(state)
}

/// Metrics and health on a listener of their own, for whoever can reach it: no customer data, no credentials.
pub fn monitoring(state: AppState) -> Router {
    use axum::routing::get;
    Router::new()
        .route("/healthz", get(api::health::alive))
        .route("/readyz", get(api::health::ready))
        .route("/metrics", get(api::health::metrics))
        .with_state(state)
}
