//! `signature import`: a folder or archive of somebody's rules becomes a pack: the rules that are valid, the
//! licence they come under, and what the checks said, in a folder that `--rules` and the service read.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::path::{Component, Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use sitrep_shared::archive::{self, Entry, Kind, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_shared::bundle::{tar_end, tar_header, tar_padding};
use sitrep_shared::hash::sha256;
use sitrep_shared::signature::{Catalogue, LoadError, Signature, lint, test_signature};

use super::files::{self, is_yaml, read_fault, walk};
use super::server::{Open, answer};
use super::{Fault, Outcome};

/// A file of a pack is not larger.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Files of a pack.
const MAX_FILES: usize = 20_000;
/// Value of [`Pack::schema`].
const SCHEMA: &str = "sitrep.pack/1";
/// Name of the pack's own file.
const PACK_FILE: &str = "pack.json";

/// Options of `sitrepctl signature import`.
#[derive(Args)]
pub(super) struct Arguments {
    /// A folder, or a tar or zip archive, with rule files in it.
    #[arg(value_name = "DIR|ARCHIVE")]
    from: PathBuf,
    /// The folder that the pack's folder is made in.
    #[arg(long, value_name = "FOLDER", required_unless_present = "server")]
    to: Option<PathBuf>,
    /// Address of a collector that takes the pack in, such as `https://support.example`.
    #[arg(long, value_name = "URL", requires = "token_file")]
    server: Option<String>,
    /// File with an API token of a lead.
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// Certificate (PEM) to trust besides the usual ones.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// Where the pack is to stand in the collector: shadow or live.
    #[arg(long, value_name = "STATE", default_value = "shadow", value_parser = ["shadow", "live"])]
    stand: String,
    /// Lower-case name of the pack. Default: from the name of what is imported.
    #[arg(long)]
    name: Option<String>,
    /// Its version. Default: what the rules say, or a digest of them.
    #[arg(long)]
    version: Option<String>,
    /// Its licence, as an SPDX expression. Default: what its licence file says.
    #[arg(long)]
    licence: Option<String>,
}

/// What a pack says of itself.
#[derive(Serialize)]
struct Pack {
    schema: &'static str,
    name: String,
    version: String,
    licence: String,
    /// The file with the licence's text.
    licence_file: Option<String>,
    signatures: Vec<Listed>,
    refused: Vec<LoadError>,
    advice: Vec<String>,
}

/// One signature of a pack.
#[derive(Serialize)]
struct Listed {
    id: String,
    file: String,
    line: u64,
}

/// A file of what is imported: its path there, and its bytes.
type Text = (String, Vec<u8>);

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let texts = gather(&arguments.from)?;
    let mut kept: Vec<&Text> = Vec::new();
    let mut pack = Pack {
        schema: SCHEMA,
        name: name(arguments)?,
        version: String::new(),
        licence: String::new(),
        licence_file: None,
        signatures: Vec::new(),
        refused: Vec::new(),
        advice: Vec::new(),
    };
    let mut ids = BTreeSet::new();
    for text in texts.iter().filter(|(path, _)| is_yaml(Path::new(path))) {
        if take(text, &mut ids, &mut pack)? {
            kept.push(text);
        }
    }
    if pack.signatures.is_empty() {
        return Err(match pack.refused.is_empty() {
            true => Fault::Usage(format!("no rule files in {}", arguments.from.display())),
            false => Fault::Refused(pack.refused),
        });
    }
    let licence = texts.iter().find(|(path, _)| is_licence(path));
    pack.licence_file = licence.map(|(path, _)| path.clone());
    let said = licence.map_or("unknown", |(_, text)| licence_of(text));
    pack.licence = arguments.licence.clone().unwrap_or_else(|| said.to_owned());
    pack.version = arguments
        .version
        .clone()
        .unwrap_or_else(|| version(&texts, &kept));
    kept.extend(licence);
    if let Some(to) = &arguments.to {
        let folder = write(to, &pack, &kept)?;
        report(&pack, &folder.display().to_string(), out)?;
    }
    if let (Some(url), Some(token)) = (&arguments.server, &arguments.token_file) {
        let server = Open::at(url, token, arguments.ca.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stored = runtime.block_on(send(&server, &pack, &kept, &arguments.stand))?;
        report(&pack, &format!("collector, {}", arguments.stand), out)?;
        for remark in stored["remarks"].as_array().into_iter().flatten() {
            let remark = remark.as_str().unwrap_or_default();
            writeln!(out, "  {}", sitrep_shared::escape::terminal(remark))?;
        }
    }
    Ok(Outcome::Done)
}

