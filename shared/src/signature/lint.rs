//! Advice on signatures that are valid: what makes them slow, vague or hard to help with.

use super::literal;
use super::model::{Matcher, Signature};

/// The prefilter works best with literals of at least this length.
const GOOD_LITERAL: usize = 8;

/// What could be better about a signature, one remark each.
pub fn lint(signature: &Signature) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(rule) = &signature.rule {
        if let Some(reason) = &rule.unsupported {
            remarks.push(format!("is never evaluated: {reason}"));
        }
        for positive in &rule.positives {
            remarks.extend(matcher(&positive.matcher));
        }
    }
    let texts = [
        ("title", &signature.title),
        ("category", &signature.category),
        ("cause", &signature.cause),
    ];
    let empty = texts.iter().filter(|(_, text)| text.is_empty());
    remarks.extend(empty.map(|(name, _)| format!("has no {name}")));
    if let Some(extension) = &signature.extension {
        for (audience, steps) in [
            ("plain", &extension.fix.plain),
            ("expert", &extension.fix.expert),
        ] {
            for (language, list) in [("English", &steps.en), ("Chinese", &steps.zh)] {
                if list.is_empty() {
                    remarks.push(format!("has no {audience} fix steps in {language}"));
                }
            }
        }
        if extension.tests.iter().all(|t| t.fires) {
            remarks.push("has no test in which it must not fire".to_owned());
        }
        if signature.references.is_empty() {
            remarks.push("has no references".to_owned());
        }
    }
    remarks
}

fn matcher(matcher: &Matcher) -> Option<String> {
    let (shown, required) = match matcher {
        Matcher::Literal(text) => (
            format!("{text:?}"),
            Some(literal::of_literal(text.as_bytes())),
        ),
        Matcher::Regex(expression) => (
            format!("/{expression}/"),
            literal::of_expression(expression).into_iter().next(),
        ),
        Matcher::Jq(program) => (format!("jq {program}"), None),
    };
    let Some(required) = required else {
        return Some(format!(
            "{shown} requires no literal: every entry must be looked at"
        ));
    };
    let shortest = required.iter().map(|l| l.text.len()).min().unwrap_or(0);
    (shortest < GOOD_LITERAL).then(|| {
        format!(
            "{shown} requires only {shortest} bytes of literal; {GOOD_LITERAL} or more are fast"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Catalogue;

    #[test]
    fn says_what_is_slow_and_what_is_missing() {
        let yaml = "rules:\n  - cre: {id: CRE-1, title: t, category: c}\n    rule:\n      set:\n        \
                    event: {source: cre.log.x}\n        match: [{regex: '5\\d\\d'}]\n";
        let catalogue = Catalogue::load([("x.yaml", yaml)]).unwrap();
        let remarks = lint(&catalogue.signatures[0]);
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert!(remarks[0].contains("only 1 bytes"), "{remarks:?}");
        assert!(remarks[1].contains("no cause"), "{remarks:?}");
    }
}
