//! The facts that a finding rests on: of a list only the elements that meet the condition, and each
//! single value that the condition names.

use serde_json::Value;

use super::super::condition::{self, Truth};
use super::super::finding::{Evidence, MAX_TEXT, excerpt};

/// Where facts are in a bundle, for evidence that has no file of its own.
const FACTS_FILE: &str = "meta/facts.json";
/// Pieces of evidence shown for one state.
const MAX_SHOWN: usize = 20;

/// A place in a condition that names a fact.
#[derive(Debug, PartialEq, Eq)]
struct Mention {
    path: Vec<String>,
    /// The variable and the body of an `exists` over the fact.
    exists: Option<(String, String)>,
    negated: bool,
}

/// What to show for a condition that holds; `named` is the path that the signature's author chose.
pub(super) fn of(condition: &str, named: Option<&str>, facts: &Value) -> Vec<Evidence> {
    let mut shown: Vec<Evidence> = Vec::new();
    let mut show = |path: &str, value: &Value, file: &str| {
        let text = format!("{path}: {}", plain(value));
        let evidence = Evidence {
            file: file.to_owned(),
            text: excerpt(text.as_bytes(), MAX_TEXT),
            why: condition.to_owned(),
            ..Evidence::default()
        };
        if shown.len() < MAX_SHOWN && !shown.contains(&evidence) {
            shown.push(evidence);
        }
    };
    for mention in mentions(condition) {
        let Some((value, file)) = look_up(facts, &mention.path) else {
            continue;
        };
        let path = mention.path.join(".");
        match (&mention.exists, value) {
            (Some((variable, body)), Value::Array(list)) if !mention.negated => {
                for element in matching(list, variable, body, facts) {
                    show(&path, element, item(element).unwrap_or(file));
                }
            }
            (Some(_), _) | (None, Value::Array(_) | Value::Object(_) | Value::Null) => {}
            (None, single) => show(&path, single, file),
        }
    }
    if shown.is_empty() {
        let path: Vec<String> = named
            .map(|n| n.strip_prefix("facts.").unwrap_or(n))
            .unwrap_or_default()
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let found = look_up(facts, &path).filter(|(value, _)| !path.is_empty() && !value.is_null());
        let mentioned = || {
            mentions(condition)
                .into_iter()
                .find_map(|m| look_up(facts, &m.path).map(|(value, file)| (m.path, value, file)))
        };
        if let Some((path, value, file)) = found
            .map(|(value, file)| (path, value, file))
            .or_else(mentioned)
        {
            shown.extend(whole(condition, &path.join("."), value, file));
        }
    }
    shown
}

/// A fact as a whole: a list element by element.
fn whole(condition: &str, path: &str, value: &Value, file: &str) -> Vec<Evidence> {
    let one = |value: &Value| Evidence {
        file: item(value).unwrap_or(file).to_owned(),
        text: excerpt(format!("{path}: {}", plain(value)).as_bytes(), MAX_TEXT),
        why: condition.to_owned(),
        ..Evidence::default()
    };
    match value {
        Value::Array(list) => list.iter().take(MAX_SHOWN).map(one).collect(),
        single => vec![one(single)],
    }
}

/// The elements that meet the body of an `exists`.
fn matching<'v>(list: &'v [Value], variable: &str, body: &str, facts: &Value) -> Vec<&'v Value> {
    let Ok(program) = condition::compile(body) else {
        return Vec::new();
    };
    list.iter()
        .filter(|element| condition::decide_for(&program, facts, variable, element) == Truth::Yes)
        .collect()
}

/// A value for a person: without the path that it was read from, texts without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let fields = map
                .iter()
                .filter(|(key, value)| *key != "item" && !value.is_null());
            let fields: Vec<String> = fields
                .map(|(key, value)| format!("{key} {}", plain(value)))
                .collect();
            fields.join(", ")
        }
        Value::Array(list) => {
            let texts: Vec<String> = list.iter().map(plain).collect();
            format!("[{}]", texts.join(", "))
        }
        other => other.to_string(),
    }
}

fn item(value: &Value) -> Option<&str> {
    value.get("item").and_then(Value::as_str)
}

/// The value at a path, and the file it was read from.
fn look_up<'v>(facts: &'v Value, path: &[String]) -> Option<(&'v Value, &'v str)> {
    let mut value = facts;
    let mut file = FACTS_FILE;
    let mut rest = path;
    while let [first, more @ ..] = rest {
        file = item(value).unwrap_or(file);
        // A name with dots in it is one key: `sysctl.vm.swappiness`, `packages.versions.libc6.1`.
        let joined = rest.join(".");
        match value.get(&joined) {
            Some(found) => {
                value = found;
                rest = &[];
            }
            None => {
                value = value.get(first)?;
                rest = more;
            }
        }
    }
    let own = || facts.get("sources")?.get(path.join("."))?.as_str();
    Some((value, item(value).or_else(own).unwrap_or(file)))
}

