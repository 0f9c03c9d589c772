//! Signatures of known errors: the catalogue, the engine, and its findings.
