//! `sitrep run [CODE|LINK]`: collect, redact, analyse, ask, send or keep.

use super::choice::Choice;
use super::code::CodeArgs;
use super::result::RunResult;
use super::sending::{self, Parcel};
use super::streaming::Streaming;
use super::{App, Command, findings, summary};
use crate::bundle::{Draft, Request, StateDir, gather, open_host, prepare};
use crate::collect::Moment;
use crate::consent::{self, Decision};
use crate::error::{Exit, Failure};
use crate::ui::Line;
use crate::upload::{Collector, Destination, Records};
use clap::Args;
use sitrep_shared::protocol::CodeInfo;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct Run {
    #[command(flatten)]
    code: CodeArgs,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    handling: Handling,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What happens to it")]
struct Handling {
    /// Redaction: standard, strict or off
    #[arg(long, value_name = "LEVEL")]
    redact: Option<String>,
    /// Needed for --redact off
    #[arg(long)]
    yes_i_know: bool,
    /// File of words to remove, one a line
    #[arg(long, value_name = "FILE")]
    redact_word_file: Option<String>,
    /// A line for support
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where to keep the bundle: a file, or a directory
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Work here instead of the agent's own directory
    #[arg(long, value_name = "DIR")]
    tmp_dir: Option<PathBuf>,
    /// Send while collecting, with no file on this disk: you agree to the plan, not to the bundle
    #[arg(long, conflicts_with_all = ["output", "tmp_dir", "no_send"])]
    stream: bool,
    /// Lowest priority for everything; slow on a busy host
    #[arg(long)]
    nice: bool,
    /// Take at most this much memory, with all commands (root)
    #[arg(long, value_name = "BYTES")]
    max_memory: Option<String>,
    /// Take at most this much of one processor: 50% (root)
    #[arg(long, value_name = "PERCENT")]
    max_cpu: Option<String>,
    /// Send the bundle
    #[arg(long, conflicts_with = "no_send")]
    send: bool,
    /// Keep the bundle, send nothing
    #[arg(long)]
    no_send: bool,
    /// Do not ask; needs --send or --no-send
    #[arg(short, long)]
    yes: bool,
    /// Exit with 9 when a finding is at least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = findings::SEVERITIES)]
    fail_on: Option<String>,
    /// Exit with 0 although items are missing
    #[arg(long)]
    allow_partial: bool,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decider {
    Person,
    SendFlag,
    KeepFlag,
}

impl Run {
    /// What can be found out before anything is collected.
    pub fn check(&self, app: &mut App) -> Result<(), Failure> {
        self.handling.apply(app)?;
        self.handling.decider(app)?;
        self.handling.room_for_output()
    }

    /// Collects only from then on, and what is different from the host as it is now.
    pub fn recorded(&mut self, since: String) -> Result<(), Failure> {
        let host = open_host(self.choice.root.as_deref())?;
        self.choice.before = Some(Arc::new(Moment::take(&host)));
        self.choice.since = Some(since);
        Ok(())
    }
}

impl Command for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "Collect, remove secrets, show, ask, then send or keep one bundle";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        self.code.apply(app)?;
        self.choice.apply(app)?;
        self.handling.apply(app)?;
        let decider = self.handling.decider(app)?;
        self.handling.room_for_output()?;
        let destination = self.code.destination(app)?;
        if decider == Decider::SendFlag && destination.is_none() {
            return Err(Failure::usage("--send needs an upload code")
                .hint("sitrep run CODE --yes --send, or --code-file FILE, or SITREP_CODE"));
        }
        let target = destination
            .map(|destination| contact(app, destination))
            .transpose()?;
        let request = self.request(app, target.as_ref(), decider)?;
        if self.handling.stream {
            return self.stream(app, target.as_ref(), request, decider);
        }
        let dir = self.handling.directory(app)?;
        let prepared = prepare(app, &request)?;
        summary::announce(app, &request, &prepared, decider == Decider::KeepFlag);
        let mut draft = gather(app, dir, request, prepared)?;
        let shown = output(self.handling.output.as_deref(), &draft.file_name());
        summary::found(app, draft.view(), Some(&shown.display().to_string()));
        let decision = match decider {
            Decider::SendFlag => Decision::Send,
            Decider::KeepFlag => Decision::Keep,
            Decider::Person => {
                let host = target
                    .as_ref()
                    .map(|(collector, _)| collector.destination().host().to_owned());
                let host = host.filter(|_| app.config.is("policy.allow_send"));
                consent::ask(&mut app.ui, &mut draft, host.as_deref())?
            }
        };
        self.carry_out(app, draft, decision, decider, target)
    }
}

