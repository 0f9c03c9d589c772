//! Bundles from their arrival to their deletion.

use super::*;
use crate::db::jobs;
use crate::db::testing::on_both;

fn new(id: &str) -> NewBundle<'_> {
    NewBundle {
        id,
        upload_id: id,
        ticket_id: "t",
        filename: "f.tar.gz",
        bytes: 9,
        sha256: "ab",
        receipt: "RCP-1",
        received_ms: 100,
    }
}

fn ids(rows: &[BundleRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

#[tokio::test]
async fn a_bundle_goes_from_stored_to_ready_once() {
    on_both(async |db| {
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &new("b1")).await.unwrap();
        let both = [new("b1"), new("b2")];
        insert_all(&mut tx, &both).await.unwrap();
        assert_eq!(ids(&of_ticket(&mut tx, "t").await.unwrap()), ["b2", "b1"]);
        assert_eq!(ids(&page(&mut tx, Some("b2"), 9).await.unwrap()), ["b1"]);
        assert_eq!(ids(&page(&mut tx, None, 1).await.unwrap()), ["b2"]);
        assert_eq!(without_job(&mut tx, 100).await.unwrap(), [""; 0]);
        assert_eq!(without_job(&mut tx, 101).await.unwrap(), ["b1", "b2"]);
        jobs::enqueue(&mut tx, "ingest", "b2", 1).await.unwrap();
        assert_eq!(without_job(&mut tx, 101).await.unwrap(), ["b1"]);
        assert!(
            shift(&mut tx, "b1", &["stored", "ready"], "scanning")
                .await
                .unwrap()
        );
        assert!(!shift(&mut tx, "b1", &["stored"], "scanning").await.unwrap());
        let end = Outcome {
            state: "ready",
            host: Some("h1".into()),
            collected_ms: Some(5),
            items_asked: 3,
            evaluated: 61,
            verdict_ms: 200,
            ..Outcome::default()
        };
        assert!(finish(&mut tx, "b1", &end).await.unwrap());
        assert!(
            !finish(&mut tx, "b1", &end).await.unwrap(),
            "there is a verdict"
        );
        let row = find(&mut tx, "b1").await.unwrap().unwrap();
        assert_eq!(
            (row.state.as_str(), row.host.as_deref()),
            ("ready", Some("h1"))
        );
        assert_eq!((row.items_asked, row.evaluated), (3, 61));
        assert_eq!(
            (row.not_evaluated.as_str(), row.verdict_ms),
            ("[]", Some(200))
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_bundle_is_gone_and_its_names_with_it() {
    on_both(async |db| {
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, &new("b1")).await.unwrap();
        bury(&mut tx, "b1").await.unwrap();
        assert!(
            find(&mut tx, "b1").await.unwrap().is_some(),
            "only what is being deleted"
        );
        let row = by_receipt(&mut tx, "RCP-1").await.unwrap();
        assert_eq!(row.map(|row| row.id).as_deref(), Some("b1"));
        assert!(shift(&mut tx, "b1", &["stored"], "deleting").await.unwrap());
        assert_eq!(deleting(&mut tx).await.unwrap(), ["b1"]);
        bury(&mut tx, "b1").await.unwrap();
        assert!(find(&mut tx, "b1").await.unwrap().is_none());
        assert!(by_receipt(&mut tx, "RCP-1").await.unwrap().is_none());
        assert!(by_receipt(&mut tx, "RCP-2").await.unwrap().is_none());
        assert_eq!(deleting(&mut tx).await.unwrap(), [""; 0]);
        assert!(of_ticket(&mut tx, "t").await.unwrap().is_empty());
        let left: String = sqlx::query_scalar("SELECT filename FROM bundles WHERE id = 'b1'")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(left, "");
    })
    .await;
}
