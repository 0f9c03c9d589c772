//! What `run` tells a person before and after collecting.

use super::result::RunResult;
use super::{App, findings, sending};
use crate::bundle::{Prepared, Request, View};
use crate::config::duration_ms;
use crate::ui::{Line, Tone};
use sitrep_shared::size::{format_bytes, format_duration_ms};
use std::path::Path;

/// Findings shown before the question; `show --findings` has all.
const SHOWN_FINDINGS: usize = 5;

/// Says what will be collected, for whom, and that nothing leaves without a yes.
pub fn announce(app: &mut App, request: &Request, prepared: &Prepared, keep_only: bool) {
    let since = request
        .since
        .as_deref()
        .filter(|since| duration_ms(since).is_ok());
    let span = since.map_or(String::new(), |since| {
        app.ui.say("asks_since", &[("since", since)])
    });
    let text = match (&request.occasion.host, keep_only) {
        (Some(_), _) => {
            let who = request
                .occasion
                .requested_by
                .clone()
                .unwrap_or_else(|| app.ui.say("someone", &[]));
            app.ui.say(
                "asks",
                &[
                    ("who", &who),
                    ("profile", &request.profile.name),
                    ("since", &span),
                ],
            )
        }
        (None, true) => app
            .ui
            .say("local_run", &[("profile", &request.profile.name)]),
        (None, false) => app
            .ui
            .say("local_ask", &[("profile", &request.profile.name)]),
    };
    app.ui.status(&Line::of(format!("  {text}")));
    app.ui.status(&Line::new());
    let params = &prepared.plan.params;
    let (time, size) = (
        format_duration_ms(params.max_time_ms),
        format_bytes(params.max_bytes),
    );
    let collecting = app
        .ui
        .say("collecting", &[("time", &time), ("size", &size)]);
    let stop = app.ui.say("ctrl_c", &[]);
    app.ui.status(
        &Line::new()
            .tone(Tone::Strong, collecting)
            .tone(Tone::Dim, format!("   {stop}")),
    );
}

/// Counts, what was removed, and the findings with their first step.
/// `file` is where the bundle will be, when it is kept.
pub fn found(app: &mut App, sealed: View<'_>, file: Option<&str>) {
    let result = RunResult::of(sealed);
    for line in result.lines(&app.ui, sealed) {
        app.ui.status(&line);
    }
    let list = sealed.findings["findings"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if list.is_empty() {
        let evaluated = sealed.findings["evaluated"]
            .as_u64()
            .unwrap_or(0)
            .to_string();
        let text = app.ui.say("found_none", &[("n", &evaluated)]);
        app.ui.status(&Line::of(text));
        return;
    }
    let text = app.ui.say("found", &[]);
    app.ui.status(&Line::new().tone(Tone::Strong, text));
    let width = app.ui.io.width;
    for finding in list.iter().take(SHOWN_FINDINGS) {
        for line in findings::brief(finding, app.ui.style.lang) {
            app.ui.status(&line.fitted(width));
        }
        let id = finding["id"].as_str().unwrap_or("?");
        if let Some(step) = findings::steps(finding, app.ui.style.lang).first() {
            app.ui.status(&Line::of(format!("      {step}")));
            if let Some(file) = file {
                let more = app.ui.say("steps", &[("file", file), ("id", id)]);
                app.ui
                    .status(&Line::new().tone(Tone::Dim, format!("      {more}")));
            }
        }
    }
    if list.len() > SHOWN_FINDINGS {
        let rest = (list.len() - SHOWN_FINDINGS).to_string();
        let text = match file {
            Some(file) => app.ui.say("found_more", &[("n", &rest), ("file", file)]),
            None => app.ui.say("more", &[("n", &rest)]),
        };
        app.ui.status(&Line::of(format!("  {text}")));
    }
}

/// Where the bundle is, and that nothing was sent.
pub fn kept(app: &mut App, path: &Path, length: u64, sha256: &str) {
    let shown = path.display().to_string();
    let values = [
        ("path", &*shown),
        ("size", &format_bytes(length)),
        ("sha", &sending::short(sha256)),
    ];
    let kept = app.ui.say("kept", &values);
    let nothing = app.ui.say("nothing_sent", &[]);
    app.ui.status(&Line::of(format!("{kept} {nothing}")));
    if !app.ui.style.json {
        app.ui.data(&Line::of(shown));
    }
}
