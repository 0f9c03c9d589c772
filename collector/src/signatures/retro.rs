//! Retro-scans: a new or changed signature over the bundles that are stored. Told before what it will cost, done in
//! turns by jobs, stopped when asked, and what is found tags the tickets. A back-test is the same, but only counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use sitrep_shared::signature::{Catalogue, Finding, Signature, SourceMap};
use uuid::Uuid;

use super::sift::{Sieve, SiftError, Touched};
use crate::bundles::Bundles;
use crate::bundles::ingest::finding_row;
use crate::bundles::storage::Store;
use crate::db::retro::{self, HitRow, ScanRow, TargetRow};
use crate::db::{findings, jobs};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use crate::tickets::{Caller, apply_findings, retract_findings};

/// Kind of the jobs.
pub const JOB: &str = "retro";
/// Bundles taken at once between two looks at whether the scan goes on.
const TURN: i64 = 50;
/// A job gives the worker back after this long, so that new bundles are not kept waiting.
const TURN_TIME: Duration = Duration::from_secs(20);
/// An estimate looks at bundles for this long; from then on the rest is taken to be alike.
const ESTIMATE_TIME: Duration = Duration::from_secs(8);

/// What a scan would cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Estimate {
    /// Stored bundles.
    pub bundles: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Bundles in which the signature may match.
    pub candidates: i64,
    /// Bytes that would be read of them.
    pub bytes_to_read: i64,
    /// Bytes of the indexes beside them, which were read to tell.
    pub index_bytes: i64,
    /// False when not all bundles were asked and the rest is taken to be alike.
    pub exact: bool,
}

/// A signature that is looked for, and its file when it is only tried.
pub struct Subject {
    /// The signature.
    pub signature: Signature,
    /// What its source means.
    pub sources: SourceMap,
    /// The file that is tried.
    pub yaml: Option<String>,
}

/// A stored signature.
///
/// # Errors
/// 404 when there is none of this id.
pub async fn stored(state: &AppState, id: &str) -> AppResult<Subject> {
    let loaded = state.bundles.signatures.current().await?;
    let entry = loaded
        .find(id)
        .ok_or_else(|| AppError::not_found("signature"))?;
    Ok(Subject {
        signature: entry.signature.clone(),
        sources: loaded.sources.clone(),
        yaml: None,
    })
}

/// The signature of a file that is tried.
///
/// # Errors
/// 422 when it is not one valid signature.
pub async fn tried(state: &AppState, yaml: &str) -> AppResult<Subject> {
    let catalogue = Catalogue::load([("signature.yaml", yaml)]).map_err(|errors| {
        let told = errors.into_iter().map(|e| {
            (
                format!("{}:{}", e.file, e.line),
                format!("{} {}", e.message, e.hint),
            )
        });
        AppError::faults("signatures_refused", "the file is refused", told.collect())
    })?;
    let [signature] = <[Signature; 1]>::try_from(catalogue.signatures)
        .map_err(|_| AppError::invalid("body", "holds more or less than one signature"))?;
    let loaded = state.bundles.signatures.current().await?;
    Ok(Subject {
        signature,
        sources: loaded.sources.clone(),
        yaml: Some(yaml.to_owned()),
    })
}

fn sieve(subject: &Subject) -> AppResult<Arc<Sieve>> {
    let made = Sieve::new(&subject.signature, &subject.sources);
    made.map(Arc::new).map_err(AppError::internal)
}

/// Tells what a scan would cost.
///
/// # Errors
/// When the database does not answer.
pub async fn estimate(state: &AppState, subject: &Subject) -> AppResult<Estimate> {
    let sieve = sieve(subject)?;
    let until = state.now_ms();
    let (bundles, bytes) = retro::extent(&mut *state.db.read().await?, until).await?;
    let mut told = Estimate {
        bundles,
        bytes,
        exact: true,
        ..Estimate::default()
    };
    let (mut cursor, mut asked, begun) = (String::new(), 0i64, Instant::now());
    loop {
        let mut conn = state.db.read().await?;
        let targets = retro::targets(&mut conn, (&cursor, until), 500).await?;
        drop(conn);
        let Some(last) = targets.last() else { break };
        cursor.clone_from(&last.id);
        asked += i64::try_from(targets.len()).unwrap_or(0);
        let (store, sieve) = (state.bundles.store(), Arc::clone(&sieve));
        let costs = tokio::task::spawn_blocking(move || cost(&store, &sieve, &targets)).await;
        let (candidates, read, index) = costs.map_err(AppError::internal)?;
        told.candidates += candidates;
        told.bytes_to_read += read;
        told.index_bytes += index;
        if begun.elapsed() > ESTIMATE_TIME && asked < bundles {
            let whole = |part: i64| part.saturating_mul(bundles) / asked.max(1);
            told.candidates = whole(told.candidates);
            told.bytes_to_read = whole(told.bytes_to_read);
            told.exact = false;
            break;
        }
    }
    Ok(told)
}

