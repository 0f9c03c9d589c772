//! One search over tickets, bundles, signatures with their findings, and articles; in Latin and in Chinese words.
//!
//! The words of tickets and bundles are indexed after they have changed, at the latest when somebody searches.

use serde::Serialize;
use sitrep_shared::ids::TicketKey;
use utoipa::ToSchema;

use crate::bundles::measures;
use crate::db::bundle_list::{self, ListedRow, Narrow};
use crate::db::marks::{self, Derived, Kind};
use crate::db::search as rows;
use crate::db::words::Scope;
use crate::db::{Db, DbError, bundles, findings, tags, templates, tickets, timeline};
use crate::error::{AppError, AppResult};
use crate::knowledge::{self, words};
use crate::signatures::overview::{self, Line};
use crate::state::AppState;

/// Hits of each kind.
const HITS_MAX: i64 = 20;
/// Signatures that are named.
const SIGNATURES_MAX: usize = 10;
/// Findings that are shown of the signatures named.
const FINDINGS_MAX: usize = 10;
/// Words of one document; the rest of a very long text finds nothing.
const WORDS_MAX: usize = 4_000;
/// Documents that are indexed in one transaction: nobody waits long for it.
const DOCUMENTS_AT_ONCE: i64 = 50;
/// Unknown errors of a bundle that it is found by.
const ERRORS_MAX: i64 = 200;

/// A ticket that was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TicketHit {
    /// Its key.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: String,
    /// Its customer.
    pub customer: String,
    /// When it last changed, UTC milliseconds.
    pub updated_ms: i64,
}

/// A bundle that was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BundleHit {
    /// Its id.
    pub id: String,
    /// The host it is from, or the file's name.
    pub host: String,
    /// What the host runs.
    pub os: String,
    /// Its ticket.
    pub ticket: String,
    /// The customer.
    pub customer: String,
    /// When it came, UTC milliseconds.
    pub received_ms: i64,
    /// Findings in it.
    pub findings: i64,
}

/// A signature that was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SignatureHit {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// critical … info.
    pub severity: String,
    /// draft, shadow, live or retired.
    pub status: String,
}

/// What a signature found in a bundle.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingHit {
    /// The signature.
    pub signature: String,
    /// Its title.
    pub title: String,
    /// critical … info.
    pub severity: String,
    /// The bundle.
    pub bundle: String,
    /// Its host, or the file's name.
    pub host: String,
    /// Its ticket.
    pub ticket: String,
    /// When it was found, UTC milliseconds.
    pub found_ms: i64,
}

/// Everything that was found.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = SearchResult)]
pub struct Found {
    /// Tickets, the newest first.
    pub tickets: Vec<TicketHit>,
    /// Bundles, the newest first.
    pub bundles: Vec<BundleHit>,
    /// Signatures.
    pub signatures: Vec<SignatureHit>,
    /// The newest findings of these signatures.
    pub findings: Vec<FindingHit>,
    /// Articles, those with most of the words first.
    pub articles: Vec<knowledge::Hit>,
}

impl Found {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
            && self.bundles.is_empty()
            && self.signatures.is_empty()
            && self.articles.is_empty()
    }
}

/// Searches everything for all words of a text, or bundles by bounds such as `memory.total < 8 GiB`. What cannot be a word, such as a single sign, finds nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn search(state: &AppState, text: &str, language: &str) -> AppResult<Found> {
    refresh(&state.db).await?;
    if measures::is_question(text) {
        return by_numbers(state, text).await;
    }
    let wanted = words::of_query(text);
    if wanted.is_empty() {
        return Ok(Found::default());
    }
    let named = overview::named(state, text.trim(), SIGNATURES_MAX).await?;
    let mut conn = state.db.read().await?;
    let found = rows::find(&mut conn, Kind::Ticket, &wanted, HITS_MAX).await?;
    let tickets = tickets::of_ids(&mut conn, &found).await?;
    let ids = rows::find(&mut conn, Kind::Bundle, &wanted, HITS_MAX).await?;
    let bundles = bundle_list::list(&mut conn, &of_ids(ids)).await?;
    let asked = (text, language);
    let limit = usize::try_from(HITS_MAX).unwrap_or(0);
    let articles = knowledge::search(&mut conn, Scope::Latest, asked, limit).await?;
    drop(conn);
    Ok(Found {
        tickets: tickets.into_iter().map(ticket_hit).collect(),
        bundles: bundles.into_iter().map(bundle_hit).collect(),
        findings: findings_of(state, &named).await?,
        signatures: named.into_iter().map(signature_hit).collect(),
        articles,
    })
}

