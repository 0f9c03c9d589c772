//! Databases for tests: SQLite in a folder, and PostgreSQL from a server of this test process's own.
//!
//! The server is started once, as an ordinary user on a free loopback port, and ends and removes its
//! folder when the test process is gone, however that ended: its keeper waits for the end of a pipe.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use futures_util::FutureExt;
use sqlx::AnyConnection;
use tokio::sync::{Mutex, OnceCell};

use super::tickets::TicketRow;
use super::users::UserRow;
use super::{Db, migrate, tickets, users};

/// Tries to find a port that nobody takes between our look and the server's start.
const PORT_TRIES: usize = 5;

/// Makes a cluster in `$1`, serves it on port `$2`, and says `ready`; the end of its input ends it.
/// The server refuses root, which steps down to the account of the system's package.
const KEEPER: &str = r#"
trap '' INT TERM HUP
dir=$1 port=$2
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
as() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid postgres --regid postgres --clear-groups env HOME="$dir" "$@"
  else "$@"; fi
}
cd / && chmod 700 "$dir"
[ "$(id -u)" != 0 ] || chown postgres "$dir"
as initdb -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$dir/log" 2>&1 &&
  as pg_ctl -D "$dir/data" -l "$dir/server.log" -w -t 60 -o "-p $port -k '' -c listen_addresses=127.0.0.1 -c fsync=off \
     -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 -c shared_buffers=32MB" start >>"$dir/log" 2>&1 </dev/null &&
  echo ready || { tail -n 5 "$dir/log" "$dir/server.log"; echo failed; }
read -r _
as pg_ctl -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

struct Server {
    url: String,
    admin: Mutex<()>,
    /// Keeps the keeper's input open as long as this process lives.
    _keeper: Child,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();
static DATABASES: AtomicU64 = AtomicU64::new(1);

impl Server {
    #[expect(
        clippy::zombie_processes,
        reason = "the keeper ends with this process, which is all that could wait for it"
    )]
    async fn start() -> Self {
        let mut said = String::new();
        for _ in 0..PORT_TRIES {
            let folder = tempfile::tempdir().expect("make a folder").keep();
            let socket = TcpListener::bind("127.0.0.1:0").expect("find a free port");
            let port = socket.local_addr().expect("read the port").port();
            drop(socket);
            let mut keeper = keeper(&folder, port);
            let out = BufReader::new(keeper.stdout.take().expect("the keeper's output"));
            let ready = answered(out, &mut said);
            if ready {
                let url = format!("postgres://postgres@127.0.0.1:{port}");
                let server = Self {
                    url,
                    admin: Mutex::default(),
                    _keeper: keeper,
                };
                server.make_template().await;
                return server;
            }
        }
        panic!("PostgreSQL does not start: {said}");
    }

    /// The migrated database that those of the tests are copied from.
    async fn make_template(&self) {
        self.admin("CREATE DATABASE base").await;
        let db = Db::open(&format!("{}/base", self.url), 2).await;
        let db = db.expect("open the template");
        migrate::run(&db, 1).await.expect("migrate the template");
        db.close().await;
    }

    async fn admin(&self, text: &str) {
        let _one_at_a_time = self.admin.lock().await;
        let db = Db::open(&format!("{}/postgres", self.url), 2).await;
        let db = db.expect("connect to PostgreSQL");
        let mut conn = db.read().await.expect("connect to PostgreSQL");
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()))
            .execute(&mut *conn)
            .await
            .expect("administer PostgreSQL");
        drop(conn);
        db.close().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's server, not the product's"
)]
fn keeper(folder: &Path, port: u16) -> Child {
    Command::new("/bin/sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(folder)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the keeper of PostgreSQL")
}

/// Reads to the keeper's verdict; what it says before goes to `said`.
fn answered(out: impl BufRead, said: &mut String) -> bool {
    for line in out.lines().map_while(Result::ok) {
        match line.as_str() {
            "ready" => return true,
            "failed" => return false,
            other => *said = format!("{said}{other}\n"),
        }
    }
    false
}

/// A migrated SQLite database in a folder.
pub(crate) async fn test_db(folder: &Path) -> Db {
    let url = format!("sqlite://{}/sitrep.db?mode=rwc", folder.display());
    let db = Db::open(&url, 4).await.expect("open database");
    migrate::run(&db, 1).await.expect("migrate");
    db
}

/// A migrated PostgreSQL database of its own.
pub(crate) async fn postgres_db() -> Db {
    let server = SERVER.get_or_init(Server::start).await;
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server
        .admin(&format!("CREATE DATABASE {name} TEMPLATE base"))
        .await;
    let db = Db::open(&format!("{}/{name}", server.url), 4).await;
    db.expect("open database")
}

/// Runs a check on an empty database of each engine; a failure names the engine.
pub(crate) async fn on_both(check: impl AsyncFn(Db)) {
    let folder = tempfile::tempdir().expect("make a folder");
    for db in [test_db(folder.path()).await, postgres_db().await] {
        let engine = db.engine();
        let ended = AssertUnwindSafe(check(db.clone())).catch_unwind().await;
        assert!(ended.is_ok(), "the check failed on {engine:?}");
        db.close().await;
    }
}

/// Adds an account with this id and login.
pub(crate) async fn add_user(conn: &mut AnyConnection, id: &str) {
    let user = UserRow {
        id: id.to_owned(),
        login: id.to_owned(),
        name: format!("Name of {id}"),
        email: None,
        password_hash: None,
        roles: "engineer".to_owned(),
        disabled: 0,
        created_ms: 1,
        updated_ms: 1,
    };
    users::insert(conn, &user).await.expect("add an account");
}

/// Adds a ticket with this id and the next number.
pub(crate) async fn add_ticket(conn: &mut AnyConnection, id: &str) -> TicketRow {
    let ticket = TicketRow {
        id: id.to_owned(),
        number: tickets::next_number(conn).await.expect("take a number"),
        title: format!("Title of {id}"),
        status: "new".to_owned(),
        priority: "normal".to_owned(),
        created_ms: 1,
        updated_ms: 1,
        ..TicketRow::default()
    };
    tickets::insert(conn, &ticket).await.expect("add a ticket");
    ticket
}

/// What `future` came to, or nothing when it was dropped after so many steps.
pub(crate) async fn at_most<T>(steps: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut done = 0;
    std::future::poll_fn(|context| {
        if done == steps {
            return Poll::Ready(None);
        }
        done += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    /// Public asynchronous functions of a source text, in order.
    fn functions(text: &str) -> Vec<&str> {
        let heads = text.split("\npub async fn ").skip(1);
        heads
            .filter_map(|head| head.split(['(', '<']).next())
            .collect()
    }

    #[test]
    fn every_function_is_tested_on_both_engines() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/db");
        let mut untested = Vec::new();
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The tests of the file of this name.
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let beside = path.with_extension("").join("tests.rs");
            let beside = std::fs::read_to_string(beside).unwrap_or_default();
            let (code, tests) = text
                .split_once("#[cfg(test)]\nmod tests")
                .unwrap_or((&text, ""));
            let tests = if beside.is_empty() { tests } else { &beside };
            for function in functions(code) {
                seen += 1;
                if !tests.contains("on_both(") || !tests.contains(&format!("{function}(")) {
                    untested.push(format!("{}: {function}", path.display()));
                }
            }
        }
        assert!(seen > 60, "only {seen} functions were found");
        assert!(untested.is_empty(), "{untested:#?}");
    }
}
