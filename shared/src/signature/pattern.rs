//! Expressions of the rule format are RE2 as Go writes it; this module turns them into the same
//! language as the `regex` crate writes it.
//!
//! The differences that occur in rules: `{` that begins no repetition is a literal, `\Q…\E` quotes,
//! any escaped punctuation or blank is a literal (`\<` is not a word boundary), classes know no set
//! operations, `\d \s \w` and `\b` are ASCII, the dot and what a class excludes are characters, not
//! bytes, a repetition of a repetition is refused, and a counted repetition goes up to 1,000.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

/// The largest count in `{n,m}` that RE2 accepts.
const MAX_REPEAT: u32 = 1000;

/// A character of several bytes. A byte that is part of none counts as one by itself.
const WIDE: &str = r"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}";

/// Parses an expression of a rule: much cheaper than compiling it, and as strict about syntax.
pub(super) fn parse(expression: &str) -> Result<Hir, String> {
    let parse = |unicode: bool| {
        let translated = translate(expression, unicode)?;
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
    build(expression, false).or_else(|_| build(expression, true))
}

fn build(expression: &str, unicode: bool) -> Result<Regex, String> {
    let translated = translate(expression, unicode)?;
    RegexBuilder::new(&translated)
        .unicode(unicode)
        .build()
        .map_err(|e| last_line(&e.to_string()))
}

/// The last line of a syntax error says what is wrong; the lines before draw it.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or(message).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Rewrites RE2 syntax so that the `regex` crate reads the same expression: over bytes, or over text.
fn translate(expression: &str, unicode: bool) -> Result<String, String> {
    let mut walker = Walker {
        unicode,
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
    unicode: bool,
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
                let start = self.out.len();
                let excludes = self.rest.starts_with("[^");
                self.class()?;
                if excludes && self.counts_characters() {
                    let class = self.out.split_off(start);
                    self.out.push_str(&format!("(?:{WIDE}|{class})"));
                }
                Ok(())
            }
            '.' if !self.unicode => {
                self.repeated = false;
                self.take(1);
                if self.counts_characters() {
                    self.out.push_str(&format!("(?:{WIDE}|.)"));
                } else {
                    self.out.push('.');
                }
                Ok(())
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

    /// Whether what was just read is not repeated without bound, so that it matters how many bytes a
    /// character has.
    fn counts_characters(&self) -> bool {
        !self.unicode && !self.rest.starts_with(['*', '+'])
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
            ' ' => self.out.push_str("\\x20"),
            _ => {
                self.out.push('\\');
                self.out.push(c);
                // `\p{Greek}`, `\x{41}`: these braces count nothing.
                if matches!(c, 'p' | 'P' | 'x') && self.rest.starts_with('{') {
                    let end = self.rest.find('}').ok_or("missing } of an escape")?;
                    let name = self.take(end + 1);
                    self.out.push_str(name);
                }
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
                // Two in a row are no set operation.
                '-' if self.rest.starts_with("--") && !first => {
                    self.out.push('-');
                    self.take(1);
                    self.class_literal('-');
                }
                '-' if first => self.class_literal(c),
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
        check(r"couldn.t open", "couldn’t open", true);
        check(r"^.{3}$", "äöü", true);
        check(r"^.{3}$", "äöüß", false);
        check(r"^[^x]{2,3}$", "汉字", true);
        check(r"^a[^b]?c$", "a…c", true);
        check(r"a\ b", "a b", true);
        check(r"[+--]x", "-x", true);
        check(r"^[+--]$", ".", false);
        check(r"^[--/]$", ".", true);
        check(r"^[a-]$", "-", true);
        check(r"(?s)a.b", "a-b", true);
        check(r"(?P<code>\d{3}) (?:Bad|Service)", "HTTP 503 Service", true);
        check(r"\AERROR.*x\z", "ERROR: x", true);
        check(r"(?U)a+$", "caa", true);
        check(r"\pL\p{Greek}", "éα", true);
        check(r"\x41\x{42}", "AB", true);
        check(r"(?i:warn)ING", "WaRnING", true);
        check(r"(?i:warn)ING", "warning", false);
        check(r"[[:^digit:]]x", "1x", false);
        check(r"^\S+ \[\w+]", "a [b]", true);
        check(r"^$", "", true);
        check(r"a|", "b", true);
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
