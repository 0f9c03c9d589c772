//! Decides the part of a signature that looks at facts: `requires`, versions, suppression.

mod evidence;

use std::cmp::Ordering;

use serde_json::Value;

use super::condition::{self, Truth};
use super::engine::Compiled;
use super::finding::Evidence;
use super::model::PackageVersion;
use super::version;

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

/// The facts that a finding rests on: those of its condition, and the version of its package.
pub(super) fn evidence(compiled: &Compiled, facts: &Value) -> Vec<Evidence> {
    let Some(extension) = &compiled.signature.extension else {
        return Vec::new();
    };
    let named = extension.evidence_fact.as_deref();
    let condition = extension.requires.as_deref().unwrap_or_default();
    let mut shown = evidence::of(condition, named, facts);
    for wanted in extension
        .introduced_in
        .iter()
        .chain(&extension.fixed_in)
        .take(1)
    {
        let fact = format!("packages.versions.{}", wanted.package);
        let fixed = extension.fixed_in.as_ref();
        let why = match fixed {
            Some(fixed) => format!("{} is fixed in {}", fixed.package, fixed.version),
            None => format!("{} has it since {}", wanted.package, wanted.version),
        };
        let version = evidence::of("", Some(&fact), facts);
        shown.extend(version.into_iter().map(|e| Evidence {
            why: why.clone(),
            ..e
        }));
    }
    shown
}
