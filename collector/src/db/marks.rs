//! Marks of what has changed since something was derived from it: the figures of a day, the words of a ticket or bundle.
//! Who changes them adds a mark in the same transaction; who derives takes marks away in the transaction that writes.

use sqlx::AnyConnection;

use super::{Db, DbError, Named, Tx, dialect};

/// What is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// The packed figures of a day.
    Figures,
    /// The words that the search finds by.
    Words,
}

impl Derived {
    fn word(self) -> &'static str {
        match self {
            Self::Figures => "figures",
            Self::Words => "words",
        }
    }
}

/// What has words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A ticket, with what was said on it.
    Ticket,
    /// A bundle, with its findings and unknown errors.
    Bundle,
}

impl Kind {
    /// As the database spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Bundle => "bundle",
        }
    }

    /// The kind and id of a subject such as `ticket:<id>`.
    pub fn of_subject(subject: &str) -> Option<(Self, &str)> {
        let (word, id) = subject.split_once(':')?;
        let kind = [Self::Ticket, Self::Bundle];
        Some((kind.into_iter().find(|kind| kind.word() == word)?, id))
    }
}

/// Each change has a mark of its own: one that others see already could be taken before this change is seen.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Notes that the figures of a ticket have changed.
pub async fn figures(conn: &mut AnyConnection, ticket_id: &str) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO marks (id, kind, subject) SELECT CAST($1 AS TEXT), 'figures', CAST(created_ms / 86400000 AS TEXT) \
         FROM tickets WHERE id = $2",
    )
    .bind(new_id())
    .bind(ticket_id.to_owned())
    .execute(conn)
    .await
    .named("note that figures have changed")
    .map(|_| ())
}

/// Notes that the figures of the ticket whose bundle has findings are about to change.
pub async fn figures_by_bundle(conn: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    let ticket: Option<String> =
        sqlx::query_scalar("SELECT ticket_id FROM findings WHERE bundle_id = $1 LIMIT 1")
            .bind(bundle_id.to_owned())
            .fetch_optional(&mut *conn)
            .await
            .named("find the ticket of findings")?;
    match ticket {
        Some(ticket) => figures(conn, &ticket).await,
        None => Ok(()),
    }
}

/// Notes that the words of a ticket or bundle have changed.
pub async fn words(conn: &mut AnyConnection, kind: Kind, id: &str) -> Result<(), DbError> {
    words_all(conn, kind, &[id]).await
}

/// Notes that the words of some tickets or bundles have changed.
pub async fn words_all(conn: &mut AnyConnection, kind: Kind, ids: &[&str]) -> Result<(), DbError> {
    let values = dialect::values(conn, ids.len(), 3);
    let text = format!("INSERT INTO marks (id, kind, subject) VALUES {values}");
    let mut query = dialect::over(text, ids.len());
    for id in ids {
        let subject = format!("{}:{id}", kind.word());
        query = query
            .bind(new_id())
            .bind(Derived::Words.word())
            .bind(subject);
    }
    let noted = query.execute(conn).await;
    noted.named("note that words have changed").map(|_| ())
}

