//! `sitrep redact`: the redactor alone, over a file or a folder tree, and its self test.

use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::ui::Line;
use clap::Args;
use serde_json::json;
use sitrep_shared::redact::{
    FileContext, FileReport, Learned, Level, Redactor, RedactorBuilder, families,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;
/// Deepest folder that is followed.
const MAX_DEPTH: usize = 128;
/// Users from this id on are people.
const FIRST_PERSON: u32 = 1000;
/// A list of users or hosts is small.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;

/// Arguments of `redact`.
#[derive(Args, Debug)]
pub struct Redact {
    /// File or folder to redact; a file goes to stdout unless --out is given
    #[arg(required_unless_present_any = ["input", "self_test"], conflicts_with = "input")]
    pub path: Option<PathBuf>,
    /// Folder (or file) to redact
    #[arg(long = "in", value_name = "DIR")]
    pub input: Option<PathBuf>,
    /// Where the redacted tree (or file) is written
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// standard removes secrets, strict also identifiers
    #[arg(long, default_value = "standard", value_name = "LEVEL")]
    pub level: Level,
    /// Try the rules on their own examples, on this host
    #[arg(long)]
    pub self_test: bool,
}

/// What was done.
#[derive(Default)]
struct Summary {
    files: u64,
    changed: u64,
    bytes: u64,
    total: u64,
    by_rule: BTreeMap<String, u64>,
    withheld: Vec<(String, String)>,
    unreadable: u64,
    skipped: Vec<(String, &'static str)>,
}

impl Command for Redact {
    const NAME: &'static str = "redact";
    const ABOUT: &'static str = "Remove secrets from files or folders, without a bundle";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        if self.self_test {
            return self_test(app);
        }
        let Some(input) = self.input.or(self.path) else {
            return Err(Failure::usage("nothing to redact"));
        };
        let meta = std::fs::metadata(&input).map_err(|error| {
            Failure::usage(format!("cannot read {}", input.display())).because(error)
        })?;
        let redactor = redactor(self.level, &input)?;
        let mut work = Work {
            redactor: &redactor,
            names: names(&redactor, self.level)?,
            summary: Summary::default(),
        };
        match (meta.is_dir(), self.out) {
            (true, None) => {
                return Err(
                    Failure::usage("a folder needs --out").hint("sitrep redact --in DIR --out DIR")
                );
            }
            (true, Some(out)) => work.tree(&input, &out)?,
            (false, Some(out)) => {
                let name = input
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let target = if out.is_dir() { out.join(&name) } else { out };
                work.file(&input, &target, &name)?;
            }
            (false, None) => return stream(app, &redactor, &input),
        }
        Ok(report(app, self.level, &work.summary))
    }
}

fn redactor(level: Level, input: &Path) -> Result<Redactor, Failure> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|error| {
        Failure::internal(
            "cannot make a key for redaction",
            std::io::Error::other(error),
        )
    })?;
    RedactorBuilder::new(level, key)
        .learn(learned(input))
        .build()
        .map_err(|error| Failure::usage("cannot use the redaction rules").because(error))
}

/// File names lose secrets only: with stand-ins in them nobody would find a file again.
fn names(redactor: &Redactor, level: Level) -> Result<Redactor, Failure> {
    if level != Level::Strict {
        return Ok(redactor.clone());
    }
    RedactorBuilder::new(Level::Standard, [0; 32])
        .build()
        .map_err(|error| Failure::usage("cannot use the redaction rules").because(error))
}

/// Names that a collected tree itself states: its host and its people.
fn learned(root: &Path) -> Learned {
    let read = |name: &str| {
        let mut text = String::new();
        let file = File::open(root.join(name)).ok();
        let _ = file.and_then(|f| f.take(MAX_LIST_BYTES).read_to_string(&mut text).ok());
        text
    };
    let mut learned = Learned::default();
    let host = read("etc/hostname");
    if let Some(name) = host
        .lines()
        .map(str::trim)
        .find(|l| !l.is_empty() && !l.starts_with('#'))
    {
        learned.hosts.push(name.to_owned());
        if let Some((short, domain)) = name.split_once('.') {
            learned.hosts.push(short.to_owned());
            learned.domains.push(domain.to_owned());
        }
    }
    for line in read("etc/passwd").lines() {
        let mut fields = line.split(':');
        let (user, id) = (
            fields.next(),
            fields.nth(1).and_then(|id| id.parse::<u32>().ok()),
        );
        if let (Some(user), Some(id)) = (user, id)
            && id >= FIRST_PERSON
            && user != "nobody"
        {
            learned.users.push(user.to_owned());
        }
    }
    learned
}

