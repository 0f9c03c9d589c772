//! Every key the configuration knows: the registry that files, environment and `config show` walk.

use super::values;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Text,
    /// `true` or `false`.
    Bool,
    /// `500M`, `2GiB`.
    Bytes,
    /// `60s`, `15m`, `24h`.
    Duration,
    /// `50%`, `100`.
    Percent,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of texts.
    List,
}

impl Kind {
    /// Says what is wrong with a value.
    pub fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Text | Self::List => Ok(()),
            Self::Bool if value == "true" || value == "false" => Ok(()),
            Self::Bool => Err(format!("{value:?} is not true or false")),
            Self::Bytes => sitrep_shared::size::parse_bytes(value)
                .map(|_| ())
                .map_err(|_| format!("{value:?} is not a size such as 500M")),
            Self::Duration => values::duration_ms(value).map(|_| ()),
            Self::Percent => values::percent(value)
                .map(|_| ())
                .ok_or_else(|| format!("{value:?} is not a percentage such as 50%")),
            Self::Choice(choices) if choices.contains(&value) => Ok(()),
            Self::Choice(choices) => Err(format!("{value:?} is not one of {}", choices.join(", "))),
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Dotted name as in the file.
    pub name: &'static str,
    /// What its value must look like.
    pub kind: Kind,
    /// Environment variable that sets it.
    pub env: Option<&'static str>,
    /// Value without any layer.
    pub default: Option<&'static str>,
    /// One line of explanation.
    pub about: &'static str,
}

const fn key(
    name: &'static str,
    kind: Kind,
    env: Option<&'static str>,
    default: Option<&'static str>,
    about: &'static str,
) -> Key {
    Key {
        name,
        kind,
        env,
        default,
        about,
    }
}

/// Every key, in the order of `config show`.
pub const KEYS: &[Key] = &[
    key(
        "url",
        Kind::Text,
        Some("SITREP_URL"),
        None,
        "collector to talk to when only a code is given",
    ),
    key(
        "ca_file",
        Kind::Text,
        None,
        None,
        "certificates to trust besides this host's",
    ),
    key(
        "client_cert",
        Kind::Text,
        None,
        None,
        "certificate and key that this host identifies itself with, one PEM file",
    ),
    key(
        "proxy",
        Kind::Text,
        None,
        None,
        "http://[USER:PASSWORD@]HOST:PORT, or none; else HTTPS_PROXY and NO_PROXY decide",
    ),
    key(
        "age_recipient",
        Kind::Text,
        None,
        None,
        "age key (age1…) to encrypt bundles to; else the collector may ask for its own",
    ),
    key(
        "lang",
        Kind::Choice(&["en", "zh-CN"]),
        None,
        None,
        "language of the run's texts",
    ),
    key(
        "state_dir",
        Kind::Text,
        Some("SITREP_STATE_DIR"),
        None,
        "where bundles and unfinished uploads are kept",
    ),
    key(
        "profile",
        Kind::Text,
        None,
        Some("standard"),
        "profile of a run without a code",
    ),
    key(
        "redact.mode",
        Kind::Choice(&["strict", "standard", "off"]),
        None,
        Some("standard"),
        "what is removed",
    ),
    key(
        "redact.words_file",
        Kind::Text,
        None,
        None,
        "file of words to remove, one a line",
    ),
    key(
        "redact.patterns_file",
        Kind::Text,
        None,
        None,
        "file of regular expressions to remove, one a line",
    ),
    key(
        "limits.max_size",
        Kind::Bytes,
        None,
        None,
        "most bytes a run collects; else the profile says",
    ),
    key(
        "limits.max_time",
        Kind::Duration,
        None,
        None,
        "longest time a run collects; else the profile says",
    ),
    key(
        "limits.nice",
        Kind::Bool,
        None,
        Some("false"),
        "whether redacting and packing have the lowest priority too; reading always has it",
    ),
    key(
        "limits.max_memory",
        Kind::Bytes,
        None,
        None,
        "most memory of a run with all its commands (root, by control group)",
    ),
    key(
        "limits.max_cpu",
        Kind::Percent,
        None,
        None,
        "most of one processor that a run takes, such as 50% (root, by control group)",
    ),
    key(
        "limits.min_free",
        Kind::Bytes,
        None,
        Some("1M"),
        "free disk space a run must leave",
    ),
    key(
        "upload.max_rate",
        Kind::Bytes,
        None,
        None,
        "most bytes a second when sending",
    ),
    key(
        "policy.allow_send",
        Kind::Bool,
        None,
        Some("true"),
        "whether bundles may leave this host",
    ),
    key(
        "policy.deny_items",
        Kind::List,
        None,
        None,
        "items that are never collected",
    ),
    key(
        "policy.allow_commands",
        Kind::Choice(&["builtin", "none"]),
        None,
        Some("builtin"),
        "which commands may run",
    ),
];

/// The key of that name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known name most like an unknown one, when it is near enough to be a slip.
pub fn nearest(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|key| (values::distance(name, key.name), key.name))
        .filter(|(distance, known)| *distance <= known.len() / 3 + 1)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_names_distinct() {
        for (number, key) in KEYS.iter().enumerate() {
            if let Some(default) = key.default {
                assert_eq!(key.kind.check(default), Ok(()), "{}", key.name);
            }
            assert!(
                KEYS[..number].iter().all(|other| other.name != key.name),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn slips_are_recognised() {
        assert_eq!(nearest("redact.mod"), Some("redact.mode"));
        assert_eq!(nearest("limit.max_size"), Some("limits.max_size"));
        assert_eq!(nearest("something.else.entirely"), None);
    }
}
