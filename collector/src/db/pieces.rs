//! Rows of pieces: where the acknowledged bytes of an open upload lie in an object store. They change in the
//! transaction that acknowledges them.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One piece.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct PieceRow {
    /// A part's etag, or a tail's key.
    pub name: String,
    /// Number of the part from 0, or -1 for a tail.
    pub number: i64,
    /// Where it begins in the upload.
    pub offset_bytes: i64,
    /// Its bytes.
    pub bytes: i64,
    /// Its digest, hex.
    pub sha256: String,
}

/// The pieces of an upload, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn of_upload(db: &mut AnyConnection, upload: &str) -> Result<Vec<PieceRow>, DbError> {
    sqlx::query_as(
        "SELECT name, number, offset_bytes, bytes, sha256 FROM upload_pieces WHERE upload_id = $1 ORDER BY offset_bytes",
    )
    .bind(upload)
    .fetch_all(db)
    .await
    .named("list the pieces of an upload")
}

/// Adds a piece.
///
/// # Errors
/// When the database refuses.
pub async fn add(db: &mut AnyConnection, upload: &str, piece: &PieceRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO upload_pieces (upload_id, name, number, offset_bytes, bytes, sha256) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(upload)
    .bind(&piece.name)
    .bind(piece.number)
    .bind(piece.offset_bytes)
    .bind(piece.bytes)
    .bind(&piece.sha256)
    .execute(db)
    .await
    .named("add a piece")
    .map(|_| ())
}

/// Removes a tail that was replaced.
///
/// # Errors
/// When the database refuses.
pub async fn remove_tail(db: &mut AnyConnection, upload: &str, name: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM upload_pieces WHERE upload_id = $1 AND name = $2 AND number = -1")
        .bind(upload)
        .bind(name)
        .execute(db)
        .await
        .named("remove a piece")
        .map(|_| ())
}

/// Forgets where the bytes of an upload that is over lie, when nothing is left of it in the store.
///
/// # Errors
/// When the database refuses.
pub async fn forget(db: &mut AnyConnection, upload: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM upload_pieces WHERE upload_id = $1")
        .bind(upload)
        .execute(&mut *db)
        .await
        .named("forget the pieces of an upload")?;
    sqlx::query("UPDATE uploads SET multipart_id = NULL, hash_state = NULL WHERE id = $1")
        .bind(upload)
        .execute(db)
        .await
        .named("forget the pieces of an upload")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;
    use crate::db::uploads::{self, UploadRow};

    fn piece(name: &str, number: i64, offset: i64) -> PieceRow {
        PieceRow {
            name: name.into(),
            number,
            offset_bytes: offset,
            bytes: 8,
            sha256: "ab".into(),
        }
    }

    #[tokio::test]
    async fn tails_give_way_to_parts_and_what_is_left_is_found() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let upload = UploadRow {
                id: "u".into(),
                receipt: "r".into(),
                state: "created".into(),
                multipart_id: Some("m".into()),
                hash_state: Some("00".into()),
                ..UploadRow::default()
            };
            uploads::insert(&mut tx, &upload).await.unwrap();
            let (part, same) = (piece("etag", 0, 0), piece("etag", 1, 8));
            for row in [&piece("t/1", -1, 16), &same, &part, &piece("t/2", -1, 24)] {
                add(&mut tx, "u", row).await.unwrap();
            }
            remove_tail(&mut tx, "u", "t/1").await.unwrap();
            remove_tail(&mut tx, "u", "etag").await.unwrap();
            let left = of_upload(&mut tx, "u").await.unwrap();
            assert_eq!(left, [part, same, piece("t/2", -1, 24)]);
            forget(&mut tx, "u").await.unwrap();
            assert_eq!(of_upload(&mut tx, "u").await.unwrap(), []);
            let row = uploads::find(&mut tx, "u").await.unwrap().unwrap();
            assert_eq!((row.multipart_id, row.hash_state), (None, None));
        })
        .await;
    }
}
