//! A host that systemd runs: a Debian of its own, booted in a container with its journal, message bus and a service that
//! fails. The agent runs in there as root and as an ordinary user. Needs root, and the mirror of this host's packages.

use serde_json::Value;
use sitrep_tests::binaries;
use sitrep_tests::debian::{self, administer};
use sitrep_tests::process::{self, Running};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MACHINE: &str = "0123456789abcdef0123456789abcdef";
/// Two boots that are long over, by their ids and the minute of 2026-11-24 (UTC) at which they began.
const PAST: [(&str, i64); 2] = [
    ("11111111111111111111111111111111", 0),
    ("22222222222222222222222222222222", 600),
];
/// 2026-11-24T00:00:00Z in seconds.
const DAY: i64 = 1_795_478_400;
/// Entries of a past boot, one a minute.
const ENTRIES: i64 = 500;

const FAILS: &str = "[Unit]
Description=A service that cannot start
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo cannot open /srv/data/app.db: No such file or directory >&2; exit 3'
[Install]
WantedBy=multi-user.target
";

/// Starts once the host is up, and shuts it down when it is done, also when it fails.
const COLLECT: &str = "[Unit]
Description=Collect
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/lib/collect.sh
StandardOutput=file:/out/said
StandardError=inherit
";

const TIMER: &str = "[Timer]
OnBootSec=1
[Install]
WantedBy=timers.target
";

const SCRIPT: &str = "
systemctl is-system-running --wait
run='/usr/local/bin/sitrep run --no-send --yes --allow-partial --progress none'
export HOME=/root XDG_STATE_HOME=/var/lib
set -ex
$run --profile full -o /out/root.tar.gz
$run --profile /out/logs.toml --since 2026-11-24T09:50:00Z --until 2026-11-24T10:05:59Z -o /out/window.tar.gz
$run --profile /out/logs.toml --since 2026-11-24T00:00:00Z --until 2026-11-24T23:00:00Z -o /out/newest.tar.gz
install -d -o nobody /tmp/nobody
cd /tmp/nobody
setpriv --reuid nobody --regid nogroup --clear-groups env HOME=/tmp/nobody XDG_STATE_HOME=/tmp/nobody \\
  $run --profile full -o nobody.tar.gz
mv nobody.tar.gz /out
";

/// Only the journal; of a group of logs about 90 entries fit.
const LOGS: &str = "name = 'journal'
version = '1'
title = 'the journal'
sources = ['journald']
[limits]
log_group_bytes = 9000
";

/// The past as systemd exchanges it.
fn past() -> String {
    let mut text = String::new();
    for (boot, from) in PAST {
        for n in 0..ENTRIES {
            let at = (DAY + (from + n) * 60) * 1_000_000;
            let (monotonic, minute) = ((n + 1) * 60_000_000, from + n);
            let _ = write!(
                text,
                "__REALTIME_TIMESTAMP={at}\n__MONOTONIC_TIMESTAMP={monotonic}\n_BOOT_ID={boot}\n\
                 _MACHINE_ID={MACHINE}\n_HOSTNAME=oldhost\n_TRANSPORT=journal\n_PID=7\n_UID=0\nPRIORITY=6\n\
                 SYSLOG_IDENTIFIER=worker\n_SYSTEMD_UNIT=worker.service\nMESSAGE=did the work of minute {minute}\n\n"
            );
        }
    }
    text
}

struct Guest {
    dir: tempfile::TempDir,
}

