//! What to collect: flags that `run` and `plan` share.

use super::App;
use crate::collect::Moment;
use crate::config::{duration_ms, moment_ms};
use crate::error::Failure;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// Half of the span that `--around` takes without `--window`.
const DEFAULT_WINDOW_MS: u64 = 30 * 60_000;

/// Flags that choose what is collected.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What to collect")]
pub struct Choice {
    /// Profile: a name of `sitrep profiles`, or a file
    #[arg(short, long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Only log lines since then: 24h, or a time
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only log lines until then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only log lines around this time
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "until"])]
    pub around: Option<String>,
    /// How far around: this long before and after
    #[arg(long, value_name = "SPAN", requires = "around")]
    pub window: Option<String>,
    /// Collect this item or source too
    #[arg(long, value_name = "ITEM|GLOB")]
    pub include: Vec<String>,
    /// Do not collect this item or source
    #[arg(long, value_name = "ITEM|GLOB")]
    pub exclude: Vec<String>,
    /// Collect at most this much before compression
    #[arg(long, value_name = "BYTES")]
    pub max_size: Option<String>,
    /// Collect at most this long
    #[arg(long, value_name = "SPAN")]
    pub max_time: Option<String>,
    /// Another root: a mounted disk or a container's file system
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The host before a recording.
    #[arg(skip)]
    pub before: Option<Arc<Moment>>,
}

/// A span of time; open ends are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From, UTC milliseconds.
    pub since_ms: Option<i64>,
    /// To, UTC milliseconds.
    pub until_ms: Option<i64>,
}

impl Choice {
    /// Takes the flags into the settings.
    pub fn apply(&self, app: &mut App) -> Result<(), Failure> {
        let flags = [
            ("profile", "--profile", &self.profile),
            ("limits.max_size", "--max-size", &self.max_size),
            ("limits.max_time", "--max-time", &self.max_time),
        ];
        for (key, flag, value) in flags {
            if let Some(value) = value {
                app.config.flag(key, flag, value)?;
            }
        }
        Ok(())
    }

    /// The span of time, where `asked` is what the ticket wants when no flag says otherwise.
    pub fn span(&self, app: &App, asked: Option<&str>) -> Result<Span, Failure> {
        let now = (app.ui.io.now)();
        let at = |flag: &str, text: &str| {
            moment_ms(text, now).map_err(|why| Failure::usage(format!("{flag}: {why}")))
        };
        if let Some(around) = &self.around {
            let middle = at("--around", around)?;
            let window = match &self.window {
                Some(window) => {
                    duration_ms(window).map_err(|why| Failure::usage(format!("--window: {why}")))?
                }
                None => DEFAULT_WINDOW_MS,
            };
            let window = i64::try_from(window).unwrap_or(i64::MAX);
            return Ok(Span {
                since_ms: Some(middle.saturating_sub(window)),
                until_ms: Some(middle.saturating_add(window)),
            });
        }
        let since = match (&self.since, asked) {
            (Some(since), _) => Some(at("--since", since)?),
            // What a collector asks for and cannot be understood must not stop the run.
            (None, Some(asked)) => moment_ms(asked, now).ok(),
            (None, None) => None,
        };
        let until = self
            .until
            .as_deref()
            .map(|until| at("--until", until))
            .transpose()?;
        Ok(Span {
            since_ms: since,
            until_ms: until,
        })
    }
}
