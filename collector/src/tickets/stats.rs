//! Statistics: how long things took, how often tickets came back, how content customers are. Of the tickets created in
//! a span of time.

use std::fmt::Write as _;

use serde::Serialize;
use sitrep_shared::ids::TicketKey;
use sitrep_shared::time::UtcMs;
use utoipa::ToSchema;

use crate::db::stats::{self as rows, FigureRow};
use crate::error::AppResult;
use crate::state::AppState;

/// Tickets that are counted at most.
const TICKETS_MAX: i64 = 100_000;

/// How long something took, over some tickets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Span {
    /// Tickets it is of.
    pub tickets: usize,
    /// Half of them took no longer.
    pub median_ms: Option<i64>,
    /// Nine of ten took no longer.
    pub p90_ms: Option<i64>,
}

/// Figures of some tickets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Figures {
    /// What they have in common; empty for all.
    pub name: String,
    /// Tickets.
    pub tickets: usize,
    /// Those that are closed.
    pub closed: usize,
    /// From opening to the first answer.
    pub first_answer: Span,
    /// From opening to the first finding.
    pub first_finding: Span,
    /// From opening to the proposed fix that stood.
    pub solved: Span,
    /// Of a hundred that were solved once, how many were opened again.
    pub reopened_percent: Option<f64>,
    /// Of a hundred answers, how many were content.
    pub content_percent: Option<f64>,
    /// Answers about it.
    pub answers: usize,
    /// Of a hundred, how many have a finding.
    pub with_finding_percent: Option<f64>,
}

/// All tickets of a span, and by product and by signature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Statistics {
    /// Start, UTC milliseconds.
    pub from_ms: i64,
    /// End, UTC milliseconds, not included.
    pub to_ms: i64,
    /// All of them.
    pub all: Figures,
    /// By product.
    pub products: Vec<Figures>,
    /// By the signature of the worst finding.
    pub signatures: Vec<Figures>,
    /// By cause, of those that are closed.
    pub causes: Vec<Figures>,
}

/// The statistics of a span.
pub async fn of_span(state: &AppState, from_ms: i64, to_ms: i64) -> AppResult<Statistics> {
    let mut conn = state.db.read().await?;
    let all = rows::figures(&mut conn, (from_ms, to_ms), TICKETS_MAX).await?;
    drop(conn);
    let signature = |row: &FigureRow| {
        let top = row.top_finding.as_deref().unwrap_or_default();
        top.split(' ').next().unwrap_or_default().to_owned()
    };
    Ok(Statistics {
        from_ms,
        to_ms,
        all: figures("", &all.iter().collect::<Vec<_>>()),
        products: by(&all, |row| row.product.clone()),
        signatures: by(&all, signature),
        causes: by(&all, |row| row.cause.clone()),
    })
}

/// Groups by a word, those of most tickets first; those without the word are left out.
fn by(all: &[FigureRow], word: impl Fn(&FigureRow) -> String) -> Vec<Figures> {
    let mut groups = std::collections::BTreeMap::<String, Vec<&FigureRow>>::new();
    for row in all {
        groups.entry(word(row)).or_default().push(row);
    }
    groups.remove("");
    let mut figures: Vec<Figures> = groups
        .iter()
        .map(|(name, rows)| figures(name, rows))
        .collect();
    figures.sort_by(|a, b| b.tickets.cmp(&a.tickets).then_with(|| a.name.cmp(&b.name)));
    figures.truncate(50);
    figures
}

fn figures(name: &str, rows: &[&FigureRow]) -> Figures {
    let since = |end: &dyn Fn(&FigureRow) -> Option<i64>| {
        let took = rows
            .iter()
            .filter_map(|row| Some((end(row)? - row.created_ms).max(0)));
        span(took.collect())
    };
    let count = |is: &dyn Fn(&FigureRow) -> bool| rows.iter().filter(|row| is(row)).count();
    let once = count(&|row| row.solved_ms.is_some() || row.closed_ms.is_some() || row.reopened > 0);
    let answers = count(&|row| row.satisfaction.is_some());
    Figures {
        name: name.to_owned(),
        tickets: rows.len(),
        closed: count(&|row| row.closed_ms.is_some()),
        first_answer: since(&|row| row.replied_ms),
        first_finding: since(&|row| row.finding_ms),
        solved: since(&|row| row.solved_ms.or(row.closed_ms)),
        reopened_percent: percent(count(&|row| row.reopened > 0), once),
        content_percent: percent(
            count(&|row| row.satisfaction.as_deref() == Some("good")),
            answers,
        ),
        answers,
        with_finding_percent: percent(count(&|row| row.finding_ms.is_some()), rows.len()),
    }
}

