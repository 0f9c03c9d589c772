//! One box for everything: tickets, bundles, signatures and their findings, articles.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::Access;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::find::TEXT_MAX;
use crate::http::extract::Query;
use crate::search::{self, Found};
use crate::state::AppState;

/// The route.
pub fn routes() -> Routes {
    Routes::default().get("/search", Access::Viewer, show)
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    text: String,
    found: Found,
}

impl SearchPage {
    fn time(&self, ms: &i64) -> String {
        time(*ms)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let text: String = asked.q.replace('\0', "").chars().take(TEXT_MAX).collect();
    let found = search::search(&state, &text, frame.l.code()).await?;
    super::html(&SearchPage { frame, text, found })
}
