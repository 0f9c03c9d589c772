//! What was found, as a report for another system: a few lines, and a page of HTML to attach. Never the bundle: a link to
//! it. What does not fit is left out from the end, and the report says so.

use std::fmt::Write as _;

use askama::Template;
use serde_json::Value;

use crate::db::findings::{self, FindingRow};
use crate::db::tickets::TicketRow;
use crate::error::{AppError, AppResult};
use crate::locale::Locale;
use crate::state::AppState;
use crate::tickets::model::Audience;
use crate::tickets::{self, solution};

/// How much is shown, from all to next to nothing: findings, and lines of evidence of each.
const STEPS: [(usize, usize); 5] = [(usize::MAX, 5), (usize::MAX, 1), (50, 1), (10, 0), (1, 0)];
/// Findings that the few lines name.
const NAMED_MAX: usize = 10;
/// Longest line of evidence, in characters.
const LINE_MAX: usize = 2_000;

/// A report.
#[derive(Debug)]
pub(super) struct Report {
    /// A few lines with links.
    pub(super) text: String,
    /// The page; none when not even its shortest form fits.
    pub(super) html: Option<String>,
}

struct Line {
    place: String,
    text: String,
}

struct Found {
    id: String,
    title: String,
    severity: String,
    url: String,
    evidence: Vec<Line>,
    fix: Vec<String>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    l: Locale,
    key: &'a str,
    title: &'a str,
    url: &'a str,
    bundles: &'a [(String, String)],
    found: Vec<Found>,
    left_out: usize,
}

/// The report of a ticket in at most `max_bytes`; none when there is nothing to report.
pub(super) async fn of_ticket(
    state: &AppState,
    ticket: &TicketRow,
    l: &Locale,
    max_bytes: u64,
) -> AppResult<Option<Report>> {
    let mut conn = state.db.read().await?;
    let all = findings::of_ticket(&mut conn, &ticket.id, state.now_ms()).await?;
    drop(conn);
    let mut seen = std::collections::HashSet::new();
    let stand = all.iter().filter(|row| row.stands());
    let found: Vec<&FindingRow> = stand.filter(|row| seen.insert(&row.signature_id)).collect();
    let bundles = state.bundles.list_for_ticket(&ticket.id).await?;
    if bundles.is_empty() && found.is_empty() {
        return Ok(None);
    }
    let name = |host: &Option<String>, file: &str| host.clone().unwrap_or_else(|| file.to_owned());
    let bundles: Vec<(String, String)> = bundles
        .iter()
        .map(|row| {
            let url = format!("{}/bundles/{}", state.base_url, row.id);
            (name(&row.host, &row.filename), url)
        })
        .collect();
    let key = tickets::key(ticket);
    let url = super::page(state, ticket);
    let mut html = None;
    for (count, lines) in STEPS {
        let page = Page {
            l: *l,
            key: &key,
            title: &ticket.title,
            url: &url,
            bundles: &bundles[..bundles.len().min(count)],
            found: found
                .iter()
                .take(count)
                .map(|row| shown(state, row, l, lines))
                .collect(),
            left_out: found.len().saturating_sub(count),
        };
        let made = page.render().map_err(AppError::internal)?;
        if made.len() as u64 <= max_bytes {
            html = Some(made);
            break;
        }
    }
    let text = text(l, &found, &bundles, &url);
    Ok(Some(Report { text, html }))
}

fn text(l: &Locale, found: &[&FindingRow], bundles: &[(String, String)], url: &str) -> String {
    let mut out = format!("{} {url}\n\n", l.t("report.title"));
    for row in found.iter().take(NAMED_MAX) {
        let severity = l.severity(&row.severity);
        let _ = writeln!(out, "- {severity}: {} {}", row.signature_id, row.title);
    }
    if found.is_empty() {
        let _ = writeln!(out, "{}", l.t("report.nothing"));
    }
    if found.len() > NAMED_MAX {
        let _ = writeln!(out, "- … +{}", found.len() - NAMED_MAX);
    }
    out.push('\n');
    for (name, url) in bundles.iter().take(NAMED_MAX) {
        let _ = writeln!(out, "{} {name}: {url}", l.t("report.bundle"));
    }
    out
}

fn shown(state: &AppState, row: &FindingRow, l: &Locale, lines: usize) -> Found {
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let line = |item: &Value| Line {
        place: format!(
            "{}:{}",
            item["file"].as_str().unwrap_or_default(),
            item["line"]
        ),
        text: item["text"]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(LINE_MAX)
            .collect(),
    };
    let evidence = body["evidence"].as_array().into_iter().flatten();
    Found {
        id: row.signature_id.clone(),
        title: row.title.clone(),
        severity: row.severity.clone(),
        url: format!("{}/bundles/{}", state.base_url, row.bundle_id),
        evidence: evidence.take(lines).map(line).collect(),
        fix: solution::fix(&body, l.code(), Audience::Expert),
    }
}
