//! Whom agents are asked to encrypt to, and the key that reads it.

use sitrep_shared::age::{Identity, Recipient};

use super::layers::{ConfigError, Resolved};

/// The keys of this service.
#[derive(Debug, Clone, Default)]
pub struct Encryption {
    /// Whom to encrypt to; none asks for plain bundles.
    pub recipient: Option<Recipient>,
    /// What reads it; none only stores.
    pub identity: Option<Identity>,
}

/// Reads the settings; a key without a recipient is its own.
///
/// # Errors
/// A key that is none, or a file that cannot be read.
pub(super) fn encryption(resolved: &Resolved) -> Result<Encryption, ConfigError> {
    let fault = |key: &'static str| move |source| ConfigError::Key { key, source };
    let identity = match resolved.path("encryption.identity_file") {
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|source| ConfigError::ReadFile { path, source })?;
            Some(Identity::parse(&text).map_err(fault("encryption.identity_file"))?)
        }
        None => None,
    };
    let recipient = match resolved.optional("encryption.recipient") {
        Some(text) => Some(Recipient::parse(text).map_err(fault("encryption.recipient"))?),
        None => identity.as_ref().map(Identity::recipient),
    };
    Ok(Encryption {
        recipient,
        identity,
    })
}
