//! Taking signatures in: the operator's own, one file at a time, and packs of others, from an archive or from a folder
//! beside the data. Each file is checked and its tests are run; what is refused is named with file, line and hint.

use std::collections::HashSet;
use std::time::Duration;

use sitrep_shared::signature::{Catalogue, Signature, SourceMap, Status, lint, test_signature};
use sqlx::AnyConnection;

use super::catalogue::{CatalogueError, Loaded, REVISION, SOURCES, word};
use super::files::Files;
use crate::auth::{Access, Actor, sha256_hex};
use crate::db::packs::{self, PackRow};
use crate::db::{DbError, settings};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use crate::tickets::{Caller, text};

/// The pack of the operator's own signatures.
pub const OWN: &str = "own";
/// Longest upload of a pack, in bytes.
pub const UPLOAD_MAX_BYTES: usize = 16 << 20;
/// Remarks kept of a pack.
const REMARKS_MAX: usize = 500;
/// Faults that are named.
const FAULTS_MAX: usize = 50;
/// Tests of a pack may take this long.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// What a pack is called and where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// Lower-case word.
    pub name: String,
    /// Version its maker gave it.
    pub version: String,
    /// Licence its maker gave it.
    pub licence: String,
    /// Where its signatures are to stand; without one where their files say.
    pub stand: Option<Status>,
}

/// What the check of files gave.
struct Checked {
    ids: Vec<String>,
    remarks: Vec<String>,
    /// Ids of those that may be live although nothing shows that they stay silent.
    live: Vec<String>,
}

/// Checks files against what else is in force: loads them, runs their tests, and says what could be better.
fn check(files: &Files, others: &Loaded, pack: &str) -> AppResult<Checked> {
    let refused = |mut errors: Vec<(String, String)>| {
        let detail = format!("{} faults; nothing was stored", errors.len());
        errors.truncate(FAULTS_MAX);
        AppError::faults("signatures_refused", detail, errors)
    };
    let catalogue = Catalogue::load(files.iter().map(|(name, text)| (name, text)));
    let catalogue = catalogue.map_err(|errors| {
        let told = errors.into_iter().map(|error| {
            let hint = Some(error.hint).filter(|hint| !hint.is_empty());
            let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            let place = format!("{}:{}", error.file, error.line);
            (place, format!("{}{hint}", error.message))
        });
        refused(told.collect())
    })?;
    let known: HashSet<&str> = others
        .entries
        .iter()
        .filter(|entry| entry.pack != pack)
        .flat_map(|entry| [entry.signature.id.as_str(), &entry.signature.rule_id])
        .collect();
    let (mut faults, mut ids, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let (mut remarks, mut live) = (Vec::new(), Vec::new());
    for signature in &catalogue.signatures {
        let place = format!("{}:{}", signature.file, signature.line);
        let taken = known.contains(signature.id.as_str()) || known.contains(&*signature.rule_id);
        if taken || !seen.insert(&signature.id) {
            let message = format!("{} is there already (give it another id)", signature.id);
            faults.push((place.clone(), message));
        }
        for failure in test_signature(signature, &others.sources) {
            let place = format!("{}:{}", failure.file, failure.line);
            faults.push((
                place,
                format!("test {:?}: {}", failure.test, failure.message),
            ));
        }
        let told = lint(signature).into_iter();
        remarks.extend(told.map(|remark| format!("{place}: {} {remark}", signature.id)));
        ids.push(signature.id.clone());
        if signature.status() == Status::Live {
            live.push(signature.id.clone());
        }
    }
    if ids.is_empty() && faults.is_empty() {
        faults.push((pack.to_owned(), "there is no signature in it".to_owned()));
    }
    if !faults.is_empty() {
        return Err(refused(faults));
    }
    remarks.truncate(REMARKS_MAX);
    Ok(Checked { ids, remarks, live })
}

/// Why a signature may not be live: nothing shows that it fires, or that it stays silent.
pub fn unproven(signature: &Signature) -> Option<&'static str> {
    // Rules of the community bring no tests; they are taken as they are.
    let tests = &signature.extension.as_ref()?.tests;
    if !tests.iter().any(|test| test.fires) {
        Some("it has no test in which it fires")
    } else if tests.iter().all(|test| test.fires) {
        Some("it has no test in which it must not fire")
    } else {
        None
    }
}

