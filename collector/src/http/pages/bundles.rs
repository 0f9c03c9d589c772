//! The list of bundles over all tickets; two of them can be compared.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sitrep_shared::ids::TicketKey;
use sitrep_shared::size::format_bytes;

use super::{Frame, time};
use crate::auth::{Access, Role};
use crate::bundles::measures;
use crate::db::bundle_list::{self as rows, ListedRow, Narrow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::Query;
use crate::state::AppState;

/// Bundles on a page.
const PAGE: usize = 50;
/// States that the list can be narrowed to.
const STATES: [&str; 5] = ["ready", "scanning", "stored", "rejected", "quarantined"];

/// The routes.
pub fn routes() -> Routes {
    Routes::default().get("/bundles", Access::Viewer, list).get(
        "/compare",
        Access::Engineer,
        chosen,
    )
}

struct Row {
    row: ListedRow,
    name: String,
    key: String,
    received: String,
    size: String,
    complete: String,
}

#[derive(Template)]
#[template(path = "bundles.html")]
struct BundlesPage {
    frame: Frame,
    asked: Asked,
    states: [&'static str; 5],
    /// Names of the numbers that hosts are found by.
    numbers: String,
    problem: String,
    bundles: Vec<Row>,
    /// The address of the next page.
    next: Option<String>,
    may_compare: bool,
}

/// What the list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    host: String,
    customer: String,
    os: String,
    state: String,
    signature: String,
    facts: String,
    before: String,
}

async fn list(
    State(state): State<AppState>,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let plain = |text: &str| text.replace('\0', "").trim().to_owned();
    let facts = plain(&asked.facts);
    let (bounds, problem) = match measures::parse(&facts) {
        Ok(bounds) => (bounds, String::new()),
        Err(error) => (Vec::new(), error.to_string()),
    };
    if !bounds.is_empty() {
        measures::refresh(&state.bundles)
            .await
            .map_err(AppError::internal)?;
    }
    let narrow = Narrow {
        bounds,
        host: plain(&asked.host),
        customer: plain(&asked.customer),
        os: plain(&asked.os),
        state: plain(&asked.state),
        signature: plain(&asked.signature),
        ids: None,
        before: plain(&asked.before),
        limit: i64::try_from(PAGE + 1).unwrap_or(i64::MAX),
    };
    let mut found = rows::list(&mut *state.db.read().await?, &narrow).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more).map(|last| {
        let pairs = [
            ("host", narrow.host.as_str()),
            ("customer", &narrow.customer),
            ("os", &narrow.os),
            ("state", &narrow.state),
            ("signature", &narrow.signature),
            ("facts", &facts),
            ("before", &last.id),
        ];
        super::address("/bundles", &pairs)
    });
    super::html(&BundlesPage {
        bundles: found.into_iter().map(view).collect(),
        asked,
        states: STATES,
        numbers: measures::names().collect::<Vec<_>>().join(" "),
        problem,
        next,
        may_compare: frame.may(Role::Engineer),
        frame,
    })
}

fn view(row: ListedRow) -> Row {
    Row {
        name: row.host.clone().unwrap_or_else(|| row.filename.clone()),
        key: TicketKey::of_number(row.number.unsigned_abs()).to_string(),
        received: time(row.received_ms),
        size: format_bytes(row.bytes.unsigned_abs()),
        complete: if row.items_asked > 0 {
            format!("{}/{}", row.items_complete, row.items_asked)
        } else {
            String::new()
        },
        row,
    }
}

/// `GET /compare?of=&of=`: to the comparison of the two that were chosen, the earlier one first.
async fn chosen(RawQuery(query): RawQuery) -> AppResult<Response> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(&query.unwrap_or_default()).unwrap_or_default();
    let of = pairs.into_iter().filter(|(name, _)| name == "of");
    let mut ids = Vec::new();
    for (_, id) in of {
        ids.push(crate::http::api::id("bundle", &id)?);
    }
    // Ids rise with time.
    ids.sort();
    match ids.as_slice() {
        [before, after] => {
            Ok(Redirect::to(&format!("/compare/{before}...{after}")).into_response())
        }
        _ => Err(AppError::bad_request(
            "two bundles are compared: choose two",
        )),
    }
}
