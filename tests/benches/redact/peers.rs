//! Peers on the same bytes, each whole process on one core: `sos clean` obfuscates, so it stands against
//! strict; ripsecrets and secretlint only find, and stand against standard. Each gets as much as it can
//! read in a minute or so. A peer that is not there is named.

use sitrep_tests::process::command;
use sitrep_tests::usage;
use std::path::{Path, PathBuf};

/// Bytes of each log that a peer is given.
const SOS_BYTES: usize = 100_000;
const FINDER_BYTES: usize = 2_000_000;

pub(crate) fn all(files: &[(String, Vec<u8>)], [standard, strict]: [f64; 2]) {
    let dir = tempfile::tempdir().expect("a folder");
    say("ripsecrets", standard, ripsecrets(dir.path(), files));
    say("secretlint", standard, secretlint(dir.path(), files));
    say("sos clean", strict, sos(dir.path(), files));
}

fn say(peer: &str, ours: f64, rate: Result<f64, String>) {
    match rate {
        Ok(rate) => println!(
            "{peer}: {rate:.2} MB/CPU-s, ours is {:.0} times that",
            ours / rate
        ),
        Err(why) => println!("{peer}: missing ({why})"),
    }
}

/// The first bytes of each log, as files.
fn cut(folder: &Path, files: &[(String, Vec<u8>)], most: usize) -> Result<f64, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut bytes = 0;
    for (name, log) in files {
        let part = &log[..log.len().min(most)];
        std::fs::write(folder.join(name), part).map_err(|error| error.to_string())?;
        bytes += part.len();
    }
    Ok(bytes as f64 / 1e6)
}

/// Where a program is: on PATH, or where the tests keep what they install.
fn find(name: &str) -> Result<PathBuf, String> {
    let kept = [
        format!(
            "{}/../target/node/node_modules/.bin/{name}",
            env!("CARGO_MANIFEST_DIR")
        ),
        format!("/root/.cache/sitrep-tests/{name}/bin/{name}"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .chain(kept.map(PathBuf::from))
        .find(|place| place.exists())
        .ok_or_else(|| "not installed".to_owned())
}

/// Megabytes per CPU-second of a program over a folder, on one core.
fn rate(mb: f64, program: &Path, arguments: &[&str], folder: &Path) -> Result<f64, String> {
    let mut run = command(Path::new("taskset"));
    // What finds something ends with 1.
    run.args(["-c", "0", "/bin/sh", "-c", "\"$@\" || [ $? = 1 ]", "sh"])
        .arg(program)
        .args(arguments)
        .current_dir(folder)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    Ok(mb / usage::of(&mut run)?.cpu_s())
}

fn ripsecrets(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<f64, String> {
    let folder = dir.join("ripsecrets");
    let mb = cut(&folder, files, FINDER_BYTES)?;
    rate(mb, &find("ripsecrets")?, &["."], &folder)
}

fn secretlint(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<f64, String> {
    let program = find("secretlint")?;
    let folder = dir.join("secretlint");
    let mb = cut(&folder, files, FINDER_BYTES)?;
    let modules = program.parent().and_then(Path::parent);
    if let Some(modules) = modules.filter(|m| m.ends_with("node_modules")) {
        std::os::unix::fs::symlink(modules, folder.join("node_modules"))
            .map_err(|error| error.to_string())?;
    }
    let rules = r#"{"rules":[{"id":"@secretlint/secretlint-rule-preset-recommend"}]}"#;
    std::fs::write(folder.join(".secretlintrc.json"), rules).map_err(|error| error.to_string())?;
    rate(mb, &program, &["--no-color", "*.log"], &folder)
}

/// `sos clean` takes an archive of a sos report.
fn sos(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<f64, String> {
    let program = find("sos")?;
    let (work, name) = (dir.join("sos"), "sosreport-web-2026-01-01-abcdefg");
    let tree = work.join(name);
    let mb = cut(&tree.join("var/log"), files, SOS_BYTES)?;
    for folder in ["sos_commands/host", "sos_logs", "sos_reports", "etc"] {
        std::fs::create_dir_all(tree.join(folder)).map_err(|error| error.to_string())?;
    }
    let write = |path: &str, text: &str| std::fs::write(tree.join(path), text);
    write(
        "sos_reports/manifest.json",
        r#"{"version":"4.0","components":{"report":{"plugins":{}}}}"#,
    )
    .and_then(|()| write("etc/hostname", "web\n"))
    .and_then(|()| write("version.txt", "4.0\n"))
    .map_err(|error| error.to_string())?;
    let archive = work.join(format!("{name}.tar.xz"));
    let mut pack = command(Path::new("tar"));
    pack.arg("-C")
        .arg(&work)
        .arg("-cJf")
        .arg(&archive)
        .arg(name);
    pack.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    pack.status().map_err(|error| error.to_string())?;
    let out = work.join("out");
    std::fs::create_dir_all(&out).map_err(|error| error.to_string())?;
    let text = |path: &Path| path.display().to_string();
    let map = text(&work.join("map"));
    let arguments = [
        "clean",
        "--batch",
        "--map",
        &map,
        "--tmp-dir",
        &text(&out),
        &text(&archive),
    ];
    let arguments = arguments.map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rate = rate(mb, &program, &arguments, &work)?;
    let made = std::fs::read_dir(&out)
        .map_err(|error| error.to_string())?
        .count();
    if made == 0 {
        return Err("it did not take the archive".to_owned());
    }
    Ok(rate)
}
