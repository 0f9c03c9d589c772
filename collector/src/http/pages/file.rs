//! A file's text, a page at a time, with an address for every line.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::Deserialize;
use sitrep_shared::size::format_bytes;

use super::Frame;
use super::bundle::{BundleHead, head, ticket};
use crate::auth::{Access, Actor};
use crate::bundles::Bundles;
use crate::bundles::browse::Which;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::extract::{Path, Query};
use crate::state::AppState;
use crate::tickets::customer::viewed;

/// Lines of a page of text.
const LINES: u64 = 500;
/// Lines shown before the one that was asked for.
const BEFORE: u64 = 20;

/// Its lines in the registry.
pub fn routes() -> Routes {
    Routes::default()
        .get("/bundles/{id}/file", Access::Engineer, place)
        .get("/bundles/{id}/files/{fid}", Access::Engineer, text)
}

/// Where evidence points: a path and a line.
#[derive(Debug, Deserialize)]
pub struct Place {
    path: String,
    #[serde(rename = "L")]
    line: Option<u64>,
}

/// `GET /bundles/{id}/file?path=&L=`: to the page of the file's number.
pub async fn place(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
    Query(place): Query<Place>,
) -> AppResult<Redirect> {
    let (id, _) = load(&bundles, &id).await?;
    let entry = bundles.browse.file(id, Which::Path(place.path)).await?;
    let line = place
        .line
        .map(|line| format!("?L={line}#L{line}"))
        .unwrap_or_default();
    Ok(Redirect::to(&format!(
        "/bundles/{id}/files/{}{line}",
        entry.fid
    )))
}

struct FileHead {
    path: String,
    size: String,
    lines: u64,
    raw: String,
}

struct LineView {
    n: u64,
    level: &'static str,
    text: String,
    cut: bool,
    hit: bool,
}

struct Pages {
    first: String,
    prev: String,
    next: String,
    last: String,
}

#[derive(Template)]
#[template(path = "file.html")]
struct FilePage {
    frame: Frame,
    bundle: BundleHead,
    file: FileHead,
    lines: Vec<LineView>,
    pages: Pages,
    from: u64,
    /// The marked line, which can be pinned to the ticket.
    marked: Option<(u64, String)>,
}

/// Which lines.
#[derive(Debug, Default, Deserialize)]
pub struct Lines {
    from: Option<u64>,
    #[serde(rename = "L")]
    line: Option<u64>,
}

/// `GET /bundles/{id}/files/{fid}?from=` or `?L=`: a page of a file's text.
pub async fn text(
    State(state): State<AppState>,
    actor: Actor,
    frame: Frame,
    Path((id, fid)): Path<(String, u64)>,
    Query(lines): Query<Lines>,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    viewed(&state, &actor, &row.id, &row.ticket_id).await?;
    let entry = bundles.browse.file(id, Which::Fid(fid)).await?;
    let from = lines
        .from
        .or(lines.line.map(|line| line.saturating_sub(BEFORE)))
        .unwrap_or(1)
        .clamp(1, entry.lines.max(1));
    let page = bundles.browse.lines(id, fid, from, LINES).await?;
    let shown = page.lines.len() as u64;
    let marked = page.lines.iter().find(|line| lines.line == Some(line.n));
    let marked = marked.map(|line| (line.n, visible(&line.s)));
    let view = page.lines.into_iter().map(|line| LineView {
        n: line.n,
        level: line.l.unwrap_or_default(),
        text: visible(&line.s),
        cut: line.cut,
        hit: lines.line == Some(line.n),
    });
    let (key, href) = ticket(bundles, &row).await?;
    super::html(&FilePage {
        frame,
        bundle: head(&row, key, href),
        file: FileHead {
            path: entry.path,
            size: format_bytes(entry.size),
            lines: entry.lines,
            raw: format!("/api/v1/bundles/{id}/files/{fid}"),
        },
        lines: view.collect(),
        pages: pages(from, shown, entry.lines),
        from,
        marked,
    })
}

fn pages(from: u64, shown: u64, total: u64) -> Pages {
    let href = |from: u64| format!("?from={from}");
    let end = from + shown;
    let more = end <= total;
    Pages {
        first: if from > 1 { href(1) } else { String::new() },
        prev: if from > 1 {
            href(from.saturating_sub(LINES).max(1))
        } else {
            String::new()
        },
        next: if more { href(end) } else { String::new() },
        last: if more {
            href(total.saturating_sub(LINES - 1).max(1))
        } else {
            String::new()
        },
    }
}

/// Control and bidirectional characters made visible: a line is a line, whatever it holds.
fn visible(text: &str) -> String {
    sitrep_shared::escape::terminal(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lead_everywhere_and_never_outside() {
        let only = pages(1, 10, 10);
        assert!(
            only.first.is_empty()
                && only.prev.is_empty()
                && only.next.is_empty()
                && only.last.is_empty()
        );
        let middle = pages(1001, 500, 9_999);
        assert_eq!(
            (
                middle.prev.as_str(),
                middle.next.as_str(),
                middle.last.as_str()
            ),
            ("?from=501", "?from=1501", "?from=9500")
        );
    }
}
