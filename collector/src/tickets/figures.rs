//! The figures of the tickets created on a day, packed into one text: what statistics read instead of the tickets. They
//! are made anew when a ticket of that day has changed, and never otherwise.

use serde::{Deserialize, Serialize};

use crate::db::figures::{self as rows, DAY_MS};
use crate::db::marks::{self, Derived};
use crate::db::stats::{self, FigureRow};
use crate::db::{Db, DbError};

/// Days that are packed in one transaction: nobody waits long for it.
const DAYS_AT_ONCE: i64 = 4;

/// Bits of [`Packed::flags`].
const CLOSED: i64 = 1;
const SOLVED_ONCE: i64 = 2;
const REOPENED: i64 = 4;
const ANSWERED: i64 = 8;
const CONTENT: i64 = 16;

/// One ticket's figures. In the text they are a list of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[i64; 8]", into = "[i64; 8]")]
pub struct Packed {
    /// When it was created, in milliseconds of its day.
    pub at_ms: i64,
    /// Place of its product, the signature of its worst finding and its cause among the words; 0 is none.
    pub words: [usize; 3],
    flags: i64,
    /// From opening to the first answer, the first finding and the fix that stood, in milliseconds.
    pub took_ms: [Option<i64>; 3],
}

impl From<[i64; 8]> for Packed {
    fn from(
        [
            at_ms,
            product,
            signature,
            cause,
            flags,
            answer,
            finding,
            solved,
        ]: [i64; 8],
    ) -> Self {
        let word = |place: i64| usize::try_from(place).unwrap_or(0);
        let took = |ms: i64| Some(ms).filter(|ms| *ms >= 0);
        Self {
            at_ms,
            words: [word(product), word(signature), word(cause)],
            flags,
            took_ms: [took(answer), took(finding), took(solved)],
        }
    }
}

impl From<Packed> for [i64; 8] {
    fn from(packed: Packed) -> Self {
        let [product, signature, cause] =
            packed.words.map(|place| i64::try_from(place).unwrap_or(0));
        let [answer, finding, solved] = packed.took_ms.map(|ms| ms.unwrap_or(-1));
        [
            packed.at_ms,
            product,
            signature,
            cause,
            packed.flags,
            answer,
            finding,
            solved,
        ]
    }
}

impl Packed {
    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        self.flags & CLOSED != 0
    }

    /// Whether it was solved, if only for a time.
    pub fn solved_once(&self) -> bool {
        self.flags & SOLVED_ONCE != 0
    }

    /// Whether it was opened again.
    pub fn reopened(&self) -> bool {
        self.flags & REOPENED != 0
    }

    /// Whether the customer said how content they are.
    pub fn answered(&self) -> bool {
        self.flags & ANSWERED != 0
    }

    /// Whether the customer is content.
    pub fn content(&self) -> bool {
        self.flags & CONTENT != 0
    }
}

/// The tickets of a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Products, signatures and causes.
    pub words: Vec<String>,
    /// Its tickets, in the order of their numbers.
    pub tickets: Vec<Packed>,
}

impl Day {
    /// Packs the tickets of the day that begins at a time.
    pub fn pack(begin_ms: i64, rows: &[FigureRow]) -> Self {
        let mut day = Self {
            words: vec![String::new()],
            tickets: Vec::new(),
        };
        for row in rows {
            let top = row.top_finding.as_deref().unwrap_or_default();
            let signature = top.split(' ').next().unwrap_or_default();
            let words = [row.product.as_str(), signature, row.cause.as_str()];
            let took = |end: Option<i64>| Some((end? - row.created_ms).max(0));
            let solved = row.solved_ms.is_some() || row.closed_ms.is_some() || row.reopened > 0;
            let flag = |is: bool, bit: i64| if is { bit } else { 0 };
            let packed = Packed {
                at_ms: row.created_ms - begin_ms,
                words: words.map(|word| day.place(word)),
                flags: flag(row.closed_ms.is_some(), CLOSED)
                    | flag(solved, SOLVED_ONCE)
                    | flag(row.reopened > 0, REOPENED)
                    | flag(row.satisfaction.is_some(), ANSWERED)
                    | flag(row.satisfaction.as_deref() == Some("good"), CONTENT),
                took_ms: [
                    took(row.replied_ms),
                    took(row.finding_ms),
                    took(row.solved_ms.or(row.closed_ms)),
                ],
            };
            day.tickets.push(packed);
        }
        day
    }

