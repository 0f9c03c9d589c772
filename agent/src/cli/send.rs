//! `sitrep send FILE [CODE]`: uploads a kept bundle, or continues where an upload stopped.

use super::code::CodeArgs;
use super::sending::{self, Parcel};
use super::{App, Command};
use crate::bundle::StateDir;
use crate::error::{Exit, Failure};
use crate::ui::{Answer, Line, Tone};
use crate::upload::{Collector, Destination, Record, Records};
use clap::Args;
use serde_json::json;
use sitrep_shared::hash::Sha256;
use sitrep_shared::ids::UploadTarget;
use sitrep_shared::size::format_bytes;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Arguments of `send`.
#[derive(Args, Debug)]
pub struct Send {
    /// Bundle to send
    pub file: PathBuf,
    #[command(flatten)]
    code: CodeArgs,
    /// Do not ask again
    #[arg(short, long)]
    yes: bool,
}

impl Command for Send {
    const NAME: &'static str = "send";
    const ABOUT: &'static str = "Send a kept bundle, or continue where sending stopped";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        self.code.apply(app)?;
        let given = self.code.destination(app)?;
        let (sha256, length) = digest(&self.file)?;
        // What is encrypted cannot be looked into here; whoever has the key will.
        if !encrypted(&self.file) {
            super::opened::open(&self.file)?;
        }
        let dir = StateDir::locate(&app.ui.io, &app.config)
            .and_then(|path| StateDir::open(&path))
            .map_err(|error| error.failure())?;
        let records = Records::new(dir.path().to_path_buf());
        let known = records.find(&sha256);
        if let Some(record) = known
            .as_ref()
            .filter(|record| record.complete && given.is_none())
        {
            return already(app, record);
        }
        let unfinished = known.filter(|record| !record.complete);
        // What was begun has been agreed to.
        let begun = unfinished.is_some();
        let resumes = unfinished
            .as_ref()
            .is_some_and(|record| record.upload_url.is_some());
        let destination = match given {
            Some(destination) => destination,
            None => remembered(unfinished.as_ref())?,
        };
        let collector = app
            .collector(destination)
            .map_err(|error| error.failure("cannot prepare the upload"))?;
        if !resumes {
            let info = sending::ask(app, &collector)?;
            too_large(length, info.max_bytes)?;
        }
        if !begun && !self.agreed(app, &collector, length, &sha256)? {
            let text = app.ui.say("nothing_sent", &[]);
            app.ui.status(&Line::of(text));
            return Ok(Exit::Declined);
        }
        let basis = if self.yes || app.no_input {
            "policy"
        } else {
            "interactive"
        };
        let parcel = Parcel {
            path: &self.file,
            sha256: sha256.clone(),
            length,
            basis,
        };
        let (sent, record) = sending::send(app, &collector, &records, &parcel)?;
        let exit = sending::report(app, &sent, &record)?;
        if app.ui.style.json {
            app.ui
                .json(&json!({"schema": "sitrep.result/1", "outcome": exit.word(),
                "exit_code": exit.code(), "ticket": record.ticket, "receipt": record.receipt,
                "bundle": {"path": self.file, "bytes": length, "sha256": sha256},
                "upload": sending::as_json(&sent)}));
        }
        Ok(exit)
    }
}

impl Send {
    /// A bundle that was kept has not been agreed to; one whose sending was begun has.
    fn agreed(
        &self,
        app: &mut App,
        collector: &Collector,
        length: u64,
        sha256: &str,
    ) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if app.no_input {
            return Err(
                Failure::usage("cannot ask for consent: standard input is not a terminal")
                    .hint("add --yes to send without asking"),
            );
        }
        let host = collector.destination().host().to_owned();
        let (size, sha) = (format_bytes(length), sending::short(sha256));
        let question = app.ui.say(
            "question_send",
            &[("size", &size), ("sha", &sha), ("host", &host)],
        );
        let choices = app.ui.say("choices_again", &[]);
        loop {
            app.ui.always(&Line::new().tone(Tone::Strong, &question));
            app.ui.ask(&Line::new().text("  ").text(&choices));
            match app.ui.answer() {
                Answer::Line(line) => match line.trim().to_lowercase().as_str() {
                    "s" | "send" => return Ok(true),
                    "q" | "quit" => return Ok(false),
                    _ => {}
                },
                Answer::End => return Ok(false),
                Answer::Interrupted | Answer::TimedOut => return Err(app.interrupted()),
            }
        }
    }
}

/// Refuses before the first byte what the collector will not take.
pub fn too_large(length: u64, max_bytes: u64) -> Result<(), Failure> {
    if max_bytes == 0 || length <= max_bytes {
        return Ok(());
    }
    let (have, may) = (format_bytes(length), format_bytes(max_bytes));
    Err(Failure::new(
        Exit::Limit,
        format!("the bundle has {have}, this code takes at most {may}"),
    )
    .hint("deselect items, or collect less: --max-size, --since, --exclude"))
}

fn remembered(record: Option<&Record>) -> Result<Destination, Failure> {
    let missing = || {
        Failure::usage("no upload code given, and no unfinished upload of this file is known")
            .hint("sitrep send FILE CODE")
    };
    let record = record.ok_or_else(missing)?;
    let code = record.code.as_deref().ok_or_else(missing)?;
    let target = UploadTarget::parse(code).map_err(|_| missing())?;
    Destination::new(&record.base_url, target.code)
        .map_err(|error| error.failure("cannot continue the upload"))
}

fn already(app: &mut App, record: &Record) -> Result<Exit, Failure> {
    let receipt = record.receipt.as_deref().unwrap_or("-");
    let text = app.ui.say("already_sent", &[("receipt", receipt)]);
    app.ui.status(&Line::of(text));
    if app.ui.style.json {
        app.ui.json(
            &json!({"schema": "sitrep.result/1", "outcome": Exit::Ok.word(), "exit_code": 0,
            "receipt": record.receipt, "ticket": record.ticket, "upload": {"state": "complete"}}),
        );
    }
    Ok(Exit::Ok)
}

fn encrypted(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.is_ok() && sitrep_shared::age::is_encrypted(&start)
}

/// The sha256 and length of a file.
pub fn digest(path: &Path) -> Result<(String, u64), Failure> {
    let fault = |error| Failure::usage(format!("cannot read {}", path.display())).because(error);
    let mut file = std::fs::File::open(path).map_err(fault)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 256 * 1024];
    let mut length = 0;
    loop {
        let count = file.read(&mut buffer).map_err(fault)?;
        if count == 0 {
            return Ok((hash.finish().to_string(), length));
        }
        hash.update(&buffer[..count]);
        length += count as u64;
    }
}
