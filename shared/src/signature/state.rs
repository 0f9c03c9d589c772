//! Decides the part of a signature that looks at facts: `requires`, versions, suppression.

use std::cmp::Ordering;

use serde_json::Value;

use super::condition::{self, Truth};
use super::engine::Compiled;
use super::finding::{Evidence, MAX_TEXT, excerpt};
use super::model::PackageVersion;
use super::version;

/// Where facts are in a bundle, for evidence that has no file of its own.
const FACTS_FILE: &str = "meta/facts.json";

/// Whether the facts allow the finding.
pub(super) fn holds(compiled: &Compiled, facts: Option<&Value>) -> Truth {
    let Some(extension) = &compiled.signature.extension else {
        return Truth::Yes;
    };
    let needs = compiled.requires.is_some()
        || extension.introduced_in.is_some()
        || extension.fixed_in.is_some();
    if !needs {
        return Truth::Yes;
    }
    let Some(facts) = facts else {
        return Truth::Unknown("there are no facts".to_owned());
    };
    let mut truth = Truth::Yes;
    if let Some(requires) = &compiled.requires {
        truth = condition::decide(requires, facts);
    }
    let introduced = extension.introduced_in.as_ref().map(|v| (v, false));
    let fixed = extension.fixed_in.as_ref().map(|v| (v, true));
    for (wanted, below) in introduced.into_iter().chain(fixed) {
        truth = and(truth, affected(wanted, below, facts));
    }
    truth
}

/// No wins over unknown, unknown over yes.
fn and(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Truth::No, _) | (_, Truth::No) => Truth::No,
        (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => Truth::Unknown(why),
        (Truth::Yes, Truth::Yes) => Truth::Yes,
    }
}

/// Whether the installed version is below (or not below) the wanted one. A package that is known
/// not to be installed is not affected.
fn affected(wanted: &PackageVersion, below: bool, facts: &Value) -> Truth {
    let packages = &facts["packages"];
    let Some(versions) = packages["versions"].as_object() else {
        return Truth::Unknown("the facts do not list packages".to_owned());
    };
    let Some(installed) = versions.get(&wanted.package).and_then(Value::as_str) else {
        return Truth::No;
    };
    let manager = packages["manager"].as_str().unwrap_or("dpkg");
    let order = version::compare(manager, installed, &wanted.version);
    if (order == Ordering::Less) == below {
        Truth::Yes
    } else {
        Truth::No
    }
}

/// The reason of a suppression that holds now.
pub(super) fn suppressed(
    compiled: &Compiled,
    facts: Option<&Value>,
    now_ms: i64,
) -> Option<String> {
    let extension = compiled.signature.extension.as_ref()?;
    let facts = facts?;
    let rules = extension.suppress.iter().zip(&compiled.suppress);
    let mut standing = rules.filter(|(rule, _)| rule.until_ms.is_none_or(|until| now_ms <= until));
    let (rule, _) =
        standing.find(|(_, program)| condition::decide(program, facts) == Truth::Yes)?;
    Some(rule.reason.clone())
}

/// The facts that a state-only signature rests on.
pub(super) fn evidence(compiled: &Compiled, facts: &Value) -> Vec<Evidence> {
    let extension = compiled.signature.extension.as_ref();
    let why = extension
        .and_then(|e| e.requires.clone())
        .unwrap_or_default();
    let path = extension
        .and_then(|e| e.evidence_fact.clone())
        .unwrap_or_else(|| first_fact(&why));
    let path = path.strip_prefix("facts.").unwrap_or(&path);
    let mut value = facts;
    let mut item = None;
    for part in path.split('.').filter(|p| !p.is_empty()) {
        item = value.get("item").and_then(Value::as_str).or(item);
        value = &value[part];
    }
    item = value.get("item").and_then(Value::as_str).or(item);
    let text = format!("{path}: {value}");
    let text = excerpt(text.as_bytes(), MAX_TEXT);
    vec![Evidence {
        file: item.unwrap_or(FACTS_FILE).to_owned(),
        text,
        why,
        ..Evidence::default()
    }]
}

/// The first `facts.x.y` that a condition names.
fn first_fact(condition: &str) -> String {
    let Some(start) = condition.find("facts.") else {
        return String::new();
    };
    let rest = &condition[start + "facts.".len()..];
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    rest[..end].to_owned()
}