impl Guest {
    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn write(&self, path: &str, text: &str) -> Result<(), String> {
        let path = self.root().join(path);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// A system that is ready to be booted.
    fn new() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let guest = Self { dir };
        let packages = [
            "systemd",
            "systemd-sysv",
            "dbus",
            "libpam-systemd",
            "procps",
        ];
        debian::install(&guest.root(), &packages)?;
        std::fs::create_dir(guest.out()).map_err(|error| error.to_string())?;
        let journal = guest.root().join("var/log/journal").join(MACHINE);
        std::fs::create_dir_all(&journal).map_err(|error| error.to_string())?;
        guest.write("etc/machine-id", &format!("{MACHINE}\n"))?;
        guest.write("etc/hostname", "guest\n")?;
        for (unit, text) in [
            ("sitrep-fails.service", FAILS),
            ("collect.service", COLLECT),
            ("collect.timer", TIMER),
        ] {
            guest.write(&format!("etc/systemd/system/{unit}"), text)?;
        }
        guest.write("usr/local/lib/collect.sh", SCRIPT)?;
        let root = guest.root().display().to_string();
        let units = ["sitrep-fails.service", "collect.timer"];
        administer(
            "/bin/systemctl",
            &[&["--root", &root, "enable"], &units[..]].concat(),
        )?;
        std::fs::write(guest.out().join("logs.toml"), LOGS).map_err(|error| error.to_string())?;
        let export = guest.dir.path().join("past.export");
        std::fs::write(&export, past()).map_err(|error| error.to_string())?;
        let file = journal.join("past.journal").display().to_string();
        let export = export.display().to_string();
        administer(
            "/lib/systemd/systemd-journal-remote",
            &["-o", &file, &export],
        )?;
        Ok(guest)
    }

