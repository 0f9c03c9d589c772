//! Rows of signature packs, their files, and where signatures stand.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One pack.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PackRow {
    /// Lower-case word.
    pub name: String,
    /// Version its maker gave it.
    pub version: String,
    /// Licence its maker gave it.
    pub licence: String,
    /// own, upload or folder.
    pub source: String,
    /// 1: in force.
    pub enabled: i64,
    /// Digest of all files.
    pub digest: String,
    /// Signatures in it.
    pub signatures: i64,
    /// JSON list of what could be better.
    pub remarks: String,
    /// Who changed it last.
    pub changed_by: String,
    /// When.
    pub changed_ms: i64,
}

const COLUMNS: &str =
    "name, version, licence, source, enabled, digest, signatures, remarks, changed_by, changed_ms";

/// All packs, by name.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &mut AnyConnection) -> Result<Vec<PackRow>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM signature_packs ORDER BY name");
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .fetch_all(db)
        .await
        .named("list signature packs")
}

/// One pack.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &mut AnyConnection, name: &str) -> Result<Option<PackRow>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM signature_packs WHERE name = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(name)
        .fetch_optional(db)
        .await
        .named("find a signature pack")
}

/// Stores a pack in the place of what had its name. Whether it is in force stays as it was.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    db: &mut AnyConnection,
    pack: &PackRow,
    files: &[(String, String)],
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO signature_packs (name, version, licence, source, enabled, digest, signatures, remarks, changed_by, \
         changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (name) DO UPDATE SET \
         version = excluded.version, licence = excluded.licence, source = excluded.source, digest = excluded.digest, \
         signatures = excluded.signatures, remarks = excluded.remarks, changed_by = excluded.changed_by, \
         changed_ms = excluded.changed_ms",
    )
    .bind(&pack.name)
    .bind(&pack.version)
    .bind(&pack.licence)
    .bind(&pack.source)
    .bind(pack.enabled)
    .bind(&pack.digest)
    .bind(pack.signatures)
    .bind(&pack.remarks)
    .bind(&pack.changed_by)
    .bind(pack.changed_ms)
    .execute(&mut *db)
    .await
    .named("store a signature pack")?;
    sqlx::query("DELETE FROM signature_files WHERE pack = $1")
        .bind(&pack.name)
        .execute(&mut *db)
        .await
        .named("replace the files of a pack")?;
    for (path, text) in files {
        sqlx::query("INSERT INTO signature_files (pack, path, text) VALUES ($1, $2, $3)")
            .bind(&pack.name)
            .bind(path)
            .bind(text)
            .execute(&mut *db)
            .await
            .named("store a file of a pack")?;
    }
    Ok(())
}

/// Puts a pack in force or out of it. False when there is none.
///
/// # Errors
/// When the database refuses.
pub async fn enable(db: &mut AnyConnection, name: &str, enabled: bool) -> Result<bool, DbError> {
    sqlx::query("UPDATE signature_packs SET enabled = $1 WHERE name = $2")
        .bind(i64::from(enabled))
        .bind(name)
        .execute(db)
        .await
        .named("enable a signature pack")
        .map(|done| done.rows_affected() == 1)
}

/// Removes a pack with its files. False when there is none.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &mut AnyConnection, name: &str) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM signature_files WHERE pack = $1")
        .bind(name)
        .execute(&mut *db)
        .await
        .named("remove the files of a pack")?;
    sqlx::query("DELETE FROM signature_packs WHERE name = $1")
        .bind(name)
        .execute(db)
        .await
        .named("remove a signature pack")
        .map(|done| done.rows_affected() == 1)
}

/// Files of packs: pack, whether it is in force, path and text. By pack and path.
///
/// # Errors
/// When the database does not answer.
pub async fn files(db: &mut AnyConnection) -> Result<Vec<(String, i64, String, String)>, DbError> {
    sqlx::query_as(
        "SELECT f.pack, p.enabled, f.path, f.text FROM signature_files f JOIN signature_packs p ON p.name = f.pack \
         ORDER BY f.pack, f.path",
    )
    .fetch_all(db)
    .await
    .named("read the files of signature packs")
}

/// Where signatures stand when it is not as their files say.
///
/// # Errors
/// When the database does not answer.
pub async fn states(db: &mut AnyConnection) -> Result<Vec<(String, String)>, DbError> {
    sqlx::query_as("SELECT signature_id, status FROM signature_states ORDER BY signature_id")
        .fetch_all(db)
        .await
        .named("read where signatures stand")
}

/// Says where a signature stands.
///
/// # Errors
/// When the database refuses.
pub async fn set_state(
    db: &mut AnyConnection,
    signature_id: &str,
    status: &str,
    (by, now_ms): (&str, i64),
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO signature_states (signature_id, status, changed_by, changed_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (signature_id) DO UPDATE SET status = excluded.status, changed_by = excluded.changed_by, \
         changed_ms = excluded.changed_ms",
    )
    .bind(signature_id)
    .bind(status)
    .bind(by)
    .bind(now_ms)
    .execute(db)
    .await
    .named("say where a signature stands")
    .map(|_| ())
}

/// Lets a signature stand where its file says.
///
/// # Errors
/// When the database refuses.
pub async fn clear_state(db: &mut AnyConnection, signature_id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM signature_states WHERE signature_id = $1")
        .bind(signature_id)
        .execute(db)
        .await
        .named("let a signature stand as its file says")
        .map(|_| ())
}