fn basis(decider: Decider) -> &'static str {
    if decider == Decider::Person {
        "interactive"
    } else {
        "policy"
    }
}

/// Asks the collector what the code is for.
pub fn contact(app: &mut App, destination: Destination) -> Result<(Collector, CodeInfo), Failure> {
    let collector = app
        .collector(destination)
        .map_err(|error| error.failure("cannot prepare the connection"))?;
    let info = sending::ask(app, &collector)?;
    Ok((collector, info))
}

impl Handling {
    fn apply(&self, app: &mut App) -> Result<(), Failure> {
        let flags = [
            ("limits.max_memory", "--max-memory", &self.max_memory),
            ("limits.max_cpu", "--max-cpu", &self.max_cpu),
            ("redact.mode", "--redact", &self.redact),
            (
                "redact.words_file",
                "--redact-word-file",
                &self.redact_word_file,
            ),
        ];
        for (key, flag, value) in flags {
            if let Some(value) = value {
                app.config.flag(key, flag, value)?;
            }
        }
        if self.nice {
            app.config.flag("limits.nice", "--nice", "true")?;
        }
        if app.config.text("redact.mode") == Some("off") && !self.yes_i_know {
            return Err(Failure::usage(
                "without redaction the bundle holds every secret as it was found",
            )
            .hint("add --yes-i-know if that is what you want"));
        }
        Ok(())
    }

    fn decider(&self, app: &App) -> Result<Decider, Failure> {
        match (self.yes, self.send, self.no_send) {
            (_, false, true) => Ok(Decider::KeepFlag),
            (true, true, _) => Ok(Decider::SendFlag),
            (true, false, false) => Err(Failure::usage(
                "--yes alone does not say what to do with the bundle",
            )
            .hint("add --send to send it, or --no-send to keep it")),
            _ if app.no_input => {
                let why = if app.ui.io.stdin_tty {
                    "--no-input is set"
                } else {
                    "standard input is not a terminal"
                };
                Err(Failure::usage(format!("cannot ask for consent: {why}")).hint(
                    "add --yes --send to send without asking, or --no-send -o FILE to keep the bundle",
                ))
            }
            _ => Ok(Decider::Person),
        }
    }

    /// Found out before collecting, not after.
    fn room_for_output(&self) -> Result<(), Failure> {
        let Some(path) = self.output.as_deref().filter(|path| !path.is_dir()) else {
            return Ok(());
        };
        if path.symlink_metadata().is_ok() {
            return Err(
                Failure::usage(format!("will not overwrite {}", path.display()))
                    .hint("name another file with -o"),
            );
        }
        match path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            Some(parent) if !parent.is_dir() => Err(Failure::usage(format!(
                "there is no directory {}",
                parent.display()
            ))),
            _ => Ok(()),
        }
    }

    fn directory(&self, app: &App) -> Result<StateDir, Failure> {
        let located = match &self.tmp_dir {
            Some(dir) => Ok(dir.join("sitrep-work")),
            None => StateDir::locate(&app.ui.io, &app.config),
        };
        let dir = located
            .and_then(|path| StateDir::open(&path))
            .map_err(|error| error.failure())?;
        dir.sweep();
        Ok(dir)
    }
}