/// Takes the marks of some subjects away, in a transaction that is to write what is derived from them; none when nothing
/// is marked. One such transaction runs at a time, so that none writes what another has seen older.
pub async fn take(
    db: &Db,
    derived: Derived,
    subjects: i64,
) -> Result<Option<(Tx, Vec<String>)>, DbError> {
    let marked: Option<String> =
        sqlx::query_scalar("SELECT subject FROM marks WHERE kind = $1 LIMIT 1")
            .bind(derived.word())
            .fetch_optional(&mut *db.read().await?)
            .await
            .named("look for marks")?;
    if marked.is_none() {
        return Ok(None);
    }
    let mut tx = db.begin().await?;
    if let Some(lock) = db.engine().lock_derived() {
        dialect::run(&mut tx, lock).await?;
    }
    let mut taken: Vec<String> = sqlx::query_scalar(
        "DELETE FROM marks WHERE kind = $1 AND subject IN \
         (SELECT DISTINCT subject FROM marks WHERE kind = $1 ORDER BY subject LIMIT $2) RETURNING subject",
    )
    .bind(derived.word())
    .bind(subjects)
    .fetch_all(&mut *tx)
    .await
    .named("take marks")?;
    taken.sort_unstable();
    taken.dedup();
    Ok(Some((tx, taken)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::findings::{self, NewFinding};
    use crate::db::testing::{add_ticket, on_both};
    use crate::db::tickets::TicketRow;
    use crate::db::{lifecycle, tickets, timeline};

    /// Everything that is marked; the marks stay.
    async fn marked(db: &Db, derived: Derived) -> Vec<String> {
        match take(db, derived, 99).await.unwrap() {
            Some((tx, taken)) => {
                tx.rollback().await.unwrap();
                taken
            }
            None => Vec::new(),
        }
    }

    async fn clear(db: &Db) {
        for derived in [Derived::Figures, Derived::Words] {
            while let Some((tx, _)) = take(db, derived, 1).await.unwrap() {
                tx.commit().await.unwrap();
            }
        }
    }

    async fn change(conn: &mut AnyConnection, ticket: &TicketRow, step: usize) {
        let found = NewFinding {
            signature_id: "SIG-1".into(),
            severity: "high".into(),
            severity_rank: 1,
            title: "T".into(),
            body: "{}".into(),
            shadow: false,
        };
        match step {
            0 => tickets::update(conn, ticket).await.unwrap(),
            1 => lifecycle::describe(conn, "a", ["en", "p", "c", "x"])
                .await
                .unwrap(),
            2 => drop(findings::put(conn, ("b", "a"), &found, 5).await.unwrap()),
            3 => drop(findings::remove(conn, "b", "SIG-1").await.unwrap()),
            4 => findings::replace(conn, ("b", "a"), &[found], 5)
                .await
                .unwrap(),
            5 => findings::delete(conn, "b").await.unwrap(),
            6 => {
                let life = lifecycle::find(conn, "a").await.unwrap().unwrap();
                lifecycle::update(conn, &life).await.unwrap();
            }
            _ => {
                let actor = crate::auth::Actor::Nobody;
                let happened = crate::tickets::model::Happened::Note;
                let event = crate::tickets::event(1, "a", happened, true, &actor, "text");
                timeline::insert(conn, &event).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn whatever_is_changed_is_marked() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let ticket = add_ticket(&mut tx, "a").await;
            tx.commit().await.unwrap();
            assert_eq!(marked(&db, Derived::Figures).await, ["0"]);
            assert_eq!(marked(&db, Derived::Words).await, ["ticket:a"]);
            for (step, expected) in [
                (0, (1, "ticket:a")),
                (1, (1, "ticket:a")),
                (2, (1, "bundle:b")),
                (3, (1, "bundle:b")),
                (4, (1, "bundle:b")),
                (5, (1, "")),
                (6, (1, "")),
                (7, (0, "ticket:a")),
            ] {
                clear(&db).await;
                let mut tx = db.begin().await.unwrap();
                change(&mut tx, &ticket, step).await;
                tx.commit().await.unwrap();
                let days = marked(&db, Derived::Figures).await.len();
                let words = marked(&db, Derived::Words).await.join(" ");
                assert_eq!((days, words.as_str()), expected, "step {step}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn marks_are_taken_once_and_come_back_with_what_failed() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            words(&mut tx, Kind::Bundle, "x").await.unwrap();
            let more = ["y", "x"];
            words_all(&mut tx, Kind::Bundle, &more).await.unwrap();
            figures(&mut tx, "no such ticket").await.unwrap();
            figures_by_bundle(&mut tx, "no such bundle").await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(marked(&db, Derived::Words).await, ["bundle:x", "bundle:y"]);
            let (tx, taken) = take(&db, Derived::Words, 1).await.unwrap().unwrap();
            assert_eq!(taken, ["bundle:x"]);
            tx.commit().await.unwrap();
            assert_eq!(marked(&db, Derived::Words).await, ["bundle:y"]);
            assert!(take(&db, Derived::Figures, 1).await.unwrap().is_none());
            assert_eq!(Kind::of_subject("bundle:y"), Some((Kind::Bundle, "y")));
            assert_eq!(Kind::of_subject("else:y"), None);
        })
        .await;
    }
}
