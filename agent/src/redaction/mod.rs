//! The redactor of this host: built from the settings and from what the host tells, and run over
//! files, folders and finished bundles.

pub mod bundle;
mod map;
pub mod self_test;
mod tree;

pub use map::{keep, read};
pub use tree::Work;

use crate::cli::App;
use crate::error::Failure;
use sitrep_shared::redact::{FileContext, FileReport, Learned, Level, Redactor, RedactorBuilder};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;
/// A list of users, hosts or words is small.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;

/// What was done to the files of a run.
#[derive(Default)]
pub struct Summary {
    /// Files written.
    pub files: u64,
    /// Those of them in which something was removed.
    pub changed: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Values removed.
    pub total: u64,
    /// The same by rule.
    pub by_rule: BTreeMap<String, u64>,
    /// Files that are not in the output, and why.
    pub withheld: Vec<(String, String)>,
    /// How many of those could not be read.
    pub unreadable: u64,
    /// Entries that are neither file nor folder.
    pub skipped: Vec<(String, &'static str)>,
}

impl Summary {
    /// Adds the report of one file.
    pub fn count(&mut self, report: &FileReport, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        self.changed += u64::from(report.total > 0);
        self.total += report.total;
        for (rule, count) in &report.by_rule {
            *self.by_rule.entry(rule.clone()).or_default() += count;
        }
    }
}

/// Builds a redactor with a fresh key, the words and patterns of the settings, and `words` besides.
pub fn build(
    app: &App,
    level: Level,
    learned: Learned,
    words: impl IntoIterator<Item = String>,
) -> Result<Redactor, Failure> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|error| {
        Failure::internal(
            "cannot make a key for redaction",
            std::io::Error::other(error),
        )
    })?;
    RedactorBuilder::new(level, key)
        .learn(learned)
        .words(lines(app, "redact.words_file")?)
        .words(words)
        .patterns(lines(app, "redact.patterns_file")?)
        .build()
        .map_err(|error| Failure::usage("cannot use the redaction rules").because(error))
}

/// What a collected tree or a root says about its host.
pub fn learned(root: &Path) -> Learned {
    Learned::from_files(|path| {
        let mut text = String::new();
        let file = std::fs::File::open(root.join(path.trim_start_matches('/'))).ok();
        let _ = file.and_then(|f| f.take(MAX_LIST_BYTES).read_to_string(&mut text).ok());
        text
    })
}

/// The lines of the file that a setting names; `#` begins a comment.
fn lines(app: &App, setting: &str) -> Result<Vec<String>, Failure> {
    let Some(path) = app.config.text(setting) else {
        return Ok(Vec::new());
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_LIST_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            Failure::usage(format!("cannot read {path}, which {setting} names")).because(error)
        })?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .map(str::to_owned)
        .collect())
}

/// Counts and input bytes, or why the file is withheld; failing to write ends the command.
pub type Outcome = Result<(FileReport, u64), String>;

/// Redacts what `input` gives into `sink`.
pub fn pass(
    redactor: &Redactor,
    input: &mut dyn Read,
    path: &str,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let mut stream = redactor.stream(FileContext { path });
    let (mut chunk, mut out, mut bytes) = (vec![0; CHUNK], Vec::new(), 0);
    loop {
        let n = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Ok(Err(sitrep_shared::error::chain(&e))),
        };
        bytes += n as u64;
        if let Err(e) = stream.push(&chunk[..n], &mut out) {
            return Ok(Err(sitrep_shared::error::chain(&e)));
        }
        sink(&out)?;
        out.clear();
    }
    match stream.finish(&mut out) {
        Ok(report) => {
            sink(&out)?;
            Ok(Ok((report, bytes)))
        }
        Err(e) => Ok(Err(sitrep_shared::error::chain(&e))),
    }
}
