//! Training: a closed ticket replayed. First the problem and the evidence, then the reader's hypothesis, then what was
//! found and what solved it. Nothing is stored.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Frame;
use super::ticket::view::{self, BundleView, FindingView, PinView};
use crate::auth::Access;
use crate::db::diagnosis::{self, AttemptRow};
use crate::db::lifecycle::{self, LifeRow};
use crate::db::solutions::{self, SolutionRow};
use crate::db::tickets::TicketRow;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Form, Path};
use crate::knowledge::words;
use crate::state::AppState;
use crate::tickets;
use crate::tickets::model::Status;

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    frame: Frame,
    key: String,
    row: TicketRow,
    life: LifeRow,
    closed: bool,
    intake: Vec<(&'static str, String)>,
    bundles: Vec<BundleView>,
    pins: Vec<PinView>,
    findings: Vec<FindingView>,
    attempts: Vec<AttemptRow>,
    solution: Option<SolutionRow>,
    /// What the reader thinks; none before it was said.
    hypothesis: Option<String>,
    score: (usize, usize),
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/cases/{ticket}", Access::Engineer, begin)
        .post("/cases/{ticket}", Access::Engineer, reveal)
}

async fn begin(
    State(state): State<AppState>,
    frame: Frame,
    Path(ticket): Path<String>,
) -> AppResult<Response> {
    super::html(&page(&state, frame, &ticket).await?)
}

#[derive(Deserialize)]
struct Hypothesis {
    #[serde(default)]
    hypothesis: String,
}

async fn reveal(
    State(state): State<AppState>,
    frame: Frame,
    Path(ticket): Path<String>,
    Form(form): Form<Hypothesis>,
) -> AppResult<Response> {
    let mut page = page(&state, frame, &ticket).await?;
    page.score = score(&form.hypothesis, &conclusion(&page));
    page.hypothesis = Some(form.hypothesis).filter(|_| page.closed);
    super::html(&page)
}

/// What was found, as one text.
fn conclusion(page: &CasePage) -> String {
    let mut text = page.life.closing_note.clone();
    for finding in &page.findings {
        text.push_str(&format!("\n{} {}", finding.title, finding.cause));
    }
    text
}

/// How many telling words of the conclusion the hypothesis has, and how many there are.
fn score(hypothesis: &str, conclusion: &str) -> (usize, usize) {
    let telling = |word: &String| word.chars().count() > 3 || !word.is_ascii();
    let set = |text: &str| -> BTreeSet<String> {
        words::of_query(text).into_iter().filter(telling).collect()
    };
    let (said, wanted) = (set(hypothesis), set(conclusion));
    (wanted.intersection(&said).count(), wanted.len())
}

async fn page(state: &AppState, frame: Frame, ticket: &str) -> AppResult<CasePage> {
    let row = tickets::load(state, ticket).await?;
    let mut conn = state.db.read().await?;
    let found = crate::db::findings::of_ticket(&mut conn, &row.id, state.now_ms()).await?;
    let life = lifecycle::find(&mut conn, &row.id)
        .await?
        .unwrap_or_default();
    let attempts = diagnosis::attempts(&mut conn, &row.id).await?;
    let pins = diagnosis::pins(&mut conn, &row.id).await?;
    let proposed = solutions::list(&mut conn, &row.id).await?;
    drop(conn);
    let bundles = state.bundles.list_for_ticket(&row.id).await?;
    let mut seen = BTreeSet::new();
    let stand = found.iter().filter(|f| f.stands());
    let first = stand.filter(|f| seen.insert(f.signature_id.clone()));
    Ok(CasePage {
        key: tickets::key(&row),
        closed: row.status == Status::Closed.word(),
        intake: view::intake(&row),
        bundles: bundles.iter().map(|b| view::bundle(b, &[])).collect(),
        pins: pins.into_iter().map(view::pin).collect(),
        findings: first.map(|f| view::finding(&frame, f)).collect(),
        attempts,
        solution: proposed.into_iter().next(),
        hypothesis: None,
        score: (0, 0),
        frame,
        row,
        life,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_counts_telling_words() {
        let (said, of) = score(
            "I think the disk is full",
            "The disk was full of old exports",
        );
        assert_eq!((said, of), (2, 3), "disk, full, exports");
        assert_eq!(score("磁盘满了", "磁盘满").0, 2);
    }
}
