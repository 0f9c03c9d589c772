//! The pages of signatures: the list with what each came to, packs, and storing one's own.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::{Access, Role};
use crate::db::packs::{self as pack_rows, PackRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Path, Query};
use crate::signatures::overview::{self, Line, Narrow};
use crate::signatures::packs;
use crate::state::AppState;
use crate::tickets::Caller;

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/signatures", Access::Viewer, list)
        .post("/signatures", Access::Engineer, store)
        .post("/signature-packs/{name}", Access::Lead, enable)
}

/// Signatures on a page.
const PAGE: usize = 50;

struct PackView {
    row: PackRow,
    changed: String,
    remarks: usize,
}

#[derive(Template)]
#[template(path = "signatures.html")]
struct SignaturesPage {
    frame: Frame,
    narrow: Narrow,
    signatures: Vec<Line>,
    /// The address of the next page.
    next: Option<String>,
    statuses: [&'static str; 4],
    packs: Vec<PackView>,
    may_store: bool,
    may_decide: bool,
    problem: String,
    faults: Vec<(String, String)>,
    yaml: String,
}

#[derive(Default, Deserialize)]
struct Filter {
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    pack: String,
    /// Signatures before those of this page.
    #[serde(default)]
    from: usize,
}

async fn list(
    State(state): State<AppState>,
    frame: Frame,
    Query(filter): Query<Filter>,
) -> AppResult<Response> {
    super::html(&page(&state, frame, filter).await?)
}

async fn page(state: &AppState, frame: Frame, filter: Filter) -> AppResult<SignaturesPage> {
    let narrow = Narrow {
        text: filter.q,
        status: filter.status,
        pack: filter.pack,
    };
    let mut signatures = overview::list(state, &narrow).await?;
    let all = signatures.len();
    signatures = signatures
        .into_iter()
        .skip(filter.from)
        .take(PAGE)
        .collect();
    let until = filter.from.saturating_add(PAGE);
    let next = (until < all).then(|| {
        let from = until.to_string();
        let pairs = [
            ("q", narrow.text.as_str()),
            ("status", &narrow.status),
            ("pack", &narrow.pack),
            ("from", &from),
        ];
        super::address("/signatures", &pairs)
    });
    let rows = pack_rows::list(&mut *state.db.read().await?).await?;
    let packs = rows.into_iter().map(|row| PackView {
        changed: time(row.changed_ms),
        remarks: serde_json::from_str::<Vec<String>>(&row.remarks).map_or(0, |list| list.len()),
        row,
    });
    Ok(SignaturesPage {
        narrow,
        signatures,
        next,
        statuses: ["draft", "shadow", "live", "retired"],
        packs: packs.collect(),
        may_store: frame.may(Role::Engineer),
        may_decide: frame.may(Role::Lead),
        frame,
        problem: String::new(),
        faults: Vec::new(),
        yaml: String::new(),
    })
}

#[derive(Deserialize)]
struct StoreForm {
    #[serde(default)]
    yaml: String,
}

async fn store(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<StoreForm>,
) -> AppResult<Response> {
    // A form sends line ends as CRLF; in a test's log they would be two.
    let yaml = form.yaml.replace("\r\n", "\n");
    match packs::store_own(&state, &caller, &yaml).await {
        Ok(ids) => {
            let id = ids.first().map(String::as_str).unwrap_or_default();
            Ok(Redirect::to(&format!("/signatures/{id}")).into_response())
        }
        Err(error) if error.status().is_client_error() => {
            let mut page = page(&state, frame, Filter::default()).await?;
            page.problem = error.detail().to_owned();
            let faults = error.fields().iter();
            page.faults = faults
                .map(|fault| (fault.field.clone(), fault.message.clone()))
                .collect();
            page.yaml = form.yaml;
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct PackForm {
    action: String,
}

async fn enable(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    Form(form): Form<PackForm>,
) -> AppResult<Response> {
    let name = crate::http::api::name("signature pack", &name)?;
    match form.action.as_str() {
        "enable" => drop(packs::enable(&state, &caller, name, true).await?),
        "disable" => drop(packs::enable(&state, &caller, name, false).await?),
        "remove" => packs::remove(&state, &caller, name).await?,
        _ => return Err(AppError::invalid("action", "is enable, disable or remove")),
    }
    Ok(Redirect::to("/signatures#packs").into_response())
}
