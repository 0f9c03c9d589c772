//! Statistics of a span, and the coverage: what no signature explains, and what was closed without a cause.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sitrep_shared::ids::TicketKey;

use super::chart::{Chart, Column};
use super::{Frame, span, time};
use crate::auth::Access;
use crate::db::stats::{self as rows, UnexplainedRow};
use crate::db::templates;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Form, Query};
use crate::signatures::unknown;
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::stats::{self, Figures, Span};

/// Spans that are offered, in days.
const DAYS: [i64; 4] = [7, 30, 90, 365];
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Rows of a list.
const ROWS_MAX: i64 = 50;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/stats", Access::Viewer, show)
        .get("/coverage", Access::Engineer, coverage)
        .post("/coverage/ignore", Access::Engineer, ignore)
}

/// A line of a table of figures, as text.
struct Line {
    name: String,
    tickets: usize,
    closed: usize,
    answer: String,
    finding: String,
    solved: String,
    reopened: String,
    content: String,
    with_finding: String,
}

/// A table of figures and the key of its title.
struct Table {
    title: &'static str,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "stats.html")]
struct StatsPage {
    frame: Frame,
    days: i64,
    choices: [i64; 4],
    from_ms: i64,
    to_ms: i64,
    empty: bool,
    chart: Chart,
    chart_label: String,
    tables: Vec<Table>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpanQuery {
    days: Option<i64>,
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Query(query): Query<SpanQuery>,
) -> AppResult<Response> {
    let days = query.days.filter(|days| DAYS.contains(days)).unwrap_or(90);
    let to_ms = state.now_ms() + 1;
    let from_ms = to_ms - days * DAY_MS;
    let told = stats::of_span(&state, from_ms, to_ms).await?;
    let empty = told.all.tickets == 0;
    let chart = course(&frame, &told.course);
    let groups = [
        ("stats.all", vec![told.all]),
        ("stats.products", told.products),
        ("stats.signatures", told.signatures),
        ("stats.causes", told.causes),
    ];
    let tables = groups
        .into_iter()
        .filter(|(_, figures)| !figures.is_empty());
    let tables = tables.map(|(title, figures)| Table {
        title,
        lines: figures
            .into_iter()
            .map(|f| line(&frame, title, f))
            .collect(),
    });
    super::html(&StatsPage {
        tables: tables.collect(),
        chart,
        chart_label: frame.l.t("stats.course").to_owned(),
        days,
        choices: DAYS,
        from_ms,
        to_ms,
        empty,
        frame,
    })
}

/// The tickets that came, and how many of them have a finding.
fn course(frame: &Frame, columns: &[stats::Column]) -> Chart {
    let parts = [
        ("stats.with_finding_short", "accent"),
        ("stats.without_finding", "rest"),
    ];
    let parts = parts.map(|(key, class)| (frame.l.t(key).to_owned(), class));
    let columns = columns.iter().map(|column| {
        let with = column.with_finding as u64;
        Column {
            name: time(column.from_ms).chars().take(10).collect(),
            href: String::new(),
            amounts: vec![with, column.tickets as u64 - with],
        }
    });
    Chart::new(parts.into(), columns.collect())
}

fn line(frame: &Frame, title: &str, figures: Figures) -> Line {
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v} %"));
    let name = match title {
        "stats.all" => frame.l.t("stats.all").to_owned(),
        "stats.causes" => frame.l.w("cause", &figures.name).to_owned(),
        _ => figures.name,
    };
    Line {
        name,
        tickets: figures.tickets,
        closed: figures.closed,
        answer: took(frame, &figures.first_answer),
        finding: took(frame, &figures.first_finding),
        solved: took(frame, &figures.solved),
        reopened: percent(figures.reopened_percent),
        content: percent(figures.content_percent),
        with_finding: percent(figures.with_finding_percent),
    }
}

/// Half, and nine of ten.
fn took(frame: &Frame, of: &Span) -> String {
    match (of.median_ms, of.p90_ms) {
        (Some(half), Some(most)) => {
            format!("{} · {}", span(&frame.l, half), span(&frame.l, most))
        }
        _ => "–".to_owned(),
    }
}

#[derive(Deserialize)]
struct IgnoreForm {
    id: String,
    #[serde(default)]
    reason: String,
}

async fn ignore(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<IgnoreForm>,
) -> AppResult<Response> {
    let id = crate::http::api::name("unknown error", &form.id)?;
    unknown::ignore(&state, &caller, id, &form.reason).await?;
    Ok(Redirect::to("/coverage").into_response())
}

struct Causeless {
    key: String,
    title: String,
    closed: String,
}

#[derive(Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    frame: Frame,
    percent: String,
    /// Bundles that were read.
    bundles: i64,
    errors: Vec<UnexplainedRow>,
    causeless: Vec<Causeless>,
}

impl CoveragePage {
    /// How unusual an error is that so many bundles have: from 0, in all of them, upwards.
    fn rarity(&self, error: &UnexplainedRow) -> String {
        format!("{:.2}", unknown::rarity(error.bundles, self.bundles))
    }
}

async fn coverage(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    let mut conn = state.db.read().await?;
    let since = state.now_ms() - 90 * DAY_MS;
    let (tickets, with) = rows::with_finding(&mut conn, since).await?;
    let bundles = templates::read_bundles(&mut conn).await?;
    let errors = rows::unexplained(&mut conn, ROWS_MAX).await?;
    let closed = rows::without_cause(&mut conn, ROWS_MAX).await?;
    let causeless = closed
        .into_iter()
        .map(|(number, title, closed_ms)| Causeless {
            key: TicketKey::of_number(number.unsigned_abs()).to_string(),
            title,
            closed: time(closed_ms),
        });
    super::html(&CoveragePage {
        frame,
        percent: match tickets {
            0 => "–".to_owned(),
            tickets => (with * 100 / tickets).to_string(),
        },
        bundles,
        errors,
        causeless: causeless.collect(),
    })
}
