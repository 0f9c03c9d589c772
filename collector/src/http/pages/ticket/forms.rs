//! What is done on the page of a ticket: one form, one handler. All answer with the page, or lead back to it.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::Frame;
use super::{once, refused, ties, triage};
use crate::auth::Access;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Kept, Path};
use crate::state::AppState;
use crate::tickets::diagnosis::{self, Attempt, NewPin, Verdict};
use crate::tickets::model::{Cause, Resolution, Status};
use crate::tickets::solution::{self, Solution};
use crate::tickets::{self, Caller, Change, Words, undo};

/// The routes.
#[rustfmt::skip]
pub(super) fn routes() -> Routes {
    once::routes()
        .merge(ties::routes())
        .merge(triage::routes())
        .post("/tickets/{ticket}/notes", Access::Engineer, note)
        .post("/tickets/{ticket}/status", Access::Engineer, status)
        .post("/tickets/{ticket}/tags", Access::Engineer, tag)
        .post("/tickets/{ticket}/attempts", Access::Engineer, attempt)
        .post("/tickets/{ticket}/pins", Access::Engineer, pin)
        .post("/tickets/{ticket}/pins/{id}/remove", Access::Engineer, unpin)
        .post("/tickets/{ticket}/solutions", Access::Engineer, propose)
        .post("/tickets/{ticket}/close", Access::Engineer, close)
        .post("/tickets/{ticket}/undo", Access::Engineer, take_back)
}

/// Back to the page, or the page with what was wrong. What was done is told there, with the way to take it back if there
/// is one.
pub(super) async fn done<T>(
    state: &AppState,
    frame: Frame,
    (ticket, place): (&str, &str),
    result: AppResult<T>,
) -> AppResult<Response> {
    match result {
        Ok(_) => Ok(Redirect::to(&format!("/tickets/{ticket}?done=1{place}")).into_response()),
        Err(error) => refused(state, frame, ticket, error).await,
    }
}

#[derive(Deserialize)]
struct NoteForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    visibility: String,
    #[serde(default)]
    then: String,
    #[serde(default)]
    to_all: String,
}

async fn note(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<NoteForm>,
) -> AppResult<Response> {
    let public = form.visibility == "public";
    let words = Words {
        body: &form.text,
        public,
        then: Status::parse(&form.then),
        to_all: public && !form.to_all.is_empty(),
    };
    let result = tickets::note(&state, &caller, &ticket, words).await;
    done(
        &state,
        frame.with_typed(&typed),
        (&ticket, "#timeline"),
        result,
    )
    .await
}

#[derive(Deserialize)]
struct StatusForm {
    status: String,
}

async fn status(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<StatusForm>,
) -> AppResult<Response> {
    let result = match Status::parse(&form.status) {
        Some(status) => {
            let change = Change {
                status: Some(status),
                ..Change::default()
            };
            tickets::change(&state, &caller, &ticket, &change).await
        }
        None => Err(AppError::invalid("status", "is not a status")),
    };
    done(&state, frame, (&ticket, ""), result).await
}

#[derive(Deserialize)]
struct TagForm {
    #[serde(default)]
    add: String,
    #[serde(default)]
    remove: String,
}

async fn tag(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<TagForm>,
) -> AppResult<Response> {
    let some = |tag: String| Some(vec![tag]).filter(|tags| !tags[0].is_empty());
    let change = Change {
        add_tags: some(form.add),
        remove_tags: some(form.remove),
        ..Change::default()
    };
    let result = tickets::change(&state, &caller, &ticket, &change).await;
    done(&state, frame, (&ticket, ""), result).await
}

#[derive(Deserialize)]
struct AttemptForm {
    #[serde(default)]
    id: String,
    hypothesis: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    result: String,
    #[serde(default)]
    state: String,
}

async fn attempt(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<AttemptForm>,
) -> AppResult<Response> {
    let id = Some(form.id).filter(|id| !id.is_empty());
    let id = id
        .map(|id| crate::http::api::id("attempt", &id))
        .transpose()?;
    let attempt = Attempt {
        hypothesis: form.hypothesis,
        action: form.action,
        result: form.result,
        state: Verdict::parse(&form.state),
    };
    let result = diagnosis::note_attempt(&state, &caller, &ticket, id.as_deref(), &attempt).await;
    done(
        &state,
        frame.with_typed(&typed),
        (&ticket, "#attempts"),
        result,
    )
    .await
}

#[derive(Deserialize)]
struct PinForm {
    bundle: String,
    file: String,
    line: i64,
    #[serde(default)]
    text: String,
    #[serde(default)]
    note: String,
}

async fn pin(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<PinForm>,
) -> AppResult<Response> {
    let new = NewPin {
        bundle: form.bundle,
        file: form.file,
        line: form.line,
        text: form.text,
        note: form.note,
    };
    let result = diagnosis::pin(&state, &caller, &ticket, &new).await;
    done(&state, frame.with_typed(&typed), (&ticket, "#pins"), result).await
}

#[derive(Deserialize)]
pub(super) struct Empty {}

async fn unpin(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path((ticket, id)): Path<(String, String)>,
    Form(Empty {}): Form<Empty>,
) -> AppResult<Response> {
    let id = crate::http::api::id("pin", &id)?;
    let result = diagnosis::unpin(&state, &caller, &ticket, &id).await;
    done(&state, frame, (&ticket, "#pins"), result).await
}

#[derive(Deserialize)]
struct SolutionForm {
    #[serde(default)]
    source: String,
    title: String,
    steps: String,
    #[serde(default)]
    success: String,
    #[serde(default)]
    rollback: String,
    #[serde(default)]
    to_all: String,
}

async fn propose(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<SolutionForm>,
) -> AppResult<Response> {
    let new = Solution {
        source: form.source,
        title: form.title,
        steps: form.steps,
        success: form.success,
        rollback: form.rollback,
        to_all: !form.to_all.is_empty(),
    };
    let result = solution::propose(&state, &caller, &ticket, &new).await;
    done(
        &state,
        frame.with_typed(&typed),
        (&ticket, "#solution"),
        result,
    )
    .await
}

#[derive(Deserialize)]
struct CloseForm {
    #[serde(default)]
    cause: String,
    #[serde(default)]
    resolution: String,
    #[serde(default)]
    note: String,
}

async fn close(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<CloseForm>,
) -> AppResult<Response> {
    let change = Change {
        status: Some(Status::Closed),
        cause: Cause::parse(&form.cause),
        resolution: Resolution::parse(&form.resolution),
        closing_note: Some(form.note),
        ..Change::default()
    };
    let result = tickets::change(&state, &caller, &ticket, &change).await;
    done(&state, frame.with_typed(&typed), (&ticket, ""), result).await
}

#[derive(Deserialize)]
struct UndoForm {
    change: String,
}

async fn take_back(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<UndoForm>,
) -> AppResult<Response> {
    let id = crate::http::api::id("change that can be taken back", &form.change)?;
    match undo::undo(&state, &caller, &ticket, &id).await {
        Ok(_) => Ok(Redirect::to(&format!("/tickets/{ticket}")).into_response()),
        Err(error) => refused(&state, frame, &ticket, error).await,
    }
}
