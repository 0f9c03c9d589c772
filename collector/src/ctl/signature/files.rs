//! Which rule files the arguments mean, and the rules in them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sitrep_shared::signature::{Catalogue, LoadError, Signature, SourceMap};

use super::Fault;

/// A rule file larger than this is not one.
const MAX_RULE_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn read_fault(path: &Path, source: io::Error) -> Fault {
    Fault::Read {
        path: path.display().to_string(),
        source,
    }
}

/// The rules of files and folders; without any, the built-in catalogue. Each file stands alone, so
/// that two files may hold versions of one rule.
pub(super) fn rules(paths: &[PathBuf]) -> Result<Vec<Signature>, Fault> {
    let (signatures, errors) = rules_and_errors(paths)?;
    if errors.is_empty() {
        Ok(signatures)
    } else {
        Err(Fault::Refused(errors))
    }
}

/// The same, with the rules that were refused beside those that were not.
pub(super) fn rules_and_errors(
    paths: &[PathBuf],
) -> Result<(Vec<Signature>, Vec<LoadError>), Fault> {
    if paths.is_empty() {
        return Ok((
            Catalogue::embedded().map_err(Fault::Refused)?.signatures,
            Vec::new(),
        ));
    }
    let mut signatures = Vec::new();
    let mut errors = Vec::new();
    for (path, named) in rule_files(paths)? {
        let text = read_rule(&path)?;
        // In a folder, YAML that holds no rules is somebody else's.
        if !named && !text.lines().any(|line| line.starts_with("rules:")) {
            continue;
        }
        match Catalogue::load([(path.display().to_string(), text)]) {
            Ok(mut catalogue) => signatures.append(&mut catalogue.signatures),
            Err(mut refused) => errors.append(&mut refused),
        }
    }
    if signatures.is_empty() && errors.is_empty() {
        return Err(Fault::Usage("no rule files there".to_owned()));
    }
    Ok((signatures, errors))
}

fn read_rule(path: &Path) -> Result<String, Fault> {
    let fault = |source| read_fault(path, source);
    let file = File::open(path).map_err(fault)?;
    let mut bytes = Vec::new();
    file.take(MAX_RULE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Rule files, with whether they were named themselves or found in a folder.
fn rule_files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, bool)>, Fault> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut found = Vec::new();
            walk(path, &mut found)?;
            files.extend(found.into_iter().filter(|f| is_yaml(f)).map(|f| (f, false)));
        } else {
            files.push((path.clone(), true));
        }
    }
    Ok(files)
}

/// Whether a file is named like a rule file.
pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// Every regular file below a folder, sorted.
pub(super) fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let fault = |source| read_fault(folder, source);
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(fault)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// The source map, with the operator's own when there is one.
pub(super) fn sources(own: Option<&Path>) -> Result<SourceMap, Fault> {
    let built_in = SourceMap::embedded()?;
    let Some(path) = own else { return Ok(built_in) };
    let text = read_rule(path)?;
    Ok(built_in.extended(SourceMap::load(&path.display().to_string(), &text)?))
}
