//! A file at a glance: a drawing of where errors, warnings, findings and pinned lines stand in it, each column of which
//! leads there. The viewer puts it above the lines; without script it is a page.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Frame;
use super::chart::{Chart, Column};
use crate::auth::Access;
use crate::bundles::browse::overview::{Part, part_of};
use crate::bundles::browse::{Which, index::FileEntry};
use crate::db::{diagnosis, findings};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::extract::Path;
use crate::state::AppState;

/// The route.
pub fn routes() -> Routes {
    Routes::default().get("/bundles/{id}/files/{fid}/overview", Access::Engineer, show)
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    path: String,
    href: String,
    chart: Chart,
    chart_label: String,
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Path((id, fid)): Path<(String, u64)>,
) -> AppResult<Response> {
    let (id, row) = load(&state.bundles, &id).await?;
    let entry = state.bundles.browse.file(id, Which::Fid(fid)).await?;
    let parts = state.bundles.browse.overview(id, fid).await?;
    let mut conn = state.db.read().await?;
    let found = findings::of_bundle(&mut conn, &row.id, state.now_ms()).await?;
    let found = found
        .iter()
        .filter(|f| f.stands())
        .flat_map(|f| evidence(f, &entry.path));
    let pins = diagnosis::pins(&mut conn, &row.ticket_id).await?;
    let pins = pins
        .into_iter()
        .filter(|pin| pin.bundle_id == row.id && pin.file == entry.path)
        .filter_map(|pin| u64::try_from(pin.line).ok());
    let marks = marks(&entry, found.chain(pins));
    drop(conn);
    let href = format!("/bundles/{id}/files/{fid}");
    super::html(&OverviewPage {
        chart: chart(&frame, &href, &parts, &marks),
        chart_label: frame.l.t("overview.title").to_owned(),
        path: entry.path,
        href,
        frame,
    })
}

/// Lines of a file that a finding names as its evidence.
fn evidence(row: &findings::FindingRow, path: &str) -> Vec<u64> {
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
    let list = body["evidence"].as_array().into_iter().flatten();
    list.filter(|item| item["file"] == path)
        .filter_map(|item| item["line"].as_u64())
        .filter(|line| *line > 0)
        .collect()
}

/// Marked lines by part of the file: how many, and the first.
fn marks(entry: &FileEntry, lines: impl Iterator<Item = u64>) -> BTreeMap<usize, (u64, u64)> {
    let mut marks = BTreeMap::new();
    for line in lines {
        let (count, first) = marks.entry(part_of(line, entry.lines)).or_insert((0, line));
        *count += 1;
        *first = line.min(*first);
    }
    marks
}

fn chart(frame: &Frame, href: &str, parts: &[Part], marks: &BTreeMap<usize, (u64, u64)>) -> Chart {
    let names = [
        ("overview.marks", "accent"),
        ("timeline.errors", "error"),
        ("timeline.warnings", "warning"),
    ];
    let names = names.map(|(key, class)| (frame.l.t(key).to_owned(), class));
    let columns = parts.iter().enumerate().map(|(place, part)| {
        let (count, mark) = marks
            .get(&place)
            .map_or((0, None), |(n, line)| (*n, Some(*line)));
        // What is known leads, then what is worse.
        let first = mark.or(part.error).or(part.warning);
        Column {
            name: format!("{} {}", frame.l.t("pin.line"), part.from),
            href: first.map_or_else(String::new, |line| format!("{href}?L={line}#L{line}")),
            amounts: vec![count, part.errors, part.warnings],
        }
    });
    Chart::new(names.into(), columns.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_of_another_file_is_none_of_this_one() {
        let row = findings::FindingRow {
            body: r#"{"evidence":[{"file":"a","line":3},{"file":"b","line":4},{"file":"a"},{"file":"a","line":0}]}"#.into(),
            ..findings::FindingRow::default()
        };
        assert_eq!(evidence(&row, "a"), [3]);
    }
}