struct Work<'a> {
    redactor: &'a Redactor,
    names: Redactor,
    summary: Summary,
}

impl Work<'_> {
    /// Walks the tree; every entry ends in the output, in `withheld` or in `skipped`.
    fn tree(&mut self, input: &Path, out: &Path) -> Result<(), Failure> {
        let outside = |e| Failure::usage(format!("cannot use {}", out.display())).because(e);
        std::fs::create_dir_all(out).map_err(outside)?;
        let inside = out
            .canonicalize()
            .map_err(outside)?
            .starts_with(input.canonicalize().map_err(outside)?);
        if inside {
            return Err(Failure::usage(
                "--out lies inside the folder that is redacted",
            ));
        }
        let mut folders = vec![(PathBuf::new(), PathBuf::new(), 0)];
        while let Some((from, to, depth)) = folders.pop() {
            let mut entries = match std::fs::read_dir(input.join(&from)) {
                Ok(entries) => entries.filter_map(Result::ok).collect::<Vec<_>>(),
                Err(error) => {
                    self.unreadable(&from, &error);
                    continue;
                }
            };
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let name = entry.file_name();
                let shown = name.to_string_lossy();
                let clean = self.names.name(&shown);
                let kept = if clean == shown {
                    name.clone()
                } else {
                    clean.into_owned().into()
                };
                let (from, to) = (from.join(&name), to.join(kept));
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() && depth < MAX_DEPTH {
                    make_dir(&out.join(&to))?;
                    folders.push((from, to, depth + 1));
                } else if kind.is_file() {
                    let path = from.to_string_lossy().into_owned();
                    self.file(&input.join(&from), &out.join(&to), &path)?;
                } else if kind.is_symlink() {
                    self.link(&input.join(&from), &out.join(&to))?;
                } else {
                    self.summary.skipped.push((
                        from.to_string_lossy().into_owned(),
                        "neither file nor folder",
                    ));
                }
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, error: &dyn std::error::Error) {
        self.summary.unreadable += 1;
        let why = sitrep_shared::error::chain(error);
        self.summary
            .withheld
            .push((path.display().to_string(), why));
    }

    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let target = std::fs::read_link(from).unwrap_or_default();
        let clean = self.names.name(&target.to_string_lossy()).into_owned();
        let _ = std::fs::remove_file(to);
        std::os::unix::fs::symlink(clean, to).map_err(|e| cannot_write(to, e))
    }

    /// Redacts one file; what cannot be redacted is not written.
    fn file(&mut self, from: &Path, to: &Path, path: &str) -> Result<(), Failure> {
        let mut input = match File::open(from) {
            Ok(input) => input,
            Err(error) => {
                self.unreadable(Path::new(path), &error);
                return Ok(());
            }
        };
        let mut output = File::create(to).map_err(|e| cannot_write(to, e))?;
        let mut sink = |bytes: &[u8]| output.write_all(bytes).map_err(|e| cannot_write(to, e));
        match redact(self.redactor, &mut input, path, &mut sink)? {
            Ok((report, bytes)) => self.count(report, bytes),
            Err(why) => {
                drop(output);
                let _ = std::fs::remove_file(to);
                self.summary.withheld.push((path.to_owned(), why));
            }
        }
        Ok(())
    }

    fn count(&mut self, report: FileReport, bytes: u64) {
        self.summary.files += 1;
        self.summary.bytes += bytes;
        self.summary.changed += u64::from(report.total > 0);
        self.summary.total += report.total;
        for (rule, count) in report.by_rule {
            *self.summary.by_rule.entry(rule).or_default() += count;
        }
    }
}

fn cannot_write(path: &Path, error: std::io::Error) -> Failure {
    Failure::internal(format!("cannot write {}", path.display()), error)
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|e| cannot_write(path, e))
}

