//! Unknown errors: error lines of a bundle that no signature explains, ranked by how unusual they are over all stored
//! bundles, and a draft of a signature from one.

use std::collections::HashMap;

use serde::Serialize;
use sitrep_shared::signature::{self, DraftError, SourceError, SourceMap, Template};
use sqlx::AnyConnection;

use crate::auth::sha256_hex;
use crate::db::DbError;
use crate::db::templates::{self, NewTemplate, UnknownRow};
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use crate::tickets::{Caller, text};

/// Unknown errors shown of a bundle.
pub const SHOWN_MAX: i64 = 20;
/// Templates kept of a bundle; the reader gives no more.
const KEPT_MAX: usize = 200;
/// Longest text of a column, in characters.
const TEXT_MAX: usize = 600;

/// A draft that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum UnknownError {
    /// The source map is broken.
    #[error("read the source map")]
    Sources(#[from] SourceError),
    /// The line gives nothing to recognise it by.
    #[error("draft a signature")]
    Draft(#[from] DraftError),
}

/// An unknown error as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Unknown {
    /// Id of its template.
    pub id: String,
    /// What its lines have in common; `<*>` stands for what differs.
    pub text: String,
    /// Lines in this bundle.
    pub count: i64,
    /// File of the first one.
    pub file: String,
    /// Its line, from 1.
    pub line: i64,
    /// The line itself, cut at 500 bytes.
    pub example: String,
    /// Stored bundles that have it, this one included.
    pub bundles: i64,
    /// Stored bundles in all.
    pub bundles_in_all: i64,
    /// Tickets that have it.
    pub tickets: i64,
    /// From 0, in every bundle, upwards: how unusual it is.
    pub rarity: f64,
}

/// How much it says that two of `all` share something that `with` of them have: 0 when all have it.
pub fn rarity(with: i64, all: i64) -> f64 {
    let (with, all) = (with.max(1) as f64, all.max(1) as f64);
    (all.max(with) / with).ln()
}

impl Unknown {
    fn of(row: UnknownRow, all: i64) -> Self {
        Self {
            rarity: (rarity(row.bundles, all) * 100.0).round() / 100.0,
            id: row.id,
            text: row.text,
            count: row.count,
            file: row.file,
            line: row.line,
            example: row.example,
            bundles: row.bundles,
            bundles_in_all: all.max(row.bundles),
            tickets: row.tickets,
        }
    }
}

/// Stores the templates of a bundle in the transaction of its verdict. One that means the same lines as a known one is
/// that one.
///
/// # Errors
/// When the database refuses.
pub async fn record(
    tx: &mut AnyConnection,
    (bundle_id, ticket_id): (&str, &str),
    found: &[Template],
    now_ms: i64,
) -> Result<(), DbError> {
    let mut shapes: HashMap<String, Vec<(String, String)>> = HashMap::new();
    let mut new = Vec::new();
    for template in found.iter().take(KEPT_MAX) {
        let text = clip(&template.text);
        if text.is_empty() {
            continue;
        }
        let shape = Template::shape(&text);
        if !shapes.contains_key(&shape) {
            let known = templates::of_shape(tx, &shape).await?;
            shapes.insert(shape.clone(), known);
        }
        let known = shapes.entry(shape.clone()).or_default();
        let same = known
            .iter()
            .find(|(_, other)| Template::means_same(&text, other));
        let id = match same {
            Some((id, _)) => id.clone(),
            None => {
                let id = sha256_hex(text.as_bytes())[..32].to_owned();
                known.push((id.clone(), text.clone()));
                id
            }
        };
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        new.push(NewTemplate {
            id,
            text,
            shape,
            count: number(template.count),
            file: clip(&template.file),
            line: number(template.line),
            example: clip(&template.example),
        });
    }
    templates::replace(tx, (bundle_id, ticket_id), &new, now_ms).await
}

/// Stored text has an end, and no NUL, which PostgreSQL does not take.
fn clip(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
        .chars()
        .take(TEXT_MAX)
        .collect()
}

/// The unknown errors of a bundle, the most unusual first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_bundle(conn: &mut AnyConnection, bundle_id: &str) -> Result<Vec<Unknown>, DbError> {
    let all = templates::read_bundles(conn).await?;
    let rows = templates::of_bundle(conn, bundle_id, SHOWN_MAX).await?;
    Ok(rows.into_iter().map(|row| Unknown::of(row, all)).collect())
}

/// A signature file, status draft, that recognises an unknown error. `None`: the bundle has no such one.
///
/// # Errors
/// When the database does not answer, or the line gives nothing to recognise it by.
pub async fn draft(
    conn: &mut AnyConnection,
    bundle_id: &str,
    template_id: &str,
) -> Result<Option<Result<String, UnknownError>>, DbError> {
    let Some(row) = templates::find(conn, bundle_id, template_id).await? else {
        return Ok(None);
    };
    let template = Template {
        text: row.text,
        count: row.count.max(0).unsigned_abs(),
        file: row.file,
        line: row.line.max(0).unsigned_abs(),
        example: row.example,
    };
    let made = SourceMap::embedded()
        .map_err(UnknownError::from)
        .and_then(|sources| Ok(signature::draft(&template, &sources)?));
    Ok(Some(made))
}

/// Leaves an unknown error out from now on, with the reason.
pub async fn ignore(state: &AppState, caller: &Caller, id: &str, reason: &str) -> AppResult<()> {
    let reason = text("reason", reason, 1, 500)?;
    let mut tx = state.db.begin().await?;
    if !templates::ignore(&mut tx, id, &reason).await? {
        return Err(AppError::not_found("unknown error"));
    }
    let object = format!("{id} {reason}");
    caller
        .audit(&mut tx, state, "unknown.ignore", &object)
        .await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    fn template(text: &str, count: u64) -> Template {
        Template {
            text: text.into(),
            count,
            file: "sos/var/log/syslog".into(),
            line: 3,
            example: text.replace("<*>", "x7"),
        }
    }

    #[tokio::test]
    async fn what_two_bundles_say_alike_is_one_unknown_error() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let first = [
                template("app: lease for <*> failed, giving up", 4),
                template("app: checksum error in block <*>", 1),
                template("app: nul\0 error", 1),
            ];
            record(&mut tx, ("b1", "t1"), &first, 1).await.unwrap();
            let second = [template("app: lease for alice failed, giving up", 9)];
            record(&mut tx, ("b2", "t2"), &second, 2).await.unwrap();
            let one = of_bundle(&mut tx, "b1").await.unwrap();
            assert_eq!((one.len(), one[2].bundles, one[2].tickets), (3, 2, 2));
            let two = of_bundle(&mut tx, "b2").await.unwrap();
            assert_eq!((&two[0].id, two[0].count), (&one[2].id, 9));
            let yaml = draft(&mut tx, "b1", &one[0].id).await.unwrap().unwrap();
            assert!(yaml.unwrap().contains("status: draft"));
            assert!(draft(&mut tx, "b2", &one[0].id).await.unwrap().is_none());
        })
        .await;
    }

    #[test]
    fn what_all_have_says_nothing() {
        assert_eq!(rarity(500, 500), 0.0);
        assert!(rarity(1, 500) > rarity(2, 500));
    }
}
