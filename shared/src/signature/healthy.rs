//! False alarms: no live signature of ours fires on the logs and facts of hosts that are well, with the
//! harmless failures that every such host has.

use serde_json::json;

use super::engine::Engine;
use super::parse::Catalogue;
use super::run::RunOptions;
use super::source::SourceMap;
use crate::time::UtcMs;

/// 2026-11-24T12:00:00Z.
const NOW: UtcMs = UtcMs(1_795_521_600_000);

/// Where each log is found in a bundle.
const LOGS: &[(&str, &str)] = &[
    ("sos/var/log/syslog", include_str!("healthy/syslog.log")),
    ("sos/var/log/messages", include_str!("healthy/syslog.log")),
    ("sos/var/log/kern.log", include_str!("healthy/syslog.log")),
    (
        "sos/sos_commands/logs/journalctl_--no-pager_--boot",
        include_str!("healthy/syslog.log"),
    ),
    ("sos/var/log/auth.log", include_str!("healthy/auth.log")),
    ("sos/var/log/dpkg.log", include_str!("healthy/dpkg.log")),
    (
        "sos/var/log/apt/term.log",
        include_str!("healthy/apt-term.log"),
    ),
    (
        "sos/var/log/postgresql/postgresql-15-main.log",
        include_str!("healthy/postgresql.log"),
    ),
    (
        "sos/var/log/nginx/error.log",
        include_str!("healthy/nginx-error.log"),
    ),
    (
        "sos/var/log/nginx/access.log",
        include_str!("healthy/nginx-access.log"),
    ),
    (
        "sos/var/log/mysql/error.log",
        include_str!("healthy/mysql.log"),
    ),
    (
        "sos/var/log/redis/redis-server.log",
        include_str!("healthy/redis.log"),
    ),
    ("sos/var/log/shop/app.log", include_str!("healthy/app.log")),
];

/// What fires: signature, file and line.
fn alarms(options: RunOptions) -> Vec<String> {
    let catalogue = Catalogue::embedded().unwrap();
    let engine = Engine::new(&catalogue, &SourceMap::embedded().unwrap()).unwrap();
    let mut run = engine.run(options);
    for (path, text) in LOGS {
        let mut scan = run.file(path);
        scan.push(text.as_bytes());
        run.done(scan.finish());
    }
    let facts = json!({
        "disks": [{"mount": "/", "used_pct": 41, "inodes_used_pct": 7}],
        "memory": {"total_bytes": 8_000_000_000_i64, "available_bytes": 5_000_000_000_i64,
                   "swap_total_bytes": 1_000_000_000, "swap_free_bytes": 1_000_000_000},
        "units": {"failed": []},
        "clock": {"synchronized": true, "offset_ms": 2},
        "certificates": [],
        "containers": [],
        "host": {"name": "web1", "uptime_s": 86_400},
        "packages": {"manager": "dpkg", "versions": {}},
    });
    let report = run.finish(Some(&facts));
    assert!(
        report.evaluated > 100,
        "only {} signatures were evaluated",
        report.evaluated
    );
    let places = report.findings.iter().flat_map(|f| {
        f.evidence
            .iter()
            .map(|e| format!("{} {}:{} {}", f.id, e.file, e.line, e.text))
    });
    places.collect()
}

#[test]
fn nothing_fires_on_a_host_that_is_well() {
    let options = RunOptions {
        bundle_time: NOW,
        ..RunOptions::default()
    };
    let alarms = alarms(options);
    assert!(alarms.is_empty(), "{alarms:#?}");
}

#[test]
fn nothing_fires_even_when_every_signature_reads_every_log() {
    let options = RunOptions {
        bundle_time: NOW,
        ignore_source: true,
        ..RunOptions::default()
    };
    let alarms = alarms(options);
    assert!(alarms.is_empty(), "{alarms:#?}");
}

#[test]
fn the_same_logs_with_a_known_error_do_fire() {
    let catalogue = Catalogue::embedded().unwrap();
    let engine = Engine::new(&catalogue, &SourceMap::embedded().unwrap()).unwrap();
    let mut run = engine.run(RunOptions {
        bundle_time: NOW,
        ..RunOptions::default()
    });
    let mut scan = run.file("sos/var/log/syslog");
    scan.push(include_bytes!("healthy/syslog.log"));
    scan.push(b"Nov 24 11:00:00 web1 kernel: Out of memory: Killed process 4242 (java) total-vm:9000000kB, anon-rss:7000000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:15000kB oom_score_adj:0\n");
    run.done(scan.finish());
    assert!(!run.finish(None).findings.is_empty());
}
