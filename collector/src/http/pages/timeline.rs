//! The timeline of a bundle: what all logs say in a window of time, with a drawing of how much, by level.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sitrep_shared::time::UtcMs;

use super::Frame;
use super::bundle::{BundleHead, head, ticket};
use super::chart::{Chart, Column};
use crate::auth::Access;
use crate::bundles::browse::{Timeline, Window};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::bundles::load;
use crate::http::api::timeline::Asked;
use crate::http::extract::{Path, Query};
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::customer::viewed;

/// The shortest window that a column leads to, in milliseconds: a second for each of its parts.
const SHORTEST_MS: i64 = 60_000;

/// The route.
pub fn routes() -> Routes {
    Routes::default().get("/bundles/{id}/timeline", Access::Engineer, show)
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePage {
    frame: Frame,
    bundle: BundleHead,
    told: Timeline,
    chart: Chart,
    chart_label: String,
    /// Name and address of other windows: earlier, wider, later, and the same for errors alone or for all lines.
    others: [(&'static str, String); 4],
}

impl TimelinePage {
    /// Logs that are not in it, and the key of why.
    fn apart(&self) -> [(&'static str, &[String]); 2] {
        [
            ("timeline.undated", &self.told.undated),
            ("timeline.left_out", &self.told.left_out),
        ]
    }

    fn time(&self, ms: &i64) -> String {
        UtcMs(*ms).rfc3339()
    }
}

async fn show(
    State(state): State<AppState>,
    caller: Caller,
    frame: Frame,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let (id, row) = load(&state.bundles, &id).await?;
    viewed(&state, &caller, &row.id, &row.ticket_id).await?;
    let window = asked.window(&row);
    let told = state.bundles.browse.timeline(id, window).await?;
    let (key, href) = ticket(&state.bundles, &row).await?;
    super::html(&TimelinePage {
        bundle: head(&row, key, href),
        chart: chart(&frame, &told, window),
        chart_label: frame.l.t("timeline.title").to_owned(),
        others: others(window),
        told,
        frame,
    })
}

fn href(from_ms: i64, to_ms: i64, errors: bool) -> String {
    let only = if errors { "&errors=true" } else { "" };
    format!("?from_ms={from_ms}&to_ms={to_ms}{only}")
}

fn others(window: Window) -> [(&'static str, String); 4] {
    let (from, to, errors) = (window.from_ms, window.to_ms, window.errors);
    let long = to.saturating_sub(from);
    let (before, behind) = (from.saturating_sub(long), to.saturating_add(long));
    let other = match errors {
        true => "timeline.all",
        false => "timeline.only_errors",
    };
    [
        ("timeline.earlier", href(before, from, errors)),
        ("timeline.wider", href(before, behind, errors)),
        ("timeline.later", href(to, behind, errors)),
        (other, href(from, to, !errors)),
    ]
}

fn chart(frame: &Frame, told: &Timeline, window: Window) -> Chart {
    let parts = [
        ("timeline.errors", "error"),
        ("timeline.warnings", "warning"),
        ("timeline.lines", "rest"),
    ];
    let parts = parts.map(|(key, class)| (frame.l.t(key).to_owned(), class));
    let step = told
        .parts
        .get(1)
        .map_or(0, |next| next.from_ms.saturating_sub(window.from_ms));
    let columns = told.parts.iter().map(|part| Column {
        name: UtcMs(part.from_ms).rfc3339().chars().take(19).collect(),
        href: href(
            part.from_ms,
            part.from_ms.saturating_add(step.max(SHORTEST_MS)),
            window.errors,
        ),
        amounts: vec![part.errors, part.warnings, part.others],
    });
    Chart::new(parts.into(), columns.collect())
}
