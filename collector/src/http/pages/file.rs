//! A file's text, a page at a time, with an address for every line.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sitrep_shared::size::format_bytes;
use uuid::Uuid;

use super::Frame;
use super::bundle::{BundleHead, head, ticket};
use crate::auth::Access;
use crate::bundles::Bundles;
use crate::bundles::browse::search::Search;
use crate::bundles::browse::{Level, Which};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::api::place::{self, Asked};
use crate::http::extract::{Path, Query};
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::customer::viewed;

/// Lines of a page of text.
const LINES: u64 = 500;
/// Hits that are listed; the search of the API has all.
const HITS_MAX: usize = 200;
/// Lines shown before the one that was asked for.
const BEFORE: u64 = 20;

/// Its lines in the registry.
pub fn routes() -> Routes {
    Routes::default()
        .get("/bundles/{id}/file", Access::Engineer, named)
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
pub async fn named(
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
    fid: u64,
    path: String,
    size: String,
    lines: u64,
    /// Where the API has it.
    at: String,
}

struct HitView {
    line: u64,
    text: String,
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
    /// The line that is looked at.
    here: u64,
    query: String,
    hits: Vec<HitView>,
    /// Whether there are more hits than are listed.
    more: bool,
    plain: bool,
    problem: String,
    /// The marked line, which can be pinned to the ticket.
    marked: Option<(u64, String)>,
}

/// Which lines, or what is sought.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Lines {
    from: Option<u64>,
    #[serde(rename = "L")]
    line: Option<u64>,
    /// A number, a part such as `50%`, or a time.
    to: String,
    /// A regular expression whose hits are listed.
    q: String,
    /// The next line of this level, or the one before.
    level: Option<Level>,
    back: Option<u8>,
    /// Without the script.
    plain: Option<u8>,
}

impl Lines {
    /// What the address asks to be sought; none when it names lines.
    fn sought(&self) -> Option<Asked> {
        let time = Some(self.to.trim()).filter(|to| !to.is_empty());
        let asked = Asked {
            level: self.level,
            time: time.map(str::to_owned),
            from: self.from.or(self.line),
            back: self.back.is_some(),
            ..Asked::default()
        };
        (asked.level.is_some() || asked.time.is_some()).then_some(asked)
    }
}

/// The line of a number or a part such as `50%`.
fn numbered(to: &str, lines: u64) -> Option<u64> {
    let to = to.trim();
    if let Some(part) = to.strip_suffix('%') {
        let part = part
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|part| (0.0..=100.0).contains(part))?;
        return Some(((part / 100.0 * lines as f64).ceil() as u64).max(1));
    }
    to.parse().ok()
}

/// `GET /bundles/{id}/files/{fid}`: a page of a file's text: `?from=`, `?L=`; or to where `?to=` or `?level=` leads.
pub async fn text(
    State(state): State<AppState>,
    caller: Caller,
    frame: Frame,
    Path((id, fid)): Path<(String, u64)>,
    Query(lines): Query<Lines>,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    viewed(&state, &caller, &row.id, &row.ticket_id).await?;
    let entry = bundles.browse.file(id, Which::Fid(fid)).await?;
    let mut problem = String::new();
    if let Some(asked) = lines.sought() {
        let found = match numbered(&lines.to, entry.lines) {
            Some(line) => Ok(Some(line.clamp(1, entry.lines.max(1)))),
            None => place::find(&state, (&row.id, fid), &asked).await,
        };
        match found {
            Ok(Some(line)) => {
                let plain = if lines.plain.is_some() {
                    "&plain=1"
                } else {
                    ""
                };
                return Ok(Redirect::to(&format!("?L={line}{plain}#L{line}")).into_response());
            }
            Ok(None) => frame.l.t("viewer.none").clone_into(&mut problem),
            Err(error) if error.status().is_client_error() => {
                error.detail().clone_into(&mut problem)
            }
            Err(error) => return Err(error),
        }
    }
    let hits = match hits(&state, id, fid, &lines.q).await {
        Ok(hits) => hits,
        Err(error) if error.status().is_client_error() => {
            error.detail().clone_into(&mut problem);
            Vec::new()
        }
        Err(error) => return Err(error),
    };
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
            fid,
            path: entry.path,
            size: format_bytes(entry.size),
            lines: entry.lines,
            at: format!("/api/v1/bundles/{id}/files/{fid}"),
        },
        lines: view.collect(),
        pages: pages(from, shown, entry.lines),
        here: lines.line.unwrap_or(from),
        more: hits.len() >= HITS_MAX,
        hits,
        query: lines.q,
        plain: lines.plain.is_some(),
        problem,
        marked,
    })
}

/// The lines of the file that match; none when nothing is looked for.
async fn hits(state: &AppState, bundle: Uuid, fid: u64, pattern: &str) -> AppResult<Vec<HitView>> {
    if pattern.is_empty() {
        return Ok(Vec::new());
    }
    let search = Search::new(pattern, true, HITS_MAX);
    let search = search.map_err(|error| AppError::bad_request(error.to_string()))?;
    let (tell, mut hear) = tokio::sync::mpsc::channel(HITS_MAX);
    // As many as the channel holds: nobody waits.
    state
        .bundles
        .browse
        .search(bundle, search.of_file(fid), tell)
        .await?;
    let mut hits = Vec::new();
    while let Some(hit) = hear.recv().await {
        hits.push(HitView {
            line: hit.line,
            text: visible(&hit.text),
        });
    }
    Ok(hits)
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
    fn a_place_is_a_number_or_a_part() {
        for (to, expected) in [
            ("12", Some(12)),
            ("50%", Some(500)),
            (" 0.05 % ", Some(1)),
            ("0%", Some(1)),
            ("101%", None),
            ("nan%", None),
            ("14:03", None),
        ] {
            assert_eq!(numbered(to, 1000), expected, "{to}");
        }
    }

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
