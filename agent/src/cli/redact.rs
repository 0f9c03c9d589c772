//! `sitrep redact`: the redactor alone, over a file, a folder tree or a finished bundle, and its self test.

use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::redaction::{self, Summary, Work, pass};
use crate::ui::Line;
use clap::Args;
use serde_json::json;
use sitrep_shared::redact::{Level, Redactor};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Arguments of `redact`.
#[derive(Args, Debug)]
pub struct Redact {
    /// File, folder or bundle to redact; a file goes to stdout unless --out is given
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
        let redactor = redaction::build(app, self.level, redaction::learned(&input), [])?;
        if meta.is_file() && is_bundle(&input) {
            let Some(out) = self.out else {
                return Err(Failure::usage("a bundle needs --out")
                    .hint("sitrep redact BUNDLE --out NEW.tar.gz"));
            };
            let now = (app.ui.io.now)();
            let done = redaction::bundle::redo(&redactor, &input, &out, now)?;
            return Ok(report(app, self.level, &done));
        }
        let mut work = Work::new(&redactor, self.level)?;
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

/// Whether a file is a finished bundle of ours.
fn is_bundle(path: &Path) -> bool {
    let mut head = [0; 3];
    File::open(path).is_ok_and(|mut f| f.read_exact(&mut head).is_ok())
        && head.starts_with(b"\x1f\x8b")
        && super::opened::open(path).is_ok()
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
    match pass(redactor, &mut file, &path, &mut sink)? {
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
    let tried = redaction::self_test::run()?;
    let failed: Vec<&str> = tried
        .iter()
        .filter(|t| t.failed > 0)
        .map(|t| t.family.family.as_str())
        .collect();
    let examples: usize = tried.iter().map(|t| t.family.examples.len()).sum();
    if app.ui.style.json {
        app.ui.json(
            &json!({"schema": "sitrep.redact-self-test/1", "examples": examples,
            "failed": failed, "families": tried.iter().map(|t| &t.family.family).collect::<Vec<_>>()}),
        );
    } else {
        for t in &tried {
            let mark = if t.failed == 0 { "ok    " } else { "FAILED" };
            let rules = t.family.rules.len() + t.family.tokens.len();
            app.ui.data(&Line::of(format!(
                "{mark}  {:<10} {} ({rules} rules, {} examples)",
                t.family.family,
                t.family.title,
                t.family.examples.len()
            )));
        }
        app.ui.data(&Line::of(format!(
            "{examples} examples, {} families failed",
            failed.len()
        )));
    }
    Ok(if failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Redaction
    })
}
