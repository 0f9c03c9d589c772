//! Jobs as workers see them: leases, retries, repeats, races.

use super::*;
use crate::db::testing::on_both;

#[tokio::test]
async fn a_job_is_leased_by_one_worker_and_ends_under_its_lease() {
    on_both(async |db| {
        let (mut tx, engine) = (db.begin().await.unwrap(), db.engine());
        enqueue(&mut tx, "ingest", "b1", 1).await.unwrap();
        let twice = ["b1", "b1"];
        enqueue_all(&mut tx, "ingest", &twice, 2).await.unwrap();
        let other = claim(&mut tx, engine, ("deliver", "w1"), 60_000).await;
        assert!(other.unwrap().is_none(), "a kind claims its own");
        assert_eq!(
            count(&mut tx, "queued").await.unwrap(),
            1,
            "the same work once"
        );
        let job = claim(&mut tx, engine, ("ingest", "w1"), 60_000)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (job.kind.as_str(), job.subject.as_str(), job.attempt),
            ("ingest", "b1", 1)
        );
        assert!(
            claim(&mut tx, engine, ("ingest", "w2"), 60_000)
                .await
                .unwrap()
                .is_none()
        );
        assert!(renew(&mut tx, engine, &job, "w1", 60_000).await.unwrap());
        assert!(!renew(&mut tx, engine, &job, "w2", 60_000).await.unwrap());
        assert_eq!(reclaim(&mut tx, engine).await.unwrap(), 0);
        let done = End {
            state: "done",
            error: None,
            now_ms: 9,
        };
        assert!(!end(&mut tx, &job, "w2", &done).await.unwrap());
        assert!(end(&mut tx, &job, "w1", &done).await.unwrap());
        assert_eq!(count(&mut tx, "done").await.unwrap(), 1);
        enqueue(&mut tx, "ingest", "b1", 3).await.unwrap();
        assert_eq!(count(&mut tx, "queued").await.unwrap(), 0, "done is done");
        again(&mut tx, "ingest", "b1", 3).await.unwrap();
        let job = claim(&mut tx, engine, ("ingest", "w3"), 60_000)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(job.attempt, 1, "tries begin anew");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_was_given_back_or_lost_comes_again() {
    on_both(async |db| {
        let (mut tx, engine) = (db.begin().await.unwrap(), db.engine());
        enqueue(&mut tx, "ingest", "b1", 1).await.unwrap();
        let job = claim(&mut tx, engine, ("ingest", "w1"), -1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            reclaim(&mut tx, engine).await.unwrap(),
            1,
            "the lease is over"
        );
        let gone = Retry {
            delay_ms: 0,
            error: None,
            counts: true,
        };
        assert!(!release(&mut tx, engine, &job, "w1", &gone).await.unwrap());
        let job = claim(&mut tx, engine, ("ingest", "w2"), 60_000)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(job.attempt, 2);
        let stopped = Retry {
            delay_ms: 0,
            error: Some("stopping"),
            counts: false,
        };
        assert!(
            release(&mut tx, engine, &job, "w2", &stopped)
                .await
                .unwrap()
        );
        let job = claim(&mut tx, engine, ("ingest", "w3"), 60_000)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(job.attempt, 2, "a shutdown is no try");
        let later = Retry {
            delay_ms: 60_000,
            error: Some("x"),
            counts: true,
        };
        assert!(release(&mut tx, engine, &job, "w3", &later).await.unwrap());
        assert!(
            claim(&mut tx, engine, ("ingest", "w4"), 1)
                .await
                .unwrap()
                .is_none(),
            "not due yet"
        );
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_nudged_while_it_runs_runs_once_more() {
    on_both(async |db| {
        let (mut tx, engine) = (db.begin().await.unwrap(), db.engine());
        nudge(&mut tx, "deliver", "c:t", 1).await.unwrap();
        nudge(&mut tx, "deliver", "c:t", 1).await.unwrap();
        let job = claim(&mut tx, engine, ("deliver", "w"), 60_000)
            .await
            .unwrap()
            .unwrap();
        nudge(&mut tx, "deliver", "c:t", 2).await.unwrap();
        let none = claim(&mut tx, engine, ("deliver", "v"), 60_000)
            .await
            .unwrap();
        assert!(none.is_none(), "it runs already");
        let done = End {
            state: "done",
            error: None,
            now_ms: 3,
        };
        assert!(end(&mut tx, &job, "w", &done).await.unwrap());
        let job = claim(&mut tx, engine, ("deliver", "w"), 60_000)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(job.attempt, 1);
        assert!(end(&mut tx, &job, "w", &done).await.unwrap());
        assert_eq!(count(&mut tx, "done").await.unwrap(), 1);
        nudge(&mut tx, "deliver", "c:t", 4).await.unwrap();
        let job = claim(&mut tx, engine, ("deliver", "w"), 60_000)
            .await
            .unwrap()
            .unwrap();
        let later = Retry {
            delay_ms: 600_000,
            error: Some("x"),
            counts: true,
        };
        release(&mut tx, engine, &job, "w", &later).await.unwrap();
        nudge(&mut tx, "deliver", "c:t", 5).await.unwrap();
        let none = claim(&mut tx, engine, ("deliver", "w"), 60_000)
            .await
            .unwrap();
        assert!(none.is_none(), "a nudge does not shorten the wait");
        hurry(&mut tx, "deliver", "c:").await.unwrap();
        assert!(
            claim(&mut tx, engine, ("deliver", "w"), 1)
                .await
                .unwrap()
                .is_some()
        );
    })
    .await;
}

#[tokio::test]
async fn workers_that_claim_at_once_get_different_jobs() {
    on_both(async |db| {
        let mut tx = db.begin().await.unwrap();
        for n in 0..12 {
            enqueue(&mut tx, "ingest", &format!("b{n}"), 1)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let worker = async |owner: String| {
            let mut got = Vec::new();
            loop {
                let mut tx = db.begin().await.unwrap();
                let job = claim(&mut tx, db.engine(), ("ingest", &owner), 60_000)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                let Some(job) = job else { return got };
                got.push(job.subject);
            }
        };
        let (a, b, c) = tokio::join!(worker("a".into()), worker("b".into()), worker("c".into()));
        let mut all = [a, b, c].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 12);
    })
    .await;
}
