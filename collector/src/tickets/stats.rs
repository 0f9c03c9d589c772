//! Statistics: how long things took, how often tickets came back, how content customers are. Of the tickets created in
//! a span of time; read from the packed figures of its days.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;
use sitrep_shared::ids::TicketKey;
use sitrep_shared::time::UtcMs;
use utoipa::ToSchema;

use super::figures::{self, Day, Packed};
use crate::db::figures::DAY_MS;
use crate::db::stats as rows;
use crate::error::AppResult;
use crate::state::AppState;

/// Lines of a table for other programs at most.
const LINES_MAX: i64 = 100_000;
/// Names of a table at most.
const NAMES_MAX: usize = 50;
/// Columns of the course at most.
const COLUMNS_MAX: i64 = 60;
/// Days of a span whose course is shown from its very start.
const YEAR_DAYS: i64 = 370;

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

/// Tickets created in a part of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Column {
    /// Start, UTC milliseconds.
    pub from_ms: i64,
    /// Tickets.
    pub tickets: usize,
    /// Those that have a finding.
    pub with_finding: usize,
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
    /// The course of time, in equal parts of whole days.
    pub course: Vec<Column>,
}

/// The statistics of a span.
pub async fn of_span(state: &AppState, from_ms: i64, to_ms: i64) -> AppResult<Statistics> {
    figures::refresh(&state.db).await?;
    let days = figures::days(&state.db, (from_ms, to_ms)).await?;
    Ok(of_days(&days, from_ms, to_ms))
}

fn of_days(days: &[(i64, Day)], from_ms: i64, to_ms: i64) -> Statistics {
    let (mut all, mut course) = (Sum::default(), course(days, from_ms, to_ms));
    let mut names = Names::default();
    let mut by: [Vec<Sum>; 3] = Default::default();
    let wide = width(&course);
    for (begin_ms, day) in days {
        let places: Vec<usize> = day.words.iter().map(|word| names.place(word)).collect();
        for sums in &mut by {
            sums.resize_with(names.words.len(), Sum::default);
        }
        for ticket in &day.tickets {
            let at = begin_ms + ticket.at_ms;
            if at < from_ms || at >= to_ms {
                continue;
            }
            all.add(ticket);
            for (sums, word) in by.iter_mut().zip(ticket.words) {
                if let Some(sum) = places.get(word).and_then(|place| sums.get_mut(*place)) {
                    sum.add(ticket);
                }
            }
            let first = course.first().map_or(0, |column| column.from_ms);
            let place = usize::try_from((at - first) / wide).unwrap_or(0);
            if let Some(column) = course.get_mut(place) {
                column.tickets += 1;
                column.with_finding += usize::from(ticket.took_ms[1].is_some());
            }
        }
    }
    let [products, signatures, causes] = by.map(|sums| table(&names, sums));
    Statistics {
        from_ms,
        to_ms,
        all: all.figures(""),
        products,
        signatures,
        causes,
        course,
    }
}

/// The words of all days, each once: a day has its own numbers for them.
#[derive(Default)]
struct Names<'a> {
    words: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn place(&mut self, word: &'a str) -> usize {
        *self.places.entry(word).or_insert_with(|| {
            self.words.push(word);
            self.words.len() - 1
        })
    }
}

/// The empty columns of a span of days; one of years begins with its first ticket.
fn course(days: &[(i64, Day)], from_ms: i64, to_ms: i64) -> Vec<Column> {
    let of = |ms: i64| ms.div_euclid(DAY_MS);
    let (mut first, last) = (of(from_ms), of(to_ms.saturating_sub(1)));
    if last.saturating_sub(first) > YEAR_DAYS {
        let ticket = days.iter().find(|(_, day)| !day.tickets.is_empty());
        first = ticket.map_or(last, |(begin_ms, _)| of(*begin_ms));
    }
    let count = last.saturating_sub(first).saturating_add(1).max(0);
    let wide = count.div_euclid(COLUMNS_MAX) + 1;
    let column = |place: i64| Column {
        from_ms: (first + place * wide).saturating_mul(DAY_MS),
        ..Column::default()
    };
    (0..count / wide + i64::from(count % wide > 0))
        .map(column)
        .collect()
}

/// Milliseconds of a column.
fn width(course: &[Column]) -> i64 {
    match course {
        [first, second, ..] => second.from_ms - first.from_ms,
        _ => DAY_MS,
    }
}

/// Figures under way.
#[derive(Debug, Default)]
struct Sum {
    tickets: usize,
    closed: usize,
    solved_once: usize,
    reopened: usize,
    answers: usize,
    content: usize,
    took_ms: [Vec<i64>; 3],
}

