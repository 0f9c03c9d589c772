//! A terminal of our own for tests.

use super::{Interrupt, Io, Lang, Mode, Scripted, Style, Ui};
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Bytes that were written.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All of them as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Surroundings without a terminal, with these answers, this environment, and a fixed clock.
pub fn io(answers: &str, env: &[(&str, &str)], out: &Captured, err: &Captured) -> Io {
    Io {
        stdin: Box::new(Scripted(Cursor::new(answers.as_bytes().to_vec()))),
        stdout: Box::new(out.clone()),
        stderr: Box::new(err.clone()),
        stdin_tty: false,
        stdout_tty: false,
        stderr_tty: false,
        width: 100,
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        system_config: PathBuf::from("/nonexistent/config.toml"),
        now: || UtcMs(1_795_269_720_000),
        interrupt: Interrupt::manual(),
    }
}

/// A terminal at which a person gives these answers.
pub fn terminal(answers: &str, out: &Captured, err: &Captured) -> Ui {
    let mut io = io(answers, &[], out, err);
    io.stdin_tty = true;
    let style = Style {
        progress: Mode::Plain,
        colour_out: false,
        colour_err: false,
        json: false,
        quiet: false,
        verbose: false,
        lang: Lang::En,
    };
    Ui::new(io, style)
}
