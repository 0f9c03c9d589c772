//! Lists the signature files, so that the catalogue is in the binary and adding a signature is
//! adding a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")?).join("signatures");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort();
    let mut text = String::from("&[\n");
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .unwrap_or(file)
            .display()
            .to_string();
        text.push_str(&format!(
            "    ({name:?}, include_str!({:?})),\n",
            file.display().to_string()
        ));
    }
    text.push_str("]\n");
    fs::write(
        PathBuf::from(env("OUT_DIR")?).join("signature_files.rs"),
        text,
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script is configured by cargo's environment"
)]
fn env(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(io::Error::other)
}

/// Signature files lie in a folder for each area; files at the top are about the catalogue.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            walk_area(&path, files)?;
        }
    }
    Ok(())
}

fn walk_area(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
