//! The customer's own words and patterns, and the names that the host states about itself.

use crate::redact::Level;
use crate::redact::family::RuleError;
use crate::redact::filter::{Anchor, Literal};
use crate::redact::learned::Learned;
use crate::redact::redactor::RuleTable;
use regex::bytes::Regex;

/// Words too common to be replaced wherever they stand, though hosts and users are called so.
const COMMON: &[&str] = &[
    "web",
    "host",
    "hosts",
    "db",
    "server",
    "client",
    "test",
    "admin",
    "root",
    "user",
    "users",
    "guest",
    "local",
    "localhost",
    "localdomain",
    "monitor",
    "backup",
    "mail",
    "proxy",
    "node",
    "master",
    "main",
    "default",
    "daemon",
    "system",
    "service",
    "data",
    "app",
    "api",
    "dev",
    "prod",
    "stage",
    "build",
    "cache",
    "log",
    "logs",
    "debian",
    "ubuntu",
    "linux",
    "centos",
    "fedora",
    "nobody",
    "www-data",
    "postgres",
    "mysql",
    "redis",
    "nginx",
    "apache",
    "docker",
    "vagrant",
    "ansible",
    "jenkins",
    "deploy",
    "home",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "news",
    "list",
    "http",
    "ftp",
    "ssh",
    "sshd",
    "net",
    "com",
    "org",
    "lan",
    "internal",
];

/// What one name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The customer's own word.
    Word,
    /// A host name or domain.
    Host,
    /// A login name.
    User,
    /// A serial number.
    Serial,
}

/// Own words, learned names and own patterns.
pub(crate) struct Names {
    pub kinds: Vec<Kind>,
    pub word_rule: u16,
    pub pattern_rule: u16,
    pub patterns: Option<Regex>,
}

impl Names {
    pub(crate) fn new(
        learned: &Learned,
        words: &[String],
        patterns: &[String],
        level: Level,
        table: &mut RuleTable,
        literals: &mut Vec<Literal>,
    ) -> Result<Self, RuleError> {
        let mut names = Self {
            kinds: Vec::new(),
            word_rule: table.add("own.word", "own"),
            pattern_rule: table.add("own.pattern", "own"),
            patterns: None,
        };
        for word in words {
            names.add(word, Kind::Word, literals);
        }
        if level == Level::Strict {
            let hosts = learned
                .hosts
                .iter()
                .chain(&learned.domains)
                .map(|h| (h, Kind::Host));
            let rest = learned.users.iter().map(|u| (u, Kind::User));
            let serials = learned.serials.iter().map(|s| (s, Kind::Serial));
            for (name, kind) in hosts.chain(rest).chain(serials) {
                let telling =
                    name.len() >= 4 && !COMMON.contains(&name.to_ascii_lowercase().as_str());
                if telling && !name.bytes().all(|b| b.is_ascii_digit()) {
                    names.add(name, kind, literals);
                }
            }
        }
        if !patterns.is_empty() {
            let all: Vec<String> = patterns.iter().map(|p| format!("(?:{p})")).collect();
            let compiled = regex::bytes::RegexBuilder::new(&all.join("|"))
                .size_limit(4 << 20)
                .build();
            let compiled = compiled.map_err(|e| RuleError::Pattern {
                rule: "own.pattern".into(),
                source: Box::new(e),
            })?;
            if compiled.is_match(b"") {
                return Err(RuleError::Rule {
                    rule: "own.pattern".into(),
                    message: "matches the empty text".into(),
                });
            }
            names.patterns = Some(compiled);
        }
        Ok(names)
    }

    fn add(&mut self, name: &str, kind: Kind, literals: &mut Vec<Literal>) {
        if name.len() >= 3 && name.len() <= 255 {
            let tag = Anchor::Name(self.kinds.len() as u32);
            literals.push(Literal {
                bytes: name.to_ascii_lowercase().into_bytes(),
                fold: true,
                tag,
            });
            self.kinds.push(kind);
        }
    }
}