fn percent(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| (part as f64 * 1000.0 / of as f64).round() / 10.0)
}

fn span(mut took: Vec<i64>) -> Span {
    took.sort_unstable();
    let at = |tenths: usize| {
        let place = (took.len() * tenths).div_ceil(10);
        took.get(place.saturating_sub(1)).copied()
    };
    Span {
        tickets: took.len(),
        median_ms: at(5),
        p90_ms: at(9),
    }
}

/// The tickets of a span, a line each, for other programs' tables.
pub async fn csv(state: &AppState, from_ms: i64, to_ms: i64) -> AppResult<String> {
    let mut conn = state.db.read().await?;
    let all = rows::figures(&mut conn, (from_ms, to_ms), TICKETS_MAX).await?;
    let mut out = String::from(
        "ticket,created,status,product,team,owner,first_answer_s,first_finding_s,solved_s,ours_s,reopened,satisfaction,\
         cause,resolution,top_finding\r\n",
    );
    for row in &all {
        let seconds = |end: Option<i64>| {
            end.map_or_else(String::new, |ms| {
                ((ms - row.created_ms).max(0) / 1000).to_string()
            })
        };
        let line = [
            TicketKey::of_number(row.number.unsigned_abs()).to_string(),
            UtcMs(row.created_ms).rfc3339(),
            row.status.clone(),
            row.product.clone(),
            row.team.clone(),
            row.owner.clone().unwrap_or_default(),
            seconds(row.replied_ms),
            seconds(row.finding_ms),
            seconds(row.solved_ms),
            (row.worked_ms / 1000).to_string(),
            row.reopened.to_string(),
            row.satisfaction.clone().unwrap_or_default(),
            row.cause.clone(),
            row.resolution.clone(),
            row.top_finding.clone().unwrap_or_default(),
        ];
        let line: Vec<String> = line.iter().map(|value| field(value)).collect();
        let _ = write!(out, "{}\r\n", line.join(","));
    }
    Ok(out)
}

/// A field of CSV. What a spreadsheet would take for a formula begins with an apostrophe.
fn field(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let value = if formula {
        format!("'{value}")
    } else {
        value.to_owned()
    };
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_nine_of_ten() {
        assert_eq!(span(Vec::new()), Span::default());
        let ten = span((1..=10).rev().collect());
        assert_eq!((ten.median_ms, ten.p90_ms), (Some(5), Some(9)));
        let one = span(vec![7]);
        assert_eq!((one.median_ms, one.p90_ms), (Some(7), Some(7)));
    }

    #[test]
    fn figures_count_what_there_is() {
        let row = |n: i64, product: &str| FigureRow {
            number: n,
            product: product.into(),
            created_ms: 100,
            replied_ms: (n > 1).then_some(100 + n),
            solved_ms: Some(200),
            reopened: i64::from(n == 1),
            satisfaction: (n == 2).then(|| "good".to_owned()),
            ..FigureRow::default()
        };
        let all = [row(1, "a"), row(2, "a"), row(3, "")];
        let told = figures("", &all.iter().collect::<Vec<_>>());
        assert_eq!((told.tickets, told.first_answer.tickets), (3, 2));
        assert_eq!(told.reopened_percent, Some(33.3));
        assert_eq!((told.content_percent, told.answers), (Some(100.0), 1));
        let products = by(&all, |row| row.product.clone());
        assert_eq!((products.len(), products[0].tickets), (1, 2));
    }

    #[test]
    fn a_cell_is_no_formula() {
        for (value, expected) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
        ] {
            assert_eq!(field(value), expected);
        }
    }
}
