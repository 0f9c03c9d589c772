//! Turns the data files into what the program carries: each catalogue as one compressed JSON
//! document. Adding a signature or a redaction family is adding a file, and a customer's host
//! neither holds a YAML reader nor spends time on one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;

fn main() -> io::Result<()> {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env("OUT_DIR")?);
    let signatures = root.join("signatures");
    // Signature files lie in a folder for each area; files at the top are about the catalogue.
    pack(
        &out,
        "signatures",
        &signatures,
        &yaml_below(&signatures, 2)?,
    )?;
    pack(
        &out,
        "sources",
        &signatures,
        &[signatures.join("sources.yaml")],
    )?;
    let redaction = root.join("redaction");
    pack(&out, "redaction", &redaction, &yaml_below(&redaction, 1)?)
}

/// Writes `NAME.json.z`: a list of pairs of a file's name and its YAML documents.
fn pack(out: &Path, name: &str, root: &Path, files: &[PathBuf]) -> io::Result<()> {
    let mut list = Vec::new();
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(file)?)
            .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        let relative = file.strip_prefix(root).unwrap_or(file);
        list.push((relative.display().to_string(), documents));
    }
    let path = out.join(format!("{name}.json.z"));
    let mut packed =
        flate2::write::ZlibEncoder::new(fs::File::create(path)?, flate2::Compression::best());
    packed.write_all(&serde_json::to_vec(&list)?)?;
    packed.finish().map(drop)
}

/// The YAML files exactly `depth` levels below `folder`, in order.
fn yaml_below(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if depth > 1 && path.is_dir() {
            paths.extend(yaml_below(&path, depth - 1)?);
        } else if depth == 1 && path.extension().is_some_and(|e| e == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script is configured by cargo's environment"
)]
fn env(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(io::Error::other)
}
