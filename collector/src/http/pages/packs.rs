//! The page of packs: what each of them says and what could be better in it, and taking one in from an archive, from
//! files or from a folder.

use askama::Template;
use axum::Extension;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::handler::Handler;
use axum::response::Response;

use super::{Frame, time};
use crate::auth::sessions::SessionInfo;
use crate::auth::{Access, Role};
use crate::db::packs::{self as pack_rows, PackRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::signatures::files::{Files, of_form};
use crate::signatures::intake::{self, Taken};
use crate::signatures::packs::{Label, UPLOAD_MAX_BYTES};
use crate::state::AppState;
use crate::tickets::Caller;

/// Longest field of the form that is no file.
const FIELD_MAX_BYTES: usize = 1_000;

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/signature-packs", Access::Viewer, list)
        .post(
            "/signature-packs",
            Access::Lead,
            take.layer(DefaultBodyLimit::max(UPLOAD_MAX_BYTES)),
        )
}

struct PackView {
    row: PackRow,
    changed: String,
    remarks: Vec<String>,
}

#[derive(Template)]
#[template(path = "packs.html")]
struct PacksPage {
    frame: Frame,
    packs: Vec<PackView>,
    may_take: bool,
    problem: String,
    faults: Vec<(String, String)>,
    taken: Option<Taken>,
    form: Sent,
}

/// What the form sent.
#[derive(Default)]
struct Sent {
    name: String,
    version: String,
    licence: String,
    stand: String,
    csrf: String,
    files: Files,
}

async fn list(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    super::html(&page(&state, frame).await?)
}

async fn page(state: &AppState, frame: Frame) -> AppResult<PacksPage> {
    let rows = pack_rows::list(&mut *state.db.read().await?).await?;
    let view = |row: PackRow| PackView {
        changed: time(row.changed_ms),
        remarks: serde_json::from_str(&row.remarks).unwrap_or_default(),
        row,
    };
    Ok(PacksPage {
        packs: rows.into_iter().map(view).collect(),
        may_take: frame.may(Role::Lead),
        frame,
        problem: String::new(),
        faults: Vec::new(),
        taken: None,
        form: Sent::default(),
    })
}

async fn take(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    session: Option<Extension<SessionInfo>>,
    form: Multipart,
) -> AppResult<Response> {
    let mut sent = read(form).await?;
    if let Some(Extension(session)) = session {
        session.check_csrf(&sent.csrf)?;
    }
    let files = std::mem::take(&mut sent.files);
    let done = stored(&state, &caller, &sent, files).await;
    let mut page = page(&state, frame).await?;
    match done {
        Ok(taken) => {
            page.taken = Some(taken);
            super::html(&page)
        }
        Err(error) if error.status().is_client_error() => {
            page.problem = error.detail().to_owned();
            let faults = error.fields().iter();
            page.faults = faults
                .map(|fault| (fault.field.clone(), fault.message.clone()))
                .collect();
            page.form = sent;
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

async fn stored(state: &AppState, caller: &Caller, sent: &Sent, files: Files) -> AppResult<Taken> {
    let label = Label {
        name: sent.name.clone(),
        version: sent.version.clone(),
        licence: sent.licence.clone(),
        stand: Some(intake::stand(&sent.stand)?),
    };
    intake::take(state, caller, label, files).await
}

/// Reads the form. A folder comes as its files, of which only rules are taken.
async fn read(mut form: Multipart) -> AppResult<Sent> {
    let refused = |error: axum::extract::multipart::MultipartError| {
        AppError::bad_request(format!("the form cannot be read: {}", error.body_text()))
    };
    let mut sent = Sent::default();
    while let Some(field) = form.next_field().await.map_err(refused)? {
        let key = field.name().unwrap_or_default().to_owned();
        let path = field.file_name().map(str::to_owned);
        let bytes = field.bytes().await.map_err(refused)?;
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            let found = tokio::task::spawn_blocking(move || of_form(&bytes, &path)).await;
            sent.files.extend(found.map_err(AppError::internal)??);
            continue;
        }
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(FIELD_MAX_BYTES)]);
        let text = text.trim().to_owned();
        match key.as_str() {
            "name" => sent.name = text,
            "version" => sent.version = text,
            "licence" => sent.licence = text,
            "stand" => sent.stand = text,
            "csrf" => sent.csrf = text,
            _ => {}
        }
    }
    Ok(sent)
}
