//! Runs one command: no shell, an absolute path of an installed program, an environment built from
//! nothing, its own process group, limits, and an end for the whole group when time or output runs out.

use super::cancel::Cancel;
use super::miss::Miss;
use super::{programs, sys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Most of a command's messages that is kept.
const MAX_STDERR: usize = 8 << 10;
/// How often the cancel token is looked at.
const TICK: Duration = Duration::from_millis(200);

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Exit code, or none when it was killed.
    pub code: Option<i32>,
    /// The beginning of its messages.
    pub stderr: String,
    /// It took too long and was killed.
    pub timed_out: bool,
    /// The reader wanted no more and it was killed.
    pub stopped: bool,
}

/// Runs `argv` and gives its standard output to `sink` piece by piece; `sink` answers whether it wants more.
///
/// # Errors
/// A miss when it is not installed or cannot be started.
pub fn run(
    argv: &[String],
    timeout: Duration,
    cancel: &Cancel,
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Ended, Miss> {
    run_on(Stdio::null(), argv, timeout, cancel, sink)
}

/// The same with an input.
///
/// # Errors
/// As for [`run`].
pub fn run_on(
    input: Stdio,
    argv: &[String],
    timeout: Duration,
    cancel: &Cancel,
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Ended, Miss> {
    let Some((name, args)) = argv.split_first() else {
        return Err(Miss::failed("empty command"));
    };
    let program =
        programs::find(name).ok_or_else(|| Miss::absent(format!("{name} is not installed")))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts programs"
    )]
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", "/")
        .current_dir("/")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    sys::confine(&mut command, timeout.as_secs().max(1) + 1);
    let child = command
        .spawn()
        .map_err(|e| Miss::failed(format!("cannot start {name}: {e}")))?;
    Running {
        group: Pid::from_child(&child),
        child,
        deadline: Instant::now() + timeout,
    }
    .drain(cancel, sink)
}

/// Runs `argv` and gives all its output up to `cap` bytes as text.
///
/// # Errors
/// A miss when it is not installed, cannot be started, or gave nothing but an error.
pub fn text(argv: &[&str], timeout: Duration, cap: usize, cancel: &Cancel) -> Result<String, Miss> {
    let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
    let mut out = Vec::new();
    let ended = run(&argv, timeout, cancel, &mut |bytes| {
        out.extend_from_slice(&bytes[..bytes.len().min(cap - out.len())]);
        out.len() < cap
    })?;
    if out.is_empty() && ended.code != Some(0) {
        return Err(Miss::failed(
            ended
                .stderr
                .lines()
                .next()
                .unwrap_or("gave nothing")
                .to_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

struct Running {
    child: Child,
    group: Pid,
    deadline: Instant,
}

impl Running {
    fn drain(
        mut self,
        cancel: &Cancel,
        sink: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Ended, Miss> {
        let mut ended = Ended::default();
        let mut stdout = self.child.stdout.take();
        let mut stderr = self.child.stderr.take();
        let mut messages = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while stdout.is_some() || stderr.is_some() {
            if cancel.is_cancelled() || Instant::now() >= self.deadline {
                ended.timed_out = true;
                break;
            }
            let (out_ready, err_ready) = self.wait_for_output(stdout.as_ref(), stderr.as_ref());
            if out_ready && let Some(pipe) = stdout.as_mut() {
                match pipe.read(&mut buffer) {
                    Ok(0) | Err(_) => stdout = None,
                    Ok(n) if !sink(&buffer[..n]) => {
                        ended.stopped = true;
                        break;
                    }
                    Ok(_) => {}
                }
            }
            if err_ready && let Some(pipe) = stderr.as_mut() {
                match pipe.read(&mut buffer) {
                    Ok(0) | Err(_) => stderr = None,
                    Ok(n) => {
                        let room = MAX_STDERR - messages.len();
                        messages.extend_from_slice(&buffer[..n.min(room)]);
                    }
                }
            }
        }
        let at_once = ended.timed_out || ended.stopped;
        ended.code = self.finish(at_once, &mut ended.timed_out, cancel);
        ended.stderr = String::from_utf8_lossy(&messages).trim().to_owned();
        Ok(ended)
    }

    fn wait_for_output(&self, out: Option<&impl AsFd>, err: Option<&impl AsFd>) -> (bool, bool) {
        let left = self
            .deadline
            .saturating_duration_since(Instant::now())
            .min(TICK);
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(2);
        let out_at = out.map(|fd| push(&mut fds, fd.as_fd()));
        let err_at = err.map(|fd| push(&mut fds, fd.as_fd()));
        if poll(&mut fds, Some(&timeout)).is_err() {
            return (false, false);
        }
        let ready = |at: Option<usize>| at.is_some_and(|i| !fds[i].revents().is_empty());
        (ready(out_at), ready(err_at))
    }

    /// Ends the group when needed and collects the exit code. A command that has closed its output may
    /// still run; it gets the rest of its time.
    fn finish(&mut self, at_once: bool, timed_out: &mut bool, cancel: &Cancel) -> Option<i32> {
        if at_once {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        let mut pause = Duration::from_micros(200);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.code(),
                Err(_) => break None,
                Ok(None) => {
                    if Instant::now() >= self.deadline || cancel.is_cancelled() {
                        *timed_out = true;
                        let _ = kill_process_group(self.group, Signal::KILL);
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also reaches helpers that the command left behind, and a command whose output was enough.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

fn push<'a>(fds: &mut Vec<PollFd<'a>>, fd: std::os::fd::BorrowedFd<'a>) -> usize {
    fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
    fds.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, ms: u64, cap: usize) -> (Ended, String) {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let mut out = Vec::new();
        let ended = run(&argv, Duration::from_millis(ms), &Cancel::new(), &mut |b| {
            out.extend_from_slice(b);
            out.len() < cap
        })
        .expect("sh is installed");
        (ended, String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn output_code_messages_and_a_clean_environment() {
        let (ended, out) = sh(
            "echo out; echo err >&2; env | sort | cut -d= -f1; exit 3",
            5_000,
            1 << 20,
        );
        assert_eq!(ended.code, Some(3));
        assert_eq!(ended.stderr, "err");
        for line in out.lines() {
            assert!(
                [
                    "out", "HOME", "LC_ALL", "PATH", "PWD", "SHLVL", "_", "OLDPWD"
                ]
                .contains(&line),
                "{line}"
            );
        }
    }

    #[test]
    fn time_and_output_limits_end_the_whole_group() {
        let start = Instant::now();
        let (ended, out) = sh("echo first; (sleep 60; echo late) & sleep 60", 300, 1 << 20);
        assert!(ended.timed_out && start.elapsed() < Duration::from_secs(10));
        assert_eq!(out, "first\n", "what came before the limit is kept");
        let start = Instant::now();
        let (ended, out) = sh(
            "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
            600_000,
            100_000,
        );
        assert!(ended.stopped && out.len() >= 100_000);
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nobody waits for what is not wanted"
        );
    }

    #[test]
    fn what_is_not_installed_is_absent() {
        let miss = text(&["no-such-program-here"], TICK, 10, &Cancel::new()).expect_err("absent");
        assert_eq!(miss, Miss::absent("no-such-program-here is not installed"));
    }
}