/// What one signature came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct StatsRow {
    /// The signature.
    pub signature_id: String,
    /// Bundles in which it found something.
    pub findings: i64,
    /// Of those since the asked time.
    pub recent: i64,
    /// Tickets.
    pub tickets: i64,
    /// Confirmed, or dismissed as accepted: it was right.
    pub right_ones: i64,
    /// Dismissed as wrong or beside the point.
    pub wrong_ones: i64,
    /// When it last found something.
    pub last_ms: i64,
}

/// What signatures came to; of one signature when it is named.
///
/// # Errors
/// When the database does not answer.
pub async fn stats(
    db: &mut AnyConnection,
    signature_id: Option<&str>,
    since_ms: i64,
) -> Result<Vec<StatsRow>, DbError> {
    let which = match signature_id {
        Some(_) => "signature_id = $2",
        None => "$2 = ''",
    };
    let text = format!(
        "SELECT signature_id, COUNT(*) AS findings, COUNT(*) FILTER (WHERE created_ms >= $1) AS recent, \
         COUNT(DISTINCT ticket_id) AS tickets, \
         COUNT(*) FILTER (WHERE verdict = 'confirmed' OR verdict_reason = 'accepted') AS right_ones, \
         COUNT(*) FILTER (WHERE verdict_reason IN ('wrong_match', 'not_relevant')) AS wrong_ones, \
         MAX(created_ms) AS last_ms FROM findings WHERE {which} GROUP BY signature_id ORDER BY signature_id"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(since_ms)
        .bind(signature_id.unwrap_or_default())
        .fetch_all(db)
        .await
        .named("count what signatures found")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::findings::{self, Judged, NewFinding};
    use crate::db::testing::on_both;

    fn pack(name: &str, version: &str) -> PackRow {
        PackRow {
            name: name.into(),
            version: version.into(),
            licence: "MIT".into(),
            source: "upload".into(),
            enabled: 1,
            digest: "d".into(),
            signatures: 1,
            remarks: "[]".into(),
            changed_by: "Ann".into(),
            changed_ms: 1,
        }
    }

    #[tokio::test]
    async fn a_pack_is_stored_replaced_switched_and_removed() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let file = |path: &str| (path.to_owned(), "rules: []".to_owned());
            put(&mut tx, &pack("b", "1"), &[file("x"), file("y")])
                .await
                .unwrap();
            put(&mut tx, &pack("a", "1"), &[file("x")]).await.unwrap();
            assert!(enable(&mut tx, "b", false).await.unwrap());
            assert!(!enable(&mut tx, "c", false).await.unwrap());
            put(&mut tx, &pack("b", "2"), &[file("z")]).await.unwrap();
            let b = find(&mut tx, "b").await.unwrap().unwrap();
            assert_eq!((b.version.as_str(), b.enabled), ("2", 0));
            let all = files(&mut tx).await.unwrap();
            let told: Vec<_> = all
                .iter()
                .map(|f| (f.0.as_str(), f.1, f.2.as_str()))
                .collect();
            assert_eq!(told, [("a", 1, "x"), ("b", 0, "z")]);
            assert!(delete(&mut tx, "b").await.unwrap());
            assert!(!delete(&mut tx, "b").await.unwrap());
            assert_eq!(list(&mut tx).await.unwrap(), [pack("a", "1")]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_signature_stands_where_it_was_put_and_its_findings_are_counted() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for status in ["live", "shadow"] {
                set_state(&mut tx, "SIG-1", status, ("Ann", 1))
                    .await
                    .unwrap();
            }
            set_state(&mut tx, "SIG-2", "retired", ("Ann", 1))
                .await
                .unwrap();
            clear_state(&mut tx, "SIG-2").await.unwrap();
            let one = [("SIG-1".to_owned(), "shadow".to_owned())];
            assert_eq!(states(&mut tx).await.unwrap(), one);
            let found = NewFinding {
                signature_id: "SIG-1".into(),
                severity: "high".into(),
                severity_rank: 1,
                title: "T".into(),
                body: "{}".into(),
                shadow: false,
            };
            for (bundle, now) in [("b1", 5), ("b2", 6), ("b3", 7)] {
                findings::put(&mut tx, (bundle, "t"), &found, now)
                    .await
                    .unwrap();
            }
            let rows = findings::of_signature(&mut tx, "SIG-1", 9, 9)
                .await
                .unwrap();
            for (row, verdict, reason) in [
                (&rows[0], "confirmed", None),
                (&rows[1], "dismissed", Some("wrong_match")),
            ] {
                let judged = Judged {
                    verdict: Some(verdict),
                    reason,
                    note: "",
                    by: "Ann",
                    now_ms: 8,
                };
                findings::judge(&mut tx, &row.id, &judged).await.unwrap();
            }
            let expected = StatsRow {
                signature_id: "SIG-1".into(),
                findings: 3,
                recent: 2,
                tickets: 1,
                right_ones: 1,
                wrong_ones: 1,
                last_ms: 7,
            };
            for named in [None, Some("SIG-1")] {
                let told = stats(&mut tx, named, 6).await.unwrap();
                assert_eq!(told, std::slice::from_ref(&expected));
            }
            assert_eq!(stats(&mut tx, Some("SIG-2"), 6).await.unwrap(), []);
        })
        .await;
    }
}
