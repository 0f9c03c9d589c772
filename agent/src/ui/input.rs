//! Answers of a person, or lines of a pipe, without hanging when the run is interrupted.

use super::interrupt::Interrupt;
use std::io::{self, Read};
use std::time::Instant;

/// Longest accepted answer; more is a mistake or an attack.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What came back from a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A line without its end.
    Line(String),
    /// Standard input ended.
    End,
    /// Ctrl-C or SIGTERM came first.
    Interrupted,
    /// The time was up first.
    TimedOut,
}

/// Where answers come from.
pub trait Input: Send {
    /// Reads one line; returns early when `interrupt` fires or `until` has come.
    fn line(&mut self, interrupt: &Interrupt, until: Option<Instant>) -> io::Result<Answer>;
}

/// The process's standard input, waited for with poll so that Ctrl-C is answered at once.
pub struct Stdin {
    pending: Vec<u8>,
}

impl Stdin {
    /// Reads from descriptor 0 directly; nothing else in the program may buffer it.
    pub fn new() -> Self {
        Self {
            pending: Vec::new(),
        }
    }

    fn take_line(&mut self, end: bool) -> Option<String> {
        let stop = match self.pending.iter().position(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if end && !self.pending.is_empty() => self.pending.len(),
            None => return None,
        };
        let line: Vec<u8> = self.pending.drain(..stop).collect();
        let text = String::from_utf8_lossy(&line);
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}

impl Default for Stdin {
    fn default() -> Self {
        Self::new()
    }
}

impl Input for Stdin {
    fn line(&mut self, interrupt: &Interrupt, until: Option<Instant>) -> io::Result<Answer> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdin = std::io::stdin();
        // The signal arrives on another thread, so poll in short steps.
        let step = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        loop {
            if let Some(line) = self.take_line(false) {
                return Ok(Answer::Line(line));
            }
            if interrupt.signal().is_some() {
                return Ok(Answer::Interrupted);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(Answer::TimedOut);
            }
            let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
            match poll(&mut wanted, Some(&step)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            let mut chunk = [0u8; 4096];
            match rustix::io::read(&stdin, &mut chunk) {
                Ok(0) => return Ok(self.take_line(true).map_or(Answer::End, Answer::Line)),
                Ok(count) => self.pending.extend_from_slice(&chunk[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.pending.len() > MAX_ANSWER_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the answer is too long",
                ));
            }
        }
    }
}

/// Any reader as input: for tests and pipes made in the program.
pub struct Scripted<R>(pub R);

impl<R: Read + Send> Input for Scripted<R> {
    fn line(&mut self, _: &Interrupt, _: Option<Instant>) -> io::Result<Answer> {
        let mut line = Vec::new();
        let mut byte = [0u8; 1];
        while self.0.read(&mut byte)? == 1 {
            if byte[0] == b'\n' {
                return Ok(Answer::Line(String::from_utf8_lossy(&line).into_owned()));
            }
            line.push(byte[0]);
        }
        Ok(if line.is_empty() {
            Answer::End
        } else {
            Answer::Line(String::from_utf8_lossy(&line).into_owned())
        })
    }
}