/// Counts and input bytes, or why the file is withheld; failing to write ends the command.
type Outcome = Result<(FileReport, u64), String>;

fn redact(
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

/// One file to stdout.
fn stream(app: &mut App, redactor: &Redactor, input: &Path) -> Result<Exit, Failure> {
    let path = input.display().to_string();
    let unread = |e| Failure::usage(format!("cannot read {path}")).because(e);
    let mut file = File::open(input).map_err(unread)?;
    let stdout = &mut app.ui.io.stdout;
    let mut sink = |bytes: &[u8]| {
        stdout
            .write_all(bytes)
            .map_err(|e| Failure::internal("cannot write to stdout", e))
    };
    match redact(redactor, &mut file, &path, &mut sink)? {
        Ok(_) => Ok(Exit::Ok),
        Err(why) => Err(Failure::new(Exit::Redaction, format!("{path} is withheld")).because(why)),
    }
}

fn report(app: &mut App, level: Level, done: &Summary) -> Exit {
    let exit = if done.unreadable > 0 {
        Exit::Partial
    } else {
        Exit::Ok
    };
    if app.ui.style.json {
        let withheld: Vec<_> = done
            .withheld
            .iter()
            .map(|(path, reason)| json!({"path": path, "reason": reason}))
            .collect();
        let skipped: Vec<_> = done
            .skipped
            .iter()
            .map(|(path, reason)| json!({"path": path, "reason": reason}))
            .collect();
        app.ui.json(
            &json!({"schema": "sitrep.redact/1", "outcome": exit.word(), "level": level,
            "files": done.files, "changed": done.changed, "bytes": done.bytes, "total": done.total,
            "by_rule": done.by_rule, "withheld": withheld, "skipped": skipped}),
        );
        return exit;
    }
    app.ui.data(&Line::of(format!(
        "{} files, {} changed, {} values removed",
        done.files, done.changed, done.total
    )));
    for (rule, count) in &done.by_rule {
        app.ui.data(&Line::of(format!("{count:>8}  {rule}")));
    }
    for (path, why) in &done.withheld {
        app.ui.data(&Line::of(format!("withheld  {path}: {why}")));
    }
    for (path, why) in &done.skipped {
        app.ui.data(&Line::of(format!("skipped   {path}: {why}")));
    }
    exit
}

/// Runs every family's examples with the program as it is installed here.
fn self_test(app: &mut App) -> Result<Exit, Failure> {
    let mut failed = Vec::new();
    let (mut examples, mut rows) = (0, Vec::new());
    for family in families() {
        let redactor = RedactorBuilder::new(family.level, [1; 32])
            .build()
            .map_err(|error| Failure::internal("cannot use the redaction rules", error))?;
        let before = failed.len();
        for example in &family.examples {
            examples += 1;
            let path = example.file.as_deref().unwrap_or("etc/app.conf");
            let done = redactor.all(FileContext { path }, example.text.as_bytes());
            let text = done
                .map(|(out, _)| String::from_utf8_lossy(&out).into_owned())
                .unwrap_or_default();
            let gone = example.gone.iter().all(|g| !text.contains(g.as_str()));
            let kept = example.kept.iter().all(|k| text.contains(k.as_str()));
            if !gone || !kept || example.gone.is_empty() && text != example.text {
                failed.push(family.family.clone());
            }
        }
        rows.push((family, failed.len() - before));
    }
    if app.ui.style.json {
        app.ui.json(
            &json!({"schema": "sitrep.redact-self-test/1", "examples": examples,
            "failed": failed, "families": rows.iter().map(|(f, _)| &f.family).collect::<Vec<_>>()}),
        );
    } else {
        for (family, bad) in &rows {
            let mark = if *bad == 0 { "ok    " } else { "FAILED" };
            let rules = family.rules.len() + family.tokens.len();
            app.ui.data(&Line::of(format!(
                "{mark}  {:<10} {} ({rules} rules, {} examples)",
                family.family,
                family.title,
                family.examples.len()
            )));
        }
        app.ui.data(&Line::of(format!(
            "{examples} examples, {} failed",
            failed.len()
        )));
    }
    Ok(if failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Redaction
    })
}
