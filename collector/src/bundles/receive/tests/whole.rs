//! Uploads that come whole with their creation.

use std::sync::atomic::Ordering;

use super::*;
use crate::bundles::receive::First;

fn first(bytes: u64) -> First {
    First {
        checksum: None,
        body_bytes: Some(bytes),
    }
}

fn files(f: &Fixture, folder: &str) -> usize {
    let inside = std::fs::read_dir(f.folder.path().join(folder));
    inside.unwrap().count()
}

#[tokio::test]
async fn a_short_upload_with_its_bytes_is_complete_at_once() {
    let (f, granted) = (fixture().await, grant());
    let digest = hex(&Sha256::digest(b"hello"));
    let row = f
        .receiver
        .create_with(
            &granted,
            create(Some(5), Some(digest.clone())),
            first(5),
            body(vec![text("he"), text("llo")]),
        )
        .await
        .unwrap();
    assert_eq!(
        (row.state.as_str(), row.sha256.clone()),
        ("complete", Some(digest))
    );
    let blob = f.folder.path().join("blobs").join(&row.bundle_id);
    assert_eq!(std::fs::read(blob).unwrap(), b"hello");
    assert_eq!(files(&f, "parts"), 0);
    let id = Uuid::parse_str(&row.id).unwrap();
    assert_eq!(f.receiver.head("code", id).await.unwrap().offset_bytes, 5);
    for sql in [
        "SELECT COUNT(*) FROM bundles WHERE state = 'stored'",
        "SELECT COUNT(*) FROM jobs WHERE state = 'queued'",
        "SELECT COUNT(*) FROM uploads WHERE state = 'complete' AND reserved_bytes = 0",
    ] {
        assert_eq!(count(&f.db, sql).await, 1, "{sql}");
    }
    let fresh = receiver(&f.folder, &f.db);
    assert_eq!(fresh.recover().await.unwrap(), Recovered::default());
    assert_eq!(files(&f, "blobs"), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_short_upload_leaves_nothing() {
    let (f, granted) = (fixture().await, grant());
    let bad = First {
        checksum: Some(Checksum::Sha256([0; 32])),
        ..first(3)
    };
    for (request, first) in [
        (create(Some(3), Some("0".repeat(64))), first(3)),
        (create(Some(3), None), bad),
    ] {
        let refused = f
            .receiver
            .create_with(&granted, request, first, body(vec![text("abc")]));
        assert!(matches!(refused.await, Err(ReceiveError::Checksum)));
    }
    let spent = Grant {
        uploads_left: 0,
        ..grant()
    };
    let refused = f
        .receiver
        .create_with(&spent, create(Some(3), None), first(3), body(vec![]));
    assert!(matches!(refused.await, Err(ReceiveError::CodeUsed)));
    let tickets = AnyTicket::default();
    tickets.spent.store(true, Ordering::Relaxed);
    let late = receiver_with((&f.folder, &f.db), Limits::default(), tickets);
    let refused = late.create_with(
        &granted,
        create(Some(3), None),
        first(3),
        body(vec![text("abc")]),
    );
    assert!(
        matches!(refused.await, Err(ReceiveError::CodeUsed)),
        "another was first"
    );
    let little = Limits {
        ticket_bytes: 2,
        ..Limits::default()
    };
    let full = receiver_with((&f.folder, &f.db), little, AnyTicket::default());
    let refused = full.create_with(
        &granted,
        create(Some(3), None),
        first(3),
        body(vec![text("abc")]),
    );
    assert!(matches!(
        refused.await,
        Err(ReceiveError::Quota { of: "ticket" })
    ));
    assert_eq!((files(&f, "blobs"), files(&f, "parts")), (0, 0));
    assert_eq!(count(&f.db, "SELECT COUNT(*) FROM uploads").await, 0);
}

#[tokio::test]
async fn of_many_at_once_each_is_entered_or_refused_by_itself() {
    let f = fixture().await;
    let limits = Limits {
        ticket_bytes: 3 * 100 + 1,
        ..Limits::default()
    };
    let receiver = receiver_with((&f.folder, &f.db), limits, AnyTicket::default());
    // The one ticket has room for 100 of them, another for all of its own.
    let uploads = (0..260).map(|n| {
        let receiver = &receiver;
        async move {
            let ticket = if n % 2 == 0 { "ticket" } else { "other" };
            let granted = Grant {
                ticket_id: ticket.into(),
                ..grant()
            };
            let length = if n % 2 == 0 { 3 } else { 1 };
            let bytes = Bytes::from(format!("{n:03}").into_bytes()).slice(..length);
            let sent = receiver.create_with(
                &granted,
                create(Some(length as u64), None),
                first(length as u64),
                body(vec![Ok(bytes)]),
            );
            (ticket, sent.await)
        }
    });
    let mut entered = [0, 0];
    for (ticket, ended) in futures_util::future::join_all(uploads).await {
        match ended {
            Ok(row) => {
                entered[usize::from(ticket == "other")] += 1;
                assert_eq!((row.state.as_str(), &*row.ticket_id), ("complete", ticket));
            }
            Err(error) => assert!(
                matches!(error, ReceiveError::Quota { of: "ticket" }) && ticket == "ticket",
                "{error}"
            ),
        }
    }
    assert_eq!(entered, [100, 130]);
    assert_eq!(files(&f, "blobs"), 230, "of the refused nothing is left");
    for sql in [
        "SELECT COUNT(*) FROM uploads WHERE state = 'complete'",
        "SELECT COUNT(*) FROM bundles WHERE state = 'stored'",
        "SELECT COUNT(*) FROM jobs WHERE state = 'queued'",
    ] {
        assert_eq!(count(&f.db, sql).await, 230, "{sql}");
    }
}

#[tokio::test]
async fn all_hear_that_the_database_does_not_answer() {
    let (f, granted) = (fixture().await, grant());
    f.db.close().await;
    let uploads = (0..100).map(|_| {
        let items = body(vec![text("abc")]);
        f.receiver
            .create_with(&granted, create(Some(3), None), first(3), items)
    });
    for ended in futures_util::future::join_all(uploads).await {
        let fault = matches!(&ended, Err(ReceiveError::Db(error)) if error.is_unavailable());
        assert!(fault, "{ended:?}");
    }
}

#[tokio::test]
async fn a_longer_upload_or_a_first_part_goes_on_as_ever() {
    let (f, granted) = (fixture().await, grant());
    for (length, items, state) in [
        (Some(6), vec![text("abc")], "receiving"),
        (None, vec![text("abc")], "receiving"),
        (Some(6), vec![text("abc"), Err(())], "receiving"),
        (Some(0), vec![], "complete"),
    ] {
        let bytes = if items.is_empty() { 0 } else { 3 };
        let row = f
            .receiver
            .create_with(&granted, create(length, None), first(bytes), body(items))
            .await
            .unwrap();
        assert_eq!(
            (row.state.as_str(), row.offset_bytes),
            (state, bytes as i64)
        );
    }
}

#[tokio::test]
async fn more_bytes_than_the_length_are_refused_before_there_is_an_upload() {
    let (f, granted) = (fixture().await, grant());
    for (length, said) in [(0, Some(1)), (0, None), (3, Some(4))] {
        let first = First {
            checksum: None,
            body_bytes: said,
        };
        let items = body(vec![text("abcd")]);
        let refused = f
            .receiver
            .create_with(&granted, create(Some(length), None), first, items)
            .await;
        assert!(
            matches!(refused, Err(ReceiveError::TooLarge { limit }) if limit == length),
            "{refused:?}"
        );
    }
    assert_eq!(count(&f.db, "SELECT COUNT(*) FROM uploads").await, 0);
}

#[tokio::test]
async fn a_blob_whose_record_never_came_goes_at_the_next_start() {
    let f = fixture().await;
    let store = Store::open(f.folder.path()).unwrap();
    let orphan = Uuid::now_v7();
    store
        .put_blob(orphan, &[Bytes::from_static(b"abc")])
        .unwrap();
    let recovered = f.receiver.recover().await.unwrap();
    assert_eq!(recovered.orphans, 1);
    assert!(!store.has_blob(orphan));
}