impl Sum {
    fn add(&mut self, ticket: &Packed) {
        self.tickets += 1;
        self.closed += usize::from(ticket.closed());
        self.solved_once += usize::from(ticket.solved_once());
        self.reopened += usize::from(ticket.reopened());
        self.answers += usize::from(ticket.answered());
        self.content += usize::from(ticket.content());
        for (took, ms) in self.took_ms.iter_mut().zip(ticket.took_ms) {
            took.extend(ms);
        }
    }

    fn figures(self, name: &str) -> Figures {
        let found = self.took_ms[1].len();
        let [first_answer, first_finding, solved] = self.took_ms.map(span);
        Figures {
            name: name.to_owned(),
            tickets: self.tickets,
            closed: self.closed,
            first_answer,
            first_finding,
            solved,
            reopened_percent: percent(self.reopened, self.solved_once),
            content_percent: percent(self.content, self.answers),
            answers: self.answers,
            with_finding_percent: percent(found, self.tickets),
        }
    }
}

/// The names of most tickets first; those without a name are left out.
fn table(names: &Names<'_>, sums: Vec<Sum>) -> Vec<Figures> {
    let named = names.words.iter().copied().zip(sums);
    let mut sums: Vec<(&str, Sum)> = named
        .filter(|(name, sum)| !name.is_empty() && sum.tickets > 0)
        .collect();
    sums.sort_by(|(a, one), (b, other)| other.tickets.cmp(&one.tickets).then_with(|| a.cmp(b)));
    sums.truncate(NAMES_MAX);
    sums.into_iter()
        .map(|(name, sum)| sum.figures(name))
        .collect()
}

fn percent(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| (part as f64 * 1000.0 / of as f64).round() / 10.0)
}

/// Half, and nine of ten: found without sorting all.
fn span(mut took: Vec<i64>) -> Span {
    let tickets = took.len();
    let mut at = |tenths: usize| {
        let place = (tickets * tenths).div_ceil(10).saturating_sub(1);
        (place < tickets).then(|| *took.select_nth_unstable(place).1)
    };
    Span {
        tickets,
        median_ms: at(5),
        p90_ms: at(9),
    }
}

/// The tickets of a span, a line each, for other programs' tables.
pub async fn csv(state: &AppState, from_ms: i64, to_ms: i64) -> AppResult<String> {
    let mut conn = state.db.read().await?;
    let all = rows::figures(&mut conn, (from_ms, to_ms), LINES_MAX).await?;
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
    use crate::db::stats::FigureRow;

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
            created_ms: 100 * n,
            replied_ms: (n > 1).then_some(101 * n),
            solved_ms: Some(200 * n),
            reopened: i64::from(n == 1),
            satisfaction: (n == 2).then(|| "good".to_owned()),
            ..FigureRow::default()
        };
        let day = Day::pack(0, &[row(1, "a"), row(2, "a"), row(3, "")]);
        let later = Day::pack(
            90 * DAY_MS,
            &[FigureRow {
                created_ms: 90 * DAY_MS + 1,
                ..row(4, "b")
            }],
        );
        let days = [(0, day), (90 * DAY_MS, later)];
        let told = of_days(&days, 0, 90 * DAY_MS);
        let all = &told.all;
        assert_eq!((all.tickets, all.first_answer.tickets), (3, 2));
        assert_eq!(
            (all.first_answer.median_ms, all.first_answer.p90_ms),
            (Some(2), Some(3))
        );
        assert_eq!(all.reopened_percent, Some(33.3));
        assert_eq!((all.content_percent, all.answers), (Some(100.0), 1));
        assert_eq!(told.products.len(), 1);
        assert_eq!(
            (told.products[0].name.as_str(), told.products[0].tickets),
            ("a", 2)
        );
        // Only a part of a day.
        assert_eq!(of_days(&days, 150, 300).all.tickets, 1);
        let both = of_days(&days, 0, 91 * DAY_MS);
        assert_eq!((both.all.tickets, both.products.len()), (4, 2));
        // 91 days in at most 60 columns: of two days each.
        let counts: Vec<_> = both.course.iter().map(|column| column.tickets).collect();
        assert_eq!((counts.len(), counts[0], counts[45]), (46, 3, 1));
        let ever = of_days(&days, i64::MIN, i64::MAX).course;
        assert!(ever.len() <= 60 && ever[0].from_ms == 0 && ever[0].tickets == 4);
        let none = of_days(&[], 0, 9);
        assert_eq!((none.all.tickets, none.course.len()), (0, 1));
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
