//! The page of a bundle: findings with their evidence, files, completeness. Names and lines are text and nothing else;
//! the templates escape them.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use sitrep_shared::bundle::manifest::{Item, Manifest};
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use super::Frame;
use super::findings::{FindingView, finding_view, query};
use crate::auth::Access;
use crate::bundles::Bundles;
use crate::bundles::browse::BrowseError;
use crate::bundles::browse::index::FileEntry;
use crate::db::bundle_list;
use crate::db::bundles::BundleRow;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::extract::{Form, Path, Query};
use crate::signatures::unknown::{self, Unknown};
use crate::state::AppState;
use crate::tickets::{self, Caller};

/// Rows of a table at most; the API has the rest.
const ROWS_MAX: usize = 5_000;

/// Its lines in the registry.
pub fn routes() -> Routes {
    Routes::default()
        .get("/bundles/{id}", Access::Viewer, show)
        .post("/bundles/{id}/delete", Access::Lead, delete)
}

/// Head of the bundle's pages.
pub(super) struct BundleHead {
    pub(super) id: String,
    pub(super) host: String,
    pub(super) ticket_key: String,
    pub(super) ticket_href: String,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) received: String,
    pub(super) collected: String,
    pub(super) bytes: String,
    pub(super) unpacked: String,
    pub(super) sha256: String,
    pub(super) profile: String,
    pub(super) filename: String,
    pub(super) receipt: String,
    pub(super) completeness: String,
}

struct FileView {
    path: String,
    lines: u64,
    size: String,
    text: bool,
    href: String,
    raw: String,
}

struct ItemView {
    origin: String,
    source: String,
    outcome: String,
    reason: String,
    needs: String,
    size: String,
    took: String,
    href: String,
}

struct NotEvaluated {
    id: String,
    reason: String,
}

struct UnknownView {
    error: Unknown,
    href: String,
}

#[derive(Template)]
#[template(path = "bundle.html")]
struct BundlePage {
    frame: Frame,
    bundle: BundleHead,
    /// The bundle of the same host before it, for those who may look into both.
    previous: Option<String>,
    tab: &'static str,
    finding_count: usize,
    file_count: i64,
    findings: Vec<FindingView>,
    not_evaluated: Vec<NotEvaluated>,
    unknown: Vec<UnknownView>,
    may_judge: bool,
    evaluated: i64,
    files: Vec<FileView>,
    items: Vec<ItemView>,
    counts: Vec<(String, usize)>,
    may_delete: bool,
}

/// Which tab.
#[derive(Debug, Default, Deserialize)]
pub struct Tab {
    tab: Option<String>,
}

/// `GET /bundles/{id}`.
pub async fn show(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(id): Path<String>,
    Query(tab): Query<Tab>,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    crate::tickets::customer::viewed(&state, &caller, &row.id, &row.ticket_id).await?;
    let found = bundles.findings(id).await?;
    let (key, href) = ticket(bundles, &row).await?;
    let previous = match caller.actor.may(Access::Engineer) && row.state == "ready" {
        true => bundle_list::previous(&mut *state.db.read().await?, &row.id).await?,
        false => None,
    };
    let mut page = BundlePage {
        bundle: head(&row, key, href),
        previous,
        tab: "findings",
        finding_count: found.len(),
        file_count: row.files,
        findings: Vec::new(),
        not_evaluated: Vec::new(),
        unknown: Vec::new(),
        may_judge: caller.actor.may(Access::Engineer),
        evaluated: row.evaluated,
        files: Vec::new(),
        items: Vec::new(),
        counts: Vec::new(),
        may_delete: caller.actor.may(Access::Lead),
        frame,
    };
    match tab.tab.as_deref() {
        Some("files") => {
            page.tab = "files";
            page.files = some(bundles.browse.files(id).await)?
                .iter()
                .take(ROWS_MAX)
                .map(|entry| file_view(&row.id, entry))
                .collect();
        }
        Some("completeness") => {
            page.tab = "completeness";
            if let Some(manifest) = present(bundles.browse.manifest(id).await)? {
                page.counts = counts(&manifest);
                page.items = manifest
                    .items
                    .iter()
                    .take(ROWS_MAX)
                    .map(|item| item_view(&row.id, item))
                    .collect();
            }
        }
        _ => {
            page.findings = found
                .iter()
                .map(|finding| finding_view(&page.frame, Some(&row.id), finding))
                .collect();
            page.not_evaluated = not_evaluated(&row.not_evaluated);
            if page.may_judge {
                let mut conn = state.db.read().await?;
                let unknown = unknown::of_bundle(&mut conn, &row.id).await?;
                page.unknown = unknown
                    .into_iter()
                    .map(|error| unknown_view(&row.id, error))
                    .collect();
            }
        }
    }
    super::html(&page)
}

