//! `sitrep check [CODE]`: can this host reach the collector, and if not, why.

use super::code::CodeArgs;
use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::ui::{Lang, Line, Tone, Ui};
use crate::upload::{Collector, Destination, Level, Step};
use clap::Args;
use serde_json::{Value, json};

/// Name of the step that asks for the code.
const CODE: &str = "step_code";

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    code: CodeArgs,
}

impl Command for Check {
    const NAME: &'static str = "check";
    const ABOUT: &'static str =
        "Test the way to the collector: proxy, name, TLS, clock, packets, code, speed";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        self.code.apply(app)?;
        let given = self.code.destination(app)?;
        let with_code = given.is_some();
        let destination = match given {
            Some(destination) => destination,
            None => without_code(app)?,
        };
        let base_url = destination.base_url().to_owned();
        let collector = app
            .collector(destination)
            .map_err(|error| error.failure("cannot prepare the connection"))?;
        let text = app.ui.say("testing", &[("url", &base_url)]);
        app.ui.status(&Line::of(text));
        let now_s = (app.ui.io.now)().0 / 1000;
        let mut steps = Vec::new();
        let reached = collector.probe(now_s, &mut |step| tell(app, &mut steps, step));
        if with_code && reached {
            let step = code_step(&collector);
            let good = step.level == Level::Ok;
            tell(app, &mut steps, step);
            if let Some(step) = good.then(|| collector.measure_speed()).flatten() {
                tell(app, &mut steps, step);
            }
        }
        if app.ui.io.interrupt.signal().is_some() {
            return Err(app.interrupted());
        }
        let failed = steps.iter().any(|step| step.level == Level::Fail);
        if app.ui.style.json {
            let rows: Vec<_> = steps.iter().map(row).collect();
            app.ui.json(&json!({"schema": "sitrep.check/1", "collector": base_url, "ok": !failed, "steps": rows}));
        }
        let refused = steps
            .iter()
            .any(|step| step.name == CODE && step.level == Level::Fail);
        Ok(match (failed, refused) {
            (_, true) => Exit::Auth,
            (true, _) => Exit::Upload,
            _ => Exit::Ok,
        })
    }
}

/// Without a code the road can be tested all the same; the placeholder is never sent.
fn without_code(app: &App) -> Result<Destination, Failure> {
    let url = app.config.text("url").ok_or_else(|| {
        Failure::usage("no collector to test").hint("sitrep check LINK, or --url, or SITREP_URL")
    })?;
    Destination::parse("0000-0000-0000-0000", Some(url))
        .map_err(|error| error.failure("cannot use this address"))
}

fn code_step(collector: &Collector) -> Step {
    match collector.code_info() {
        Ok(info) => {
            let values = vec![("key", info.ticket.key), ("title", info.ticket.title)];
            Step::ok(CODE, "code_valid", values)
        }
        Err(error) => Step::ok(CODE, "code_refused", vec![("why", error.short())]).fail("fix_code"),
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    }
}

/// The level in the person's language.
fn level(ui: &Ui, level: Level) -> String {
    match level {
        Level::Ok => ui.say("level_ok", &[]),
        Level::Warn => ui.say("level_warn", &[]),
        Level::Fail => ui.say("level_fail", &[]),
    }
}

/// For programs: stable words, and the texts in English.
fn row(step: &Step) -> Value {
    let values: Vec<(&str, &str)> = step.values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let name = step.name.strip_prefix("step_").unwrap_or(step.name);
    json!({"name": name, "level": word(step.level), "what": step.key,
        "detail": Lang::En.text(step.key, &values),
        "fix": step.fix.map(|fix| Lang::En.text(fix, &values))})
}

/// Shows a step as soon as it is done.
fn tell(app: &mut App, steps: &mut Vec<Step>, step: Step) {
    if !app.ui.style.json {
        let values: Vec<(&str, &str)> = step.values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let tone = match step.level {
            Level::Ok => Tone::Good,
            Level::Warn => Tone::Warn,
            Level::Fail => Tone::Bad,
        };
        let line = Line::new()
            .text("  ")
            .left_toned(tone, 6, level(&app.ui, step.level))
            .left(12, app.ui.say(step.name, &[]))
            .text(app.ui.say(step.key, &values));
        let fix = step.fix.map(|fix| {
            Line::new()
                .text("        ")
                .tone(Tone::Good, app.ui.say("fix", &[]))
                .text(app.ui.say(fix, &values))
        });
        app.ui.data(&line);
        if let Some(fix) = fix {
            app.ui.data(&fix);
        }
    }
    steps.push(step);
}
