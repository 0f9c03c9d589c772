//! The page of a signature: as the customer will read it in both languages, where it matched, where it stands and is
//! silent, its runs over stored bundles, and why it did or did not speak on a bundle.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sitrep_shared::signature::Signature;
use sitrep_shared::signature::model::FixSteps;
use sitrep_shared::size::format_bytes;

use super::findings::query;
use super::{Frame, time};
use crate::auth::{Access, Role};
use crate::db::retro::{self as scan_rows, ScanRow};
use crate::db::suppressions::{self, SuppressionRow};
use crate::db::tag_rules::{self, RuleRow};
use crate::db::{findings, tickets as ticket_rows};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::api::signatures::status;
use crate::http::extract::{Form, Path, Query};
use crate::signatures::explain::{self, Explained};
use crate::signatures::feedback::{self, NewSuppression, Scope};
use crate::signatures::overview::{self, Line};
use crate::signatures::packs;
use crate::signatures::retro::{self, Estimate};
use crate::state::AppState;
use crate::tickets::{self, Caller};

/// Findings that are shown.
const SHOWN: i64 = 30;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/signatures/{id}", Access::Viewer, show)
        .post("/signatures/{id}/status", Access::Lead, set_status)
        .post("/signatures/{id}/suppressions", Access::Engineer, suppress)
        .post("/signatures/{id}/suppressions/{suppression}", Access::Engineer, unsuppress)
        .post("/signatures/{id}/retro", Access::Lead, start)
        .post("/retro-scans/{id}/cancel", Access::Engineer, cancel)
        .get("/bundles/{id}/explain/{signature}", Access::Engineer, explained)
}

/// A signature's words in one language.
struct Words {
    lang: &'static str,
    name: &'static str,
    plain: Vec<String>,
    expert: Vec<String>,
}

struct Place {
    bundle: String,
    ticket: String,
    when: String,
    text: String,
    href: String,
    verdict: String,
    shadow: bool,
    suppressed: bool,
}

struct Silence {
    row: SuppressionRow,
    until: String,
    holds: bool,
}

struct Scan {
    row: ScanRow,
    when: String,
    read: String,
    of: String,
    goes_on: bool,
}

struct Cost {
    told: Estimate,
    bytes: String,
    read: String,
}

