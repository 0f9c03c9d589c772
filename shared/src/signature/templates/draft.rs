//! From an unknown error to a draft of a signature: valid, and firing on the line it was made from.

use thiserror::Error;

use super::Template;
use super::mask::HOLE;
use crate::hash::sha256;
use crate::signature::model::Signature;
use crate::signature::source::Cover;
use crate::signature::{Catalogue, LoadError, SourceMap, test_signature};

/// The source that means every text log.
const ANY: &str = "sitrep.log.any";

/// A template that no signature can be made of.
#[derive(Debug, Error)]
pub enum DraftError {
    /// The draft would not load.
    #[error("the draft is not valid")]
    Invalid(#[source] LoadError),
    /// The draft would not fire on the example.
    #[error("the draft does not fire on its own line: {0}")]
    Silent(String),
    /// There is nothing in the line to recognise it by.
    #[error("the line has no words to recognise it by")]
    Empty,
}

/// A signature file, status draft, that recognises the lines of a template. It was loaded and tested.
///
/// # Errors
/// When the line gives nothing to recognise it by.
pub fn draft(template: &Template, sources: &SourceMap) -> Result<String, DraftError> {
    let condition = condition(template).ok_or(DraftError::Empty)?;
    let text = write(template, sources, &condition);
    let invalid = |mut errors: Vec<LoadError>| match errors.pop() {
        Some(error) => DraftError::Invalid(error),
        None => DraftError::Empty,
    };
    let catalogue = Catalogue::load([("draft.yaml", &text)]).map_err(invalid)?;
    let failures = catalogue
        .signatures
        .iter()
        .flat_map(|s: &Signature| test_signature(s, sources));
    match failures.map(|failure| failure.message).next() {
        Some(message) => Err(DraftError::Silent(message)),
        None => Ok(text),
    }
}

/// The condition, as YAML: a literal, or an expression with gaps.
fn condition(template: &Template) -> Option<String> {
    let pieces: Vec<&str> = template
        .text
        .split(HOLE)
        .map(str::trim)
        .filter(|p| p.len() > 1)
        .collect();
    let blank = |piece: &&str| !piece.chars().any(char::is_alphabetic);
    if pieces.iter().all(blank) {
        return None;
    }
    if let [only] = pieces.as_slice()
        && template.example.contains(only)
    {
        return Some(format!("value: {}", quoted(only)));
    }
    let expressions: Vec<String> = pieces
        .iter()
        .map(|piece| {
            let escaped = escape(piece);
            if template.example.contains(piece) {
                escaped
            } else {
                escaped.replace(' ', r"\s+")
            }
        })
        .collect();
    Some(format!("regex: {}", quoted(&expressions.join(".*"))))
}

fn escape(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    text.chars().fold(String::new(), |mut out, c| {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// A text as YAML takes it whatever it holds: JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write(template: &Template, sources: &SourceMap, condition: &str) -> String {
    let looked = sources.look(&template.file);
    let covers = |name: &str| sources.covers(name, &looked, &template.file) == Cover::Whole;
    let named = sources.names().find(|name| *name != ANY && covers(name));
    let source = named.unwrap_or(ANY);
    let digest = sha256(template.text.as_bytes()).to_string();
    let (short, long) = (&digest[..8], digest[..20].replace('0', "z"));
    // The path belongs to the test only where the source means it.
    let path = if covers(source) {
        format!(", path: {}", quoted(&template.file))
    } else {
        String::new()
    };
    let title: String = template.text.replace(HOLE, "…").chars().take(100).collect();
    let log = quoted(&format!("{}\n", template.example));
    format!(
        "rules:\n  - metadata: {{id: {long}, kind: sitrep, version: \"0.1.0\"}}\n    cre:\n      id: SIG-D{short}\n      \
         severity: 2\n      title: {}\n      category: unknown\n      cause: \"\"\n      impact: \"\"\n      mitigation: \"\"\n      \
         references: []\n    sitrep:\n      status: draft\n      fix:\n        plain: {{en: [], zh: []}}\n        \
         expert: {{en: [], zh: []}}\n      tests:\n        - {{name: the line it was made from, fires: true, \
         evidence: [1]{path}, log: {log}}}\n    rule:\n      set:\n        event: {{source: {source}}}\n        \
         match:\n          - {condition}\n",
        quoted(&title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_valid_and_fires_on_its_line() {
        let sources = SourceMap::embedded().unwrap();
        for (text, example, file) in [
            (
                "app[<*>]: ERROR cannot reach <*>: no route",
                "Nov 21 02:00:01 web-1 app[7]: ERROR cannot reach db-1:5432: no route",
                "sos/var/log/syslog",
            ),
            ("plain error", "plain   error", "app.txt"),
            (
                r#"say "C:\x" (again)? {error}"#,
                r#"say "C:\x" (again)? {error}"#,
                "sos/var/log/a.log",
            ),
            (
                "<*> error: a.b*c",
                "x9 error: a.b*c",
                "sos/var/log/nginx/error.log",
            ),
            ("错误: 磁盘 <*>", "错误: 磁盘 sda1", "sos/var/log/messages"),
        ] {
            let template = Template {
                text: text.into(),
                count: 1,
                file: file.into(),
                line: 1,
                example: example.into(),
            };
            let yaml =
                draft(&template, &sources).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let catalogue = Catalogue::load([("draft.yaml", &yaml)]).unwrap();
            assert_eq!(catalogue.signatures.len(), 1, "{yaml}");
            assert!(!catalogue.signatures[0].is_active(), "a draft is not run");
        }
    }

    #[test]
    fn a_line_without_words_gives_no_draft() {
        let template = Template {
            text: "<*> 1".into(),
            count: 1,
            file: "a.log".into(),
            line: 1,
            example: "7 1".into(),
        };
        let refused = draft(&template, &SourceMap::embedded().unwrap());
        assert!(matches!(refused, Err(DraftError::Empty)), "{refused:?}");
    }
}
