//! Short changes that wait for SQLite's one writer are committed together, since a commit costs more than what it makes
//! last: each is a savepoint of a common transaction, and nobody is told "done" before that is committed.
//!
//! Nobody has to wait for company: whoever has made a change queues up once more, and the first to come round again
//! commits for all who came before.

use std::sync::{Arc, OnceLock};

use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{DbError, Named};
use crate::tasks;

/// Changes committed together at most.
const MEMBERS_MOST: usize = 64;

/// The one writer, and the common transaction that it has open.
pub(super) type Writer = Arc<Mutex<Option<Open>>>;
/// The right to write.
pub(super) type Gate = OwnedMutexGuard<Option<Open>>;
/// What became of a common transaction, for all whose changes are in it.
type Outcome = Arc<OnceLock<Result<(), Arc<DbError>>>>;

/// A common transaction.
pub(super) struct Open {
    tx: Transaction<'static, Any>,
    /// Changes made. Each has somebody who comes round to commit.
    members: usize,
    /// The last member was dropped: its savepoint is to be undone before anything else.
    torn: bool,
    outcome: Outcome,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// One change of a common transaction. Dropping it takes the change back.
pub(super) struct Member {
    /// None once it was handed on.
    gate: Option<Gate>,
    outcome: Outcome,
    writer: Writer,
}

impl Open {
    async fn undo(&mut self) -> Result<(), DbError> {
        if self.torn {
            for text in ["ROLLBACK TO member", "RELEASE member"] {
                run(&mut self.tx, text).await?;
            }
            self.torn = false;
        }
        Ok(())
    }

    async fn commit(mut self) {
        let undone = self.undo().await;
        let outcome = match undone {
            Ok(()) => self.tx.commit().await.named("commit the transaction"),
            Err(error) => Err(error),
        };
        // Nobody else has it: who commits took it out of the gate.
        let _ = self.outcome.set(outcome.map_err(Arc::new));
    }
}

async fn run(db: &mut AnyConnection, text: &'static str) -> Result<(), DbError> {
    let done = sqlx::query(text).execute(db).await;
    done.named("use a savepoint").map(drop)
}

async fn settle_open(gate: &mut Gate) {
    if let Some(open) = gate.take() {
        open.commit().await;
    }
}

/// Commits what is open, for somebody who wants a transaction of their own. It is committed for others as well, so it goes
/// on when whoever came round first is dropped, and nobody gets through the gate before it ended.
pub(super) async fn settle(mut gate: Gate) -> Gate {
    if gate.is_none() {
        return gate;
    }
    tasks::to_the_end(async move {
        settle_open(&mut gate).await;
        gate
    })
    .await
}

/// Adds a change to the common transaction; `begin` begins one when there is none.
pub(super) async fn join(
    writer: &Writer,
    begin: impl Future<Output = Result<Transaction<'static, Any>, sqlx::Error>> + Send + 'static,
) -> Result<Member, DbError> {
    let gate = Arc::clone(writer).lock_owned().await;
    // Dropped half-way, nobody would know whether there is a savepoint, and undoing might undo what others had made before.
    tasks::to_the_end(enter(gate, Arc::clone(writer), begin)).await
}

async fn enter(
    mut gate: Gate,
    writer: Writer,
    begin: impl Future<Output = Result<Transaction<'static, Any>, sqlx::Error>>,
) -> Result<Member, DbError> {
    if let Some(open) = gate.as_mut()
        // When undoing fails, the engine ended the transaction by itself: its members hear it from the commit that fails.
        && (open.members >= MEMBERS_MOST || open.undo().await.is_err())
    {
        settle_open(&mut gate).await;
    }
    if gate.is_none() {
        *gate = Some(Open {
            tx: begin.await.named("begin a transaction")?,
            members: 0,
            torn: false,
            outcome: Outcome::default(),
        });
    }
    let open = gate.as_mut().expect("it was opened above");
    let begun = run(&mut open.tx, "SAVEPOINT member").await;
    let member = Member {
        outcome: Arc::clone(&open.outcome),
        gate: Some(gate),
        writer,
    };
    begun.map(|()| member)
}

impl Member {
    /// Makes the change last, together with those of others, who count on whoever comes round first: once begun, it goes on
    /// when whoever waits for it is dropped.
    pub(super) async fn commit(self) -> Result<(), DbError> {
        tasks::to_the_end(self.hand_on()).await
    }

    async fn hand_on(mut self) -> Result<(), DbError> {
        run(self.connection(), "RELEASE member").await?;
        self.open().members += 1;
        self.gate = None;
        let mut gate = Arc::clone(&self.writer).lock_owned().await;
        let ours = |open: &Open| Arc::ptr_eq(&open.outcome, &self.outcome);
        if gate.as_ref().is_some_and(ours) {
            settle_open(&mut gate).await;
        }
        drop(gate);
        let outcome = self.outcome.get().cloned();
        let outcome = outcome.expect("what is not open any more has its outcome");
        outcome.map_err(DbError::Together)
    }

    fn open(&mut self) -> &mut Open {
        let open = self.gate.as_mut().and_then(|gate| gate.as_mut());
        open.expect("a member that writes has the open transaction")
    }

    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.open().tx
    }