    fn place(&mut self, word: &str) -> usize {
        let known = self.words.iter().position(|known| known == word);
        known.unwrap_or_else(|| {
            self.words.push(word.to_owned());
            self.words.len() - 1
        })
    }
}

/// Packs the days that have changed; says how many. Afterwards [`days`] is as true as the tickets are.
///
/// # Errors
/// When the database refuses.
pub async fn refresh(db: &Db) -> Result<usize, DbError> {
    let mut packed = 0;
    while let Some((mut tx, subjects)) = marks::take(db, Derived::Figures, DAYS_AT_ONCE).await? {
        for day in subjects.iter().filter_map(|day| day.parse::<i64>().ok()) {
            let span = (day * DAY_MS, (day + 1) * DAY_MS);
            let figures = stats::figures(&mut tx, span, i64::MAX).await?;
            let body = serde_json::to_string(&Day::pack(span.0, &figures)).unwrap_or_default();
            rows::write_day(&mut tx, day, &body).await?;
            packed += 1;
        }
        tx.commit().await?;
    }
    Ok(packed)
}

/// The days that have a part in a span: when each begins, and its tickets.
///
/// # Errors
/// When the database does not answer.
pub async fn days(db: &Db, (from_ms, to_ms): (i64, i64)) -> Result<Vec<(i64, Day)>, DbError> {
    let span = (from_ms.div_euclid(DAY_MS), to_ms.div_euclid(DAY_MS));
    let packed = rows::days(&mut *db.read().await?, span).await?;
    let unpack = |(day, body): (i64, String)| {
        let unpacked = serde_json::from_str::<Day>(&body);
        // Only this file writes them; what cannot be read is of a newer program, and counts as no tickets.
        (day.saturating_mul(DAY_MS), unpacked.unwrap_or_default())
    };
    Ok(packed.into_iter().map(unpack).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};
    use crate::db::tickets;

    #[test]
    fn a_day_is_the_same_after_packing() {
        let row = FigureRow {
            product: "Exporter".into(),
            created_ms: DAY_MS + 5,
            replied_ms: Some(DAY_MS + 7),
            closed_ms: Some(DAY_MS),
            reopened: 1,
            satisfaction: Some("good".into()),
            cause: "capacity".into(),
            top_finding: Some("SIG-1 A title".into()),
            ..FigureRow::default()
        };
        let day = Day::pack(
            DAY_MS,
            &[
                row.clone(),
                FigureRow {
                    created_ms: DAY_MS,
                    ..FigureRow::default()
                },
                row,
            ],
        );
        let again: Day = serde_json::from_str(&serde_json::to_string(&day).unwrap()).unwrap();
        assert_eq!(again, day);
        assert_eq!(day.words, ["", "Exporter", "SIG-1", "capacity"]);
        let (first, second) = (day.tickets[0], day.tickets[1]);
        assert_eq!((first.at_ms, first.words), (5, [1, 2, 3]));
        // A clock that went back took no time.
        assert_eq!(first.took_ms, [Some(2), None, Some(0)]);
        assert!(first.closed() && first.solved_once() && first.reopened() && first.content());
        assert!(!second.closed() && !second.solved_once() && !second.answered());
        assert_eq!(second.took_ms, [None; 3]);
    }

    #[tokio::test]
    async fn days_follow_their_tickets() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let mut ticket = add_ticket(&mut tx, "a").await;
            tx.commit().await.unwrap();
            assert_eq!(refresh(&db).await.unwrap(), 1);
            assert_eq!(refresh(&db).await.unwrap(), 0, "nothing has changed");
            let closed = async || {
                let days = days(&db, (0, DAY_MS)).await.unwrap();
                days[0].1.tickets.iter().filter(|t| t.closed()).count()
            };
            assert_eq!(closed().await, 0);
            ticket.closed_ms = Some(9);
            let mut tx = db.begin().await.unwrap();
            tickets::update(&mut tx, &ticket).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(refresh(&db).await.unwrap(), 1);
            assert_eq!(closed().await, 1);
            assert!(days(&db, (DAY_MS, 2 * DAY_MS)).await.unwrap().is_empty());
        })
        .await;
    }
}
