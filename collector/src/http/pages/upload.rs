//! The customer's pages: what was asked for, one line to run, a form that works without script, and what became of an
//! upload. The code in the address is the credential; nothing of the ticket but its title is shown.

use std::sync::Arc;

use askama::Template;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Multipart, State};
use axum::handler::Handler;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, HOST};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use super::Frame;
use super::findings::{FindingView, finding_view};
use crate::auth::Access;
use crate::bundles::Bundles;
use crate::bundles::receive::headers::base_name;
use crate::bundles::receive::{Append, Create, Grant, Metadata, ReceiveError};
use crate::bundles::tickets::TicketName;
use crate::config::TlsMode;
use crate::db::uploads::UploadRow;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::api::uploads::grant;
use crate::http::extract::{ClientAddress, Path};
use crate::state::AppState;
use crate::tickets::codes;

/// Its lines in the registry. The code in the address is checked by [`CodePage`].
pub fn routes() -> Routes {
    Routes::default()
        .get("/u/{code}", Access::Public, show)
        // The receiver has a limit of its own.
        .post(
            "/u/{code}",
            Access::Public,
            receive.layer(DefaultBodyLimit::disable()),
        )
        .get("/u/{code}/{upload}", Access::Public, received)
}

/// The checked code of an address.
pub struct CodePage {
    code: String,
    grant: Grant,
    requested_by: String,
    profile: String,
    since: String,
    expires_ms: i64,
    base_url: String,
}

impl FromRequestParts<AppState> for CodePage {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> AppResult<Self> {
        let address = ClientAddress::from_request_parts(parts, state).await?.0;
        // The second parameter of some of these addresses is not this extractor's.
        let path = parts.uri.path().to_owned();
        let code = path
            .strip_prefix("/u/")
            .and_then(|rest| rest.split('/').next())
            .unwrap_or_default()
            .to_owned();
        let found = codes::authenticate(state, &code, address).await?;
        let host = parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let scheme = if state.config.tls == TlsMode::Off {
            "http"
        } else {
            "https"
        };
        Ok(Self {
            grant: grant(&found, parts),
            requested_by: found.requested_by,
            profile: found.profile,
            since: found.since.unwrap_or_default(),
            expires_ms: found.expires_ms,
            base_url: state
                .config
                .public_url
                .clone()
                .unwrap_or_else(|| format!("{scheme}://{host}")),
            code,
        })
    }
}

struct Sent {
    filename: String,
    size: String,
    state: String,
    href: String,
}

#[derive(Template)]
#[template(path = "upload.html")]
struct UploadPage {
    frame: Frame,
    code: String,
    ticket: TicketName,
    requested_by: String,
    profile: String,
    since: String,
    command: String,
    max_bytes: u64,
    max: String,
    expires: String,
    left: u64,
    uploads: Vec<Sent>,
}

/// `GET /u/{code}`.
pub async fn show(
    State(bundles): State<Arc<Bundles>>,
    frame: Frame,
    page: CodePage,
) -> AppResult<Response> {
    let uploads = bundles.uploads_of_code(&page.grant.code_id).await?;
    let sent = uploads
        .iter()
        .filter(|row| row.state == "complete")
        .map(|row| Sent {
            filename: row.filename.clone(),
            size: format_bytes(row.offset_bytes.max(0).unsigned_abs()),
            state: row.receipt.clone(),
            href: format!("/u/{}/{}", page.code, row.id),
        });
    super::html(&UploadPage {
        ticket: bundles.ticket_name(&page.grant.ticket_id).await?,
        command: format!("sitrep run {}/u/{}", page.base_url, page.code),
        requested_by: page.requested_by,
        profile: page.profile,
        since: page.since,
        max_bytes: page.grant.max_bytes,
        max: format_bytes(page.grant.max_bytes),
        expires: UtcMs(page.expires_ms).rfc3339(),
        left: page.grant.uploads_left,
        uploads: sent.collect(),
        code: page.code,
        frame,
    })
}

