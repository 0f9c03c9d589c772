//! The languages of the pages: texts from `locales/`, chosen by cookie or by
//! what the browser asks for. Content of bundles and tickets is never translated.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Registry: code as in HTML's `lang`, own name, texts. The first is the fallback.
const LANGUAGES: &[(&str, &str, &str)] = &[
    ("en", "English", include_str!("../locales/en.toml")),
    ("zh-CN", "简体中文", include_str!("../locales/zh-CN.toml")),
];

/// One language.
#[derive(Clone, Copy)]
pub struct Locale(&'static Language);

struct Language {
    code: &'static str,
    name: &'static str,
    texts: HashMap<String, String>,
}

impl Locale {
    /// The language of a request: the cookie's choice first, then
    /// `Accept-Language` in the order of its weights, then English.
    #[must_use]
    pub fn choose(cookie: Option<&str>, accept_language: Option<&str>) -> Self {
        if let Some(chosen) = cookie.and_then(Self::by_code) {
            return chosen;
        }
        let mut wanted: Vec<(f32, &str)> = accept_language
            .unwrap_or_default()
            .split(',')
            .filter_map(weighted)
            .collect();
        wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        wanted
            .into_iter()
            .find_map(|(_, tag)| Self::by_tag(tag))
            .unwrap_or_default()
    }

    /// Exactly this code.
    #[must_use]
    pub fn by_code(code: &str) -> Option<Self> {
        languages()
            .iter()
            .find(|language| language.code == code)
            .map(Self)
    }

    /// The language of a tag such as `zh`, `zh-Hans-CN` or `en-GB`.
    fn by_tag(tag: &str) -> Option<Self> {
        let primary = |tag: &str| {
            tag.split('-')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let wanted = primary(tag.trim());
        languages()
            .iter()
            .find(|language| primary(language.code) == wanted)
            .map(Self)
    }

    /// Every language as code and own name, for the switch on the pages.
    pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
        languages()
            .iter()
            .map(|language| (language.code, language.name))
    }

    /// The code for `lang` attributes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The text of `key`; the key itself when there is none, which the tests rule out.
    #[must_use]
    pub fn t<'a>(&self, key: &'a str) -> &'a str {
        self.0.texts.get(key).map_or(key, String::as_str)
    }

    /// The word for one value of an enumeration, such as `status` `open`; the
    /// value itself when it has none.
    fn word<'a>(&self, kind: &str, value: &'a str) -> &'a str {
        self.0
            .texts
            .get(&format!("{kind}.{value}"))
            .map_or(value, String::as_str)
    }

    /// The word for a value of one of the enumerations that only a few pages show.
    #[must_use]
    pub fn w<'a>(&self, kind: &str, value: &'a str) -> &'a str {
        self.word(kind, value)
    }

    /// A ticket's status.
    #[must_use]
    pub fn status<'a>(&self, value: &'a str) -> &'a str {
        self.word("status", value)
    }

    /// A finding's severity.
    #[must_use]
    pub fn severity<'a>(&self, value: &'a str) -> &'a str {
        self.word("severity", value)
    }

    /// A level of impact or urgency.
    #[must_use]
    pub fn level<'a>(&self, value: &'a str) -> &'a str {
        self.word("level", value)
    }

    /// A person's role.
    #[must_use]
    pub fn role<'a>(&self, value: &'a str) -> &'a str {
        self.word("role", value)
    }

    /// What kind of event stands on a timeline.
    #[must_use]
    pub fn event<'a>(&self, value: &'a str) -> &'a str {
        self.word("event", value)
    }

    /// What a person says about a finding.
    #[must_use]
    pub fn judgement<'a>(&self, value: &'a str) -> &'a str {
        self.word("judgement", value)
    }

    /// Where a signature stands.
    #[must_use]
    pub fn stand<'a>(&self, value: &'a str) -> &'a str {
        self.word("stand", value)
    }

    /// Mode or state of a run over stored bundles.
    #[must_use]
    pub fn scan<'a>(&self, value: &'a str) -> &'a str {
        self.word("scan", value)
    }

    /// Where a signature is silent.
    #[must_use]
    pub fn scope<'a>(&self, value: &'a str) -> &'a str {
        self.word("scope", value)
    }

    /// What became of a bundle.
    #[must_use]
    pub fn verdict<'a>(&self, value: &'a str) -> &'a str {
        self.word("verdict", value)
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self(&languages()[0])
    }
}

/// `zh-CN;q=0.8` as weight and tag.
fn weighted(part: &str) -> Option<(f32, &str)> {
    let (tag, weight) = part.split_once(";q=").unwrap_or((part, "1"));
    Some((weight.trim().parse().ok()?, tag.trim()))
}

fn languages() -> &'static [Language] {
    static ALL: OnceLock<Vec<Language>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read = |&(code, name, text): &(&'static str, &'static str, &str)| {
            let sections: HashMap<String, HashMap<String, String>> =
                toml::from_str(text).expect("locales/ are checked by this file's tests");
            let texts = sections
                .into_iter()
                .flat_map(|(section, texts)| {
                    texts
                        .into_iter()
                        .map(move |(key, text)| (format!("{section}.{key}"), text))
                })
                .collect();
            Language { code, name, texts }
        };
        LANGUAGES.iter().map(read).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_language_has_every_text() {
        let keys = |language: &Language| language.texts.keys().cloned().collect::<BTreeSet<_>>();
        let english = keys(&languages()[0]);
        for language in languages() {
            assert_eq!(keys(language), english, "{}", language.code);
            for (key, text) in &language.texts {
                assert!(!text.trim().is_empty(), "{} {key} is empty", language.code);
            }
        }
    }

    /// Every `.t("key")` of the templates exists, and no text is left over.
    #[test]
    fn templates_and_texts_agree() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut used = BTreeSet::new();
        for dir in ["templates", "src/http"] {
            used_in(&root.join(dir), &mut used);
        }
        for key in &used {
            assert!(languages()[0].texts.contains_key(key), "no text for {key}");
        }
    }

    fn used_in(dir: &std::path::Path, used: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                used_in(&path, used);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                used.extend(
                    text.split(".t(\"")
                        .skip(1)
                        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
                );
            }
        }
    }

    #[test]
    fn the_request_chooses() {
        for (cookie, accept, code) in [
            (None, None, "en"),
            (None, Some("de, zh;q=0.9, en;q=0.1"), "zh-CN"),
            (None, Some("zh-Hans-CN"), "zh-CN"),
            (Some("en"), Some("zh"), "en"),
            (Some("xx"), Some("fr;q=x"), "en"),
        ] {
            assert_eq!(
                Locale::choose(cookie, accept).code(),
                code,
                "{cookie:?} {accept:?}"
            );
        }
    }
}
