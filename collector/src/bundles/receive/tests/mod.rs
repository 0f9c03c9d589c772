//! Receiving as clients see it: interruptions, repeats, limits.

use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};

use super::headers::Checksum;
use super::*;
use crate::bundles::tickets::AnyTicket;

mod ends;
mod whole;

type Item = Result<Bytes, ()>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Fixture {
    folder: tempfile::TempDir,
    db: Db,
    receiver: Receiver,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let db = crate::db::testing::test_db(folder.path()).await;
    let receiver = receiver(&folder, &db);
    Fixture {
        folder,
        db,
        receiver,
    }
}

fn receiver(folder: &tempfile::TempDir, db: &Db) -> Receiver {
    let limits = Limits {
        max_bytes: 1 << 20,
        ..Limits::default()
    };
    receiver_with((folder, db), limits, AnyTicket::default())
}

fn receiver_with(
    (folder, db): (&tempfile::TempDir, &Db),
    limits: Limits,
    tickets: AnyTicket,
) -> Receiver {
    let store = Arc::new(Store::open(folder.path()).unwrap());
    Receiver::new(
        db.clone(),
        store,
        limits,
        Arc::new(tickets),
        (Arc::default(), Tasks::default()),
    )
}

fn grant() -> Grant {
    Grant {
        code_id: "code".into(),
        ticket_id: "ticket".into(),
        max_bytes: 1 << 20,
        uploads_left: 3,
        address: "10.0.0.1".into(),
    }
}

fn create(length: Option<u64>, sha256: Option<String>) -> Create {
    Create {
        length,
        metadata: Metadata {
            filename: "a.tar.gz".into(),
            sha256,
            ..Metadata::default()
        },
    }
}

fn ask(row: &UploadRow, offset: u64) -> Append {
    Append {
        upload: Uuid::parse_str(&row.id).unwrap(),
        offset,
        length: None,
        checksum: None,
        body_bytes: None,
    }
}

fn body(items: Vec<Item>) -> stream::Iter<std::vec::IntoIter<Item>> {
    stream::iter(items)
}

fn text(data: &'static str) -> Item {
    Ok(Bytes::from_static(data.as_bytes()))
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(&mut *db.read().await.unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_upload_in_pieces_becomes_one_bundle_with_one_job() {
    let f = fixture().await;
    let digest = hex(&Sha256::digest(b"hello world"));
    let row = f
        .receiver
        .create(&grant(), create(Some(11), Some(digest.clone())))
        .await
        .unwrap();
    let after = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("hello "), Err(())]))
        .await;
    assert!(
        matches!(after, Err(ReceiveError::Broken { committed: 6 })),
        "what came is kept"
    );
    let id = Uuid::parse_str(&row.id).unwrap();
    assert_eq!(f.receiver.head("code", id).await.unwrap().offset_bytes, 6);
    let wrong = f
        .receiver
        .append("code", ask(&row, 3), body(vec![text("x")]))
        .await;
    assert!(matches!(wrong, Err(ReceiveError::Offset { actual: 6 })));
    let done = f
        .receiver
        .append("code", ask(&row, 6), body(vec![text("world")]))
        .await
        .unwrap();
    assert_eq!(
        (done.state.as_str(), done.sha256.as_deref()),
        ("complete", Some(digest.as_str()))
    );
    let again = f
        .receiver
        .append("code", ask(&row, 11), body(vec![]))
        .await
        .unwrap();
    assert_eq!(again.state, "complete");
    let old = f
        .receiver
        .append("code", ask(&row, 6), body(vec![text("world")]));
    assert!(matches!(
        old.await,
        Err(ReceiveError::Offset { actual: 11 })
    ));
    assert_eq!(f.receiver.head("code", id).await.unwrap().offset_bytes, 11);
    assert_eq!(
        count(&f.db, "SELECT COUNT(*) FROM bundles WHERE state = 'stored'").await,
        1
    );
    assert_eq!(
        count(&f.db, "SELECT COUNT(*) FROM jobs WHERE state = 'queued'").await,
        1
    );
    assert!(
        f.receiver.cancel("code", id).await.is_err(),
        "a bundle is not the uploader's to remove"
    );
    assert!(matches!(
        f.receiver.head("other", id).await,
        Err(ReceiveError::Unknown)
    ));
}