/// Stores a pack in the place of what had its name.
///
/// # Errors
/// 422 with every fault, 403 when the caller may not bring signatures in force.
pub async fn store(
    state: &AppState,
    caller: &Caller,
    (label, source): (Label, &str),
    files: Files,
) -> AppResult<PackRow> {
    let label = checked(label)?;
    let others = state.bundles.signatures.current().await?;
    let (name, for_check) = (label.name.clone(), files.clone());
    let work = tokio::task::spawn_blocking(move || check(&for_check, &others, &name));
    let checked = tokio::time::timeout(CHECK_TIME, work).await.map_err(|_| {
        AppError::invalid(
            "body",
            "the tests of these signatures do not come to an end",
        )
    })?;
    let checked = checked.map_err(AppError::internal)??;
    let lead = caller.actor.may(Access::Lead) || matches!(caller.actor, Actor::System);
    let live = label.stand.is_none_or(|stand| stand == Status::Live);
    if !lead && live && !checked.live.is_empty() {
        return Err(AppError::forbidden(format!(
            "{} would be live, which a lead decides; store it with the status draft or shadow",
            checked.live[0]
        )));
    }
    let now = state.now_ms();
    let row = PackRow {
        digest: digest(&label, &files),
        name: label.name.clone(),
        version: label.version.clone(),
        licence: label.licence.clone(),
        source: source.to_owned(),
        enabled: 1,
        signatures: i64::try_from(checked.ids.len()).unwrap_or(i64::MAX),
        remarks: serde_json::to_string(&checked.remarks).unwrap_or_else(|_| "[]".to_owned()),
        changed_by: caller.actor.name().to_owned(),
        changed_ms: now,
    };
    let mut tx = state.db.begin().await?;
    packs::put(&mut tx, &row, &files).await?;
    if let Some(stand) = label.stand {
        for id in &checked.ids {
            packs::set_state(&mut tx, id, word(stand), (caller.actor.name(), now)).await?;
        }
    }
    changed(&mut tx).await?;
    caller
        .audit(&mut tx, state, "signatures.store", &row.name)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// Stores one file of the operator's own signatures beside the others; the file that holds the same signature is
/// replaced. Gives the ids in it.
///
/// # Errors
/// As [`store`].
pub async fn store_own(state: &AppState, caller: &Caller, yaml: &str) -> AppResult<Vec<String>> {
    let loaded = Catalogue::load([("signature.yaml", yaml)]).map(|c| c.signatures);
    // The faults are told by the check below.
    let ids: Vec<String> = loaded
        .unwrap_or_default()
        .into_iter()
        .map(|s| s.id)
        .collect();
    let name = ids.first().map_or("signature", String::as_str);
    let path = format!("{name}.yaml");
    let all = packs::files(&mut *state.db.read().await?).await?;
    let mut files: Files = all
        .into_iter()
        .filter(|(pack, _, known, _)| pack == OWN && *known != path)
        .map(|(_, _, path, text)| (path, text))
        .collect();
    files.push((path, yaml.to_owned()));
    let label = Label {
        name: OWN.to_owned(),
        ..Label::default()
    };
    store(state, caller, (label, "own"), files).await?;
    Ok(ids)
}

fn checked(label: Label) -> AppResult<Label> {
    let plain =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    let name = text("name", &label.name, 1, 60)?;
    if !name.chars().all(plain) || name == super::catalogue::BUILT_IN {
        return Err(AppError::invalid(
            "name",
            "use 1 to 60 lower-case letters, digits and - . _",
        ));
    }
    Ok(Label {
        name,
        version: text("version", &label.version, 0, 60)?,
        licence: text("licence", &label.licence, 0, 200)?,
        stand: label.stand,
    })
}

/// Digest of everything a pack is.
pub(super) fn digest(label: &Label, files: &Files) -> String {
    let all = serde_json::json!([label.name, label.version, label.licence, files]);
    sha256_hex(all.to_string().as_bytes())
}

/// Marks that what is in force changed, in the transaction of the change.
async fn changed(tx: &mut AnyConnection) -> Result<(), DbError> {
    settings::set(tx, REVISION, &new_id()).await
}

/// Puts a pack in force or out of it.
///
/// # Errors
/// 404 without such a pack.
pub async fn enable(
    state: &AppState,
    caller: &Caller,
    name: &str,
    enabled: bool,
) -> AppResult<PackRow> {
    let none = || AppError::not_found("signature pack");
    let mut tx = state.db.begin().await?;
    if !packs::enable(&mut tx, name, enabled).await? {
        return Err(none());
    }
    changed(&mut tx).await?;
    let action = if enabled {
        "signatures.enable"
    } else {
        "signatures.disable"
    };
    caller.audit(&mut tx, state, action, name).await?;
    let row = packs::find(&mut tx, name).await?.ok_or_else(none)?;
    tx.commit().await?;
    Ok(row)
}

/// Removes a pack. What it found stays.
///
/// # Errors
/// 404 without such a pack.
pub async fn remove(state: &AppState, caller: &Caller, name: &str) -> AppResult<()> {
    let mut tx = state.db.begin().await?;
    if !packs::delete(&mut tx, name).await? {
        return Err(AppError::not_found("signature pack"));
    }
    changed(&mut tx).await?;
    caller
        .audit(&mut tx, state, "signatures.remove", name)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Puts a signature where it is to stand. Only one with tests of both kinds becomes live.
///
/// # Errors
/// 404 without such a signature, 409 when it is not proven.
pub async fn set_status(
    state: &AppState,
    caller: &Caller,
    id: &str,
    status: Status,
) -> AppResult<()> {
    let loaded = state.bundles.signatures.current().await?;
    let entry = loaded
        .find(id)
        .ok_or_else(|| AppError::not_found("signature"))?;
    if status == Status::Live
        && let Some(why) = unproven(&entry.signature)
    {
        return Err(
            AppError::conflict("not_proven", format!("{id} cannot be live: {why}"))
                .hint("add the tests to its file, or put it into shadow"),
        );
    }
    let mut tx = state.db.begin().await?;
    let by = (caller.actor.name(), state.now_ms());
    packs::set_state(&mut tx, id, word(status), by).await?;
    changed(&mut tx).await?;
    let object = format!("{id} {}", word(status));
    caller
        .audit(&mut tx, state, "signature.status", &object)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Replaces the operator's extension of the source map; an empty text removes it.
///
/// # Errors
/// 422 when it is none.
pub async fn set_sources(state: &AppState, caller: &Caller, yaml: &str) -> AppResult<()> {
    let yaml = text("sources", yaml, 0, 200_000)?;
    if !yaml.is_empty() {
        SourceMap::load("sources", &yaml)
            .map_err(|error| AppError::invalid("sources", error.message))?;
    }
    let mut tx = state.db.begin().await?;
    if yaml.is_empty() {
        settings::delete(&mut tx, SOURCES).await?;
    } else {
        settings::set(&mut tx, SOURCES, &yaml).await?;
    }
    changed(&mut tx).await?;
    caller
        .audit(&mut tx, state, "signatures.sources", "sources")
        .await?;
    tx.commit().await?;
    Ok(())
}

impl From<CatalogueError> for AppError {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Db(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_words() {
        for (name, good) in [
            ("cre", true),
            ("own.1-2", true),
            ("", false),
            ("A b", false),
        ] {
            let label = Label {
                name: name.into(),
                ..Label::default()
            };
            assert_eq!(checked(label).is_ok(), good, "{name}");
        }
    }
}
