//! The compiled redactor: everything that files share.

use crate::redact::context::Context;
use crate::redact::family::{Family, RuleError, families};
use crate::redact::filter::{Anchor, Filter, Literal};
use crate::redact::key::Keys;
use crate::redact::keyed::Keyed;
use crate::redact::learned::Learned;
use crate::redact::names::Names;
use crate::redact::scan::{
    self,
    token::{self, Tokens},
};
use crate::redact::standin::Map;
use crate::redact::stream::Stream;
use crate::redact::{FileReport, Level, RedactError};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The file that bytes come from.
#[derive(Debug, Clone, Copy)]
pub struct FileContext<'a> {
    /// Bundle or host path; some formats are known by it.
    pub path: &'a str,
}

/// Puts a [`Redactor`] together.
pub struct RedactorBuilder {
    level: Level,
    key: [u8; 32],
    learned: Learned,
    words: Vec<String>,
    patterns: Vec<String>,
    more: Vec<Family>,
}

impl RedactorBuilder {
    /// Starts with the level and the key that stays on the host.
    #[must_use]
    pub fn new(level: Level, key: [u8; 32]) -> Self {
        Self {
            level,
            key,
            learned: Learned::default(),
            words: Vec::new(),
            patterns: Vec::new(),
            more: Vec::new(),
        }
    }

    /// Adds a family to those that are compiled in.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.more.push(family);
        self
    }

    /// Adds what the host says about itself.
    #[must_use]
    pub fn learn(mut self, learned: Learned) -> Self {
        self.learned.hosts.extend(learned.hosts);
        self.learned.domains.extend(learned.domains);
        self.learned.users.extend(learned.users);
        self.learned.serials.extend(learned.serials);
        self
    }

    /// Adds the customer's own words (at least three bytes), removed at every level but `off`.
    #[must_use]
    pub fn words<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Adds the customer's own expressions; each must contain a literal of three bytes.
    #[must_use]
    pub fn patterns<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.patterns.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Compiles the rules.
    pub fn build(self) -> Result<Redactor, RuleError> {
        // Those that are compiled in are tested.
        for token in self.more.iter().flat_map(|family| &family.tokens) {
            token::check(token)?;
        }
        let active: Vec<&Family> = families()
            .iter()
            .chain(&self.more)
            .filter(|f| f.level <= self.level)
            .collect();
        let mut names = RuleTable::default();
        for family in &active {
            for rule in &family.rules {
                names.add(&rule.id, &rule.mark);
            }
            for token in &family.tokens {
                let mark = family.rules.first().map_or("token", |r| r.mark.as_str());
                names.add(&token.id, mark);
            }
        }
        let mut literals = scan::literals(self.level);
        let keys = Keys::new(&active, &names, &mut literals);
        let tokens = Tokens::new(&active, &names, &mut literals)?;
        let own = Names::new(
            &self.learned,
            &self.words,
            &self.patterns,
            self.level,
            &mut names,
            &mut literals,
        )?;
        let rules = Rules {
            level: self.level,
            keyed: Keyed::new(&self.key),
            filter: Filter::new(literals),
            keys,
            tokens,
            own,
            map: Map::default(),
            ids: Ids::of(&names),
            names: names.names,
        };
        Ok(Redactor {
            rules: Arc::new(rules),
        })
    }
}

/// Rule names by number.
#[derive(Default)]
pub(crate) struct RuleTable {
    pub names: Vec<Name>,
    pub ids: HashMap<String, u16>,
}

impl RuleTable {
    pub(crate) fn add(&mut self, id: &str, mark: &str) -> u16 {
        if let Some(n) = self.ids.get(id) {
            return *n;
        }
        let n = self.names.len() as u16;
        self.names.push(Name {
            id: id.to_owned(),
            mark: mark.to_owned(),
        });
        self.ids.insert(id.to_owned(), n);
        n
    }
}

/// A rule's name and the label of its markers.
pub(crate) struct Name {
    pub id: String,
    pub mark: String,
}

/// Everything that is compiled once.
pub(crate) struct Rules {
    pub level: Level,
    pub keyed: Keyed,
    pub filter: Filter,
    pub keys: Keys,
    pub tokens: Tokens,
    pub own: Names,
    pub map: Map,
    pub names: Vec<Name>,
    pub ids: Ids,
}

/// The numbers of the rules that scanners know by name.
pub(crate) struct Ids {
    pub password: u16,
    pub credential: u16,
    pub url: u16,
    pub pem: u16,
    pub hash: u16,
    pub k8s: u16,
    pub inside: u16,
    pub ipv4: u16,
    pub reverse: u16,
    pub ipv6: u16,
    pub mac: u16,
    pub host: u16,
    pub user: u16,
    pub mail: u16,
    pub serial: u16,
}

impl Ids {
    fn of(table: &RuleTable) -> Self {
        let id = |name: &str| table.ids.get(name).copied().unwrap_or_default();
        Self {
            password: id("keys.password"),
            credential: id("keys.credential"),
            url: id("url"),
            pem: id("pem"),
            hash: id("hash"),
            k8s: id("k8s"),
            inside: id("cli.audit"),
            ipv4: id("ipv4"),
            reverse: id("ipv4.reverse"),
            ipv6: id("ipv6"),
            mac: id("mac"),
            host: id("host"),
            user: id("user"),
            mail: id("mail"),
            serial: id("serial"),
        }
    }
}

/// A compiled redactor; cheap to clone, shared by threads.
#[derive(Clone)]
pub struct Redactor {
    rules: Arc<Rules>,
}

impl Redactor {
    /// The level it was built for.
    #[must_use]
    pub fn level(&self) -> Level {
        self.rules.level
    }

    /// Begins a file.
    #[must_use]
    pub fn stream(&self, file: FileContext<'_>) -> Stream {
        Stream::new(Arc::clone(&self.rules), Context::of(file.path))
    }

    /// Redacts a whole file in memory.
    pub fn all(
        &self,
        file: FileContext<'_>,
        bytes: &[u8],
    ) -> Result<(Vec<u8>, FileReport), RedactError> {
        let mut out = Vec::with_capacity(bytes.len() + 64);
        let mut stream = self.stream(file);
        stream.push(bytes, &mut out)?;
        let report = stream.finish(&mut out)?;
        Ok((out, report))
    }

    /// Redacts a name: of a file, a link's target, a label, a command line.
    ///
    /// What cannot be redacted is withheld whole.
    #[must_use]
    pub fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.all(FileContext { path: "" }, name.as_bytes()) {
            Ok((out, _)) if out == name.as_bytes() => Cow::Borrowed(name),
            Ok((out, _)) => Cow::Owned(String::from_utf8_lossy(&out).into_owned()),
            Err(_) => Cow::Borrowed("REMOVED-name"),
        }
    }

    /// The stand-ins given so far, by real value. It must stay on the host.
    #[must_use]
    pub fn map(&self) -> BTreeMap<String, String> {
        self.rules.map.all()
    }
}

/// Literals that scanners look for by themselves.
pub(crate) fn literal(bytes: &str, fold: bool, tag: Anchor) -> Literal {
    Literal {
        bytes: bytes.as_bytes().to_vec(),
        fold,
        tag,
    }
}