    /// Boots it, and waits until it has shut itself down; gives what the collecting said.
    fn boot(&self) -> Result<String, String> {
        let mut command = process::command(Path::new("systemd-nspawn"));
        let agent = format!(
            "--bind-ro={}:/usr/local/bin/sitrep",
            binaries::sitrep().display()
        );
        let out = format!("--bind={}:/out", self.out().display());
        let console = std::fs::File::create(self.dir.path().join("console"));
        let console = console.map_err(|error| error.to_string())?;
        command
            .args([
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--private-network",
                "--boot",
            ])
            .args([&agent, &out])
            .arg("--directory")
            .arg(self.root())
            .stdout(console);
        let ended = Running::start(&mut command)?.wait(Duration::from_secs(300))?;
        let read = |path: PathBuf| {
            let bytes = std::fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (said, console) = (
            read(self.out().join("said")),
            read(self.dir.path().join("console")),
        );
        match ended {
            Some(0) => Ok(said),
            other => Err(format!("it ended with {other:?}\n{console}\n{said}")),
        }
    }

    /// The bundle of one run, unpacked.
    fn bundle(&self, name: &str) -> Result<Tree, String> {
        let place = self.dir.path().join(format!("of-{name}"));
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        let archive = self.out().join(format!("{name}.tar.gz"));
        let (place_text, archive) = (place.display().to_string(), archive.display().to_string());
        let strip = "--strip-components=1";
        administer("/bin/tar", &["-xzf", &archive, "-C", &place_text, strip])?;
        Ok(Tree(place))
    }
}

/// A bundle as files.
struct Tree(PathBuf);

impl Tree {
    fn text(&self, path: &str) -> String {
        let bytes = std::fs::read(self.0.join(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn command(&self, name: &str) -> String {
        self.text(&format!("sos/sos_commands/{name}"))
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap_or_default()
    }

    /// Outcome and reason of a command.
    fn outcome(&self, line: &str) -> (String, String) {
        let manifest = self.json("meta/manifest.json");
        let items = manifest["items"].as_array().cloned().unwrap_or_default();
        let found = items.into_iter().find(|item| item["origin"] == line);
        let found = found.unwrap_or_default();
        let word = |key: &str, other: &str| found[key].as_str().unwrap_or(other).to_owned();
        (word("outcome", "collected"), word("reason", ""))
    }
}

const JOURNAL: &str = "logs/journalctl_--no-pager_--boot";

/// What systemd, its bus and its journal tell.
const TOLD: [(&str, &str); 14] = [
    ("systemd/systemctl_list-units", "dbus.service"),
    (
        "systemd/systemctl_list-units_--failed",
        "sitrep-fails.service",
    ),
    ("systemd/systemctl_list-units_--all", "collect.timer"),
    ("systemd/systemctl_list-jobs", "collect.service"),
    ("systemd/systemctl_list-unit-files", "collect.timer"),
    ("systemd/systemctl_show_--state_failed", "ExecMainStatus=3"),
    (
        "systemd/systemctl_status_--all",
        "A service that cannot start",
    ),
    ("systemd/systemctl_list-timers_--all", "collect.timer"),
    ("systemd/systemd-analyze_blame", "sitrep-fails.service"),
    ("dbus/busctl_list_--no-pager", "org.freedesktop.login1"),
    ("systemd/journalctl_--list-boots_--no-pager", PAST[1].0),
    ("logs/journalctl_--disk-usage", "take up"),
    (
        "logs/journalctl_--no-pager_-p_err_-o_json",
        "Failed to start",
    ),
    (JOURNAL, "cannot open /srv/data/app.db"),
];

#[test]
fn units_journal_and_bus_of_a_host_that_systemd_runs() -> Result<(), String> {
    let guest = Guest::new()?;
    let said = guest.boot()?;
    let root = guest
        .bundle("root")
        .map_err(|error| format!("{said}\n{error}"))?;
    let told = TOLD.map(|(name, told)| (name, told, root.command(name)));
    let silent: Vec<_> = told
        .iter()
        .filter(|(_, told, text)| !text.contains(told))
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
    let before = root.command("logs/journalctl_--no-pager_--boot_-1");
    assert_eq!(before.lines().count(), 500, "the boot before, whole");
    assert!(
        !root.command(JOURNAL).contains("did the work"),
        "this boot alone"
    );

    let findings = root.json("meta/findings.json");
    let failed = findings["findings"].as_array().into_iter().flatten();
    let failed = failed.filter(|finding| finding.to_string().contains("sitrep-fails"));
    assert!(failed.count() > 0, "{findings:#}");
    let units = &root.json("meta/facts.json")["units"];
    assert!(
        units.to_string().contains("sitrep-fails.service"),
        "{units}"
    );

    // A window is by the entries' time and goes over boots.
    let window = guest.bundle("window")?.command(JOURNAL);
    let minutes: Vec<&str> = window
        .lines()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    let expected: Vec<String> = (600..=605).map(|minute| minute.to_string()).collect();
    assert_eq!(minutes, expected, "{window}");
    // Of what does not fit the newest is kept, in order.
    let newest = guest.bundle("newest")?;
    let text = newest.command(JOURNAL);
    let last = text.lines().last().unwrap_or_default();
    assert!(last.ends_with("minute 1099"), "{last}");
    assert!(text.len() <= 9000 && text.len() > 8000, "{}", text.len());
    let (outcome, reason) = newest.outcome("journalctl --no-pager --boot");
    assert_eq!(outcome, "partial", "{reason}");

    // Without rights: what the bus and systemd tell to everybody; of the journal at least why not.
    let nobody = guest.bundle("nobody")?;
    for (name, told) in [
        ("systemd/systemctl_list-units", "dbus.service"),
        ("dbus/busctl_list_--no-pager", "org.freedesktop.DBus"),
    ] {
        let text = nobody.command(name);
        assert!(text.contains(told), "{name}: {text}");
    }
    let (outcome, reason) = nobody.outcome("journalctl --no-pager --boot");
    assert_ne!(outcome, "failed", "{reason}");
    let broken = nobody.json("meta/manifest.json")["items"].clone();
    let broken = broken.as_array().into_iter().flatten();
    let broken: Vec<String> = broken
        .filter(|item| item["outcome"] == "failed" || item["outcome"] == "timed_out")
        .map(|item| format!("{}: {}", item["origin"], item["reason"]))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
    Ok(())
}
