//! One line for the terminal, built from escaped parts.

use sitrep_shared::escape;
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a part of a line means; colour follows from it and never carries meaning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Stands out.
    Strong,
    /// Steps back.
    Dim,
    /// Went well.
    Good,
    /// Look here.
    Warn,
    /// Went wrong.
    Bad,
}

impl Tone {
    fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

/// A line without its end. Parts are escaped as they come in.
#[derive(Clone, Debug, Default)]
pub struct Line {
    parts: Vec<(Tone, String)>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of plain text.
    pub fn of(text: impl AsRef<str>) -> Self {
        Self::new().text(text)
    }

    /// Adds plain text.
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.tone(Tone::Plain, text)
    }

    /// Adds text with a meaning.
    pub fn tone(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.parts
            .push((tone, escape::terminal(text.as_ref()).into_owned()));
        self
    }

    /// Adds text padded on the right to `width` columns.
    pub fn left(self, width: usize, text: impl AsRef<str>) -> Self {
        self.left_toned(Tone::Plain, width, text)
    }

    /// Adds text with a meaning, padded on the right to `width` columns.
    pub fn left_toned(mut self, tone: Tone, width: usize, text: impl AsRef<str>) -> Self {
        let escaped = escape::terminal(text.as_ref()).into_owned();
        let pad = width.saturating_sub(escaped.width());
        self.parts.push((tone, format!("{escaped}{:pad$}", "")));
        self
    }

    /// Adds text padded on the left to `width` columns.
    pub fn right(self, width: usize, text: impl AsRef<str>) -> Self {
        let escaped = escape::terminal(text.as_ref()).into_owned();
        let pad = width.saturating_sub(escaped.width());
        let mut line = self;
        line.parts
            .push((Tone::Plain, format!("{:pad$}{escaped}", "")));
        line
    }

    /// The same line cut to `width` columns.
    pub fn fitted(&self, width: usize) -> Self {
        let mut left = width;
        let mut fitted = Self::new();
        for (tone, text) in &self.parts {
            let mut part = String::new();
            for character in text.chars() {
                let columns = character.width().unwrap_or(0);
                if columns > left {
                    left = 0;
                    break;
                }
                left -= columns;
                part.push(character);
            }
            fitted.parts.push((*tone, part));
            if left == 0 {
                break;
            }
        }
        fitted
    }

    /// The text, with or without colour, without the padding at its end.
    pub fn render(&self, colour: bool) -> String {
        let mut text = self.render_padded(colour);
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    /// The text to its last blank: a question keeps the distance to its answer.
    pub fn render_padded(&self, colour: bool) -> String {
        let mut text = String::new();
        for (tone, part) in &self.parts {
            if colour && *tone != Tone::Plain && !part.is_empty() {
                text.push_str(tone.sgr());
                text.push_str(part);
                text.push_str("\x1b[0m");
            } else {
                text.push_str(part);
            }
        }
        text
    }
}

/// Escapes a line of a file for a terminal but leaves tabs, which shape tables.
pub fn escape_keeping_tabs(text: &str) -> Cow<'_, str> {
    if !text.contains('\t') {
        return escape::terminal(text);
    }
    let parts: Vec<Cow<'_, str>> = text.split('\t').map(escape::terminal).collect();
    Cow::Owned(parts.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_pass() {
        let line = Line::new().tone(Tone::Bad, "a\x1b]0;x\x07b").text("c\r\n");
        let text = line.render(false);
        assert!(!text.contains(['\x1b', '\x07', '\r', '\n']), "{text:?}");
    }

    #[test]
    fn padding_counts_columns_not_characters() {
        assert_eq!(
            Line::new().left(6, "系统").text("|").render(false),
            "系统  |"
        );
        assert_eq!(
            Line::new().right(6, "系统").text("|").render(false),
            "  系统|"
        );
        assert_eq!(Line::of("采集中").fitted(5).render(false), "采集");
    }

    #[test]
    fn colour_only_when_asked() {
        let line = Line::new().tone(Tone::Good, "ok");
        assert_eq!(line.render(false), "ok");
        assert_eq!(line.render(true), "\x1b[32mok\x1b[0m");
    }
}
