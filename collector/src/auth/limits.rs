//! Counts failed tries, so that guessing is slow, and what anybody may do, so that nobody does it without end. The counters are in the database: replicas share them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::db::{Db, attempts};
use crate::error::{AppError, AppResult};

/// How many failures in how long, and how long the pause is.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Names the counter.
    pub bucket: &'static str,
    /// Failures that are still answered normally.
    pub failures: i64,
    /// Length of the window, which is also the longest pause.
    pub window_ms: i64,
}

/// Tries of upload codes from one address in a minute.
pub const CODE_PER_MINUTE: Limit = Limit {
    bucket: "code-minute",
    failures: 10,
    window_ms: 60_000,
};
/// Tries of upload codes from one address in an hour.
pub const CODE_PER_HOUR: Limit = Limit {
    bucket: "code-hour",
    failures: 60,
    window_ms: 3_600_000,
};
/// Wrong codes from everywhere in a second.
pub const CODE_IN_ALL: Limit = Limit {
    bucket: "code",
    failures: 50,
    window_ms: 1_000,
};
/// Wrong secrets for one selector: a pause, not a burn, since anyone can see selectors.
pub const CODE_PER_SELECTOR: Limit = Limit {
    bucket: "code-selector",
    failures: 10,
    window_ms: 600_000,
};
/// Logins from one address.
pub const LOGIN_PER_ADDRESS: Limit = Limit {
    bucket: "login-address",
    failures: 10,
    window_ms: 60_000,
};
/// Logins for one account.
pub const LOGIN_PER_ACCOUNT: Limit = Limit {
    bucket: "login-account",
    failures: 20,
    window_ms: 600_000,
};

/// Tickets that one address may open by itself.
pub const REQUESTS_PER_ADDRESS: Limit = Limit {
    bucket: "request-address",
    failures: 5,
    window_ms: 3_600_000,
};
/// Tickets that all together may open by themselves.
pub const REQUESTS_IN_ALL: Limit = Limit {
    bucket: "request",
    failures: 200,
    window_ms: 3_600_000,
};

impl Limit {
    /// The key of the counter for `subject`.
    pub fn key(&self, subject: &str) -> String {
        format!("{}:{subject}", self.bucket)
    }
}

/// The part of an address that one person holds: all of IPv4, the /64 of IPv6.
pub fn subject(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Whom a counter of everybody's tries is about.
pub const ALL: &str = "all";

/// Tries of one subject are judged one after another in a process: those that come at once would all be answered before
/// the first of them is counted. Subjects that share a lock only wait for each other.
static TURNS: LazyLock<Vec<Arc<Mutex<()>>>> =
    LazyLock::new(|| std::iter::repeat_with(Arc::default).take(1024).collect());

/// The right to try once.
#[must_use = "what fails must be counted"]
pub struct Turn {
    keys: Vec<(Limit, String)>,
    now_ms: i64,
    _held: Vec<OwnedMutexGuard<()>>,
}

/// Waits for the turn of these subjects; refuses with 429 while one of the counters is full.
pub async fn admit(db: &Db, keys: Vec<(Limit, String)>, now_ms: i64) -> AppResult<Turn> {
    let names: Vec<String> = keys.iter().map(|(limit, of)| limit.key(of)).collect();
    // In order, so that no two wait for each other.
    let places: BTreeSet<usize> = keys
        .iter()
        .zip(&names)
        .filter(|((_, subject), _)| subject != ALL)
        .map(|(_, name)| place(name))
        .collect();
    let mut held = Vec::new();
    for place in places {
        held.push(Arc::clone(&TURNS[place]).lock_owned().await);
    }
    for (bucket, count, reset_ms) in attempts::load(&mut *db.read().await?, &names).await? {
        let limit = keys.iter().zip(&names).find(|(_, name)| **name == bucket);
        if limit.is_some_and(|((limit, _), _)| count >= limit.failures) && reset_ms > now_ms {
            return Err(too_many(reset_ms - now_ms));
        }
    }
    Ok(Turn {
        keys,
        now_ms,
        _held: held,
    })
}

fn place(name: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    usize::try_from(hasher.finish() % TURNS.len() as u64).unwrap_or(0)
}

impl Turn {
    /// Counts one failure on each counter.
    pub async fn failed(self, db: &Db) -> AppResult<()> {
        let mut tx = db.begin().await?;
        for (limit, subject) in &self.keys {
            attempts::add(&mut tx, &limit.key(subject), self.now_ms, limit.window_ms).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The 429 answer with the time to wait.
pub fn too_many(wait_ms: i64) -> AppError {
    let seconds = u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000);
    AppError::too_many(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(subject(address.parse().unwrap()), expected);
        }
    }
}
