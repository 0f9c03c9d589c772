//! Expressions of the rule format are RE2 as Go writes it; this module turns them into the same
//! language as the `regex` crate writes it.
//!
//! The differences that occur in rules: `{` that begins no repetition is a literal, `\Q…\E` quotes,
//! any escaped punctuation is a literal (`\<` is not a word boundary), classes know no set
//! operations, `\d \s \w` and `\b` are ASCII, a repetition of a repetition is refused, and a
//! counted repetition goes up to 1,000.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

/// The largest count in `{n,m}` that RE2 accepts.
const MAX_REPEAT: u32 = 1000;

/// Parses an expression of a rule: much cheaper than compiling it, and as strict about syntax.
pub(super) fn parse(expression: &str) -> Result<Hir, String> {
    let translated = translate(expression)?;
    let parse = |unicode: bool| {
        let mut parser = ParserBuilder::new().unicode(unicode).utf8(false).build();
        parser
            .parse(&translated)
            .map_err(|e| last_line(&e.to_string()))
    };
    parse(false).or_else(|_| parse(true))
}

/// Checks an expression of a rule. Only counted repetitions can make one too large to compile, so
/// that only those are compiled here.
pub(super) fn check(expression: &str) -> Result<(), String> {
    if expression.contains('{') {
        return compile(expression).map(|_| ());
    }
    parse(expression).map(|_| ())
}

/// Compiles an expression of a rule.
pub(super) fn compile(expression: &str) -> Result<Regex, String> {
    let translated = translate(expression)?;
    build(&translated, false)
        .or_else(|_| build(&translated, true))
        .map_err(|e| last_line(&e.to_string()))
}

fn build(translated: &str, unicode: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(translated).unicode(unicode).build()
}

/// The last line of a syntax error says what is wrong; the lines before draw it.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or(message).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Rewrites RE2 syntax so that the `regex` crate reads the same expression.
pub(super) fn translate(expression: &str) -> Result<String, String> {
    let mut walker = Walker {
        rest: expression,
        out: String::with_capacity(expression.len() + 8),
        repeated: false,
    };
    while let Some(c) = walker.rest.chars().next() {
        walker.step(c)?;
    }
    Ok(walker.out)
}

struct Walker<'a> {
    rest: &'a str,
    out: String,
    /// The item before is already repeated.
    repeated: bool,
}

impl<'a> Walker<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(bytes);
        self.rest = tail;
        head
    }

    fn step(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => {
                self.repeated = false;
                self.escape()
            }
            '[' => {
                self.repeated = false;
                self.class()
            }
            '*' | '+' | '?' => {
                self.take(1);
                self.repetition(&c.to_string())
            }
            '{' => match counted(self.rest)? {
                Some(length) => {
                    let text = self.take(length);
                    self.repetition(text)
                }
                None => self.literal("\\{"),
            },
            '}' => self.literal("\\}"),
            '(' if self.rest.starts_with("(?") => {
                self.repeated = false;
                let text = self.take(2);
                self.out.push_str(text);
                Ok(())
            }
            _ => {
                self.repeated = false;
                let text = self.take(c.len_utf8());
                self.out.push_str(text);
                Ok(())
            }
        }
    }

    fn literal(&mut self, text: &str) -> Result<(), String> {
        self.take(1);
        self.repeated = false;
        self.out.push_str(text);
        Ok(())
    }

    fn repetition(&mut self, text: &str) -> Result<(), String> {
        if self.repeated {
            return Err(format!("invalid nested repetition operator `{text}`"));
        }
        self.repeated = true;
        self.out.push_str(text);
        if self.rest.starts_with('?') {
            self.take(1);
            self.out.push('?');
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest[1..].chars().next() else {
            return Err("trailing backslash at end of expression".to_owned());
        };
        self.take(1 + c.len_utf8());
        match c {
            'Q' => {
                let end = self.rest.find("\\E").unwrap_or(self.rest.len());
                let quoted = self.take(end);
                self.out.push_str(&regex::escape(quoted));
                if !self.rest.is_empty() {
                    self.take(2);
                }
            }
            _ if c.is_ascii_punctuation() => self.push_literal(c),
            _ => {
                self.out.push('\\');
                self.out.push(c);
            }
        }
        Ok(())
    }

    fn push_literal(&mut self, c: char) {
        if !matches!(c, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// A bracketed class: nothing nests and nothing combines.
    fn class(&mut self) -> Result<(), String> {
        self.take(1);
        self.out.push('[');
        if self.rest.starts_with('^') {
            self.take(1);
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.rest.chars().next() else {
                return Err("missing closing ] of a class".to_owned());
            };
            match c {
                ']' if !first => {
                    self.take(1);
                    self.out.push(']');
                    return Ok(());
                }
                '[' => match self
                    .rest
                    .starts_with("[:")
                    .then(|| self.rest.find(":]"))
                    .flatten()
                {
                    Some(end) => {
                        let posix = self.take(end + 2);
                        self.out.push_str(posix);
                    }
                    None => self.class_literal(c),
                },
                ']' | '&' | '~' => self.class_literal(c),
                '\\' => self.escape()?,
                _ => {
                    let text = self.take(c.len_utf8());
                    self.out.push_str(text);
                }
            }
            first = false;
        }
    }

    fn class_literal(&mut self, c: char) {
        self.take(1);
        self.out.push('\\');
        self.out.push(c);
    }
}

/// Length of a counted repetition at the start of `rest`, or `None` when it is only a brace.
fn counted(rest: &str) -> Result<Option<usize>, String> {
    let Some(end) = rest.find('}') else {
        return Ok(None);
    };
    let inner = &rest[1..end];
    let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
    let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !is_number(low) || !(high.is_empty() || is_number(high)) {
        return Ok(None);
    }
    let number = |s: &str| s.parse::<u32>().unwrap_or(u32::MAX);
    if number(low) > MAX_REPEAT || (!high.is_empty() && number(high) > MAX_REPEAT) {
        return Err(format!("invalid repeat count `{{{inner}}}`"));
    }
    Ok(Some(end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_what_re2_means() {
        let check = |expression: &str, text: &str, expected: bool| {
            let regex = compile(expression).unwrap_or_else(|e| panic!("{expression}: {e}"));
            assert_eq!(
                regex.is_match(text.as_bytes()),
                expected,
                "{expression} on {text}"
            );
        };
        check(r"\[emerg] (.+) bind()", "[emerg] x bind", true);
        check(
            r#"Response: {"errors":[{]"#,
            r#"Response: {"errors":{"#,
            true,
        );
        check(r"a{2}", "aa", true);
        check(r"a{,2}", "a{,2}", true);
        check(r"\<Token", "<Token", true);
        check(r"[[a]x", "[x", true);
        check(r"[a&&b]", "&", true);
        check(r"\Q.*\E!", ".*!", true);
        check(r"\d", "٣", false);
        check(r"(?i)oom-killer", "OOM-Killer", true);
        check(r"[[:digit:]]+ms", "17ms", true);
        check(r"é+", "éé", true);
        check(r"[éü]", "ü", true);
    }

    #[test]
    fn refuses_what_re2_refuses() {
        for bad in [
            r"a**", r"a+*", r"(", r"a{1001}", r"(?=x)", r"x\", r"[a", r"\1",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
