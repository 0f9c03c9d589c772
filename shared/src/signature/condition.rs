//! Conditions on facts: CEL with three values. What the facts do not say is unknown, never false.

use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, ExecutionError, Program, Value};

/// What a pattern inside a condition may grow to.
const PATTERN_BYTES: usize = 1 << 20;

/// What a condition came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// It cannot be decided; the text says what is missing.
    Unknown(String),
}

/// Compiles a condition; the error is one line.
pub(super) fn compile(text: &str) -> Result<Program, String> {
    Program::compile(text).map_err(|e| {
        let text = e.to_string();
        text.lines()
            .find(|l| !l.trim().is_empty())
            .unwrap_or("syntax error")
            .trim()
            .to_owned()
    })
}

/// Decides a compiled condition on the facts, given as the JSON of `meta/facts.json`.
pub(super) fn decide(program: &Program, facts: &serde_json::Value) -> Truth {
    execute(program, &context(facts))
}

/// The same for the body of a macro, with the variable that it is about.
pub(super) fn decide_for(
    program: &Program,
    facts: &serde_json::Value,
    variable: &str,
    element: &serde_json::Value,
) -> Truth {
    let mut context = context(facts);
    context.add_variable_from_value(variable.to_owned(), value(element));
    execute(program, &context)
}

fn context(facts: &serde_json::Value) -> Context<'static, 'static> {
    let mut context = Context::default();
    context
        .add_function("matches", matches)
        .expect("the context is one that functions can be added to");
    context.add_variable_from_value("facts", value(facts));
    context
}

/// CEL's `matches`. The library's own would bring every table of Unicode into the agent, and sets no limit.
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<bool, ExecutionError> {
    regex::RegexBuilder::new(&pattern)
        .size_limit(PATTERN_BYTES)
        .build()
        .map(|pattern| pattern.is_match(&text))
        .map_err(|e| ExecutionError::FunctionError {
            function: "matches".to_owned(),
            message: e.to_string(),
        })
}

fn execute(program: &Program, context: &Context<'_, '_>) -> Truth {
    match program.execute(context) {
        Ok(Value::Bool(true)) => Truth::Yes,
        Ok(Value::Bool(false)) => Truth::No,
        Ok(other) => Truth::Unknown(format!(
            "the condition gives {:?}, not a truth value",
            other.type_of()
        )),
        Err(ExecutionError::NoSuchKey(key)) => {
            Truth::Unknown(format!("the facts do not say `{key}`"))
        }
        Err(error) => Truth::Unknown(error.to_string()),
    }
}

/// JSON as CEL sees it: whole numbers are ints, so that they compare with plain literals.
fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => Value::Int(i),
            (None, Some(f)) => Value::Float(f),
            (None, None) => Value::Null,
        },
        serde_json::Value::String(s) => Value::from(s.as_str()),
        serde_json::Value::Array(list) => Value::from(list.iter().map(value).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => {
            let entries: std::collections::HashMap<String, Value> = map
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), value(v)))
                .collect();
            Value::from(entries)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_yes_no_and_unknown() {
        let facts = serde_json::json!({
            "disks": [{"mount": "/", "used_pct": 97}, {"mount": "/boot", "used_pct": 12.5}],
            "memory": {"available_bytes": 1_000, "total_bytes": null},
            "units": {"failed": ["nginx.service"]},
            "clock": {"synchronized": false, "offset_ms": -10_800_000},
        });
        let check = |text: &str, expected: Option<bool>| {
            let truth = decide(&compile(text).unwrap(), &facts);
            let got = match &truth {
                Truth::Yes => Some(true),
                Truth::No => Some(false),
                Truth::Unknown(_) => None,
            };
            assert_eq!(got, expected, "{text}: {truth:?}");
        };
        check("facts.disks.exists(d, d.used_pct >= 95)", Some(true));
        check("facts.disks.exists(d, d.used_pct > 99)", Some(false));
        check("facts.disks.all(d, d.used_pct > 12.0)", Some(true));
        check("facts.memory.available_bytes < 2000", Some(true));
        check("facts.memory.total_bytes > 5", None);
        check("facts.pressure.cpu > 5", None);
        check("size(facts.units.failed) > 0", Some(true));
        check(
            "!facts.clock.synchronized && facts.clock.offset_ms < -1000",
            Some(true),
        );
        check("has(facts.pressure) && facts.pressure.x > 1", Some(false));
        check(
            "facts.units.failed.exists(u, u.startsWith('nginx'))",
            Some(true),
        );
        check(
            "facts.units.failed.exists(u, u.matches('^ng.*e$'))",
            Some(true),
        );
        check("matches('foobar', '^[a-z]*$')", Some(true));
        check("facts.units.failed.exists(u, u.matches('(nginx'))", None);
        check(
            "facts.units.failed.exists(u, u.matches('(a{900}){900}'))",
            None,
        );
        check("facts.disks", None);
    }

    #[test]
    fn refuses_what_is_not_cel() {
        assert!(compile("facts.disks.exists(").is_err());
    }
}
