//! Similar tickets: those that share findings or unknown errors with one, and why. What few tickets have weighs more
//! than what many have.

use std::collections::HashMap;

use serde::Serialize;
use sitrep_shared::ids::TicketKey;
use sqlx::AnyConnection;

use crate::db::DbError;
use crate::db::similar::{self, SharedRow};

/// Tickets that are shown.
const SHOWN_MAX: usize = 10;
/// Reasons that are named of each; others count as well.
const REASONS_MAX: usize = 5;

/// Why a ticket is similar.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = SimilarReason)]
pub struct Reason {
    /// `finding` or `template`.
    pub kind: String,
    /// Id of the signature or template.
    pub id: String,
    /// Title of the signature, or the template's text.
    pub text: String,
    /// Tickets that have it, both included.
    pub tickets: i64,
    /// What it adds to the score: more, the fewer tickets have it.
    pub weight: f64,
}

/// A similar ticket.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Similar {
    /// `TKT-1042`.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: String,
    /// Sum of the weights.
    pub score: f64,
    /// Things in common, of the rarest that were looked at.
    pub in_common: usize,
    /// The rarest of them.
    pub reasons: Vec<Reason>,
}

/// The tickets most similar to one, best first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_ticket(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<Similar>, DbError> {
    let rows = similar::shared(conn, ticket_id).await?;
    let all = similar::tickets(conn).await?;
    Ok(ranked(rows, all))
}

fn ranked(rows: Vec<SharedRow>, all: i64) -> Vec<Similar> {
    let mut found = HashMap::new();
    for row in rows {
        let weight = weight(row.tickets, all);
        let similar = found.entry(row.number).or_insert_with(|| Similar {
            key: TicketKey::of_number(row.number.unsigned_abs()).to_string(),
            title: row.title,
            status: row.status,
            score: 0.0,
            in_common: 0,
            reasons: Vec::new(),
        });
        similar.score += weight;
        similar.in_common += 1;
        // The rows come with the rarest first.
        if similar.reasons.len() < REASONS_MAX {
            similar.reasons.push(Reason {
                kind: row.kind,
                id: row.what,
                text: row.text,
                tickets: row.tickets,
                weight: (weight * 100.0).round() / 100.0,
            });
        }
    }
    let mut found: Vec<Similar> = found.into_values().collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| b.key.cmp(&a.key)));
    found.truncate(SHOWN_MAX);
    for similar in &mut found {
        similar.score = (similar.score * 100.0).round() / 100.0;
    }
    found
}

/// Information that something of `with` tickets out of `all` gives; never nothing.
fn weight(with: i64, all: i64) -> f64 {
    let (with, all) = (with.max(1) as f64, all.max(1) as f64);
    ((all + 1.0) / with.min(all)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64, what: &str, tickets: i64) -> SharedRow {
        SharedRow {
            ticket_id: number.to_string(),
            number,
            title: "T".into(),
            status: "open".into(),
            kind: "finding".into(),
            what: what.into(),
            text: what.into(),
            tickets,
        }
    }

    #[test]
    fn one_rare_thing_weighs_more_than_two_common_ones() {
        let rows = vec![
            row(1, "rare", 2),
            row(2, "common", 90),
            row(2, "usual", 95),
            row(1, "usual", 95),
        ];
        let found = ranked(rows, 100);
        let told: Vec<_> = found
            .iter()
            .map(|s| (s.key.as_str(), s.in_common))
            .collect();
        assert_eq!(told, [("TKT-1", 2), ("TKT-2", 2)]);
        assert_eq!(found[0].reasons[0].id, "rare");
        assert!(found[0].score > 3.0 && found[1].score < 1.0, "{found:?}");
        assert!(found[1].score > 0.0);
    }
}
