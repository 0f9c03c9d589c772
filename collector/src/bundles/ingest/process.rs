//! Running the confined child: the same program, an empty environment, the blob as its standard input and nothing
//! else open. However it ends, there is a verdict or a crash.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sitrep_shared::bundle::limits::{Limits, Reason};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::frame::{self, Answer, Verdict};

/// The hidden subcommand that the child is.
pub const SUBCOMMAND: &str = "ingest-child";
/// Bytes kept of what a child says on its standard error.
const STDERR_MAX_BYTES: u64 = 4 * 1024;

/// What a child is to do; its only argument, JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Task {
    /// Length of the file on its standard input.
    pub bytes: u64,
    /// When the file came, UTC milliseconds: the best guess of its age when it says nothing itself.
    pub received_ms: i64,
    /// Limits of the reader.
    pub limits: Limits,
    /// File with the signatures that are in force beside the built-in ones. It is ours: read before the rights are
    /// given up.
    #[serde(default)]
    pub signatures: Option<PathBuf>,
}

/// A child that gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error("start the reader {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its answer could not be read or was none.
    #[error("read the reader's answer")]
    Answer(#[source] io::Error),
    /// It died without a verdict.
    #[error("the reader died ({status}): {stderr}")]
    Crashed {
        /// Exit code or signal.
        status: ExitStatus,
        /// The end of what it said.
        stderr: String,
    },
    /// It took longer than the wall clock allows.
    #[error("the reader took longer than {seconds} s")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
}

/// Starts children.
#[derive(Debug, Clone)]
pub struct Reader {
    program: PathBuf,
}

impl Default for Reader {
    /// This very program, also when its file was replaced by an upgrade meanwhile.
    fn default() -> Self {
        Self {
            program: PathBuf::from("/proc/self/exe"),
        }
    }
}

impl Reader {
    /// Another program than this one; tests need it, since they are not `sitrepd`.
    pub fn of_program(program: &Path) -> Self {
        Self {
            program: program.to_path_buf(),
        }
    }

    /// Reads a bundle in a child; what it makes of a file of another maker goes to `blocks`, which comes back. Dropping
    /// the future kills the child.
    ///
    /// # Errors
    /// When the child gave no verdict. That it used up its CPU time is a verdict: it would do so again.
    pub async fn read<B: Write + Send + 'static>(
        &self,
        blob: File,
        task: &Task,
        blocks: B,
    ) -> Result<(Answer, B), ChildError> {
        let seconds = 60 + 2 * task.limits.cpu_seconds_for(task.bytes);
        let run = tokio::time::timeout(Duration::from_secs(seconds), self.run(blob, task, blocks));
        run.await.unwrap_or(Err(ChildError::TimedOut { seconds }))
    }

    async fn run<B: Write + Send + 'static>(
        &self,
        blob: File,
        task: &Task,
        blocks: B,
    ) -> Result<(Answer, B), ChildError> {
        let fault = |source| ChildError::Start {
            program: self.program.clone(),
            source,
        };
        let task_json = serde_json::to_string(task).map_err(|error| fault(error.into()))?;
        let mut child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .arg(task_json)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(blob))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(fault)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let out = out.ok_or_else(|| fault(io::ErrorKind::BrokenPipe.into()))?;
        let out = File::from(out.into_owned_fd().map_err(ChildError::Answer)?);
        let blocks_max = task.limits.unpacked_for(task.bytes);
        // Ends with the pipe: the child is killed when this future is dropped.
        let answer = tokio::task::spawn_blocking(move || hear(out, blocks, blocks_max));
        let stderr = async {
            let mut stderr = Vec::new();
            if let Some(mut err) = err {
                let mut head = (&mut err).take(STDERR_MAX_BYTES);
                // What it says is for the log only; a fault here changes no verdict.
                let _ = head.read_to_end(&mut stderr).await;
                let _ = tokio::io::copy(&mut err, &mut tokio::io::sink()).await;
            }
            stderr
        };
        let heard = async {
            let heard = answer.await;
            // After its verdict, or after nonsense, a child may still be writing: it must not be waited for.
            let _ = child.start_kill();
            heard
        };
        let (heard, stderr) = tokio::join!(heard, stderr);
        let status = child.wait().await.map_err(ChildError::Answer)?;
        let (answer, blocks) = heard
            .map_err(|error| ChildError::Answer(error.into()))?
            .map_err(ChildError::Answer)?;
        if answer.verdict.is_some() {
            return Ok((answer, blocks));
        }
        if status.signal() == Some(libc::SIGXCPU) {
            let seconds = task.limits.cpu_seconds_for(task.bytes);
            let detail = format!("reading took more than {seconds} CPU seconds");
            let verdict = Some(Verdict::reject(Reason::LimitCpu.as_str(), detail));
            let answer = Answer {
                verdict,
                ..Answer::default()
            };
            return Ok((answer, blocks));
        }
        Err(ChildError::Crashed {
            status,
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        })
    }
}

/// Hears a child out. A pipe that breaks is an end without a verdict.
fn hear<B: Write>(out: File, mut blocks: B, blocks_max: u64) -> io::Result<(Answer, B)> {
    let mut out = BufReader::with_capacity(256 << 10, out);
    let answer = frame::read(&mut out, &mut blocks, blocks_max)?;
    blocks.flush()?;
    Ok((answer, blocks))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn with_script(script: &str) -> Result<Answer, ChildError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("child");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Reader::of_program(&program)
            .read(tempfile::tempfile().unwrap(), &Task::default(), io::sink())
            .await
            .map(|(answer, _)| answer)
    }

    #[tokio::test]
    async fn a_child_that_dies_is_a_crash_and_its_words_are_kept_short() {
        let died = with_script("echo oops >&2; kill -SEGV $$")
            .await
            .unwrap_err();
        assert!(
            matches!(&died, ChildError::Crashed { stderr, .. } if stderr == "oops"),
            "{died}"
        );
        let silent = with_script("exit 0").await.unwrap_err();
        assert!(
            matches!(silent, ChildError::Crashed { .. }),
            "no verdict is a crash, whatever the exit code"
        );
        let babble = with_script("echo nonsense").await.unwrap_err();
        assert!(matches!(babble, ChildError::Answer(_)), "{babble}");
    }

    #[tokio::test]
    async fn cpu_used_up_is_a_verdict() {
        let verdict = with_script("kill -XCPU $$").await.unwrap().verdict.unwrap();
        assert_eq!(verdict.reason.as_deref(), Some("limit_cpu"));
    }
}