/// Hands the pack to a collector, which checks it again.
async fn send(server: &Open, pack: &Pack, kept: &[&Text], stand: &str) -> Result<Value, Fault> {
    let mut archive = Vec::new();
    for (path, bytes) in kept {
        let size = bytes.len() as u64;
        archive.extend(tar_header(path, size));
        archive.extend_from_slice(bytes);
        archive.extend_from_slice(tar_padding(size));
    }
    archive.extend_from_slice(tar_end());
    let label = [
        ("name", pack.name.as_str()),
        ("version", &pack.version),
        ("licence", &pack.licence),
        ("stand", stand),
    ];
    let label = serde_urlencoded::to_string(label).map_err(io::Error::other)?;
    let request = server.post(&format!("/api/v1/signature-packs?{label}"));
    answer(
        request
            .header("content-type", "application/octet-stream")
            .body(archive),
    )
    .await
}

/// Checks a rule file; whether it goes into the pack.
fn take(text: &Text, ids: &mut BTreeSet<String>, pack: &mut Pack) -> Result<bool, Fault> {
    let (path, bytes) = text;
    let yaml = String::from_utf8_lossy(bytes);
    // YAML without rules beside them is lists of tags and the like.
    if !yaml.lines().any(|line| line.starts_with("rules:")) {
        return Ok(false);
    }
    let signatures = match Catalogue::load([(path, &yaml)]) {
        Ok(catalogue) => catalogue.signatures,
        Err(mut errors) => {
            pack.refused.append(&mut errors);
            return Ok(false);
        }
    };
    let faults = faults(&signatures, ids)?;
    if !faults.is_empty() {
        pack.refused.extend(faults);
        return Ok(false);
    }
    for signature in &signatures {
        ids.insert(signature.id.clone());
        let place = format!("{}:{}: {}", signature.file, signature.line, signature.id);
        let remarks = lint(signature).into_iter();
        pack.advice
            .extend(remarks.map(|remark| format!("{place}: {remark}")));
        pack.signatures.push(Listed {
            id: signature.id.clone(),
            file: path.clone(),
            line: signature.line,
        });
    }
    Ok(true)
}

/// Ids that are taken, and tests that fail.
fn faults(signatures: &[Signature], ids: &BTreeSet<String>) -> Result<Vec<LoadError>, Fault> {
    let sources = files::sources(None)?;
    let fault = |signature: &Signature, line: u64, message: String, hint: &str| LoadError {
        file: signature.file.clone(),
        line,
        message,
        hint: hint.to_owned(),
    };
    let mut faults = Vec::new();
    for signature in signatures {
        if ids.contains(&signature.id) {
            let message = format!("{} is in the pack already", signature.id);
            let hint = "import one version of it";
            faults.push(fault(signature, signature.line, message, hint));
        }
        for failure in test_signature(signature, &sources) {
            let message = format!("test `{}`: {}", failure.test, failure.message);
            let hint = "mend the rule or its test";
            faults.push(fault(signature, failure.line, message, hint));
        }
    }
    Ok(faults)
}

/// The pack's name: given, or made of the name of what is imported.
fn name(arguments: &Arguments) -> Result<String, Fault> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if let Some(name) = &arguments.name {
        return match !name.is_empty() && name.len() <= 60 && name.chars().all(plain) {
            true => Ok(name.clone()),
            false => Err(Fault::Usage(format!(
                "{name} is no name for a pack: use lower-case letters, digits, - and _"
            ))),
        };
    }
    let path = fs::canonicalize(&arguments.from).unwrap_or_else(|_| arguments.from.clone());
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file.split('.').next().unwrap_or_default().to_lowercase();
    let name: String = stem
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect();
    let name = name.trim_matches('-').to_owned();
    Ok(if name.is_empty() {
        "pack".to_owned()
    } else {
        name
    })
}

/// What a section `version` says, or a digest of the rules.
fn version(texts: &[Text], kept: &[&Text]) -> String {
    for (_, bytes) in texts {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text
            .lines()
            .skip_while(|line| line.trim() != "section: version");
        let said = lines.find_map(|line| line.strip_prefix("version:"));
        if let Some(version) = said.map(str::trim).filter(|v| !v.is_empty()) {
            return version.trim_matches(['"', '\'']).to_owned();
        }
    }
    let all: Vec<u8> = kept.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    format!("sha256-{:.12}", sha256(&all).to_string())
}

