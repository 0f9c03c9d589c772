//! The data files that the build script packed into the program: signatures, the source map and
//! the redaction families, each a compressed JSON list of (file name, documents).

use flate2::read::ZlibDecoder;
use serde::de::DeserializeOwned;
use std::io::Read as _;

/// Every signature file.
pub(crate) const SIGNATURES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/signatures.json.z"));
/// The source map.
pub(crate) const SOURCES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sources.json.z"));
/// Every redaction family.
pub(crate) const REDACTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/redaction.json.z"));

/// File names and the documents of each.
pub(crate) type Files<T> = Vec<(String, Vec<T>)>;

/// Unpacks one of the constants above.
///
/// # Errors
/// A document does not have the shape of `T`; a test of each catalogue makes sure that all have.
pub(crate) fn unpack<T: DeserializeOwned>(packed: &[u8]) -> serde_json::Result<Files<T>> {
    let mut json = Vec::new();
    ZlibDecoder::new(packed)
        .read_to_end(&mut json)
        .map_err(serde_json::Error::io)?;
    serde_json::from_slice(&json)
}

/// The data files as they were written, for the tests that read YAML.
#[cfg(test)]
pub(crate) fn written(folder: &str) -> Vec<(String, String)> {
    fn walk(root: &std::path::Path, folder: &std::path::Path, files: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    walk(&root, &root, &mut files);
    files.sort();
    files
}
