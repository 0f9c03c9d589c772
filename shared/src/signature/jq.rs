//! jq conditions, by jaq.

use std::fmt;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, unwrap_valr};
use jaq_json::{Val, read};

/// Outputs looked at before a program that gives nothing but null and false counts as not met.
const MAX_OUTPUTS: usize = 10_000;

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
            .chain(jaq_json::defs());
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

    /// Whether the program gives anything but null and false for a text that is one JSON value.
    pub(super) fn is_met(&self, text: &[u8]) -> bool {
        if !could_be_json(text) || serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err() {
            return false;
        }
        let Ok(input) = read::parse_single(text) else {
            return false;
        };
        let context = Ctx::<Kind>::new(&self.filter.lut, Vars::new([]));
        for output in self
            .filter
            .id
            .run((context, input))
            .map(unwrap_valr)
            .take(MAX_OUTPUTS)
        {
            match output {
                Ok(Val::Null | Val::Bool(false)) => {}
                Ok(_) => return true,
                Err(_) => return false,
            }
        }
        false
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