fn is_licence(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_uppercase();
    ["LICENSE", "LICENCE", "COPYING"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// The licence by the words that its text begins with.
fn licence_of(text: &[u8]) -> &'static str {
    const KNOWN: &[(&str, &str)] = &[
        ("Apache License", "Apache-2.0"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE", "AGPL-3.0-only"),
        ("GNU LESSER GENERAL PUBLIC LICENSE", "LGPL-3.0-only"),
        ("GNU GENERAL PUBLIC LICENSE", "GPL-3.0-only"),
        ("Mozilla Public License", "MPL-2.0"),
        ("MIT License", "MIT"),
        ("Permission is hereby granted, free of charge", "MIT"),
        (
            "Redistribution and use in source and binary forms",
            "BSD-3-Clause",
        ),
        ("Creative Commons Attribution-ShareAlike", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution", "CC-BY-4.0"),
    ];
    let text = String::from_utf8_lossy(text);
    let known = KNOWN.iter().find(|(words, _)| text.contains(words));
    known.map_or("unknown", |(_, id)| id)
}

/// Every file of a folder or archive that may belong to a pack.
fn gather(from: &Path) -> Result<Vec<Text>, Fault> {
    let mut gathered = Gathered::default();
    if from.is_dir() {
        let mut found = Vec::new();
        walk(from, &mut found)?;
        for path in found {
            let name = path.strip_prefix(from).unwrap_or(&path).to_string_lossy();
            let file = File::open(&path).map_err(|source| read_fault(&path, source))?;
            gathered
                .take(&name, &mut io::BufReader::new(file))
                .map_err(|source| read_fault(&path, source))?;
        }
    } else {
        let mut file = File::open(from).map_err(|source| read_fault(from, source))?;
        let report = archive::inspect(&mut file, &Limits::default(), &mut gathered);
        if report.verdict == Verdict::Reject {
            let reason = format!("{}: {}", report.reason, report.detail);
            return Err(read_fault(from, io::Error::other(reason)));
        }
    }
    Ok(gathered.texts)
}

#[derive(Default)]
struct Gathered {
    texts: Vec<Text>,
}

impl Gathered {
    fn take(&mut self, path: &str, data: &mut dyn BufRead) -> io::Result<()> {
        let inside = Path::new(path)
            .components()
            .all(|c| matches!(c, Component::Normal(_)));
        let wanted = inside && (is_yaml(Path::new(path)) || is_licence(path));
        if !wanted || self.texts.len() >= MAX_FILES {
            return Ok(());
        }
        let mut bytes = Vec::new();
        data.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        self.texts.push((path.to_owned(), bytes));
        Ok(())
    }
}

impl Visitor for Gathered {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind == Kind::File {
            self.take(entry.path, data)?;
        }
        Ok(())
    }
}

/// Writes the pack beside its place and puts it there in one step; one of that name goes.
fn write(to: &Path, pack: &Pack, kept: &[&Text]) -> Result<PathBuf, Fault> {
    let folder = to.join(&pack.name);
    let new = to.join(format!(".{}.new", pack.name));
    if folder.exists() && !folder.join(PACK_FILE).is_file() {
        let message = format!(
            "{} is there and is no pack; choose another --name",
            folder.display()
        );
        return Err(Fault::Usage(message));
    }
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    for (path, bytes) in kept {
        let place = new.join(path);
        fs::create_dir_all(place.parent().unwrap_or(&new))?;
        fs::write(place, bytes)?;
    }
    let text = serde_json::to_vec_pretty(pack).map_err(io::Error::from)?;
    fs::write(new.join(PACK_FILE), text)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&new, &folder)?;
    Ok(folder)
}

fn report(pack: &Pack, place: &str, out: &mut dyn Write) -> Result<(), Fault> {
    for error in &pack.refused {
        writeln!(out, "refused: {error}")?;
        if !error.hint.is_empty() {
            writeln!(out, "  hint: {}", error.hint)?;
        }
    }
    writeln!(
        out,
        "{place}: {} {}, licence {}, {} signatures, {} refused, {} pieces of advice (in {PACK_FILE})",
        pack.name,
        pack.version,
        pack.licence,
        pack.signatures.len(),
        pack.refused.len(),
        pack.advice.len()
    )?;
    Ok(())
}