impl Run {
    fn request(
        &self,
        app: &App,
        target: Option<&(Collector, CodeInfo)>,
        decider: Decider,
    ) -> Result<Request, Failure> {
        let host = target.map(|(collector, _)| collector.destination().host().to_owned());
        let target_info = host.as_deref().zip(target.map(|(_, info)| info));
        let mut request = Request::of(app, &self.choice, target_info)?;
        if let Some((collector, _)) = target {
            request.secrets = collector.destination().spellings();
        }
        request.note.clone_from(&self.handling.note);
        request.basis = basis(decider);
        Ok(request)
    }

    fn stream(
        &self,
        app: &mut App,
        target: Option<&(Collector, CodeInfo)>,
        request: Request,
        decider: Decider,
    ) -> Result<Exit, Failure> {
        let Some((collector, _)) = target else {
            return Err(Failure::usage("--stream needs an upload code")
                .hint("sitrep run CODE --stream, or --code-file FILE, or SITREP_CODE"));
        };
        let prepared = prepare(app, &request)?;
        summary::announce(app, &request, &prepared, false);
        let streaming = Streaming {
            collector,
            request,
            prepared,
            ask: decider == Decider::Person,
        };
        let Some((exit, result)) = streaming.run(app)? else {
            return Ok(if app.ui.io.interrupt.signal().is_some() {
                app.interrupted().exit
            } else {
                Exit::Declined
            });
        };
        let (fail_on, partial) = (&self.handling.fail_on, self.handling.allow_partial);
        Ok(result.end(app, exit, fail_on.as_deref(), partial))
    }

    fn carry_out(
        &self,
        app: &mut App,
        draft: Draft,
        decision: Decision,
        decider: Decider,
        target: Option<(Collector, CodeInfo)>,
    ) -> Result<Exit, Failure> {
        let mut result = RunResult::of(draft.view());
        match decision {
            Decision::Quit => {
                let text = app.ui.say("discarded", &[]);
                app.ui.status(&Line::of(text));
                return Ok(result.declined(app));
            }
            Decision::Interrupted => {
                let text = app.ui.say("discarded", &[]);
                app.ui.status(&Line::of(text));
                return Ok(app.interrupted().exit);
            }
            Decision::Keep | Decision::Send => {}
        }
        let path = output(self.handling.output.as_deref(), &draft.file_name());
        let (sha256, length) = (draft.sha256.clone(), draft.bytes);
        if let (Decision::Send, Some((_, info))) = (decision, &target) {
            super::send::too_large(length, info.max_bytes)?;
        }
        let kept = draft.keep(&path)?;
        result.bundle(&kept);
        let exit = match (decision, target) {
            (Decision::Send, Some((collector, _))) => {
                let parcel = Parcel {
                    path: &kept,
                    sha256,
                    length,
                    basis: basis(decider),
                };
                let state = StateDir::locate(&app.ui.io, &app.config)
                    .and_then(|path| StateDir::open(&path))
                    .map_err(|error| error.failure())?;
                let records = Records::new(state.path().to_path_buf());
                match sending::send(app, &collector, &records, &parcel) {
                    Ok((sent, record)) => {
                        let reported = sending::report(app, &sent, &record);
                        result.sent(&sent, &record);
                        match reported {
                            Ok(_) => Exit::Ok,
                            Err(failure) => return Err(result.broken(app, failure)),
                        }
                    }
                    Err(failure) => return Err(result.broken(app, failure)),
                }
            }
            _ => {
                summary::kept(app, &kept, length, &sha256);
                Exit::Ok
            }
        };
        Ok(result.end(
            app,
            exit,
            self.handling.fail_on.as_deref(),
            self.handling.allow_partial,
        ))
    }
}

fn output(wanted: Option<&Path>, file: &str) -> PathBuf {
    match wanted {
        None => Path::new(".").join(file),
        Some(path) if path.is_dir() => path.join(file),
        Some(path) => path.to_path_buf(),
    }
}