/// Every place in a condition that names a fact, in order.
fn mentions(condition: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let bytes = condition.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = quoted_end(condition, at) {
            at = end;
            continue;
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        let starts = condition[at..].starts_with("facts.") && (at == 0 || !word(bytes[at - 1]));
        if !starts {
            at += condition[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let negated = condition[..at].trim_end().ends_with('!');
        let (mut mention, end) = path_at(condition, at + "facts".len());
        mention.negated = negated;
        // The body may name facts as well.
        at = end;
        found.push(mention);
    }
    found
}

/// Reads `.name`, `['name']` and a call behind `facts`; gives where to go on.
fn path_at(condition: &str, mut at: usize) -> (Mention, usize) {
    let mut mention = Mention {
        path: Vec::new(),
        exists: None,
        negated: false,
    };
    loop {
        let rest = &condition[at..];
        if let Some(after) = rest.strip_prefix('.') {
            let length = after
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(after.len());
            let name = &after[..length];
            let behind = at + 1 + length;
            if condition[behind..].starts_with('(') {
                if name.starts_with("exists") {
                    mention.exists = body(&condition[behind..]);
                }
                return (mention, behind + 1);
            }
            mention.path.push(name.to_owned());
            at = behind;
        } else if rest.starts_with("['") || rest.starts_with("[\"") {
            let Some(end) = quoted_end(condition, at + 1) else {
                return (mention, at + 1);
            };
            mention.path.push(condition[at + 2..end - 1].to_owned());
            at = end + usize::from(condition[end..].starts_with(']'));
        } else {
            return (mention, at);
        }
    }
}

/// The variable and the body of a call `(variable, body)`.
fn body(call: &str) -> Option<(String, String)> {
    let mut depth = 0;
    let mut at = 0;
    while at < call.len() {
        if let Some(end) = quoted_end(call, at) {
            at = end;
            continue;
        }
        match call.as_bytes()[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (variable, body) = call[1..at].split_once(',')?;
            return Some((variable.trim().to_owned(), body.trim().to_owned()));
        }
        at += call[at..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

/// Behind the quoted text that begins at `at`, when one does.
fn quoted_end(text: &str, at: usize) -> Option<usize> {
    let quote = *text.as_bytes().get(at)?;
    if quote != b'\'' && quote != b'"' {
        return None;
    }
    let mut end = at + 1;
    while end < text.len() {
        match text.as_bytes()[end] {
            b'\\' => end += 1,
            b if b == quote => return Some(end + 1),
            _ => {}
        }
        end += 1;
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(condition: &str, named: Option<&str>, expected: &[(&str, &str)]) {
        let facts = json!({
            "disks": [
                {"mount": "/", "used_pct": 97, "item": "sos_commands/filesys/df"},
                {"mount": "/boot", "used_pct": 12},
                {"mount": "/var", "used_pct": 99},
            ],
            "memory": {"available_bytes": 1000, "item": "proc/meminfo"},
            "pressure": {"cpu_some_avg10": 95.5, "item": "proc/pressure/io"},
            "sources": {"pressure.cpu_some_avg10": "proc/pressure/cpu"},
            "sysctl": {"vm.swappiness": "60"},
            "units": {"failed": ["nginx.service", "x.service"]},
            "packages": {"versions": {"libc6": "2.36"}},
        });
        let shown = of(condition, named, &facts);
        let got: Vec<(&str, &str)> = shown
            .iter()
            .map(|e| (e.file.as_str(), e.text.as_str()))
            .collect();
        assert_eq!(got, expected, "{condition}");
        assert!(shown.iter().all(|e| e.line == 0 && e.why == condition));
    }

    #[test]
    fn shows_the_elements_that_match_and_the_values_that_are_named() {
        check(
            "facts.disks.exists(d, d.used_pct >= 95)",
            Some("disks"),
            &[
                ("sos_commands/filesys/df", "disks: mount /, used_pct 97"),
                ("meta/facts.json", "disks: mount /var, used_pct 99"),
            ],
        );
        check(
            "facts.memory.available_bytes < 2000 && !facts.disks.exists(d, d.mount == '/x')",
            Some("disks"),
            &[("proc/meminfo", "memory.available_bytes: 1000")],
        );
        check(
            "facts.pressure.cpu_some_avg10 > 50.0",
            None,
            &[("proc/pressure/cpu", "pressure.cpu_some_avg10: 95.5")],
        );
        check(
            "int(facts.sysctl['vm.swappiness']) > 50",
            Some("sysctl"),
            &[("meta/facts.json", "sysctl.vm.swappiness: 60")],
        );
        check(
            "facts.disks.exists(d, d.mount == '/boot' && facts.memory.available_bytes < 5000)",
            None,
            &[
                ("meta/facts.json", "disks: mount /boot, used_pct 12"),
                ("proc/meminfo", "memory.available_bytes: 1000"),
            ],
        );
        check(
            "size(facts.units.failed) > 0",
            Some("units.failed"),
            &[
                ("meta/facts.json", "units.failed: nginx.service"),
                ("meta/facts.json", "units.failed: x.service"),
            ],
        );
        check(
            "['libc6'].exists(p, facts.packages.versions[p].startsWith('2.3'))",
            Some("packages.versions.libc6"),
            &[("meta/facts.json", "packages.versions.libc6: 2.36")],
        );
    }
}
