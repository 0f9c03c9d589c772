//! Long lists by screenfuls, with nothing started and nothing full-screen.

use super::input::Answer;
use super::{Line, Ui};
use std::time::Instant;

/// Lines shown before the question; fits a 24-line console.
const PAGE_LINES: usize = 20;

impl Ui {
    /// Shows lines on stderr and stops after each screenful when a person reads them.
    pub fn page(&mut self, lines: &[Line]) {
        let pages = lines.chunks(PAGE_LINES).count();
        for (number, page) in lines.chunks(PAGE_LINES).enumerate() {
            for line in page {
                self.always(line);
            }
            if number + 1 == pages || !self.io.stdin_tty {
                continue;
            }
            let prompt = Line::new().text(self.say("more_prompt", &[]));
            self.ask(&prompt);
            match self.answer() {
                Answer::Line(answer) if !answer.trim().eq_ignore_ascii_case("q") => {}
                _ => return,
            }
        }
    }

    /// Reads one answer; a failing read counts as the end of input.
    pub fn answer(&mut self) -> Answer {
        self.answer_until(None)
    }

    /// The same, but not later than `until`.
    pub fn answer_until(&mut self, until: Option<Instant>) -> Answer {
        let interrupt = self.io.interrupt.clone();
        let answer = self.io.stdin.line(&interrupt, until).unwrap_or(Answer::End);
        if !matches!(answer, Answer::Line(_)) {
            // What follows must not stand behind the question.
            self.always(&Line::new());
        }
        answer
    }
}
