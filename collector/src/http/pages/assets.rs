//! Stylesheet, scripts and icon, from the binary itself.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::auth::Access;
use crate::error::{AppError, AppResult};
use crate::http::Routes;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

/// The routes.
pub fn routes() -> Routes {
    Routes::default().get("/assets/{name}", Access::Public, show)
}

async fn show(Path(name): Path<String>) -> AppResult<Response> {
    let file = Assets::get(&name).ok_or_else(|| AppError::not_found("page"))?;
    let media = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    // Names are not hashed: browsers ask again after some minutes.
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "public, max-age=600"),
    ];
    Ok((headers, file.data.into_owned()).into_response())
}