/// The ticket's key and the address of its page.
pub(super) async fn ticket(bundles: &Bundles, row: &BundleRow) -> AppResult<(String, String)> {
    let name = bundles.ticket_name(&row.ticket_id).await?;
    Ok((name.key.clone(), format!("/tickets/{}", name.key)))
}

/// What a bundle that has no index or manifest yet has: nothing.
fn present<T>(found: Result<T, BrowseError>) -> AppResult<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(BrowseError::Absent) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn some(found: Result<Vec<FileEntry>, BrowseError>) -> AppResult<Vec<FileEntry>> {
    Ok(present(found)?.unwrap_or_default())
}

pub(super) fn head(row: &BundleRow, ticket_key: String, ticket_href: String) -> BundleHead {
    let completeness = if row.items_asked > 0 {
        format!("{}/{}", row.items_complete, row.items_asked)
    } else {
        String::new()
    };
    let bytes = |bytes: i64| format_bytes(bytes.max(0).unsigned_abs());
    BundleHead {
        id: row.id.clone(),
        host: row.host.clone().unwrap_or_else(|| row.filename.clone()),
        ticket_key,
        ticket_href,
        state: row.state.clone(),
        reason: row.reason.clone().unwrap_or_default(),
        detail: row.detail.clone().unwrap_or_default(),
        received: UtcMs(row.received_ms).rfc3339(),
        collected: UtcMs(row.collected_ms.unwrap_or(row.received_ms)).rfc3339(),
        bytes: bytes(row.bytes),
        unpacked: bytes(row.unpacked_bytes),
        sha256: row.sha256.clone(),
        profile: row.profile.clone().unwrap_or_default(),
        filename: row.filename.clone(),
        receipt: row.receipt.clone(),
        completeness,
    }
}

fn unknown_view(bundle: &str, error: Unknown) -> UnknownView {
    let (file, line) = (query(&error.file), error.line);
    UnknownView {
        href: format!("/bundles/{bundle}/file?path={file}&L={line}#L{line}"),
        error,
    }
}

fn not_evaluated(json: &str) -> Vec<NotEvaluated> {
    let list: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|item| NotEvaluated {
            id: text(item, "id"),
            reason: text(item, "reason"),
        })
        .collect()
}

fn file_view(bundle: &str, entry: &FileEntry) -> FileView {
    FileView {
        path: entry.path.clone(),
        lines: entry.lines,
        size: format_bytes(entry.size),
        text: entry.text,
        href: format!("/bundles/{bundle}/files/{}", entry.fid),
        raw: format!("/api/v1/bundles/{bundle}/files/{}", entry.fid),
    }
}

fn item_view(bundle: &str, item: &Item) -> ItemView {
    let path = item.path.as_deref();
    ItemView {
        origin: item.origin.clone(),
        source: item.source.clone(),
        outcome: word(item),
        reason: item.reason.clone().unwrap_or_default(),
        needs: item.needs.clone().unwrap_or_default(),
        size: if item.stored_bytes > 0 {
            format_bytes(item.stored_bytes)
        } else {
            String::new()
        },
        took: if item.duration_ms > 0 {
            format!("{} ms", item.duration_ms)
        } else {
            String::new()
        },
        href: path
            .map(|path| format!("/bundles/{bundle}/file?path={}", query(path)))
            .unwrap_or_default(),
    }
}

/// The outcome's own word, as the manifest spells it.
fn word(item: &Item) -> String {
    serde_json::to_value(item.outcome)
        .ok()
        .and_then(|value| value.as_str().map(|word| word.replace('_', " ")))
        .unwrap_or_default()
}

fn counts(manifest: &Manifest) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for item in &manifest.items {
        *counts.entry(word(item)).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// The typed receipt.
#[derive(Debug, Deserialize)]
pub struct Confirm {
    confirm: String,
}

/// `POST /bundles/{id}/delete`.
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<Confirm>,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (_, row): (Uuid, BundleRow) = load(bundles, &id).await?;
    if form.confirm.trim() != row.receipt {
        return Err(AppError::invalid(
            "confirm",
            "type the receipt of this bundle",
        ));
    }
    let (_, href) = ticket(bundles, &row).await?;
    tickets::bundles::delete(&state, &caller, &row).await?;
    Ok(Redirect::to(&href).into_response())
}
