//! `sitrep record`: mark, reproduce the problem, mark, then collect what happened in between.

use super::run::Run;
use super::{App, Command};
use crate::config::duration_ms;
use crate::error::{Exit, Failure};
use crate::ui::{Answer, Line, Tone};
use clap::Args;
use std::time::{Duration, Instant};

/// Nobody reproduces a problem for longer than this by hand.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The first entries may be stamped a little before the mark.
const LEAD_MS: i64 = 2_000;

/// Arguments of `record`.
#[derive(Args, Debug)]
pub struct Record {
    /// Stop after this long instead of at Enter
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<String>,
    #[command(flatten)]
    run: Run,
}

impl Command for Record {
    const NAME: &'static str = "record";
    const ABOUT: &'static str = "Wait while you reproduce the problem, then run for that time";

    fn run(mut self, app: &mut App) -> Result<Exit, Failure> {
        self.run.check(app)?;
        let span = self
            .span
            .as_deref()
            .map(|text| duration_ms(text).map_err(|why| Failure::usage(format!("--for: {why}"))))
            .transpose()?;
        if span.is_none() && app.no_input {
            return Err(
                Failure::usage("cannot wait for Enter: standard input is not a terminal")
                    .hint("say how long: --for 5m"),
            );
        }
        let began = (app.ui.io.now)();
        let since = sitrep_shared::time::UtcMs(began.0 - LEAD_MS);
        self.run.recorded(since.rfc3339())?;
        let until = Instant::now() + span.map_or(LONGEST, Duration::from_millis).min(LONGEST);
        let key = if span.is_some() {
            "recording_for"
        } else {
            "recording"
        };
        let text = app
            .ui
            .say(key, &[("span", self.span.as_deref().unwrap_or(""))]);
        app.ui.always(&Line::new().tone(Tone::Strong, text));
        if wait(app, until) == Answer::Interrupted {
            return Err(app.interrupted());
        }
        self.run.run(app)
    }
}

/// Until Enter, the time, or Ctrl-C; input that ends early does not end the recording.
fn wait(app: &mut App, until: Instant) -> Answer {
    if !app.no_input {
        return app.ui.answer_until(Some(until));
    }
    while Instant::now() < until {
        if app.ui.io.interrupt.signal().is_some() {
            return Answer::Interrupted;
        }
        let left = until.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
    Answer::TimedOut
}