#[derive(Template)]
#[template(path = "signature.html")]
struct SignaturePage {
    frame: Frame,
    line: Line,
    signature: Signature,
    source: String,
    requires: String,
    auto_tag: Vec<String>,
    tag_rules: Vec<RuleRow>,
    words: Vec<Words>,
    places: Vec<Place>,
    silences: Vec<Silence>,
    scans: Vec<Scan>,
    cost: Option<Cost>,
    yaml: String,
    statuses: [&'static str; 4],
    may_edit: bool,
    may_decide: bool,
}

#[derive(Default, Deserialize)]
struct Ask {
    /// Whether the cost of a run over stored bundles is to be told.
    #[serde(default)]
    estimate: String,
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Path(id): Path<String>,
    Query(ask): Query<Ask>,
) -> AppResult<Response> {
    let loaded = state.bundles.signatures.current().await?;
    let entry = loaded.find(&id);
    let entry = entry.ok_or_else(|| AppError::not_found("signature"))?;
    let line = overview::one(&state, entry).await?;
    let may_edit = frame.may(Role::Engineer);
    let cost = match may_edit && !ask.estimate.is_empty() {
        true => Some(cost(
            retro::estimate(&state, &retro::stored(&state, &id).await?).await?,
        )),
        false => None,
    };
    let now = state.now_ms();
    let mut conn = state.db.read().await?;
    let silences = suppressions::of_signature(&mut conn, &id).await?;
    let scans = scan_rows::of_signature(&mut conn, &id).await?;
    let places = places(&mut conn, &id, now).await?;
    let mut tag_rules = tag_rules::list(&mut conn).await?;
    tag_rules.retain(|rule| rule.signature_id == id);
    drop(conn);
    let extension = entry.signature.extension.clone().unwrap_or_default();
    let page = SignaturePage {
        line,
        source: entry
            .signature
            .rule
            .as_ref()
            .map(|r| r.source.clone())
            .unwrap_or_default(),
        requires: extension.requires.unwrap_or_default(),
        auto_tag: extension.auto_tag,
        tag_rules,
        words: words(extension.fix),
        places,
        silences: silences.into_iter().map(|row| silence(row, now)).collect(),
        scans: scans.into_iter().map(scan).collect(),
        cost,
        yaml: entry.text.as_deref().unwrap_or_default().to_owned(),
        signature: entry.signature.clone(),
        statuses: ["draft", "shadow", "live", "retired"],
        may_decide: frame.may(Role::Lead),
        may_edit,
        frame,
    };
    super::html(&page)
}

fn words(fix: FixSteps) -> Vec<Words> {
    let all = [
        ("en", "English", fix.plain.en, fix.expert.en),
        ("zh-CN", "简体中文", fix.plain.zh, fix.expert.zh),
    ];
    all.into_iter()
        .map(|(lang, name, plain, expert)| Words {
            lang,
            name,
            plain,
            expert,
        })
        .collect()
}

async fn places(conn: &mut sqlx::AnyConnection, id: &str, now: i64) -> AppResult<Vec<Place>> {
    let mut places = Vec::new();
    for row in findings::of_signature(conn, id, SHOWN, now).await? {
        let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
        let evidence = &body["evidence"][0];
        let file = evidence["file"].as_str().unwrap_or_default();
        let line = evidence["line"].as_u64().unwrap_or_default();
        let href = if line > 0 {
            format!(
                "/bundles/{}/file?path={}&L={line}#L{line}",
                row.bundle_id,
                query(file)
            )
        } else {
            String::new()
        };
        let ticket = ticket_rows::find(conn, &row.ticket_id).await?;
        places.push(Place {
            ticket: ticket.as_ref().map(tickets::key).unwrap_or_default(),
            when: time(row.created_ms),
            text: evidence["text"].as_str().unwrap_or_default().to_owned(),
            href,
            verdict: match row.verdict.as_deref() {
                Some("dismissed") => row.verdict_reason.clone().unwrap_or_default(),
                other => other.unwrap_or("open").to_owned(),
            },
            shadow: row.shadow == 1,
            suppressed: row.suppressed.is_some(),
            bundle: row.bundle_id,
        });
    }
    Ok(places)
}

fn silence(row: SuppressionRow, now: i64) -> Silence {
    Silence {
        until: row.expires_ms.map(time).unwrap_or_default(),
        holds: row.ended_ms.is_none() && row.expires_ms.is_none_or(|ms| ms > now),
        row,
    }
}

fn scan(row: ScanRow) -> Scan {
    Scan {
        when: time(row.created_ms),
        read: format_bytes(row.bytes_read.max(0).unsigned_abs()),
        of: format_bytes(row.bytes.max(0).unsigned_abs()),
        goes_on: matches!(row.state.as_str(), "queued" | "running"),
        row,
    }
}

fn cost(told: Estimate) -> Cost {
    Cost {
        bytes: format_bytes(told.bytes.max(0).unsigned_abs()),
        read: format_bytes(told.bytes_to_read.max(0).unsigned_abs()),
        told,
    }
}

fn back(id: &str, place: &str) -> Response {
    Redirect::to(&format!("/signatures/{}#{place}", query(id))).into_response()
}

#[derive(Deserialize)]
struct StatusForm {
    status: String,
}

async fn set_status(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<StatusForm>,
) -> AppResult<Response> {
    packs::set_status(&state, &caller, &id, status(&form.status)?).await?;
    Ok(back(&id, ""))
}

#[derive(Deserialize)]
struct SuppressForm {
    scope: String,
    value: String,
    reason: String,
    #[serde(default)]
    days: String,
}

async fn suppress(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<SuppressForm>,
) -> AppResult<Response> {
    let days = form.days.trim();
    let number = |_| AppError::invalid("days", "must be a number");
    let new = NewSuppression {
        scope: match form.scope.as_str() {
            "customer" => Scope::Customer,
            "host" => Scope::Host,
            _ => Scope::Ticket,
        },
        value: form.value,
        reason: form.reason,
        days: (!days.is_empty())
            .then(|| days.parse())
            .transpose()
            .map_err(number)?,
    };
    feedback::suppress(&state, &caller, &id, &new).await?;
    Ok(back(&id, "silences"))
}

#[derive(Deserialize)]
struct Nothing {}

async fn unsuppress(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, suppression)): Path<(String, String)>,
    Form(Nothing {}): Form<Nothing>,
) -> AppResult<Response> {
    let suppression = crate::http::api::id("suppression", &suppression)?;
    let id = crate::http::api::name("signature", &id)?;
    feedback::unsuppress(&state, &caller, id, &suppression).await?;
    Ok(back(id, "silences"))
}

async fn start(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> AppResult<Response> {
    let subject = retro::stored(&state, &id).await?;
    retro::start(&state, &caller, (&subject, "scan")).await?;
    Ok(back(&id, "retro"))
}

async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> AppResult<Response> {
    let id = crate::http::api::id("retro-scan", &id)?;
    let row = retro::cancel(&state, &caller, &id).await?;
    Ok(back(&row.signature_id, "retro"))
}

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    bundle: String,
    told: Explained,
}

async fn explained(
    State(state): State<AppState>,
    frame: Frame,
    Path((id, signature)): Path<(String, String)>,
) -> AppResult<Response> {
    let (_, row) = load(&state.bundles, &id).await?;
    let told = explain::explain(&state, &row, &signature).await?;
    super::html(&ExplainPage {
        frame,
        bundle: row.id,
        told,
    })
}
