//! The only door to the terminal: data goes to stdout, status to stderr.
//!
//! Text is printed as [`Line`]s, whose parts are escaped when they are added, so no control character
//! of a host, a file or a collector reaches the terminal.

mod input;
mod interrupt;
mod io;
mod lang;
mod line;
mod pager;
mod progress;
#[cfg(test)]
pub mod tests;

pub use input::{Answer, Input, Scripted};
pub use interrupt::{Interrupt, Signal};
pub use io::{Io, Terminal};
pub use lang::Lang;
pub use line::{Line, Tone};
pub use progress::{Bar, Done, Mode, Progress};

use crate::error::Failure;
use serde::Serialize;
use std::io::Write;

/// What was asked of the output by flags and environment.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// How progress is shown.
    pub progress: Mode,
    /// Colour on stdout.
    pub colour_out: bool,
    /// Colour on stderr.
    pub colour_err: bool,
    /// The result is one JSON object on stdout.
    pub json: bool,
    /// Only results and errors.
    pub quiet: bool,
    /// Says more.
    pub verbose: bool,
    /// Language of the run's own texts.
    pub lang: Lang,
}

/// Writes to the terminal. Failing writes are ignored: a closed pipe must not stop a collection.
pub struct Ui {
    /// The surroundings: streams, environment, clock.
    pub io: Io,
    /// How to write.
    pub style: Style,
    transient: bool,
    answered: bool,
}

impl Ui {
    /// Takes over the streams.
    pub fn new(io: Io, style: Style) -> Self {
        Self {
            io,
            style,
            transient: false,
            answered: false,
        }
    }

    /// A line of the result, on stdout.
    pub fn data(&mut self, line: &Line) {
        let text = line.render(self.style.colour_out);
        self.end_transient();
        let _ = writeln!(self.io.stdout, "{text}");
    }

    /// Bytes of the result: escaped for a terminal, as they are for a pipe or file.
    pub fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if !self.io.stdout_tty {
            return self.io.stdout.write_all(bytes);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let body = part.strip_suffix(b"\n").unwrap_or(part);
            let text = String::from_utf8_lossy(body);
            self.io
                .stdout
                .write_all(line::escape_keeping_tabs(&text).as_bytes())?;
            if body.len() < part.len() {
                self.io.stdout.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// The result as one line of JSON on stdout.
    pub fn json(&mut self, value: &impl Serialize) {
        self.end_transient();
        self.answered = true;
        if let Ok(text) = serde_json::to_string(value) {
            let _ = writeln!(self.io.stdout, "{text}");
        }
    }

    /// A line for the person, on stderr; silent with `--quiet` and in JSON progress.
    pub fn status(&mut self, line: &Line) {
        if self.style.quiet || self.style.progress == Mode::Json {
            return;
        }
        self.always(line);
    }

    /// A line on stderr that also `--quiet` shows.
    pub fn always(&mut self, line: &Line) {
        self.end_transient();
        let text = line.render(self.style.colour_err);
        let _ = writeln!(self.io.stderr, "{text}");
    }

    /// A question without a line end, on stderr.
    pub fn ask(&mut self, line: &Line) {
        self.end_transient();
        let text = line.render_padded(self.style.colour_err);
        let _ = write!(self.io.stderr, "{text}");
        let _ = self.io.stderr.flush();
    }

    /// A line that the next one replaces; only on a terminal with automatic progress.
    pub fn transient(&mut self, line: &Line) {
        if self.style.quiet || self.style.progress != Mode::Terminal {
            return;
        }
        let width = self.io.width.saturating_sub(1).max(20);
        let text = line.fitted(width).render(self.style.colour_err);
        let _ = write!(self.io.stderr, "\r\x1b[2K{text}");
        let _ = self.io.stderr.flush();
        self.transient = true;
    }

    fn end_transient(&mut self) {
        if std::mem::take(&mut self.transient) {
            let _ = write!(self.io.stderr, "\r\x1b[2K");
        }
        let _ = self.io.stderr.flush();
    }

    /// One progress event as NDJSON on stderr.
    pub fn event(&mut self, value: &serde_json::Value) {
        if self.style.progress == Mode::Json {
            let _ = writeln!(self.io.stderr, "{value}");
        }
    }

    /// A failure: `error:` line, notes, hints.
    ///
    /// Where a program waits for a JSON result it gets one, too.
    pub fn failure(&mut self, failure: &Failure) {
        self.end_transient();
        if self.style.json && !self.answered {
            self.json(
                &serde_json::json!({"schema": "sitrep.result/1", "outcome": failure.exit.word(),
                "exit_code": failure.exit.code(),
                "error": {"message": failure.message(), "hints": failure.hints}}),
            );
        }
        let lang = self.style.lang;
        let mut lines = vec![
            Line::new()
                .tone(Tone::Bad, self.say("error", &[]))
                .text(" ")
                .text(failure.message_in(lang)),
        ];
        for (label, text) in &failure.notes {
            let label = match *label {
                "kept" => self.say("kept_label", &[]),
                "fault" => self.say("fault_label", &[]),
                other => format!("{other}:"),
            };
            let text = lang.error(text);
            lines.push(
                Line::new()
                    .text("  ")
                    .tone(Tone::Dim, label)
                    .text(" ")
                    .text(text),
            );
        }
        for hint in &failure.hints {
            let label = self.say("hint", &[]);
            let hint = lang.error(hint);
            lines.push(
                Line::new()
                    .text("  ")
                    .tone(Tone::Good, label)
                    .text(" ")
                    .text(hint),
            );
        }
        for line in lines {
            let _ = writeln!(self.io.stderr, "{}", line.render(self.style.colour_err));
        }
        let _ = self.io.stderr.flush();
    }

    /// What a source is called.
    pub fn source(&self, id: &str) -> String {
        let key = format!("source_{id}");
        let text = self.say(&key, &[]);
        if text == key { id.to_owned() } else { text }
    }

    /// Why an item is missing. Reasons are data and stay as they are; other languages than the data's say
    /// the outcome before it.
    pub fn reason(&self, outcome: &str, reason: &str) -> String {
        match self.style.lang {
            Lang::En => reason.to_owned(),
            lang => format!(
                "{}{}{}",
                self.outcome(outcome),
                lang.colon(),
                lang.error(reason)
            ),
        }
    }

    /// The word of an outcome, by its word in the manifest.
    pub fn outcome(&self, word: &str) -> String {
        let key = format!("outcome_{word}");
        let text = self.say(&key, &[]);
        if text == key { word.to_owned() } else { text }
    }

    /// A text of the run in the person's language.
    pub fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.style.lang.text(key, values)
    }
}
