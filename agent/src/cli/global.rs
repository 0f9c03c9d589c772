//! Flags that every command has, and what follows from them for the output.

use crate::config::Config;
use crate::ui::{Io, Lang, Mode, Style};
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    /// Lines that move on a terminal, plain lines elsewhere.
    Auto,
    /// Plain lines.
    Plain,
    /// NDJSON events on stderr.
    Json,
    /// Nothing.
    None,
}

/// When colour is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Flags of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct Global {
    /// Print the result as one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Progress on stderr: auto, plain, json or none
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        value_name = "HOW"
    )]
    pub progress: ProgressArg,
    /// Colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        value_name = "WHEN"
    )]
    pub color: ColorArg,
    /// Language of the texts: en or zh-CN
    #[arg(long, global = true, value_name = "LANG")]
    pub lang: Option<String>,
    /// Only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Never ask; fail and name the flag instead
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Configuration file instead of the user's own
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Global {
    /// What the flags, the environment and the streams together mean.
    pub fn style(&self, io: &Io, config: Option<&Config>) -> Style {
        let progress = match self.progress {
            ProgressArg::Plain => Mode::Plain,
            ProgressArg::Json => Mode::Json,
            ProgressArg::None => Mode::None,
            ProgressArg::Auto if self.quiet => Mode::None,
            ProgressArg::Auto => {
                let dumb = io.var("TERM") == Some("dumb") || io.var("CI").is_some();
                if io.stderr_tty && !dumb {
                    Mode::Terminal
                } else {
                    Mode::Plain
                }
            }
        };
        Style {
            progress,
            colour_out: self.colour(io, io.stdout_tty),
            colour_err: self.colour(io, io.stderr_tty),
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose > 0,
            lang: self.language(io, config),
        }
    }

    fn colour(&self, io: &Io, tty: bool) -> bool {
        match self.color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto if io.var("NO_COLOR").is_some() => false,
            ColorArg::Auto if io.var("CLICOLOR_FORCE").is_some() => true,
            ColorArg::Auto => tty && io.var("TERM") != Some("dumb"),
        }
    }

    fn language(&self, io: &Io, config: Option<&Config>) -> Lang {
        let chosen = self.lang.as_deref().or_else(|| io.var("SITREP_LANG"));
        let tag = chosen
            .or_else(|| config.and_then(|config| config.text("lang")))
            .or_else(|| io.var("LC_ALL"))
            .or_else(|| io.var("LC_MESSAGES"))
            .or_else(|| io.var("LANG"));
        tag.map_or(Lang::En, Lang::from_tag)
    }
}
