//! Notes on a ticket: internal, or to the customer.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::idempotency;
use super::tickets::EventView;
use crate::auth::Access;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::model::Status;
use crate::tickets::{self, Caller, Words};

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    /// The text.
    #[schema(min_length = 1, max_length = 20_000)]
    body: String,
    /// Whether the customer may read it.
    #[serde(default)]
    public: bool,
    /// The status that goes with it, such as `waiting`.
    #[serde(default)]
    status: Option<Status>,
    /// Also to the customers of the tickets that have this one's problem and are not closed; for public ones.
    #[serde(default)]
    to_all: bool,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .post("/api/v1/tickets/{ticket}/notes", Access::Engineer, create)
        .doc(
            Op::new("Add a note")
                .body::<NewNote>()
                .idempotent()
                .returns::<EventView>(201),
        )
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewNote>,
) -> AppResult<Response> {
    let path = format!("/api/v1/tickets/{ticket}/notes");
    let (key, known) = idempotency::begin(&state, &caller, &headers, &path, &body).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let words = Words {
        body: &body.body,
        public: body.public,
        then: body.status,
        to_all: body.to_all,
    };
    let event = tickets::note(&state, &caller, &ticket, words).await?;
    idempotency::answer(&state, key, StatusCode::CREATED, &EventView::from(event)).await
}
