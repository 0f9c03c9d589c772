//! The catalogue that is built in: every file under `shared/signatures/<area>/`.

use super::document::RawDocument;
use super::parse::{Catalogue, LoadError};
use crate::data;

impl Catalogue {
    /// The built-in catalogue. Its signatures know their file, not their line.
    ///
    /// # Errors
    /// A file of the catalogue is not a valid signature; a test makes sure that none is.
    pub fn embedded() -> Result<Self, Vec<LoadError>> {
        let files = data::unpack::<RawDocument>(data::SIGNATURES).map_err(|error| {
            vec![LoadError {
                file: "the built-in catalogue".to_owned(),
                line: 0,
                message: error.to_string(),
                hint: "this program was built from damaged signature files; build it again"
                    .to_owned(),
            }]
        })?;
        Self::collect(
            files
                .into_iter()
                .map(|(name, documents)| (name, Ok(documents))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_what_the_files_say() {
        let written = data::written("signatures");
        let areas = written.into_iter().filter(|(name, _)| name.contains('/'));
        let mut from_files = Catalogue::load(areas).unwrap();
        let mut built_in = Catalogue::embedded().unwrap();
        for signature in from_files
            .signatures
            .iter_mut()
            .chain(&mut built_in.signatures)
        {
            signature.line = 0;
            for test in signature.extension.iter_mut().flat_map(|e| &mut e.tests) {
                test.line = 0;
            }
        }
        assert!(built_in.signatures.len() > 100);
        assert_eq!(built_in, from_files);
    }

    #[test]
    fn what_is_built_in_asks_for_nothing_that_the_agent_goes_without() {
        for folder in ["signatures", "redaction"] {
            for (name, text) in data::written(folder) {
                assert!(!text.contains("jq:"), "{name}: the agent has no jq");
                assert!(
                    !text.contains(r"\p{"),
                    "{name}: the agent has no tables of Unicode properties"
                );
            }
        }
    }
}
