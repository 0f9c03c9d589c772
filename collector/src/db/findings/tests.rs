//! Findings that are replaced, and judgements that stay.

use super::*;
use crate::db::testing::on_both;

fn finding(signature_id: &str, severity_rank: i64) -> NewFinding {
    NewFinding {
        signature_id: signature_id.into(),
        severity: "high".into(),
        severity_rank,
        title: format!("Title of {signature_id}"),
        body: "{}".into(),
        shadow: false,
    }
}

#[tokio::test]
async fn the_findings_of_a_bundle_are_replaced_as_a_whole() {
    on_both(async |db| {
        let mut tx = db.begin().await.unwrap();
        let first = [
            finding("SIG-2", 1),
            finding("SIG-1", 1),
            finding("SIG-3", 0),
        ];
        replace(&mut tx, ("b1", "t1"), &first, 5).await.unwrap();
        replace(&mut tx, ("b2", "t1"), &[finding("SIG-1", 1)], 6)
            .await
            .unwrap();
        let of = async |conn: &mut AnyConnection, id: &str| {
            let rows = of_bundle(conn, id, 9).await.unwrap();
            rows.into_iter()
                .map(|row| row.signature_id)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(&mut tx, "b1").await,
            ["SIG-3", "SIG-1", "SIG-2"],
            "worst first"
        );
        replace(&mut tx, ("b1", "t1"), &first[..1], 7)
            .await
            .unwrap();
        assert_eq!(of(&mut tx, "b1").await, ["SIG-2"]);
        let ticket = of_ticket(&mut tx, "t1", 9).await.unwrap();
        let rows: Vec<_> = ticket
            .iter()
            .map(|r| (r.signature_id.as_str(), r.created_ms))
            .collect();
        assert_eq!(rows, [("SIG-1", 6), ("SIG-2", 5)], "it was first said then");
        delete(&mut tx, "b1").await.unwrap();
        assert_eq!(of(&mut tx, "b1").await, [""; 0]);
        assert_eq!(of(&mut tx, "b2").await, ["SIG-1"]);
    })
    .await;
}

#[tokio::test]
async fn a_judgement_stays_with_its_finding() {
    on_both(async |db| {
        let mut tx = db.begin().await.unwrap();
        let both = [finding("SIG-1", 1), finding("SIG-2", 0)];
        replace(&mut tx, ("b1", "t1"), &both, 5).await.unwrap();
        let id = of_signature(&mut tx, "SIG-1", 5, 9).await.unwrap()[0]
            .id
            .clone();
        let judged = Judged {
            verdict: Some("dismissed"),
            reason: Some("wrong_match"),
            note: "a test host",
            by: "Ann",
            now_ms: 8,
        };
        judge(&mut tx, &id, &judged).await.unwrap();
        replace(&mut tx, ("b1", "t1"), &both[..1], 9).await.unwrap();
        let row = find(&mut tx, &id, 9).await.unwrap().unwrap();
        assert_eq!(row.verdict_reason.as_deref(), Some("wrong_match"));
        assert_eq!((row.created_ms, row.stands()), (5, false));
        let shadow = NewFinding {
            shadow: true,
            ..finding("SIG-3", 2)
        };
        assert!(put(&mut tx, ("b1", "t1"), &shadow, 9).await.unwrap());
        assert!(!put(&mut tx, ("b1", "t1"), &shadow, 9).await.unwrap());
        let stand: Vec<_> = of_ticket(&mut tx, "t1", 9).await.unwrap();
        assert!(stand.iter().all(|row| !row.stands()), "{stand:?}");
        assert!(remove(&mut tx, "b1", "SIG-3").await.unwrap());
        assert!(!remove(&mut tx, "b1", "SIG-3").await.unwrap());
    })
    .await;
}
