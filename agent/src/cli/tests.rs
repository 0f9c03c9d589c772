//! The command line as a person sees it: help, errors, exit codes, in a terminal of our own.

use crate::ui::{Interrupt, Io, Scripted};
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One call: exit code, stdout, stderr as one text for a snapshot.
fn sitrep(args: &[&str], env: &[(&str, &str)]) -> String {
    let (out, err) = (Captured::default(), Captured::default());
    let io = Io {
        stdin: Box::new(Scripted(Cursor::new(Vec::new()))),
        stdout: Box::new(out.clone()),
        stderr: Box::new(err.clone()),
        stdin_tty: false,
        stdout_tty: false,
        stderr_tty: false,
        width: 100,
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        system_config: PathBuf::from("/nonexistent/config.toml"),
        now: || UtcMs(1_763_733_720_000),
        interrupt: Interrupt::manual(),
    };
    let args = std::iter::once("sitrep")
        .chain(args.iter().copied())
        .map(OsString::from);
    let code = crate::run(args, io);
    let text =
        |bytes: &Captured| String::from_utf8_lossy(&bytes.0.lock().expect("ok")).into_owned();
    format!(
        "exit {code}\n-- stdout\n{}-- stderr\n{}",
        text(&out),
        text(&err)
    )
}

#[test]
fn help_of_every_command() {
    insta::assert_snapshot!("help", sitrep(&["--help"], &[]));
    for entry in super::COMMANDS {
        insta::assert_snapshot!(
            format!("help_{}", entry.name),
            sitrep(&[entry.name, "--help"], &[])
        );
    }
}

#[test]
fn wrong_calls() {
    insta::assert_snapshot!("wrong_command", sitrep(&["runn"], &[]));
    insta::assert_snapshot!("wrong_flag", sitrep(&["version", "--jsn"], &[]));
    insta::assert_snapshot!("no_command", sitrep(&[], &[]));
}

#[test]
fn the_command_line_is_consistent() {
    super::command().debug_assert();
}

#[test]
fn completions_know_every_command() {
    let script = sitrep(&["completions", "bash"], &[]);
    for entry in super::COMMANDS {
        assert!(script.contains(entry.name), "{}", entry.name);
    }
}

#[test]
fn configuration_shows_origins_and_reports_every_fault() {
    let shown = sitrep(
        &["config", "show"],
        &[("SITREP_URL", "https://support.example.com")],
    );
    insta::assert_snapshot!("config_show", shown);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    std::fs::write(
        &file,
        "ulr = 1\n[redact]\nmode = \"loud\"\n[limits]\nmax_size = \"x\"\n",
    )
    .expect("written");
    let path = file.to_str().expect("utf-8");
    let faults = sitrep(&["--config", path, "version"], &[]).replace(path, "c.toml");
    insta::assert_snapshot!("config_faults", faults);
}
