//! The program's surroundings as one value: streams, environment, clock, signals.

use super::input::{Input, Stdin};
use super::interrupt::Interrupt;
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Whether standard input, output and error are terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// A person can be asked.
    pub stdin: bool,
    /// Results are read by a person.
    pub stdout: bool,
    /// Status is read by a person.
    pub stderr: bool,
}

/// Everything outside the program that a command may see.
pub struct Io {
    /// Where answers come from.
    pub stdin: Box<dyn Input>,
    /// Results.
    pub stdout: Box<dyn Write + Send>,
    /// Status, progress, errors.
    pub stderr: Box<dyn Write + Send>,
    /// Standard input is a terminal.
    pub stdin_tty: bool,
    /// Standard output is a terminal.
    pub stdout_tty: bool,
    /// Standard error is a terminal.
    pub stderr_tty: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// The environment, taken once.
    pub env: BTreeMap<String, String>,
    /// The host's configuration file.
    pub system_config: PathBuf,
    /// Wall clock.
    pub now: fn() -> UtcMs,
    /// Ctrl-C and SIGTERM.
    pub interrupt: Interrupt,
}

impl Io {
    /// The process's own streams, environment, clock and signals.
    pub fn real() -> Self {
        Self {
            stdin: Box::new(Stdin::new()),
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            stdin_tty: std::io::stdin().is_terminal(),
            stdout_tty: std::io::stdout().is_terminal(),
            stderr_tty: std::io::stderr().is_terminal(),
            width: columns(),
            env: environment(),
            system_config: PathBuf::from("/etc/sitrep/config.toml"),
            now: wall_clock,
            interrupt: Interrupt::install(),
        }
    }

    /// A variable that is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn columns() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns >= 20)
        .unwrap_or(80)
}

fn wall_clock() -> UtcMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UtcMs(since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }))
}
