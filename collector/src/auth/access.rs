//! Roles, and what a route can ask for.

use serde::{Deserialize, Serialize};

/// A role of a person, or a scope of a token.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees tickets and findings, no raw content.
    Viewer,
    /// Works on tickets, views and downloads bundles, makes upload codes.
    Engineer,
    /// Also retention, legal hold and deletion.
    Lead,
    /// Users, tokens and settings; no right to content by itself.
    Admin,
    /// The audit log only.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Engineer,
        Self::Lead,
        Self::Admin,
        Self::Auditor,
    ];

    /// The word that is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Engineer => "engineer",
            Self::Lead => "lead",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// The role of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.word() == word)
    }
}

/// A set of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// Makes a set.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Self {
        let mut list: Vec<Role> = roles.into_iter().collect();
        list.sort_unstable();
        list.dedup();
        Self(list)
    }

    /// Reads the stored form; unknown words give no right.
    pub fn parse(text: &str) -> Self {
        Self::new(text.split(',').filter_map(Role::parse))
    }

    /// The stored form.
    pub fn text(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|r| r.word()).collect();
        words.join(",")
    }

    /// The roles.
    pub fn list(&self) -> &[Role] {
        &self.0
    }

    /// Whether one of the roles includes `wanted`: lead ⊃ engineer ⊃ viewer; the others stand alone.
    pub fn allow(&self, wanted: Role) -> bool {
        self.0.iter().any(|have| match wanted {
            Role::Viewer => matches!(have, Role::Viewer | Role::Engineer | Role::Lead),
            Role::Engineer => matches!(have, Role::Engineer | Role::Lead),
            other => *have == other,
        })
    }

    /// The roles of this set that `other` includes.
    pub fn within(&self, other: &Self) -> Self {
        Self::new(self.0.iter().copied().filter(|r| other.allow(*r)))
    }
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, also without a credential.
    Public,
    /// The holder of an upload code.
    Uploader,
    /// Any person, by session or token.
    SignedIn,
    /// Any person in a browser session; tokens are refused.
    Session,
    /// A person with this right.
    Role(Role),
}

#[allow(
    non_upper_case_globals,
    reason = "read as variants in the route tables"
)]
impl Access {
    /// `Access::Role(Role::Viewer)`.
    pub const Viewer: Self = Self::Role(Role::Viewer);
    /// `Access::Role(Role::Engineer)`.
    pub const Engineer: Self = Self::Role(Role::Engineer);
    /// `Access::Role(Role::Lead)`.
    pub const Lead: Self = Self::Role(Role::Lead);
    /// `Access::Role(Role::Admin)`.
    pub const Admin: Self = Self::Role(Role::Admin);
    /// `Access::Role(Role::Auditor)`.
    pub const Auditor: Self = Self::Role(Role::Auditor);
}
