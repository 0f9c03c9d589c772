//! Tags of a ticket with what asks for them, and the rules about what signatures' tags do by themselves.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Access;
use crate::db::tag_rules::{self as rows, EVERY, RuleRow};
use crate::db::tickets::tags as tag_rows;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::tag_rules::{self, NewRule};
use crate::tickets::{self, Caller};

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/tickets/{ticket}/tags", Access::Viewer, of_ticket)
        .doc(Op::new("List a ticket's tags, and those that its findings propose").returns::<TagList>(200))
        .get("/api/v1/tag-rules", Access::Viewer, list)
        .doc(Op::new("List the rules about the tags that signatures ask for").returns::<RuleList>(200))
        .post("/api/v1/tag-rules", Access::Lead, store)
        .doc(Op::new("Write a rule, in the place of the one about the same tag, signature and product").body::<NewRule>().returns::<RuleView>(200))
        .delete("/api/v1/tag-rules/{id}", Access::Lead, remove)
        .doc(Op::new("Take out a rule").empty(204))
}

/// A tag of a ticket.
#[derive(Serialize, ToSchema)]
struct TagView {
    tag: String,
    /// `person` or `finding`, who set it; `proposed` when it is not set: add it to take it, remove it to refuse it.
    source: String,
    /// Signatures that ask for it.
    signatures: Vec<String>,
}

/// Tags of a ticket.
#[derive(Serialize, ToSchema)]
struct TagList {
    items: Vec<TagView>,
}

async fn of_ticket(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<TagList>> {
    let row = tickets::load(&state, &ticket).await?;
    let mut conn = state.db.read().await?;
    let mut set = tag_rows(&mut conn, &row.id).await?;
    let asked = tickets::tags::of_findings(&mut conn, &row, state.now_ms()).await?;
    let proposed = asked.proposed.keys();
    let new = proposed.filter(|tag| set.iter().all(|(known, _)| known != *tag));
    let new: Vec<_> = new
        .map(|tag| (tag.clone(), "proposed".to_owned()))
        .collect();
    set.extend(new);
    let items = set.into_iter().map(|(tag, source)| TagView {
        signatures: asked.by(&tag).cloned().collect(),
        tag,
        source,
    });
    Ok(axum::Json(TagList {
        items: items.collect(),
    }))
}

/// A rule.
#[derive(Serialize, ToSchema)]
struct RuleView {
    id: String,
    signature: String,
    /// Absent when it is for every product.
    product: Option<String>,
    tag: String,
    /// `set`, `propose` or `never`.
    mode: String,
    /// Whether it was taught by people who took the tag off, and not decided.
    learnt: bool,
    changed_by: String,
    changed_ms: i64,
}

impl From<RuleRow> for RuleView {
    fn from(row: RuleRow) -> Self {
        Self {
            id: row.id,
            signature: row.signature_id,
            product: Some(row.product).filter(|product| product != EVERY),
            tag: row.tag,
            mode: row.mode,
            learnt: row.learnt == 1,
            changed_by: row.changed_by,
            changed_ms: row.changed_ms,
        }
    }
}

/// Rules by signature.
#[derive(Serialize, ToSchema)]
struct RuleList {
    items: Vec<RuleView>,
}

async fn list(State(state): State<AppState>) -> AppResult<axum::Json<RuleList>> {
    let rows = rows::list(&mut *state.db.read().await?).await?;
    Ok(axum::Json(RuleList {
        items: rows.into_iter().map(RuleView::from).collect(),
    }))
}

async fn store(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<NewRule>,
) -> AppResult<axum::Json<RuleView>> {
    let row = tag_rules::store(&state, &caller, &body).await?;
    Ok(axum::Json(row.into()))
}

async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    let id = super::id("rule", &id)?;
    tag_rules::remove(&state, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
