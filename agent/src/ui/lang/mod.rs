//! The run's own texts by language. Each language is one data file with the same keys.

mod errors;
#[cfg(test)]
mod walk;

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A language of the run's texts. JSON stays English.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Lang {
    /// Every language with its tag and texts.
    const TABLE: [(Self, &'static str, &'static str); 2] = [
        (Self::En, "en", include_str!("en.toml")),
        (Self::ZhCn, "zh-CN", include_str!("zh-CN.toml")),
    ];

    /// Takes a tag such as `zh-CN`, `zh_CN.UTF-8`, `en`, `C`; anything unknown is English.
    pub fn from_tag(tag: &str) -> Self {
        let tag = tag.to_ascii_lowercase();
        if tag.starts_with("zh") {
            Self::ZhCn
        } else {
            Self::En
        }
    }

    /// The tag that `--lang` takes.
    pub fn tag(self) -> &'static str {
        Self::TABLE
            .iter()
            .find(|(lang, ..)| *lang == self)
            .map_or("en", |(_, tag, _)| tag)
    }

    /// The text of a key with `{name}` replaced by values. A missing key shows itself.
    pub fn text(self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = self
            .table()
            .get(key)
            .cloned()
            .unwrap_or_else(|| key.to_owned());
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn table(self) -> &'static BTreeMap<String, String> {
        static TABLES: OnceLock<Vec<BTreeMap<String, String>>> = OnceLock::new();
        let tables = TABLES.get_or_init(|| {
            Self::TABLE
                .iter()
                .map(|(_, tag, text)| {
                    toml::from_str(text)
                        .unwrap_or_else(|error| unreachable!("texts of {tag} are tested: {error}"))
                })
                .collect()
        });
        match self {
            Self::En => &tables[0],
            Self::ZhCn => &tables[1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes(text: &str) -> Vec<String> {
        let mut found: Vec<String> = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name.to_owned())
            .collect();
        found.sort();
        found
    }

    #[test]
    fn languages_have_the_same_keys_and_holes() {
        let english = Lang::En.table();
        for (lang, tag, _) in Lang::TABLE {
            let other = lang.table();
            assert!(english.keys().eq(other.keys()), "{tag}: keys differ");
            for (key, text) in english {
                assert_eq!(holes(text), holes(&other[key]), "{tag}: {key}");
            }
        }
    }

    #[test]
    fn tags() {
        assert_eq!(Lang::from_tag("zh_CN.UTF-8"), Lang::ZhCn);
        assert_eq!(Lang::from_tag("de_DE"), Lang::En);
        assert_eq!(Lang::ZhCn.tag(), "zh-CN");
    }
}
