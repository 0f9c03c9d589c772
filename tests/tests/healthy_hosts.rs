//! False alarms: no live signature of ours fires on the logs of a Debian that was just made, of one in which packages
//! were just installed, of services that start, restart and end, nor on what the package manager of this host wrote.
//! Needs root and the mirror that this host's own package manager uses.

use std::path::{Path, PathBuf};

use sitrep_shared::signature::{Catalogue, Engine, RunOptions, SourceMap};
use sitrep_shared::time::UtcMs;
use sitrep_tests::debian::{self, administer};

/// What is installed into the fresh system.
const PACKAGES: [&str; 6] = [
    "cron",
    "logrotate",
    "nginx-light",
    "openssh-server",
    "redis-server",
    "rsyslog",
];

/// A day of its services, in namespaces of their own: nothing is reached, and nothing is left running.
const SERVICES: &str = "set -e
ip link set lo up
exec chroot \"$1\" /bin/sh -ec '
# The ring buffer is that of this host.
sed -i /imklog/d /etc/rsyslog.conf
rsyslogd
all=\"cron redis-server nginx ssh\"
for service in $all; do service $service start; done
logger -p user.info an ordinary line
for service in $all; do service $service restart; done
nginx -s reload
logrotate --force /etc/logrotate.conf
for service in $all; do service $service stop; done
'";

/// What was read, and what fired.
#[derive(Debug, Default)]
struct Told {
    files: usize,
    lines: u64,
    evaluated: u64,
    alarms: Vec<String>,
}

/// Scans logs as if they lay in a bundle.
fn scan(root: &Path, logs: &[PathBuf]) -> Result<Told, String> {
    let catalogue = Catalogue::embedded().map_err(|errors| format!("{errors:?}"))?;
    let sources = SourceMap::embedded().map_err(|error| error.to_string())?;
    let engine = Engine::new(&catalogue, &sources).map_err(|error| error.to_string())?;
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .map_err(|error| error.to_string())?;
    let mut run = engine.run(RunOptions {
        bundle_time: UtcMs(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        ..RunOptions::default()
    });
    let mut told = Told::default();
    for log in logs {
        let inside = log.strip_prefix(root).unwrap_or(log);
        let mut file = run.file(&format!("sos/{}", inside.display()));
        file.push(&std::fs::read(log).map_err(|error| format!("{}: {error}", log.display()))?);
        let result = file.finish();
        told.files += 1;
        told.lines += result.lines;
        run.done(result);
    }
    let report = run.finish(None);
    told.evaluated = report.evaluated;
    let live = report.findings.iter().filter(|finding| !finding.shadow);
    told.alarms = live
        .flat_map(|finding| {
            let places = finding.evidence.iter();
            places.map(|e| format!("{} {}:{} {}", finding.id, e.file, e.line, e.text))
        })
        .collect();
    Ok(told)
}

/// The files below a folder.
fn below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let list = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in list {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[test]
fn a_fresh_system_and_fresh_packages_raise_no_alarm() -> Result<(), String> {
    if std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|quick| !quick.is_empty()) {
        return Ok(());
    }
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = dir.path().join("root");
    let place = root.display().to_string();
    debian::install(&root, &[])?;
    let told = scan(&root, &below(&root.join("var/log"))?)?;
    assert!(told.alarms.is_empty() && told.lines > 200, "{told:#?}");

    // Nothing is started in there: the packages are told that they may not.
    let refuse = root.join("usr/sbin/policy-rc.d");
    std::fs::write(&refuse, "#!/bin/sh\nexit 101\n").map_err(|error| error.to_string())?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&refuse, executable).map_err(|error| error.to_string())?;
    let install = [
        &place,
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
    ];
    administer("/usr/sbin/chroot", &[&install[..], &PACKAGES[..]].concat())?;
    let told = scan(&root, &below(&root.join("var/log"))?)?;
    let wrote = told.files > 3 && told.lines > 400 && told.evaluated > 50;
    assert!(told.alarms.is_empty() && wrote, "{told:#?}");

    let proc = format!("--mount-proc={place}/proc");
    let apart = ["--net", "--pid", "--fork", "--kill-child", &proc];
    let day = ["/bin/sh", "-c", SERVICES, "services", &place];
    administer("/usr/bin/unshare", &[&apart[..], &day[..]].concat())?;
    let after = scan(&root, &below(&root.join("var/log"))?)?;
    let wrote = after.files > told.files && after.lines > told.lines + 30;
    assert!(after.alarms.is_empty() && wrote, "{after:#?}");
    Ok(())
}

#[test]
fn what_this_hosts_package_manager_wrote_raises_no_alarm() -> Result<(), String> {
    let known = [
        "dpkg.log",
        "alternatives.log",
        "apt/term.log",
        "apt/history.log",
    ];
    let logs = known.map(|name| Path::new("/var/log").join(name));
    let logs: Vec<PathBuf> = logs.into_iter().filter(|log| log.is_file()).collect();
    let told = scan(Path::new("/"), &logs)?;
    assert!(told.alarms.is_empty() && told.lines > 0, "{told:#?}");
    Ok(())
}
