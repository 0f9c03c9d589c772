//! `sitrep check [CODE]`: can this host reach the collector, and if not, why.

use super::code::CodeArgs;
use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone};
use crate::upload::{Destination, Level, Step};
use clap::Args;
use serde_json::json;

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    code: CodeArgs,
}

impl Command for Check {
    const NAME: &'static str = "check";
    const ABOUT: &'static str = "Test the way to the collector: name, proxy, TLS, clock, code";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        self.code.apply(app)?;
        let given = self.code.destination(app)?;
        let with_code = given.is_some();
        let destination = match given {
            Some(destination) => destination,
            None => without_code(app)?,
        };
        let base_url = destination.base_url().to_owned();
        let proxy = proxy(app, &destination);
        let collector = app
            .collector(destination)
            .map_err(|error| error.failure("cannot prepare the connection"))?;
        app.ui
            .status(&Line::of(format!("Testing the way to {base_url} …")));
        let now_s = (app.ui.io.now)().0 / 1000;
        let mut steps = collector.probe(proxy.as_deref(), now_s);
        let reached = steps.iter().all(|step| step.level != Level::Fail);
        if with_code && reached {
            steps.push(code_step(&collector));
        }
        if app.ui.io.interrupt.signal().is_some() {
            return Err(app.interrupted());
        }
        let failed = steps.iter().any(|step| step.level == Level::Fail);
        if app.ui.style.json {
            let rows: Vec<_> = steps
                .iter()
                .map(|step| json!({"name": step.name, "level": word(step.level), "detail": step.detail, "fix": step.fix}))
                .collect();
            app.ui.json(&json!({"schema": "sitrep.check/1", "collector": base_url, "ok": !failed, "steps": rows}));
        } else {
            steps.iter().for_each(|step| show(app, step));
        }
        let refused = steps
            .iter()
            .any(|step| step.name == "code" && step.level == Level::Fail);
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

fn proxy(app: &App, destination: &Destination) -> Option<String> {
    if destination.is_local() {
        return None;
    }
    let var = |name: &str| app.ui.io.var(name).map(str::to_owned);
    let host = destination
        .host()
        .split(':')
        .next()
        .unwrap_or("")
        .to_owned();
    let excepted = var("NO_PROXY")
        .or_else(|| var("no_proxy"))
        .is_some_and(|list| {
            list.split(',').map(str::trim).any(|entry| {
                let entry = entry.trim_start_matches('.');
                entry == "*"
                    || (!entry.is_empty()
                        && (host == entry || host.ends_with(&format!(".{entry}"))))
            })
        });
    if excepted {
        return None;
    }
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find_map(var)
}

fn code_step(collector: &crate::upload::Collector) -> Step {
    match collector.code_info() {
        Ok(info) => Step {
            name: "code",
            level: Level::Ok,
            detail: format!("valid for {} \"{}\"", info.ticket.key, info.ticket.title),
            fix: None,
        },
        Err(error) => Step {
            name: "code",
            level: Level::Fail,
            detail: error.short(),
            fix: Some("ask support for a new one".to_owned()),
        },
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    }
}

fn show(app: &mut App, step: &Step) {
    let tone = match step.level {
        Level::Ok => Tone::Good,
        Level::Warn => Tone::Warn,
        Level::Fail => Tone::Bad,
    };
    let line = Line::new()
        .text("  ")
        .tone(tone, format!("{:<5}", word(step.level)))
        .left(12, step.name)
        .text(&step.detail);
    app.ui.data(&line);
    if let Some(fix) = &step.fix {
        app.ui.data(
            &Line::new()
                .text("       ")
                .tone(Tone::Good, "fix: ")
                .text(fix),
        );
    }
}