#[tokio::test]
async fn a_chunk_with_a_wrong_digest_leaves_nothing() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(3), None))
        .await
        .unwrap();
    let mut request = ask(&row, 0);
    request.checksum = Some(Checksum::Sha256([0; 32]));
    let refused = f
        .receiver
        .append("code", request.clone(), body(vec![text("abc")]))
        .await;
    assert!(matches!(refused, Err(ReceiveError::Checksum)));
    let id = Uuid::parse_str(&row.id).unwrap();
    assert_eq!(f.receiver.head("code", id).await.unwrap().offset_bytes, 0);
    request.checksum = Some(Checksum::Sha256(Sha256::digest(b"abc").into()));
    assert_eq!(
        f.receiver
            .append("code", request, body(vec![text("abc")]))
            .await
            .unwrap()
            .state,
        "complete"
    );
}

#[tokio::test]
async fn a_file_with_another_digest_than_promised_fails_for_good() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(3), Some("0".repeat(64))))
        .await
        .unwrap();
    let refused = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("abc")]))
        .await;
    assert!(matches!(refused, Err(ReceiveError::Checksum)));
    let id = Uuid::parse_str(&row.id).unwrap();
    let gone = f.receiver.head("code", id).await.unwrap_err();
    assert!(matches!(gone, ReceiveError::Gone { reason } if reason == "checksum_mismatch"));
    assert_eq!(count(&f.db, "SELECT COUNT(*) FROM bundles").await, 0);
}

#[tokio::test]
async fn limits_hold_at_creation_and_in_the_body() {
    let f = fixture().await;
    let too_large = f
        .receiver
        .create(&grant(), create(Some((1 << 20) + 1), None))
        .await;
    assert!(matches!(too_large, Err(ReceiveError::TooLarge { .. })));
    let spent = Grant {
        uploads_left: 0,
        ..grant()
    };
    assert!(matches!(
        f.receiver.create(&spent, create(Some(1), None)).await,
        Err(ReceiveError::CodeUsed)
    ));
    let row = f
        .receiver
        .create(&grant(), create(Some(3), None))
        .await
        .unwrap();
    let over = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("abcd")]))
        .await;
    assert!(matches!(over, Err(ReceiveError::TooLarge { limit: 3 })));
    for _ in 0..10 {
        f.receiver
            .create(&grant(), create(Some(1), None))
            .await
            .unwrap();
    }
    assert!(matches!(
        f.receiver.create(&grant(), create(Some(1), None)).await,
        Err(ReceiveError::TooMany)
    ));
    assert_eq!(
        count(&f.db, "SELECT COUNT(*) FROM uploads").await,
        11,
        "a refused one leaves no row"
    );
}

#[tokio::test]
async fn a_deferred_length_is_set_once() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(None, None))
        .await
        .unwrap();
    f.receiver
        .append("code", ask(&row, 0), body(vec![text("ab")]))
        .await
        .unwrap();
    let mut request = ask(&row, 2);
    request.length = Some(3);
    let over = Append {
        body_bytes: Some(2),
        ..request.clone()
    };
    let over = f.receiver.append("code", over, body(vec![text("cd")]));
    assert!(matches!(
        over.await,
        Err(ReceiveError::TooLarge { limit: 3 })
    ));
    let id = Uuid::parse_str(&row.id).unwrap();
    let found = f.receiver.find("code", id).await.unwrap();
    assert_eq!(found.length_bytes, None, "a refused request sets nothing");
    let done = f
        .receiver
        .append("code", request, body(vec![text("c")]))
        .await
        .unwrap();
    assert_eq!((done.state.as_str(), done.offset_bytes), ("complete", 3));
    let empty = f
        .receiver
        .create(&grant(), create(Some(0), None))
        .await
        .unwrap();
    assert_eq!(empty.state, "complete", "nothing is whole at once");
}

#[tokio::test]
async fn a_complete_upload_takes_no_more_bytes_and_an_empty_body_again() {
    let f = fixture().await;
    let granted = grant();
    let row = f.receiver.create(&granted, create(Some(3), None));
    let row = row.await.unwrap();
    let whole = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("abc")]));
    assert_eq!(whole.await.unwrap().state, "complete");
    let said = |bytes| Append {
        body_bytes: bytes,
        ..ask(&row, 3)
    };
    for (bytes, items) in [
        (Some(1), vec![text("d")]),
        (None, vec![text("d")]),
        (None, vec![text(""), text("d"), Err(())]),
    ] {
        let more = f.receiver.append("code", said(bytes), body(items)).await;
        assert!(
            matches!(more, Err(ReceiveError::TooLarge { limit: 3 })),
            "{more:?}"
        );
    }
    for (bytes, items) in [(Some(0), vec![]), (None, vec![]), (None, vec![text("")])] {
        let same = f.receiver.append("code", said(bytes), body(items)).await;
        assert_eq!(same.unwrap().state, "complete");
    }
}
