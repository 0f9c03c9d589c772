//! Processes that end with the test that started them, and waiting for a
//! condition with a limit.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A command with nothing inherited: no environment but `PATH`, no input.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness is what starts processes in tests"
)]
#[must_use]
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// A running process, killed by its id when dropped.
pub struct Running {
    child: Child,
    /// It leads a process group of its own, which ends as one.
    group: bool,
}

impl Running {
    /// Starts `command`.
    ///
    /// # Errors
    /// Says which program could not be started, and why.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        Self::spawn(command, false)
    }

    /// The same for a program that has what is meant as its child, such as `faketime`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_group(command: &mut Command) -> Result<Self, String> {
        Self::spawn(command.process_group(0), true)
    }

    fn spawn(command: &mut Command, group: bool) -> Result<Self, String> {
        let child = command.spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        Ok(Self { child, group })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL and waits, as a power cut would.
    pub fn kill(&mut self) {
        if self.group {
            self.tell(-1, libc::SIGKILL);
        }
        // A process that has already ended cannot be killed, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Sends `signal` to the process alone.
    pub fn signal(&self, signal: i32) {
        self.tell(1, signal);
    }

    /// Sends `signal` to the process, or with a sign of -1 to its group.
    #[expect(
        unsafe_code,
        reason = "kill(2) on a process this harness started; no memory is touched"
    )]
    fn tell(&self, sign: i32, signal: i32) {
        let id = i32::try_from(self.child.id()).expect("process ids fit in an i32");
        unsafe { libc::kill(sign * id, signal) };
    }

    /// Waits for the end, at most `limit`; the exit code, or `None` by a signal.
    ///
    /// # Errors
    /// When the limit passes first.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<i32>, String> {
        let mut code = None;
        wait_for("the process to end", limit, || {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    code = status.code();
                    true
                }
                _ => false,
            }
        })?;
        Ok(code)
    }

    /// Peak resident memory so far in bytes (`VmHWM` of /proc).
    #[must_use]
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        status_kib(self.child.id(), "VmHWM:").map(|kib| kib * 1024)
    }

    /// The standard error that was piped, read to its end.
    pub fn take_stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            drop(pipe.read_to_string(&mut text));
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One `KiB` value of `/proc/<id>/status`.
#[must_use]
pub fn status_kib(id: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs `command` to its end and returns everything it said.
///
/// # Errors
/// When the program cannot be started.
pub fn output(command: &mut Command) -> Result<Output, String> {
    command
        .output()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))
}

/// Runs `command` to its end and returns what it answered.
///
/// # Errors
/// All that it said, when it did not end well.
pub fn said(command: &mut Command) -> Result<String, String> {
    let output = output(command)?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(answer);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {answer}\n{errors}"))
}

/// Waits until `done`, at most `limit`.
///
/// # Errors
/// Names what was waited for when the limit passes.
pub fn wait_for(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return Err(format!("waited {} s for {what}", limit.as_secs()));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}
