//! Uploads that end otherwise than they should: kills, losses, lapses, lost turns.

use super::*;
use crate::db::testing::at_most;

#[tokio::test]
async fn after_a_kill_the_acknowledged_bytes_are_there_and_no_others() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(6), None))
        .await
        .unwrap();
    let _ = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("abc"), Err(())]))
        .await;
    let part = f.folder.path().join("parts").join(&row.id);
    std::fs::write(&part, b"abcXY").unwrap();
    std::fs::write(
        f.folder
            .path()
            .join("parts")
            .join(Uuid::now_v7().to_string()),
        b"orphan",
    )
    .unwrap();
    let fresh = receiver(&f.folder, &f.db);
    let recovered = fresh.recover().await.unwrap();
    assert_eq!(
        recovered,
        Recovered {
            open: 1,
            orphans: 1,
            ..Recovered::default()
        }
    );
    assert_eq!(std::fs::read(&part).unwrap(), b"abc");
    let done = fresh
        .append("code", ask(&row, 3), body(vec![text("def")]))
        .await
        .unwrap();
    assert_eq!(
        done.sha256,
        Some(hex(&Sha256::digest(b"abcdef"))),
        "hashed again after the state was lost"
    );
}

#[tokio::test]
async fn a_kill_between_rename_and_commit_still_completes() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(3), None))
        .await
        .unwrap();
    let part = f.folder.path().join("parts").join(&row.id);
    std::fs::write(&part, b"abc").unwrap();
    std::fs::rename(&part, f.folder.path().join("blobs").join(&row.bundle_id)).unwrap();
    let fresh = receiver(&f.folder, &f.db);
    let done = fresh
        .append("code", ask(&row, 0), body(vec![text("abc")]))
        .await
        .unwrap();
    assert_eq!(done.state, "complete");
    assert_eq!(fresh.recover().await.unwrap(), Recovered::default());
    assert_eq!(count(&f.db, "SELECT COUNT(*) FROM bundles").await, 1);
}

#[tokio::test]
async fn missing_acknowledged_bytes_are_answered_gone() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(6), None))
        .await
        .unwrap();
    let _ = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("abc"), Err(())]))
        .await;
    std::fs::write(f.folder.path().join("parts").join(&row.id), b"a").unwrap();
    let gone = receiver(&f.folder, &f.db)
        .append("code", ask(&row, 3), body(vec![text("def")]))
        .await;
    assert!(matches!(gone, Err(ReceiveError::Gone { reason }) if reason == "state_lost"));
}

#[tokio::test]
async fn cancelled_and_lapsed_uploads_are_gone_and_free_their_room() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(6), None))
        .await
        .unwrap();
    let id = Uuid::parse_str(&row.id).unwrap();
    f.receiver.cancel("code", id).await.unwrap();
    assert!(matches!(
        f.receiver.head("code", id).await,
        Err(ReceiveError::Gone { .. })
    ));
    f.receiver
        .create(&grant(), create(Some(6), None))
        .await
        .unwrap();
    sqlx::query("UPDATE uploads SET expires_ms = 1")
        .execute(&mut *f.db.read().await.unwrap())
        .await
        .unwrap();
    assert_eq!(f.receiver.expire().await.unwrap(), 1);
    assert_eq!(
        std::fs::read_dir(f.folder.path().join("parts"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn what_is_told_of_the_end_is_when_it_comes() {
    let f = fixture().await;
    let granted = grant();
    let row = f.receiver.create(&granted, create(Some(6), None));
    let mut row = row.await.unwrap();
    let (day, week) = (24 * 3_600_000, 7 * 24 * 3_600_000);
    assert_eq!(row.expires_ms, row.created_ms + week);
    assert_eq!(f.receiver.lapses_ms(&row), row.created_ms + day);
    assert!((86_000..=86_400).contains(&f.receiver.lasts_s(&row)));
    row.touched_ms = row.created_ms + week - 1000;
    assert_eq!(f.receiver.lapses_ms(&row), row.expires_ms);
    let idle = "UPDATE uploads SET touched_ms = 1, created_ms = 1";
    sqlx::query(idle)
        .execute(&mut *f.db.read().await.unwrap())
        .await
        .unwrap();
    let before = now_ms();
    let more = f
        .receiver
        .append("code", ask(&row, 0), body(vec![text("abc")]));
    let row = more.await.unwrap();
    assert!(row.touched_ms >= before, "bytes put the end off");
    assert!(f.receiver.lapses_ms(&row) >= before + day);
}

#[tokio::test]
async fn a_lost_turn_commits_nothing() {
    let f = fixture().await;
    let row = f
        .receiver
        .create(&grant(), create(Some(6), None))
        .await
        .unwrap();
    // Another process ends the upload while the body comes.
    let (db, id) = (f.db.clone(), row.id.clone());
    let late = stream::once(Box::pin(async move {
        let mut tx = db.begin().await.unwrap();
        assert!(
            uploads::end(&mut tx, &id, "expired", None, 1)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        text("abc")
    }));
    let lost = f.receiver.append("code", ask(&row, 0), late).await;
    assert!(matches!(lost, Err(ReceiveError::Superseded)), "{lost:?}");
    let offset = count(&f.db, "SELECT offset_bytes FROM uploads").await;
    assert_eq!(offset, 0);
}

#[tokio::test]
async fn a_client_that_goes_away_at_any_step_can_go_on() {
    let f = fixture().await;
    let grant = Grant {
        uploads_left: 1000,
        ..grant()
    };
    let mut gave_up = 0;
    for n in 0..240 {
        let row = f.receiver.create(&grant, create(Some(6), None));
        let row = row.await.unwrap();
        let first = ask(&row, 0);
        let first = f.receiver.append("code", first, body(vec![text("abcd")]));
        if at_most(n % 60, first).await.is_none() {
            gave_up += 1;
        }
        // Comes back at once, believing that nothing arrived, and is cut off again.
        let again = ask(&row, 0);
        let again = f
            .receiver
            .append("code", again, body(vec![text("ab"), Err(())]));
        let told = match again.await {
            Err(ReceiveError::Broken { committed: told }) => told,
            Err(ReceiveError::Offset { actual: told }) => told,
            other => panic!("{n}: {other:?}"),
        };
        let rest = Ok(Bytes::copy_from_slice(&b"abcdef"[told as usize..]));
        let done = f.receiver.append("code", ask(&row, told), body(vec![rest]));
        let done = done.await.unwrap_or_else(|error| panic!("{n}: {error:?}"));
        assert_eq!(done.sha256, Some(hex(&Sha256::digest(b"abcdef"))), "{n}");
    }
    assert!((10..240).contains(&gave_up), "{gave_up} gave up on the way");
}
