//! The rule families: data files under `shared/redaction/`, compiled into the program.
//!
//! A file holds what is looked for (key words, token formats), what that removes and leaves in
//! words, and examples that are run as tests.

use crate::data;
use crate::redact::Level;
use serde::Deserialize;
use std::sync::OnceLock;

/// A rule or a family that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A pattern is not a valid expression or too large.
    #[error("pattern of rule {rule}")]
    Pattern {
        /// The rule.
        rule: String,
        /// Why.
        #[source]
        source: Box<regex::Error>,
    },
    /// A family is not of its form.
    #[error("a family of redaction rules is not of its form")]
    Form(#[source] serde_json::Error),
    /// Something about a rule is not allowed.
    #[error("rule {rule}: {message}")]
    Rule {
        /// The rule.
        rule: String,
        /// Why.
        message: String,
    },
}

/// One family of rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Identifier; the rules' names begin with it.
    pub family: String,
    /// Name for people.
    pub title: String,
    /// From which level on it is active.
    pub level: Level,
    /// What it removes, in words.
    pub removes: String,
    /// What it leaves, in words.
    pub leaves: String,
    /// Rules of the family, with the label that their markers carry.
    #[serde(default)]
    pub rules: Vec<RuleName>,
    /// Key words.
    #[serde(default)]
    pub words: Vec<Words>,
    /// Last words of a key that name a place or a property of a secret, not the secret.
    #[serde(default)]
    pub tails: Vec<String>,
    /// Words that contain a key word and mean something else.
    #[serde(default)]
    pub innocent: Vec<String>,
    /// Literals that lead to keys.
    #[serde(default)]
    pub anchors: Vec<String>,
    /// Token formats.
    #[serde(default)]
    pub tokens: Vec<Token>,
    /// Texts with what must go and what must stay.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// A rule's name and the label in its markers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleName {
    /// Rule.
    pub id: String,
    /// Label: at most seven characters, so that it is never a long piece of a secret.
    pub mark: String,
}

/// Words that make a key one of a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Rule.
    pub rule: String,
    /// A word that ends with one of these.
    #[serde(default)]
    pub ends: Vec<String>,
    /// A word that is one of these.
    #[serde(default)]
    pub is: Vec<String>,
    /// Only when one of these stands before it in the key; otherwise the value must look random.
    #[serde(default)]
    pub after: Vec<String>,
    /// Not when one of these words stands before it in the key.
    #[serde(default)]
    pub unless: Vec<String>,
    /// The value must look random in any case.
    #[serde(default)]
    pub random: bool,
    /// Only as a parameter of a URL, and the value must look random.
    #[serde(default)]
    pub query: bool,
    /// The words name providers: any other telling word of the key goes before.
    #[serde(default)]
    pub provider: bool,
}

/// A well-known token format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Rule.
    pub id: String,
    /// Literal that leads to it.
    pub lit: String,
    /// Expression from the literal on (bytes, case-sensitive).
    pub re: String,
    /// Characters that the token has before the literal: class and least and greatest number.
    #[serde(default)]
    pub back: Option<Back>,
    /// Whether a word character may stand right before it.
    #[serde(default)]
    pub glued: bool,
    /// Digits and letters must be mixed, or the text is a name that happens to fit.
    #[serde(default)]
    pub mixed: bool,
    /// The value must look random.
    #[serde(default)]
    pub random: bool,
    /// What stands in its place instead of a marker: `user`, `card`, `serial`, `ip`, `mac`.
    #[serde(default)]
    pub stand: Option<String>,
    /// Ignore ASCII case.
    #[serde(default)]
    pub fold: bool,
    /// Only in files of this kind: `network`, `modem`.
    #[serde(default)]
    pub only: Option<String>,
    /// The parts to remove: all groups of the expression from this one on; 0 is the whole.
    #[serde(default)]
    pub group: usize,
}

/// Characters before a literal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// Expression of one character.
    pub class: String,
    /// Least number.
    pub min: usize,
    /// Greatest number.
    pub max: usize,
}

/// A text that is run as a test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// File name, for rules that depend on it.
    #[serde(default)]
    pub file: Option<String>,
    /// The text.
    pub text: String,
    /// What may not be left.
    #[serde(default)]
    pub gone: Vec<String>,
    /// What must be left.
    #[serde(default)]
    pub kept: Vec<String>,
}

impl Family {
    /// Reads a family written as JSON.
    ///
    /// # Errors
    /// When it is not of its form, or a rule is one that cannot be used.
    pub fn parse(json: &[u8]) -> Result<Self, RuleError> {
        check(serde_json::from_slice(json).map_err(RuleError::Form)?)
    }
}

/// Checks what the data format cannot.
fn check(family: Family) -> Result<Family, RuleError> {
    for rule in &family.rules {
        if rule.mark.len() > 7 || !rule.mark.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err(RuleError::Rule {
                rule: rule.id.clone(),
                message: "a mark is 1 to 7 small letters".into(),
            });
        }
    }
    for token in &family.tokens {
        if !(3..=64).contains(&token.lit.len()) {
            return Err(RuleError::Rule {
                rule: token.id.clone(),
                message: "a literal has 3 to 64 bytes".into(),
            });
        }
        if token.back.as_ref().is_some_and(|back| back.max > 255) {
            return Err(RuleError::Rule {
                rule: token.id.clone(),
                message: "at most 255 characters are looked at before a literal".into(),
            });
        }
    }
    if let Some(anchor) = family.anchors.iter().find(|a| !(3..=64).contains(&a.len())) {
        return Err(RuleError::Rule {
            rule: family.family.clone(),
            message: format!("the anchor '{anchor}' has not 3 to 64 bytes"),
        });
    }
    Ok(family)
}

/// The families that are compiled in. They are tested, so that they always load.
pub fn families() -> &'static [Family] {
    static LOADED: OnceLock<Vec<Family>> = OnceLock::new();
    LOADED.get_or_init(|| {
        data::unpack(data::REDACTION)
            .expect("the families that are compiled in are well-formed")
            .into_iter()
            .flat_map(|(_, families)| families)
            .map(|family| check(family).expect("the families that are compiled in are valid"))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_loads_and_has_examples_of_both_kinds() {
        let written = data::written("redaction");
        assert_eq!(written.len(), families().len());
        for (file, text) in written {
            let family = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
            let family = check(family).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert!(
                !family.removes.is_empty() && !family.leaves.is_empty(),
                "{file}"
            );
            assert!(
                family.examples.iter().any(|e| !e.gone.is_empty()),
                "{file}: nothing to remove"
            );
            assert!(
                family.examples.iter().any(|e| e.gone.is_empty()),
                "{file}: nothing to leave"
            );
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(serde_saphyr::from_str::<Family>("family: x\nsurprise: 1\n").is_err());
        let head = r#""family":"x","title":"x","level":"standard","removes":"x","leaves":"x""#;
        let long = "x".repeat(65);
        for (rest, good) in [
            ("", true),
            (r#","rules":[{"id":"x","mark":"toolongmark"}]"#, false),
            (r#","tokens":[{"id":"x","lit":"ab","re":"ab"}]"#, false),
            (r#","tokens":[{"id":"x","lit":"abc","re":"abc"}]"#, true),
            (r#","anchors":["ab"]"#, false),
            (&format!(r#","anchors":["{long}"]"#), false),
        ] {
            let text = format!("{{{head}{rest}}}");
            assert_eq!(Family::parse(text.as_bytes()).is_ok(), good, "{text}");
        }
    }
}