/// Bundles by the numbers of their hosts.
async fn by_numbers(state: &AppState, text: &str) -> AppResult<Found> {
    let bounds = measures::parse(text).map_err(|error| AppError::bad_request(error.to_string()))?;
    measures::refresh(&state.bundles)
        .await
        .map_err(AppError::internal)?;
    let narrow = Narrow {
        bounds,
        limit: HITS_MAX,
        ..Narrow::default()
    };
    let bundles = bundle_list::list(&mut *state.db.read().await?, &narrow).await?;
    Ok(Found {
        bundles: bundles.into_iter().map(bundle_hit).collect(),
        ..Found::default()
    })
}

fn of_ids(ids: Vec<String>) -> Narrow {
    Narrow {
        ids: Some(ids),
        limit: HITS_MAX,
        ..Narrow::default()
    }
}

fn key(number: i64) -> String {
    TicketKey::of_number(number.unsigned_abs()).to_string()
}

fn signature_hit(line: Line) -> SignatureHit {
    SignatureHit {
        id: line.id,
        title: line.title,
        severity: line.severity,
        status: line.status,
    }
}

fn ticket_hit(row: tickets::TicketRow) -> TicketHit {
    TicketHit {
        key: key(row.number),
        title: row.title,
        status: row.status,
        customer: row.customer,
        updated_ms: row.updated_ms,
    }
}

fn bundle_hit(row: ListedRow) -> BundleHit {
    BundleHit {
        host: row.host.unwrap_or(row.filename),
        id: row.id,
        os: row.os,
        ticket: key(row.number),
        customer: row.customer,
        received_ms: row.received_ms,
        findings: row.findings,
    }
}

/// The newest findings of some signatures, with the bundles they are in.
async fn findings_of(state: &AppState, signatures: &[Line]) -> AppResult<Vec<FindingHit>> {
    let mut conn = state.db.read().await?;
    let mut newest = Vec::new();
    let each = i64::try_from(FINDINGS_MAX).unwrap_or(0);
    for line in signatures {
        newest.extend(findings::of_signature(&mut conn, &line.id, each, state.now_ms()).await?);
    }
    newest.sort_by(|a, b| {
        b.created_ms
            .cmp(&a.created_ms)
            .then_with(|| b.id.cmp(&a.id))
    });
    newest.truncate(FINDINGS_MAX);
    let ids = newest.iter().map(|row| row.bundle_id.clone()).collect();
    let bundles = bundle_list::list(&mut conn, &of_ids(ids)).await?;
    let hits = newest.into_iter().filter_map(|row| {
        let bundle = bundles.iter().find(|bundle| bundle.id == row.bundle_id)?;
        Some(FindingHit {
            signature: row.signature_id,
            title: row.title,
            severity: row.severity,
            host: bundle
                .host
                .clone()
                .unwrap_or_else(|| bundle.filename.clone()),
            ticket: key(bundle.number),
            bundle: row.bundle_id,
            found_ms: row.created_ms,
        })
    });
    Ok(hits.collect())
}

/// Indexes the words of what has changed; says how many documents were looked at.
///
/// # Errors
/// When the database refuses.
pub async fn refresh(db: &Db) -> Result<usize, DbError> {
    let mut done = 0;
    while let Some((mut tx, subjects)) = marks::take(db, Derived::Words, DOCUMENTS_AT_ONCE).await? {
        for (kind, id) in subjects.iter().filter_map(|text| Kind::of_subject(text)) {
            let text = match kind {
                Kind::Ticket => ticket_text(&mut tx, id).await?,
                Kind::Bundle => bundle_text(&mut tx, id).await?,
            };
            match text {
                Some(text) => {
                    let words = words::of_text(&[(&text, 1)]);
                    let words = words.into_iter().map(|(word, _)| word).take(WORDS_MAX);
                    let words: Vec<String> = words.collect();
                    rows::replace(&mut tx, (kind, id), &words).await?;
                }
                None => rows::forget(&mut tx, kind, id).await?,
            }
            done += 1;
        }
        tx.commit().await?;
    }
    Ok(done)
}

