//! A PostgreSQL server of the test's own: started as an ordinary user on a free loopback port, stopped and started
//! again by the test, gone with it.

use crate::process::{self, Running, output, wait_for};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The account that the server runs as when the test is root, which the server refuses.
const ACCOUNT: &str = "postgres";

/// A running server.
pub struct Postgres {
    server: Option<Running>,
    dir: tempfile::TempDir,
    port: u16,
}

/// A loopback port that nobody uses now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, String> {
    let socket = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    Ok(address.port())
}

/// The newest installed server's programs.
fn programs() -> Result<PathBuf, String> {
    let root = Path::new("/usr/lib/postgresql");
    let listed = std::fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    let newest = listed
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("postgres").exists())
        .max();
    newest.ok_or_else(|| "PostgreSQL is not installed".to_owned())
}

/// A command as the server's account.
fn as_account(program: &Path) -> Command {
    if unprivileged() {
        return process::command(program);
    }
    let mut command = process::command(Path::new("setpriv"));
    command
        .args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"])
        .arg(program);
    command
}

fn unprivileged() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) != 0)
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub fn start() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        if !unprivileged() {
            process::said(
                process::command(Path::new("chown"))
                    .arg(ACCOUNT)
                    .arg(dir.path()),
            )?;
        }
        let data = dir.path().join("data");
        process::said(
            as_account(&programs()?.join("initdb"))
                .args([
                    "-U",
                    ACCOUNT,
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                ])
                .arg("--no-sync")
                .arg("-D")
                .arg(&data)
                .current_dir("/"),
        )?;
        let mut postgres = Self {
            server: None,
            port: free_port()?,
            dir,
        };
        postgres.resume()?;
        Ok(postgres)
    }

    /// Starts the server on what it had.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn resume(&mut self) -> Result<(), String> {
        let log = std::fs::File::create(self.dir.path().join("log"))
            .map_err(|error| error.to_string())?;
        let port = self.port.to_string();
        let mut command = as_account(&programs()?.join("postgres"));
        command.arg("-D").arg(self.dir.path().join("data"));
        command.args(["-p", &port, "-k", "", "-c", "listen_addresses=127.0.0.1"]);
        // A test database: losing it in a crash of the machine is fine.
        command.args([
            "-c",
            "fsync=off",
            "-c",
            "full_page_writes=off",
            "-c",
            "max_connections=200",
        ]);
        command.current_dir("/").stdout(Stdio::null()).stderr(log);
        self.server = Some(Running::start(&mut command)?);
        let answers = wait_for("PostgreSQL", Duration::from_secs(120), || {
            self.ask("postgres", "SELECT 1").is_ok()
        });
        answers.map_err(|error| {
            let log = std::fs::read_to_string(self.dir.path().join("log"));
            format!("{error}\n{}", log.unwrap_or_default())
        })
    }

    /// Ends the server at once, as a crash would, connections and all.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<(), String> {
        if let Some(mut server) = self.server.take() {
            server.signal(libc::SIGQUIT);
            server.wait(Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// Makes an empty database; its URL.
    ///
    /// # Errors
    /// With what the server says.
    pub fn database(&self, name: &str) -> Result<String, String> {
        self.ask("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!(
            "postgres://{ACCOUNT}@127.0.0.1:{}/{name}",
            self.port
        ))
    }

    /// Asks for something; the answer, a line for a row.
    ///
    /// # Errors
    /// With what the server says.
    pub fn ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut command = process::command(&programs()?.join("psql"));
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            ACCOUNT,
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
        ]);
        command.args(["-p", &self.port.to_string(), "-d", database, "-c", sql]);
        let told = output(&mut command)?;
        if told.status.success() {
            Ok(String::from_utf8_lossy(&told.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&told.stderr).into_owned())
        }
    }

    /// Everything in a database, as SQL.
    ///
    /// # Errors
    /// With what the server says.
    pub fn dump(&self, database: &str) -> Result<Vec<u8>, String> {
        let mut command = process::command(&programs()?.join("pg_dump"));
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            ACCOUNT,
            "-p",
            &self.port.to_string(),
            database,
        ]);
        Ok(output(&mut command)?.stdout)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.stop());
    }
}