fn cost(store: &Store, sieve: &Sieve, targets: &[TargetRow]) -> (i64, i64, i64) {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (mut candidates, mut read, mut index) = (0, 0, 0);
    for target in targets {
        let plan = Uuid::parse_str(&target.id).map(|id| sieve.plan(store, id));
        if let Ok(Ok(plan)) = plan {
            candidates += i64::from(plan.bytes() > 0);
            read += number(plan.bytes());
            index += number(plan.index_bytes());
        }
    }
    (candidates, read, index)
}

/// Queues a scan or a back-test.
///
/// # Errors
/// 409 for a scan with a signature that is not in force, since what it finds would be acted upon.
pub async fn start(
    state: &AppState,
    caller: &Caller,
    (subject, mode): (&Subject, &str),
) -> AppResult<ScanRow> {
    if mode == "scan" && !subject.signature.is_active() {
        return Err(AppError::conflict(
            "not_in_force",
            "a draft or a retired signature can only be back-tested",
        )
        .hint("put it into shadow or live first"));
    }
    sieve(subject)?;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let (bundles, bytes) = retro::extent(&mut tx, now).await?;
    let row = ScanRow {
        id: new_id(),
        signature_id: subject.signature.id.clone(),
        mode: mode.to_owned(),
        yaml: subject.yaml.clone(),
        state: "queued".to_owned(),
        error: None,
        created_by: caller.actor.name().to_owned(),
        created_ms: now,
        ended_ms: None,
        cursor: String::new(),
        until_ms: now,
        bundles,
        bytes,
        bundles_done: 0,
        bundles_read: 0,
        bytes_read: 0,
        index_read: 0,
        faults: 0,
    };
    retro::insert(&mut tx, &row).await?;
    jobs::enqueue(&mut tx, JOB, &format!("{}/0", row.id), now).await?;
    let object = format!("{} {mode}", row.signature_id);
    caller
        .audit(&mut tx, state, "signature.retro", &object)
        .await?;
    tx.commit().await?;
    state.bundles.wake.call(JOB);
    Ok(row)
}

/// Stops a scan; what it found stays.
///
/// # Errors
/// 404 without such a scan, 409 when it has ended.
pub async fn cancel(state: &AppState, caller: &Caller, id: &str) -> AppResult<ScanRow> {
    let none = || AppError::not_found("retro-scan");
    let mut tx = state.db.begin().await?;
    let row = retro::find(&mut tx, id).await?.ok_or_else(none)?;
    if !retro::end(&mut tx, id, ("cancelled", None), state.now_ms()).await? {
        return Err(AppError::conflict(
            "ended",
            format!("this scan is {}", row.state),
        ));
    }
    caller
        .audit(&mut tx, state, "signature.retro_cancel", id)
        .await?;
    let row = retro::find(&mut tx, id).await?.ok_or_else(none)?;
    tx.commit().await?;
    Ok(row)
}

