//! From one status to the next: the clock that runs while it is our turn, and what is promised by priority.

use serde_json::json;
use sqlx::AnyConnection;

use super::model::{Happened, Priority, Status};
use super::{Opened, append, event, with_data};
use crate::auth::Actor;
use crate::db::DbError;
use crate::db::lifecycle::LifeRow;
use crate::db::tickets::TicketRow;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

impl Status {
    /// Whether it is our turn, so that the clock runs.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::New | Self::Open)
    }
}

impl Priority {
    /// Hours to the first answer.
    pub fn reply_hours(self) -> i64 {
        [1, 4, 8, 24][self as usize]
    }

    /// Hours of ours to a proposed fix.
    pub fn solve_hours(self) -> i64 {
        [8, 24, 72, 168][self as usize]
    }
}

/// What is left of the time that is promised by priority; negative when it is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// To the first answer; none when it was given.
    pub reply_ms: Option<i64>,
    /// To a proposed fix; none when one is proposed or the ticket is closed.
    pub solve_ms: Option<i64>,
    /// Whether the clock pauses.
    pub paused: bool,
}

/// Time of ours that a ticket has used.
pub fn used_ms(life: &LifeRow, now: i64) -> i64 {
    life.worked_ms + life.running_ms.map_or(0, |since| (now - since).max(0))
}

/// What is left of the promised times.
pub fn due(row: &TicketRow, life: &LifeRow, now: i64) -> Due {
    let priority = Priority::parse(&row.priority).unwrap_or(Priority::Normal);
    let status = Status::parse(&row.status).unwrap_or(Status::Open);
    let over = matches!(status, Status::Solved | Status::Closed);
    let reply = row.created_ms + priority.reply_hours() * HOUR_MS - now;
    let solve = priority.solve_hours() * HOUR_MS - used_ms(life, now);
    Due {
        reply_ms: (life.replied_ms.is_none() && !over).then_some(reply),
        solve_ms: (!over).then_some(solve),
        paused: life.running_ms.is_none(),
    }
}

/// Moves a ticket to a status, with its event; the caller stores the ticket. False when it stands there already.
pub(crate) async fn move_to(
    conn: &mut AnyConnection,
    ticket: &mut Opened,
    to: Status,
    actor: &Actor,
    now: i64,
) -> Result<bool, DbError> {
    let (row, life) = (&mut ticket.row, &mut ticket.life);
    let from = Status::parse(&row.status).unwrap_or(Status::Open);
    if from == to {
        return Ok(false);
    }
    row.status = to.word().to_owned();
    row.closed_ms = (to == Status::Closed).then_some(now);
    turn_clock(life, to.is_ours(), now);
    match to {
        Status::Solved => life.solved_ms = Some(now),
        Status::Closed => {}
        _ if matches!(from, Status::Solved | Status::Closed) => {
            life.reopened += 1;
            life.solved_ms = None;
        }
        _ => {}
    }
    let body = format!("{} → {}", from.word(), to.word());
    let event = event(now, &row.id, Happened::Status, true, actor, &body);
    let data = json!({"from": from.word(), "to": to.word()});
    append(conn, &with_data(event, &data)).await?;
    Ok(true)
}

fn turn_clock(life: &mut LifeRow, runs: bool, now: i64) {
    match (life.running_ms, runs) {
        (Some(_), false) => {
            life.worked_ms = used_ms(life, now);
            life.running_ms = None;
        }
        (None, true) => life.running_ms = Some(now),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_pauses_while_the_customer_has_to_do_something() {
        let mut life = LifeRow {
            running_ms: Some(0),
            ..LifeRow::default()
        };
        turn_clock(&mut life, false, 2 * HOUR_MS);
        assert_eq!((life.worked_ms, life.running_ms), (2 * HOUR_MS, None));
        assert_eq!(used_ms(&life, 9 * HOUR_MS), 2 * HOUR_MS);
        turn_clock(&mut life, true, 10 * HOUR_MS);
        assert_eq!(used_ms(&life, 11 * HOUR_MS), 3 * HOUR_MS);
    }

    #[test]
    fn promises_follow_the_priority() {
        let mut row = TicketRow {
            priority: "urgent".into(),
            status: "new".into(),
            ..TicketRow::default()
        };
        let mut life = LifeRow {
            running_ms: Some(0),
            ..LifeRow::default()
        };
        let first = due(&row, &life, 2 * HOUR_MS);
        assert_eq!(first.reply_ms, Some(-HOUR_MS), "an hour late");
        assert_eq!((first.solve_ms, first.paused), (Some(6 * HOUR_MS), false));
        life.replied_ms = Some(1);
        row.priority = "low".into();
        let later = due(&row, &life, 2 * HOUR_MS);
        assert_eq!(
            (later.reply_ms, later.solve_ms),
            (None, Some(166 * HOUR_MS))
        );
        row.status = "solved".into();
        assert_eq!(due(&row, &life, 5).solve_ms, None);
    }
}
