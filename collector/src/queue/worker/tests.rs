//! Jobs that work, fail, panic, and lose their worker.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Workers;
use super::*;

#[derive(Clone, Default)]
struct Seen {
    runs: Arc<AtomicUsize>,
    dead: Arc<AtomicUsize>,
    db: Option<Db>,
}

static SPECS: &[Spec<Seen>] = &[
    Spec {
        kind: "good",
        workers: Workers::AsSet,
        attempts: 3,
        run: |s, _| count(s.runs, true),
        dead: |s, _, _| count(s.dead, true),
    },
    Spec {
        kind: "bad",
        workers: Workers::AsSet,
        attempts: 3,
        run: |s, _| count(s.runs, false),
        dead: |s, _, _| count(s.dead, true),
    },
    Spec {
        kind: "panics",
        workers: Workers::AsSet,
        attempts: 1,
        run: |_, _| Box::pin(async { panic!("on purpose") }),
        dead: |s, _, _| count(s.dead, true),
    },
    Spec {
        kind: "writes",
        workers: Workers::AsSet,
        attempts: 3,
        run: |s, _| Box::pin(write_slowly(s)),
        dead: |s, _, _| count(s.dead, true),
    },
    Spec {
        kind: "long",
        workers: Workers::AsSet,
        attempts: 3,
        run: |_, _| Box::pin(std::future::pending()),
        dead: |s, _, _| count(s.dead, true),
    },
];

fn count(counter: Arc<AtomicUsize>, good: bool) -> super::super::Running {
    Box::pin(async move {
        counter.fetch_add(1, Ordering::Relaxed);
        if good {
            Ok(())
        } else {
            Err(JobError("no luck".into()))
        }
    })
}

/// Keeps the turn to write over some renewals.
async fn write_slowly(seen: Seen) -> Result<(), JobError> {
    let tx = seen.db.unwrap().begin().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    tx.commit().await.unwrap();
    Ok(())
}

/// A worker of the first of some kinds, for each of which a job is queued.
async fn worker(kinds: &[&str]) -> (tempfile::TempDir, Worker<Seen>) {
    let folder = tempfile::tempdir().unwrap();
    let db = crate::db::testing::test_db(folder.path()).await;
    let mut conn = db.begin().await.unwrap();
    for kind in kinds {
        jobs::enqueue(&mut conn, kind, "subject", 0).await.unwrap();
        jobs::enqueue(&mut conn, kind, "subject", 0).await.unwrap();
    }
    conn.commit().await.unwrap();
    let queue = Queue::new(db, Arc::default());
    let spec = SPECS.iter().find(|spec| spec.kind == kinds[0]).unwrap();
    (folder, Worker::new(queue, spec))
}

async fn due_now(worker: &Worker<Seen>) {
    sqlx::query("UPDATE jobs SET run_after_ms = 0")
        .execute(&mut *worker.queue.db.read().await.unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_is_done_once_however_often_it_was_queued() {
    let (_folder, worker) = worker(&["good"]).await;
    let seen = Seen::default();
    assert_eq!(worker.turn(&seen).await.unwrap(), Turn::Done);
    assert_eq!(worker.turn(&seen).await.unwrap(), Turn::Idle);
    assert_eq!(seen.runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_job_that_fails_is_dead_after_its_tries() {
    let (_folder, worker) = worker(&["bad", "good"]).await;
    let seen = Seen::default();
    assert_eq!(worker.turn(&seen).await.unwrap(), Turn::Retried);
    assert_eq!(
        worker.turn(&seen).await.unwrap(),
        Turn::Idle,
        "it waits before the next try, and the other kind is for others"
    );
    due_now(&worker).await;
    assert_eq!(worker.turn(&seen).await.unwrap(), Turn::Retried);
    due_now(&worker).await;
    assert_eq!(worker.turn(&seen).await.unwrap(), Turn::Dead);
    assert_eq!(seen.dead.load(Ordering::Relaxed), 1);
    assert_eq!(
        jobs::count(&mut worker.queue.db.read().await.unwrap(), "dead")
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn a_panic_is_a_failed_try() {
    let (_folder, worker) = worker(&["panics"]).await;
    assert_eq!(worker.turn(&Seen::default()).await.unwrap(), Turn::Dead);
}

#[tokio::test]
async fn a_lost_worker_s_job_comes_back_and_is_dead_after_its_tries() {
    let (_folder, worker) = worker(&["good"]).await;
    let queue = &worker.queue;
    for attempt in 1..=3 {
        let job = jobs::claim(
            &mut queue.db.read().await.unwrap(),
            queue.db.engine(),
            ("good", "lost"),
            -1,
        )
        .await
        .unwrap()
        .unwrap();
        assert_eq!(job.attempt, attempt);
        assert_eq!(
            jobs::reclaim(&mut queue.db.read().await.unwrap(), queue.db.engine())
                .await
                .unwrap(),
            1
        );
    }
    let seen = Seen::default();
    assert_eq!(worker.turn(&seen).await.unwrap(), Turn::Dead);
    assert_eq!(seen.runs.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn work_stops_when_the_lease_is_lost() {
    let (_folder, mut worker) = worker(&["long"]).await;
    worker.queue.renew = Duration::from_millis(1);
    let db = worker.queue.db.clone();
    let seen = Seen::default();
    let steal = async {
        while sqlx::query("UPDATE jobs SET owner = 'other' WHERE state = 'leased'")
            .execute(&mut *db.read().await.unwrap())
            .await
            .unwrap()
            .rows_affected()
            == 0
        {
            tokio::task::yield_now().await;
        }
    };
    let (turn, ()) = tokio::join!(worker.turn(&seen), steal);
    assert_eq!(turn.unwrap(), Turn::Lost);
}

#[tokio::test]
async fn work_that_writes_is_not_held_up_by_its_renewal() {
    let (_folder, mut worker) = worker(&["writes"]).await;
    worker.queue.renew = Duration::from_millis(1);
    let seen = Seen {
        db: Some(worker.queue.db.clone()),
        ..Seen::default()
    };
    let turn = tokio::time::timeout(Duration::from_secs(60), worker.turn(&seen));
    assert_eq!(turn.await.unwrap().unwrap(), Turn::Done);
}