/// Does a job's turn of a scan: bundles behind its cursor, for a while; then queues the next turn. Twice is as once.
///
/// # Errors
/// When the database or the signatures fail; a bundle that cannot be read is only counted.
pub async fn turn(state: &AppState, subject: &str) -> AppResult<()> {
    let (id, number) = subject.split_once('/').unwrap_or((subject, "0"));
    let begun = Instant::now();
    let Some(mut row) = retro::find(&mut *state.db.read().await?, id).await? else {
        return Ok(());
    };
    if !matches!(row.state.as_str(), "queued" | "running") {
        return Ok(());
    }
    let subject = match &row.yaml {
        Some(yaml) => tried(state, yaml).await?,
        None => stored(state, &row.signature_id).await?,
    };
    let sieve = sieve(&subject)?;
    let draining = state.tasks.draining();
    loop {
        let mut conn = state.db.read().await?;
        let targets = retro::targets(&mut conn, (&row.cursor, row.until_ms), TURN).await?;
        drop(conn);
        if targets.is_empty() {
            let mut tx = state.db.begin().await?;
            retro::end(&mut tx, id, ("done", None), state.now_ms()).await?;
            return Ok(tx.commit().await?);
        }
        let seen = look(&state.bundles, &sieve, targets).await?;
        let mut tx = state.db.begin().await?;
        for (target, found) in &seen {
            row.cursor.clone_from(&target.id);
            row.bundles_done += 1;
            match found {
                Ok((finding, touched)) => {
                    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
                    row.bundles_read += i64::from(touched.bundle_bytes > 0);
                    row.bytes_read += number(touched.bundle_bytes);
                    row.index_read += number(touched.index_bytes);
                    keep(&mut tx, &row, target, finding.as_ref(), state.now_ms()).await?;
                }
                Err(error) => {
                    row.faults += 1;
                    tracing::warn!(bundle.id = %target.id, %error, "a bundle was not looked at");
                }
            }
        }
        let goes_on = retro::progress(&mut tx, &row).await?;
        let over = begun.elapsed() > TURN_TIME || draining.is_cancelled();
        if goes_on && over {
            let next = number.parse::<u64>().unwrap_or(0) + 1;
            jobs::enqueue(&mut tx, JOB, &format!("{id}/{next}"), state.now_ms()).await?;
        }
        if !goes_on {
            // It was cancelled while this was looked at: nothing of it counts.
            return Ok(tx.rollback().await?);
        }
        tx.commit().await?;
        if over {
            state.bundles.wake.call(JOB);
            return Ok(());
        }
    }
}

type Seen = (TargetRow, Result<(Option<Finding>, Touched), SiftError>);

async fn look(
    bundles: &Bundles,
    sieve: &Arc<Sieve>,
    targets: Vec<TargetRow>,
) -> AppResult<Vec<Seen>> {
    let (store, sieve) = (bundles.store(), Arc::clone(sieve));
    let work = move || {
        let one = |target: TargetRow| {
            let id = Uuid::parse_str(&target.id).unwrap_or_default();
            let time_ms = target.collected_ms.unwrap_or(target.received_ms);
            let found = sieve
                .plan(&store, id)
                .and_then(|plan| sieve.look(&store, (id, time_ms), &plan));
            (target, found)
        };
        targets.into_iter().map(one).collect()
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(AppError::internal)
}

/// Keeps what was found in a bundle, or that nothing is found any more.
async fn keep(
    tx: &mut sqlx::AnyConnection,
    scan: &ScanRow,
    target: &TargetRow,
    finding: Option<&Finding>,
    now: i64,
) -> AppResult<()> {
    let names = (target.id.as_str(), target.ticket_id.as_str());
    let acts = scan.mode == "scan";
    let Some(finding) = finding else {
        if acts && findings::remove(tx, names.0, &scan.signature_id).await? {
            retract_findings(tx, now, names.1).await?;
        }
        return Ok(());
    };
    let mut fresh = true;
    if acts {
        let body = serde_json::to_value(finding).map_err(AppError::internal)?;
        if let Some(new) = finding_row(&body) {
            fresh = findings::put(tx, names, &new, now).await?;
        }
        let all = findings::of_bundle(tx, names.0, now).await?;
        let ours: Vec<_> = all
            .into_iter()
            .filter(|row| row.signature_id == scan.signature_id)
            .collect();
        apply_findings(tx, now, names.1, &ours).await?;
    } else {
        let all = findings::of_bundle(tx, names.0, now).await?;
        fresh = all.iter().all(|row| row.signature_id != scan.signature_id);
    }
    let evidence = finding.evidence.first();
    let hit = HitRow {
        bundle_id: target.id.clone(),
        ticket_id: target.ticket_id.clone(),
        hits: i64::try_from(finding.hits).unwrap_or(i64::MAX),
        file: evidence.map(|e| e.file.clone()).unwrap_or_default(),
        line: evidence.map_or(0, |e| i64::try_from(e.line).unwrap_or(0)),
        fresh: i64::from(fresh),
    };
    Ok(retro::add_hit(tx, &scan.id, &hit).await?)
}

/// Marks a scan whose job died.
///
/// # Errors
/// When the database refuses.
pub async fn fail(state: &AppState, subject: &str, fault: &str) -> AppResult<()> {
    let id = subject.split('/').next().unwrap_or(subject);
    let mut tx = state.db.begin().await?;
    retro::end(&mut tx, id, ("failed", Some(fault)), state.now_ms()).await?;
    Ok(tx.commit().await?)
}
