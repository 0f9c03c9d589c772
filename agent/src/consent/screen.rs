//! The question: what is in the bundle, where it would go, and what the person wants.

use super::Selection;
use crate::bundle::Draft;
use crate::cli::short;
use crate::error::Failure;
use crate::ui::{Answer, Line, Tone, Ui};
use sitrep_shared::bundle::manifest::Item;
use sitrep_shared::size::format_bytes;

/// Most of a file that the terminal shows; `show --file` gives all of it.
const SHOWN_FILE_BYTES: usize = 256 * 1024;

/// What the person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it.
    Send,
    /// Keep the file, send nothing.
    Keep,
    /// Throw it away.
    Quit,
    /// Ctrl-C, SIGTERM.
    Interrupted,
}

/// Asks until there is a decision. `host` is where it would go; without it nothing can be sent.
/// There is no default: an empty answer and the end of input decide nothing, or to quit.
pub fn ask(ui: &mut Ui, draft: &mut Draft, host: Option<&str>) -> Result<Decision, Failure> {
    loop {
        question(ui, draft, host);
        let answer = match ui.answer() {
            Answer::Line(line) => line.trim().to_lowercase(),
            Answer::End => return Ok(Decision::Quit),
            Answer::Interrupted | Answer::TimedOut => return Ok(Decision::Interrupted),
        };
        let step = match answer.as_str() {
            "s" | "send" if host.is_some() => return Ok(Decision::Send),
            "k" | "keep" => return Ok(Decision::Keep),
            "q" | "quit" => return Ok(Decision::Quit),
            "v" | "view" => view(ui, draft),
            "r" | "redactions" => {
                let lines = crate::cli::redaction_lines(&draft.redaction);
                ui.page(&lines);
                Ok(())
            }
            "d" | "deselect" => deselect(ui, draft),
            "n" | "note" => note(ui, draft),
            _ => {
                let text = ui.say("choose", &[]);
                ui.always(&Line::of(text));
                Ok(())
            }
        };
        step?;
    }
}

fn question(ui: &mut Ui, draft: &Draft, host: Option<&str>) {
    let (size, sha) = (format_bytes(draft.bytes), short(&draft.sha256));
    let (question, choices) = match host {
        Some(host) => (
            ui.say(
                "question_send",
                &[("size", &size), ("sha", &sha), ("host", host)],
            ),
            ui.say("choices_send", &[]),
        ),
        None => (
            ui.say("question_keep", &[("size", &size), ("sha", &sha)]),
            ui.say("choices_keep", &[]),
        ),
    };
    ui.always(&Line::new());
    if let Some(recipient) = draft.recipient() {
        let text = ui.say("encrypted_to", &[("recipient", &recipient)]);
        ui.always(&Line::of(text));
    }
    ui.always(&Line::new().tone(Tone::Strong, question));
    ui.ask(&Line::new().text("  ").text(choices));
}

fn view(ui: &mut Ui, draft: &mut Draft) -> Result<(), Failure> {
    let width = ui.io.width;
    let lines: Vec<Line> = draft
        .choices()
        .map(|(number, item)| row(number, item, draft.why(&item.id)).fitted(width))
        .collect();
    ui.page(&lines);
    loop {
        let prompt = ui.say("view_prompt", &[]);
        ui.ask(&Line::new().text("  ").text(prompt));
        let Answer::Line(answer) = ui.answer() else {
            return Ok(());
        };
        let Ok(number) = answer.trim().parse::<usize>() else {
            return Ok(());
        };
        let path = draft
            .choices()
            .find(|(at, _)| *at == number)
            .and_then(|(_, item)| item.path.clone());
        let Some(path) = path else {
            let text = ui.say("deselect_none", &[("what", answer.trim())]);
            ui.always(&Line::of(text));
            continue;
        };
        let bytes = draft.read(&path, SHOWN_FILE_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<Line> = text
            .lines()
            .map(|line| Line::of(line.replace('\t', "    ")))
            .collect();
        ui.page(&lines);
    }
}

fn row(number: usize, item: &Item, why: &str) -> Line {
    let removed: u64 = item.redactions.values().sum();
    let mut line = Line::new()
        .right(5, number.to_string())
        .text("  ")
        .left(44, &item.id)
        .right(10, format_bytes(item.stored_bytes));
    line = line.right(
        6,
        if removed > 0 {
            format!("-{removed}")
        } else {
            String::new()
        },
    );
    line.tone(Tone::Dim, format!("  {why}"))
}

fn deselect(ui: &mut Ui, draft: &mut Draft) -> Result<(), Failure> {
    loop {
        let prompt = ui.say("deselect", &[]);
        ui.ask(&Line::new().text("  ").text(prompt));
        let Answer::Line(answer) = ui.answer() else {
            return Ok(());
        };
        let selection = Selection::parse(&answer);
        if selection.is_empty() {
            return Ok(());
        }
        let chosen: Vec<(usize, Item)> = draft
            .choices()
            .filter(|(number, item)| {
                let path = item.path.as_deref().unwrap_or("");
                let plain = path.strip_prefix("sos").unwrap_or(path);
                selection.names(*number, &[&item.id, &item.source, path, plain])
            })
            .map(|(number, item)| (number, item.clone()))
            .collect();
        if chosen.is_empty() {
            let text = ui.say("deselect_none", &[("what", answer.trim())]);
            ui.always(&Line::of(text));
            continue;
        }
        let width = ui.io.width;
        for (number, item) in &chosen {
            let line = row(*number, item, draft.why(&item.id));
            ui.always(
                &Line::new()
                    .text("  -")
                    .text(line.render(false))
                    .fitted(width),
            );
        }
        let lost = draft.deselect(&|item| chosen.iter().any(|(_, gone)| gone.id == item.id))?;
        if !lost.is_empty() {
            let text = ui.say("without", &[("ids", &lost.join(", "))]);
            ui.always(&Line::new().tone(Tone::Warn, format!("    {text}")));
        }
        say_new(ui, draft, "deselected");
    }
}

fn note(ui: &mut Ui, draft: &mut Draft) -> Result<(), Failure> {
    let prompt = ui.say("note", &[]);
    ui.ask(&Line::new().text("  ").text(prompt));
    let Answer::Line(answer) = ui.answer() else {
        return Ok(());
    };
    if !answer.trim().is_empty() {
        draft.set_note(answer.trim())?;
        say_new(ui, draft, "noted");
    }
    Ok(())
}

fn say_new(ui: &mut Ui, draft: &Draft, key: &str) {
    let (size, sha) = (format_bytes(draft.bytes), short(&draft.sha256));
    let text = ui.say(key, &[("size", &size), ("sha", &sha)]);
    ui.always(&Line::of(format!("  {text}")));
}