    pub(super) fn connection_ref(&self) -> &AnyConnection {
        let open = self.gate.as_ref().and_then(|gate| gate.as_ref());
        &open
            .expect("a member that writes has the open transaction")
            .tx
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some(gate) = self.gate.as_mut() else {
            return;
        };
        match gate.as_mut() {
            // Nobody would come round to end it.
            Some(open) if open.members == 0 => **gate = None,
            Some(open) => open.torn = true,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::db::testing::{at_most, on_both};
    use crate::db::{Db, dialect};

    async fn numbers(db: &Db) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM t ORDER BY n")
            .fetch_all(&mut *db.read().await.unwrap())
            .await
            .unwrap()
    }

    async fn table(db: &Db) {
        let mut tx = db.begin().await.unwrap();
        let text = "CREATE TABLE t (n BIGINT PRIMARY KEY)";
        dialect::run(&mut tx, text).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn add(db: &Db, n: i64, keep: bool) -> bool {
        let mut tx = db.join().await.unwrap();
        let added = sqlx::query("INSERT INTO t VALUES ($1)")
            .bind(n)
            .execute(&mut *tx);
        if added.await.is_err() || !keep {
            return false;
        }
        tx.commit().await.unwrap();
        true
    }

    #[tokio::test]
    async fn each_change_lasts_or_is_taken_back_by_itself() {
        on_both(async |db| {
            table(&db).await;
            let changes = (0..60).map(|n| {
                // Every third gives up, every seventh tries what another has done.
                let db = &db;
                async move {
                    let n = if n % 7 == 0 { 0 } else { n };
                    (n, add(db, n, n % 3 != 0 || n == 0).await)
                }
            });
            let ended = futures_util::future::join_all(changes).await;
            let mut kept: Vec<i64> = ended.iter().filter(|end| end.1).map(|end| end.0).collect();
            kept.sort_unstable();
            assert_eq!(
                kept.iter().filter(|n| **n == 0).count(),
                1,
                "one of them was first"
            );
            assert_eq!(numbers(&db).await, kept);
        })
        .await;
    }

    #[tokio::test]
    async fn whoever_gives_up_at_any_step_spoils_nothing() {
        on_both(async |db| {
            table(&db).await;
            let mut told = Vec::new();
            let mut gave_up = 0;
            for n in 0..400 {
                let (first, between, last) = (n * 3, n * 3 + 1, n * 3 + 2);
                let steps = usize::try_from(n).unwrap() % 40;
                let ended = tokio::join!(
                    add(&db, first, true),
                    at_most(steps, add(&db, between, true)),
                    add(&db, last, true)
                );
                assert!(ended.0 && ended.2, "{n}: those who waited are told");
                told.extend([first, last]);
                match ended.1 {
                    Some(_) => told.push(between),
                    None => gave_up += 1,
                }
            }
            let kept = numbers(&db).await;
            told.retain(|n| !kept.contains(n));
            assert_eq!(told, [0_i64; 0], "what was told is done");
            assert!((10..400).contains(&gave_up), "{gave_up} gave up on the way");
        })
        .await;
    }

    #[tokio::test]
    async fn whoever_gives_up_at_any_time_spoils_nothing() {
        on_both(async |db| {
            table(&db).await;
            let changes = (0..200).map(|n: i64| {
                let db = &db;
                async move {
                    let change = add(db, n, true);
                    if n % 2 == 0 {
                        let patience =
                            std::time::Duration::from_micros(97 * n.unsigned_abs() % 4000);
                        drop(tokio::time::timeout(patience, change).await);
                    } else {
                        assert!(change.await, "{n} is told that it is done");
                    }
                }
            });
            futures_util::future::join_all(changes).await;
            let kept = numbers(&db).await;
            let stayed = (0..200).filter(|n| n % 2 == 1);
            assert!(stayed.into_iter().all(|n| kept.contains(&n)), "{kept:?}");
        })
        .await;
    }

    #[tokio::test]
    async fn nobody_is_left_waiting_for_whoever_gave_up() {
        on_both(async |db| {
            table(&db).await;
            let mut tx = db.join().await.unwrap();
            dialect::run(&mut tx, "INSERT INTO t VALUES (1)")
                .await
                .unwrap();
            drop(tx);
            let mut tx = db.join().await.unwrap();
            dialect::run(&mut tx, "INSERT INTO t VALUES (2)")
                .await
                .unwrap();
            let mut commit = Box::pin(tx.commit());
            // The first step of the commit, and then its request is gone.
            std::future::poll_fn(|context| {
                drop(commit.as_mut().poll(context));
                std::task::Poll::Ready(())
            })
            .await;
            drop(commit);
            let mut tx = db.begin().await.unwrap();
            dialect::run(&mut tx, "INSERT INTO t VALUES (3)")
                .await
                .unwrap();
            tx.commit().await.unwrap();
            assert!(add(&db, 4, true).await);
            let kept = numbers(&db).await;
            assert!(kept.ends_with(&[3, 4]) && !kept.contains(&1), "{kept:?}");
        })
        .await;
    }
}
