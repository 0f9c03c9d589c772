//! What a stop between two steps can leave of uploads, and what the sweep must know before it removes something.

use sqlx::AnyConnection;

use super::uploads::{UploadRow, select};
use super::{DbError, Named};

/// Open uploads that have all their bytes, and whose last request is over for some time: they wait for their end.
///
/// # Errors
/// When the database does not answer.
pub async fn whole(db: &mut AnyConnection, before_ms: i64) -> Result<Vec<UploadRow>, DbError> {
    sqlx::query_as(select(
        "WHERE state = 'receiving' AND offset_bytes = length_bytes AND touched_ms < $1 ORDER BY id LIMIT 500",
    ))
    .bind(before_ms)
    .fetch_all(db)
    .await
    .named("list whole uploads")
}

/// Uploads that ended without a bundle and may have left something in the store.
///
/// # Errors
/// When the database does not answer.
pub async fn left_over(db: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar(
        "SELECT u.id FROM uploads u WHERE u.state IN ('failed', 'cancelled', 'expired') AND \
         (u.multipart_id IS NOT NULL OR EXISTS (SELECT 1 FROM upload_pieces p WHERE p.upload_id = u.id)) \
         ORDER BY u.id LIMIT 500",
    )
    .fetch_all(db)
    .await
    .named("look for what ended uploads left")
}

/// Whether an upload that is still open will be this bundle.
///
/// # Errors
/// When the database does not answer.
pub async fn promised(db: &mut AnyConnection, bundle: &str) -> Result<bool, DbError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM uploads WHERE bundle_id = $1 AND state IN ('created', 'receiving')",
    )
    .bind(bundle)
    .fetch_one(db)
    .await
    .named("look for the upload of a bundle")?;
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;
    use crate::db::{pieces, uploads};

    #[tokio::test]
    async fn half_done_uploads_are_found() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for (id, offset) in [("half", 40), ("whole", 80)] {
                let row = UploadRow {
                    id: id.into(),
                    bundle_id: format!("b-{id}"),
                    receipt: id.into(),
                    state: "receiving".into(),
                    offset_bytes: offset,
                    length_bytes: Some(80),
                    touched_ms: 10,
                    multipart_id: Some("m".into()),
                    ..UploadRow::default()
                };
                uploads::insert(&mut tx, &row).await.unwrap();
            }
            assert!(promised(&mut tx, "b-half").await.unwrap());
            assert_eq!(
                whole(&mut tx, 10).await.unwrap().len(),
                0,
                "touched just now"
            );
            let found = whole(&mut tx, 11).await.unwrap();
            assert_eq!((found.len(), found[0].id.as_str()), (1, "whole"));
            assert_eq!(left_over(&mut tx).await.unwrap(), [""; 0], "they are open");
            uploads::end(&mut tx, "half", "expired", None, 1)
                .await
                .unwrap();
            assert!(!promised(&mut tx, "b-half").await.unwrap());
            assert_eq!(left_over(&mut tx).await.unwrap(), ["half"]);
            pieces::forget(&mut tx, "half").await.unwrap();
            assert_eq!(left_over(&mut tx).await.unwrap(), [""; 0]);
        })
        .await;
    }
}
