//! Holds the directions of the code: who may know whom.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test says what it found and stops where it cannot go on"
)]

use sitrep_tests::workspace_root;
use std::path::{Path, PathBuf};

/// Folder (or file), and what its code may not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "shared/src",
        &[
            "tokio",
            "clap",
            "axum",
            "sqlx",
            "reqwest",
            "std::env",
            "TcpStream",
            "UdpSocket",
            "println!",
            "eprintln!",
            "SystemTime::now",
            "Instant::now",
        ],
    ),
    (
        "agent/src",
        &["sitrep_collector", "sitrep_tests", "axum", "sqlx"],
    ),
    ("collector/src", &["sitrep::", "sitrep_tests"]),
    (
        "agent/src/collect",
        &[
            "crate::sources",
            "crate::cli",
            "crate::ui",
            "crate::upload",
            "reqwest",
            "tokio",
        ],
    ),
    (
        "agent/src/sources",
        &[
            "crate::cli",
            "crate::ui",
            "crate::upload",
            "reqwest",
            "tokio::",
        ],
    ),
    ("collector/src/tickets", &["crate::http"]),
    ("collector/src/bundles", &["crate::http"]),
    ("collector/src/signatures", &["crate::http"]),
    ("collector/src/knowledge", &["crate::http"]),
    ("collector/src/auth", &["crate::http"]),
    ("collector/src/queue", &["crate::http"]),
    ("collector/src/connectors", &["crate::http"]),
    ("collector/src/jobs", &["crate::http"]),
    (
        "collector/src/db",
        &["crate::http", "crate::tickets", "crate::bundles"],
    ),
    (
        "collector/src/ctl",
        &["sqlx", "axum", "crate::db", "crate::http"],
    ),
];

/// What may be named in one folder only.
const ONLY_IN: &[(&str, &str, &[&str])] = &[
    ("collector/src", "sqlx::query", &["collector/src/db"]),
    (
        "collector/src",
        "object_store::",
        &["collector/src/bundles/storage"],
    ),
    ("collector/src", "tokio::spawn", &["collector/src/tasks.rs"]),
    (
        "collector/src",
        "reqwest::",
        &["collector/src/connectors", "collector/src/ctl"],
    ),
    (
        "agent/src",
        "reqwest::",
        &["agent/src/upload", "agent/src/daemon"],
    ),
];

#[test]
fn nobody_knows_whom_they_should_not() {
    let mut faults = Vec::new();
    for (folder, forbidden) in FORBIDDEN {
        for file in rust_files(&workspace_root().join(folder)) {
            faults.extend(named_in(&file, forbidden));
        }
    }
    for (area, word, allowed) in ONLY_IN {
        for file in rust_files(&workspace_root().join(area)) {
            if !allowed
                .iter()
                .any(|place| relative(&file).starts_with(place))
            {
                faults.extend(named_in(&file, &[word]));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = ["shared/src", "agent/src", "collector/src", "tests"]
        .iter()
        .flat_map(|area| rust_files(&workspace_root().join(area)))
        .filter(|file| !read(file).starts_with("//!"))
        .map(|file| relative(&file))
        .collect();
    assert!(
        silent.is_empty(),
        "no //! at the top of:\n{}",
        silent.join("\n")
    );
}

#[test]
fn every_path_in_the_readmes_map_exists() {
    let readme = read(&workspace_root().join("README.md"));
    let map = readme
        .split("## Map of the code")
        .nth(1)
        .expect("the README has a map of the code");
    let mut paths = 0;
    for word in map.split('`').skip(1).step_by(2) {
        let is_path = ["agent/", "collector/", "shared/", "tests/"]
            .iter()
            .any(|top| word.starts_with(top));
        if is_path {
            let path = word.trim_end_matches('*');
            assert!(
                workspace_root().join(path).exists(),
                "the README's map names {word}, which does not exist"
            );
            paths += 1;
        }
    }
    assert!(paths >= 20, "only {paths} paths in the README's map");
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            found.push(path);
        }
    }
    found
}

/// Lines of code (not comments) of `file` that hold one of `words`.
fn named_in(file: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    if file.components().any(|part| part.as_os_str() == "tests") {
        return found; // tests in a folder of their own, as those at the end of a file
    }
    for (number, line) in read(file).lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            break; // tests stand last in a file and may use what they need
        }
        let code = line.split("//").next().unwrap_or_default();
        for word in words {
            if code.contains(word) {
                found.push(format!("{}:{}: {word}", relative(file), number + 1));
            }
        }
    }
    found
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(workspace_root())
        .unwrap_or(file)
        .display()
        .to_string()
}
