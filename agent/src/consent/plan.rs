//! The question before anything is read, where nothing can be shown afterwards: may this plan be carried out
//! and sent?

use crate::bundle::Prepared;
use crate::cli::plan_lines;
use crate::error::Failure;
use crate::ui::{Answer, Line, Tone, Ui};
use sitrep_shared::size::format_bytes;

/// Asks until there is a decision; true is a yes. There is no default.
pub fn ask_plan(ui: &mut Ui, prepared: &Prepared, host: &str) -> Result<bool, Failure> {
    let items = prepared.plan.items().count().to_string();
    let size = format_bytes(prepared.plan.params.max_bytes);
    loop {
        let values = [("n", &*items), ("size", &size), ("host", host)];
        let question = ui.say("question_stream", &values);
        let choices = ui.say("choices_stream", &[]);
        ui.always(&Line::new());
        ui.always(&Line::new().tone(Tone::Strong, question));
        ui.ask(&Line::new().text("  ").text(choices));
        let answer = match ui.answer() {
            Answer::Line(line) => line.trim().to_lowercase(),
            Answer::End | Answer::Interrupted | Answer::TimedOut => return Ok(false),
        };
        match answer.as_str() {
            "s" | "send" => return Ok(true),
            "q" | "quit" => return Ok(false),
            "v" | "view" => {
                let lines = plan_lines(ui, prepared);
                ui.page(&lines);
            }
            _ => {
                let text = ui.say("choose", &[]);
                ui.always(&Line::of(text));
            }
        }
    }
}