/// `POST /u/{code}`: the plain form. The file streams to disk as it comes.
pub async fn receive(
    State(bundles): State<Arc<Bundles>>,
    mut page: CodePage,
    headers: HeaderMap,
    mut form: Multipart,
) -> AppResult<Response> {
    // The file is shorter than its form: no more room is kept for it than it can need.
    let form_bytes = headers
        .get(CONTENT_LENGTH)
        .and_then(|n| n.to_str().ok()?.parse().ok());
    let most = &mut page.grant.max_bytes;
    *most = (*most).min(form_bytes.unwrap_or(u64::MAX));
    let unreadable =
        |error: axum::extract::multipart::MultipartError| AppError::bad_request(error.body_text());
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        if field.name() != Some("file") {
            continue;
        }
        let filename = base_name(field.file_name().unwrap_or_default());
        let row = receive_whole(&bundles, &page.grant, filename, field)
            .await
            .map_err(refused)?;
        return Ok(Redirect::to(&format!("/u/{}/{}", page.code, row.id)).into_response());
    }
    Err(AppError::invalid("file", "choose a file"))
}

/// A body whose length is known only at its end: deferred, appended, and then told.
async fn receive_whole<S, E>(
    bundles: &Bundles,
    grant: &Grant,
    filename: String,
    body: S,
) -> Result<UploadRow, ReceiveError>
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, E>> + Unpin,
{
    let metadata = Metadata {
        filename,
        ..Metadata::default()
    };
    let row = bundles
        .receiver
        .create(
            grant,
            Create {
                length: None,
                metadata,
            },
        )
        .await?;
    let upload = Uuid::parse_str(&row.id).map_err(|_| ReceiveError::Unknown)?;
    let request = Append {
        upload,
        offset: 0,
        length: None,
        checksum: None,
        body_bytes: None,
    };
    match bundles.receiver.append(&grant.code_id, request, body).await {
        Ok(row) => {
            bundles
                .receiver
                .close(&grant.code_id, upload, row.offset_bytes)
                .await
        }
        Err(error) => {
            // A form cannot resume: what came is of no use to anyone.
            let _ = bundles.receiver.cancel(&grant.code_id, upload).await;
            Err(error)
        }
    }
}

fn refused(error: ReceiveError) -> AppError {
    match error {
        ReceiveError::TooLarge { limit } => AppError::invalid(
            "file",
            format!("larger than the {} that are allowed", format_bytes(limit)),
        ),
        ReceiveError::CodeUsed => AppError::forbidden("this code has been used; ask for a new one"),
        other => other.into(),
    }
}

#[derive(Template)]
#[template(path = "received.html")]
struct ReceivedPage {
    frame: Frame,
    code: String,
    ticket: TicketName,
    receipt: String,
    filename: String,
    sha256: String,
    state: String,
    reason: String,
    pending: bool,
    bad: bool,
    findings: Vec<FindingView>,
}

/// `GET /u/{code}/{upload}`: the receipt, and the verdict when there is one.
pub async fn received(
    State(bundles): State<Arc<Bundles>>,
    frame: Frame,
    page: CodePage,
    Path((_, upload)): Path<(String, String)>,
) -> AppResult<Response> {
    let upload = Uuid::parse_str(&upload).map_err(|_| AppError::not_found("upload"))?;
    let row = bundles.receiver.find(&page.grant.code_id, upload).await?;
    let status = bundles.status(&row).await?;
    let verdict = status
        .verdict
        .and_then(|verdict| serde_json::to_value(verdict).ok());
    let word = verdict
        .as_ref()
        .and_then(|verdict| verdict.as_str())
        .unwrap_or("waiting")
        .to_owned();
    let found = match Uuid::parse_str(&row.bundle_id) {
        Ok(bundle) if row.state == "complete" => bundles.findings(bundle).await?,
        _ => Vec::new(),
    };
    super::html(&ReceivedPage {
        code: page.code,
        ticket: bundles.ticket_name(&row.ticket_id).await?,
        receipt: row.receipt.clone(),
        filename: row.filename.clone(),
        sha256: row.sha256.clone().unwrap_or_default(),
        state: frame.l.t(&format!("upload.{word}")).to_owned(),
        reason: status.reason.unwrap_or_default(),
        pending: word == "pending",
        bad: matches!(word.as_str(), "rejected" | "quarantined"),
        findings: found
            .iter()
            .filter(|row| row.stands())
            .map(|row| finding_view(&frame, None, row))
            .collect(),
        frame,
    })
}
