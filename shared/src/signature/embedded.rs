//! The catalogue that is built in: every file under `shared/signatures/<area>/`.

use super::parse::{Catalogue, LoadError};

/// Name and text of each signature file, listed by the build script.
pub(super) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/signature_files.rs"));

impl Catalogue {
    /// The built-in catalogue.
    ///
    /// # Errors
    /// A file of the catalogue is not a valid signature; a test makes sure that none is.
    pub fn embedded() -> Result<Self, Vec<LoadError>> {
        Self::load(FILES.iter().copied())
    }
}
