//! The command line: one file per command, one line in [`COMMANDS`].

mod check;
mod choice;
mod code;
mod completions;
mod config;
mod delete;
mod findings;
mod global;
mod man;
pub(crate) mod opened;
mod plan;
mod profiles;
mod record;
mod redact;
mod result;
mod run;
mod send;
mod sending;
mod show;
mod signatures;
mod status;
mod streaming;
mod summary;
mod verify;
mod version;

pub use choice::{Choice, Span};
#[cfg(test)]
pub use findings::SEVERITIES;
pub use plan::lines as plan_lines;
pub use sending::short;
pub use show::{is_missing, missing_json, redactions as redaction_lines, word as outcome_word};

use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::ui::{Io, Ui};
use clap::{ArgMatches, FromArgMatches};
use global::Global;
use std::ffi::OsString;

/// Every command, in the order of the help.
pub const COMMANDS: &[Entry] = &[
    entry::<run::Run>(),
    entry::<plan::Plan>(),
    entry::<show::Show>(),
    entry::<send::Send>(),
    entry::<verify::Verify>(),
    entry::<check::Check>(),
    entry::<redact::Redact>(),
    entry::<status::Status>(),
    entry::<delete::Delete>(),
    entry::<record::Record>(),
    entry::<profiles::Profiles>(),
    entry::<signatures::Signatures>(),
    entry::<config::ConfigCommand>(),
    entry::<version::Version>(),
    entry::<completions::Completions>(),
    entry::<man::Man>(),
];

/// What a command has at hand.
pub struct App {
    /// The terminal.
    pub ui: Ui,
    /// The settings.
    pub config: Config,
    /// Never ask; set by `--no-input`, `CI`, or a standard input that is not a terminal.
    pub no_input: bool,
}

/// A command: its arguments are its fields.
pub trait Command: clap::Args + Sized {
    /// The word on the command line.
    const NAME: &'static str;
    /// One line for the list of commands.
    const ABOUT: &'static str;
    /// Does the work.
    fn run(self, app: &mut App) -> Result<Exit, Failure>;
}

/// A command in the registry.
pub struct Entry {
    /// The word on the command line.
    pub name: &'static str,
    build: fn() -> clap::Command,
    run: fn(&ArgMatches, &mut App) -> Result<Exit, Failure>,
}

const fn entry<C: Command>() -> Entry {
    Entry {
        name: C::NAME,
        build: || {
            C::augment_args(clap::Command::new(C::NAME))
                .about(C::ABOUT)
                .long_about(None)
        },
        run: |matches, app| {
            let command =
                C::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))?;
            command.run(app)
        },
    }
}

/// The whole command line as clap sees it.
pub fn command() -> clap::Command {
    use clap::Args as _;
    let mut root = clap::Command::new("sitrep")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Collects this host's diagnostics, removes secrets, asks, and sends one sealed bundle",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_long_help(exit_codes())
        .after_help("Exit codes and environment: sitrep --help");
    for entry in COMMANDS {
        root = root.subcommand((entry.build)());
    }
    Global::augment_args(root)
        .about(
            "Collects this host's diagnostics, removes secrets, asks, and sends one sealed bundle",
        )
        .long_about(None)
}

fn exit_codes() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text.push_str("\nEnvironment:\n  SITREP_CODE, SITREP_URL, SITREP_CONFIG, SITREP_LANG, SITREP_STATE_DIR,\n");
    text.push_str("  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, NO_COLOR, CLICOLOR_FORCE, CI");
    text
}

/// Parses the arguments, runs the command, prints a failure once.
pub fn dispatch(args: impl IntoIterator<Item = OsString>, mut io: Io) -> Exit {
    let root = command().term_width(io.width.min(100));
    let matches = match root.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return explain(&error, &mut io),
    };
    let global = match Global::from_arg_matches(&matches) {
        Ok(global) => global,
        Err(error) => return explain(&error, &mut io),
    };
    let no_input = global.no_input || io.var("CI").is_some() || !io.stdin_tty;
    let loaded = Config::load(&io, global.config.as_deref());
    let style = global.style(&io, loaded.as_ref().ok());
    let ui = Ui::new(io, style);
    let (config, failed) = match loaded {
        Ok(config) => (config, None),
        Err(failure) => (Config::built_in(), Some(failure)),
    };
    let mut app = App {
        ui,
        config,
        no_input,
    };
    let result = match (failed, matches.subcommand()) {
        (Some(failure), _) => Err(failure),
        (None, Some((name, matches))) => match COMMANDS.iter().find(|entry| entry.name == name) {
            Some(entry) => (entry.run)(matches, &mut app),
            None => Err(Failure::usage(format!("unknown command {name:?}"))),
        },
        (None, None) => Err(Failure::usage("no command given")),
    };
    result.unwrap_or_else(|failure| {
        app.ui.failure(&failure);
        failure.exit
    })
}

/// Help and version go to stdout with 0, a wrong call to stderr with 2.
fn explain(error: &clap::Error, io: &mut Io) -> Exit {
    use std::io::Write as _;
    let stderr = error.use_stderr();
    let tty = if stderr { io.stderr_tty } else { io.stdout_tty };
    let colour = tty && io.var("NO_COLOR").is_none();
    let text = error.render();
    let text = if colour {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    if stderr {
        let _ = io.stderr.write_all(text.as_bytes());
        return Exit::Usage;
    }
    let _ = io.stdout.write_all(text.as_bytes());
    Exit::Ok
}

#[cfg(test)]
mod tests;
