//! jq conditions, by jaq.

use std::fmt;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, unwrap_valr};
use jaq_json::{Val, read};

/// Outputs looked at before a program that gives nothing but null and false counts as not met.
const MAX_OUTPUTS: usize = 10_000;

/// What jq's manual has and jaq does not.
const MORE: &str = include_str!("jq/more.jq");

type Kind = data::JustLut<Val>;

/// A compiled jq program.
pub(super) struct Program {
    filter: Filter<Kind>,
}

impl Program {
    /// Compiles a program; the error names the first fault.
    pub(super) fn compile(code: &str) -> Result<Self, String> {
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .chain(jaq_core::load::parse(MORE, |p| p.defs()).unwrap_or_default());
        let functions = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(definitions)
            .load(&arena, File { code, path: () })
            .map_err(|_| "syntax error".to_owned())?;
        let filter = Compiler::default()
            .with_funs(functions)
            .compile(modules)
            .map_err(|errors| {
                let first = errors.into_iter().flat_map(|(_, list)| list).next();
                first.map_or_else(
                    || "unknown name".to_owned(),
                    |(name, _)| format!("`{name}` is not defined"),
                )
            })?;
        Ok(Self { filter })
    }

    /// Whether the program gives anything but null and false, and no error, for a text that is one JSON
    /// value.
    pub(super) fn is_met(&self, text: &[u8]) -> bool {
        if !could_be_json(text) || serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err() {
            return false;
        }
        let Ok(input) = read::parse_single(text).or_else(|_| read::parse_single(&mended(text)))
        else {
            return false;
        };
        let context = Ctx::<Kind>::new(&self.filter.lut, Vars::new([]));
        let mut met = false;
        for output in self
            .filter
            .id
            .run((context, input))
            .map(unwrap_valr)
            .take(MAX_OUTPUTS)
        {
            match output {
                Ok(Val::Null | Val::Bool(false)) => {}
                Ok(_) => met = true,
                // Also behind outputs that would do: the reference takes them back.
                Err(_) => return false,
            }
        }
        met
    }
}

/// A cheap look before parsing: most log lines are not JSON.
fn could_be_json(text: &[u8]) -> bool {
    let first = text.iter().find(|b| !b.is_ascii_whitespace());
    first.is_some_and(|b| {
        matches!(
            b,
            b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'
        )
    })
}

/// JSON with replacement characters where its strings are no Unicode: bytes that are none, and halves of
/// pairs that stand alone.
fn mended(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(escape, 16).ok()
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let taken = match (bytes[at], unit(at)) {
            (b'\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            (b'\\', Some(0xd800..=0xdfff)) => {
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (b'\\', _) => 2,
            _ => 1,
        };
        out.extend_from_slice(&bytes[at..bytes.len().min(at + taken)]);
        at += taken;
    }
    out
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

#[cfg(test)]
mod tests {
    use super::Program;

    #[test]
    fn is_met_by_anything_but_null_and_false() {
        let check = |code: &str, text: &str, expected: bool| {
            let program = Program::compile(code).unwrap();
            assert_eq!(
                program.is_met(text.as_bytes()),
                expected,
                "{code} on {text}"
            );
        };
        check(r#".event == "crash""#, r#"{"event":"crash"}"#, true);
        check(r#".event == "crash""#, r#"{"event":"other"}"#, false);
        check(r#"select(.level == "error")"#, r#"{"level":"error"}"#, true);
        check(r#"select(.level == "error")"#, r#"{"level":"info"}"#, false);
        check(".missing", r#"{"a":1}"#, false);
        check(".a.b", r#"{"a":1}"#, false);
        check(".a", "not json {", false);
        check(".a", r#"{"a":1} trailing"#, false);
        check(
            r#".msg | test("^conn")"#,
            r#"{"msg":"connection lost"}"#,
            true,
        );
    }

    #[test]
    fn refuses_what_does_not_compile() {
        for bad in [".a ==", "nonsense(.)", "select("] {
            assert!(Program::compile(bad).is_err(), "{bad}");
        }
    }
}
