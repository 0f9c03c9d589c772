//! Who is calling, and what they may do. One function, `Actor::may`, decides.
//!
//! Passwords, sessions, API tokens and upload codes end here as an `Actor`; nothing else in the
//! service looks at a credential.

pub mod access;
pub mod accounts;
pub mod limits;
pub mod password;
pub mod sessions;
pub mod setup;
pub mod tokens;
mod vault;

use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub use access::{Access, Role, Roles};

/// The caller of a request, after its credential was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody signed in.
    Nobody,
    /// A person's session in a browser.
    User(Person),
    /// A person's API token; its rights are the token's scopes that the person still has.
    Token(Person),
    /// The holder of an upload code.
    Uploader {
        /// The code's row.
        code_id: String,
        /// The ticket that the code belongs to.
        ticket_id: String,
    },
    /// The holder of a link to the customer's page of a ticket.
    Customer {
        /// The link's row.
        link_id: String,
        /// The ticket that the link belongs to.
        ticket_id: String,
    },
    /// Somebody in another system, by a connector.
    Connector {
        /// The connector's row.
        id: String,
        /// Who, as that system says.
        name: String,
    },
    /// The service itself: jobs.
    System,
}

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// User id.
    pub id: String,
    /// Login name.
    pub login: String,
    /// Name shown to others.
    pub name: String,
    /// Rights in force.
    pub roles: Roles,
}

impl Actor {
    /// Whether this caller may use what asks for `access`. The only place that decides.
    pub fn may(&self, access: Access) -> bool {
        match (access, self) {
            (Access::Public, _) | (Access::Uploader, Self::Uploader { .. }) | (_, Self::System) => {
                true
            }
            (Access::SignedIn, Self::User(_) | Self::Token(_)) => true,
            (Access::Session, Self::User(_)) => true,
            (Access::Role(role), Self::User(person) | Self::Token(person)) => {
                person.roles.allow(role)
            }
            _ => false,
        }
    }

    /// The signed-in person, if there is one.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::User(person) | Self::Token(person) => Some(person),
            _ => None,
        }
    }

    /// The kind, as stored beside events.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Uploader { .. } => "uploader",
            Self::Customer { .. } => "customer",
            Self::Connector { .. } => "connector",
            Self::System => "system",
        }
    }

    /// The name, as shown beside events.
    pub fn name(&self) -> &str {
        match self {
            Self::User(person) | Self::Token(person) => &person.name,
            Self::Connector { name, .. } => name,
            Self::Nobody => "nobody",
            Self::Uploader { .. } | Self::Customer { .. } => "customer",
            Self::System => "sitrepd",
        }
    }

    /// Kind and id in one word, for the audit log and idempotency keys.
    pub fn label(&self) -> String {
        match self {
            Self::User(person) | Self::Token(person) => format!("{}:{}", self.kind(), person.login),
            Self::Uploader { code_id, .. } => format!("uploader:{code_id}"),
            Self::Customer { link_id, .. } => format!("customer:{link_id}"),
            Self::Connector { id, .. } => format!("connector:{id}"),
            _ => self.kind().to_owned(),
        }
    }
}

/// Hex SHA-256 of some bytes.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let written = write!(out, "{byte:02x}");
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
            out
        })
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// 256 random bits as hex.
pub fn random_token() -> String {
    hex(&random::<32>())
}

/// Compares without telling by time where the first difference is.
pub fn same(a: &str, b: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(a.as_bytes(), b.as_bytes()).into()
}

/// Why the pepper cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// The file cannot be read or made.
    #[error("cannot read or create the key file {}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is too short to be a key.
    #[error("the key file {} has fewer than 32 characters", path.display())]
    Short {
        /// The file.
        path: std::path::PathBuf,
    },
}

/// Server-side key under which upload codes are stored. Has no `Debug` that shows it.
#[derive(Clone)]
pub struct Pepper(Arc<[u8]>);

impl Pepper {
    /// A key from given bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Reads the key file, or makes it (mode 0600) at the first start.
    pub fn load_or_create(path: &Path) -> Result<Self, PepperError> {
        let failed = |source| PepperError::File {
            path: path.to_owned(),
            source,
        };
        if !path.exists() {
            crate::serve::tls::write_private(path, random_token().as_bytes()).map_err(failed)?;
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        if text.trim().len() < 32 {
            return Err(PepperError::Short {
                path: path.to_owned(),
            });
        }
        Ok(Self::new(text.trim().as_bytes()))
    }

    /// HMAC-SHA-256 of a text as hex.
    pub fn seal(&self, text: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 4231, test case 2.
        assert_eq!(
            Pepper::new(b"Jefe").seal("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn rights_are_closed_by_default() {
        let person = |roles: &str| {
            Actor::User(Person {
                id: "1".into(),
                login: "a".into(),
                name: "A".into(),
                roles: Roles::parse(roles),
            })
        };
        let uploader = Actor::Uploader {
            code_id: "c".into(),
            ticket_id: "t".into(),
        };
        let cases = [
            (Actor::Nobody, Access::Public, true),
            (Actor::Nobody, Access::SignedIn, false),
            (Actor::Nobody, Access::Role(Role::Viewer), false),
            (uploader.clone(), Access::Uploader, true),
            (uploader, Access::Role(Role::Viewer), false),
            (person("viewer"), Access::Role(Role::Engineer), false),
            (person("lead"), Access::Role(Role::Viewer), true),
            (person("admin"), Access::Role(Role::Viewer), false),
            (person("admin"), Access::Role(Role::Admin), true),
            (person("auditor"), Access::Role(Role::Admin), false),
            (person("lead"), Access::Uploader, false),
        ];
        for (actor, access, expected) in cases {
            assert_eq!(actor.may(access), expected, "{actor:?} {access:?}");
        }
    }
}