/// What a ticket is found by.
async fn ticket_text(conn: &mut sqlx::AnyConnection, id: &str) -> Result<Option<String>, DbError> {
    let Some(row) = tickets::find(conn, id).await? else {
        return Ok(None);
    };
    let mut parts = vec![key(row.number)];
    parts.extend([
        row.title,
        row.customer,
        row.contact,
        row.product,
        row.category,
        row.expected,
        row.happened,
        row.since,
        row.error_text,
        row.changed,
        row.tried,
        row.top_finding.unwrap_or_default(),
    ]);
    parts.extend(tags::tags(conn, id).await?.into_iter().map(|(tag, _)| tag));
    let events = timeline::list(conn, id).await?;
    parts.extend(events.into_iter().map(|event| event.body));
    Ok(Some(parts.join("\n")))
}

/// What a bundle is found by.
async fn bundle_text(conn: &mut sqlx::AnyConnection, id: &str) -> Result<Option<String>, DbError> {
    let Some(row) = bundles::find(conn, id).await? else {
        return Ok(None);
    };
    let mut parts = vec![row.receipt, row.filename, row.os];
    parts.extend([row.host, row.profile, row.reason].into_iter().flatten());
    for finding in findings::of_bundle(conn, id, 0).await? {
        parts.extend([finding.signature_id, finding.title]);
    }
    let errors = templates::of_bundle(conn, id, ERRORS_MAX).await?;
    parts.extend(errors.into_iter().map(|error| error.example));
    Ok(Some(parts.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::NewBundle;
    use crate::db::testing::{add_ticket, on_both};

    async fn found(db: &Db, kind: Kind, text: &str) -> usize {
        refresh(db).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let wanted = words::of_query(text);
        rows::find(&mut conn, kind, &wanted, 9).await.unwrap().len()
    }

    #[tokio::test]
    async fn what_is_said_is_found_and_what_is_deleted_is_not() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let mut ticket = add_ticket(&mut tx, "t").await;
            ticket.title = "磁盘空间不足，导出失败".into();
            tickets::update(&mut tx, &ticket).await.unwrap();
            let new = NewBundle {
                id: "b",
                upload_id: "b",
                ticket_id: "t",
                filename: "exporter-host.tar.gz",
                bytes: 1,
                sha256: "",
                receipt: "RCP-64CG-V1TH",
                received_ms: 1,
            };
            bundles::insert(&mut tx, &new).await.unwrap();
            tx.commit().await.unwrap();
            for (kind, text, hits) in [
                (Kind::Ticket, "tkt-1001", 1),
                (Kind::Ticket, "磁盘 导出", 1),
                (Kind::Ticket, "内存", 0),
                (Kind::Bundle, "RCP-64CG-V1TH", 1),
                (Kind::Bundle, "exporter", 1),
                (Kind::Ticket, "exporter", 0),
            ] {
                assert_eq!(found(&db, kind, text).await, hits, "{text}");
            }
            let mut tx = db.begin().await.unwrap();
            bundles::shift(&mut tx, "b", &["stored"], "deleting")
                .await
                .unwrap();
            bundles::bury(&mut tx, "b").await.unwrap();
            tx.commit().await.unwrap();
            let mut conn = db.read().await.unwrap();
            let left = rows::find(&mut conn, Kind::Bundle, &["exporter".to_owned()], 9).await;
            assert!(left.unwrap().is_empty(), "gone with the deletion itself");
            drop(conn);
            assert_eq!(found(&db, Kind::Bundle, "exporter").await, 0);
        })
        .await;
    }
}
