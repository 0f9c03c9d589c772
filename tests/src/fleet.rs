//! Many small bundles as real hosts would send them: made by the real writer, with logs that differ from host to host.

use std::fmt::Write as _;
use std::io::Cursor;

use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, SCHEMA};
use sitrep_shared::bundle::{BundleWriter, Stored, WriterOptions};
use sitrep_shared::time::UtcMs;

/// What hosts say all day; `#` stands for a number, `@` for a name.
const LINES: &[&str] = &[
    "systemd[1]: Started Session # of user @.",
    "systemd[1]: Starting Daily apt download activities...",
    "systemd[1]: logrotate.service: Deactivated successfully.",
    "CRON[#]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
    "sshd[#]: Accepted publickey for @ from 192.0.2.# port # ssh2",
    "sshd[#]: Received disconnect from 192.0.2.# port #:11: disconnected by user",
    "sshd[#]: pam_unix(sshd:session): session opened for user @(uid=#)",
    "kernel: [#.#] eth0: renamed from veth#",
    "kernel: [#.#] EXT4-fs (sda1): mounted filesystem with ordered data mode",
    "dockerd[#]: level=info msg=\"ignoring event\" module=libcontainerd topic=/tasks/delete",
    "app[#]: INFO request id=# path=/api/v1/@/# status=200 took=#ms",
    "app[#]: INFO cache refreshed, # entries for @",
    "app[#]: WARN slow query on table @: # ms",
    "app[#]: ERROR cannot reach @-db:5432: connection refused, attempt #",
    "nginx[#]: 192.0.2.# - - \"GET /static/@.js HTTP/1.1\" 200 #",
    "postfix/smtpd[#]: connect from mail-#.example.net[198.51.100.#]",
    "postfix/qmgr[#]: #: from=<@@example.net>, size=#, nrcpt=1 (queue active)",
    "chronyd[#]: Selected source 203.0.113.# (pool.example.net)",
    "NetworkManager[#]: <info>  [#.#] dhcp4 (eth0): state changed new lease",
    "rsyslogd: imuxsock begins to drop messages from pid # due to rate-limiting",
];
const NAMES: &[&str] = &[
    "alice", "bob", "orders", "billing", "search", "mailer", "worker", "import", "export",
    "metrics", "gateway", "session", "catalog", "stock", "report",
];

/// The line that only few hosts say.
pub const RARE: &str = "lease renewal of the billing shard took longer than its term";

/// A generator of numbers, the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn log(chance: &mut Chance, host: u64, lines: usize) -> String {
    let mut text = String::new();
    for n in 0..lines {
        let (minute, second) = (n / 60 % 60, n % 60);
        let _ = write!(text, "Nov 21 02:{minute:02}:{second:02} host-{host} ");
        for c in LINES[chance.next(LINES.len() as u64) as usize].chars() {
            match c {
                '#' => {
                    let _ = write!(text, "{}", chance.next(60_000));
                }
                '@' => text.push_str(NAMES[chance.next(NAMES.len() as u64) as usize]),
                c => text.push(c),
            }
        }
        text.push('\n');
    }
    text
}

fn item(stored: Stored) -> Item {
    Item {
        id: stored.path.clone(),
        source: "test".into(),
        kind: Kind::File,
        origin: format!("/{}", stored.path.trim_start_matches("sos/")),
        stored_bytes: stored.bytes,
        sha256: Some(stored.sha256),
        offset: Some(stored.offset),
        path: Some(stored.path),
        ..Item::default()
    }
}

/// The bundle of host `n`; `rare` hosts say [`RARE`] somewhere in their log.
///
/// # Errors
/// When the writer refuses, which would be a fault of this file.
pub fn bundle(n: u64, rare: bool) -> Result<Vec<u8>, String> {
    let mut chance = Chance(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let options = WriterOptions {
        top_dir: format!("local-host-{n}-20261121T140200Z"),
        mtime: UtcMs(0),
        level: 1,
    };
    let mut writer = BundleWriter::create(Cursor::new(Vec::new()), options);
    let mut syslog = log(&mut chance, n, 3_000);
    if rare {
        let at = syslog.len() / 2;
        let at = syslog[at..]
            .find('\n')
            .map_or(syslog.len(), |end| at + end + 1);
        syslog.insert_str(
            at,
            &format!("Nov 21 02:25:00 host-{n} app[7]: ERROR {RARE}\n"),
        );
    }
    let files = [
        ("README.txt", "made by a test\n".to_owned()),
        ("sos/etc/hostname", format!("host-{n}\n")),
        ("sos/var/log/syslog", syslog),
        ("sos/var/log/auth.log", log(&mut chance, n, 800)),
        ("sos/var/log/kern.log", log(&mut chance, n, 500)),
        ("sos/var/log/app/app.log", log(&mut chance, n, 2_000)),
        (
            "meta/facts.json",
            "{\"schema\":\"sitrep.facts/1\"}".to_owned(),
        ),
    ];
    let mut items = Vec::new();
    for (path, text) in files {
        let stored = writer.add(path, text.as_bytes());
        items.push(item(stored.map_err(|error| error.to_string())?));
    }
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        format: 1,
        created: "2026-11-21T14:02:00Z".into(),
        host: format!("host-{n}"),
        items,
        ..Manifest::default()
    };
    let sealed = writer.seal(&mut manifest);
    let (out, _) = sealed.map_err(|error| error.to_string())?;
    Ok(out.into_inner())
}

/// A signature of [`RARE`], with tests, that tags its tickets.
#[must_use]
pub fn signature(status: &str) -> String {
    format!(
        "rules:
  - metadata: {{id: fleetRareLease11, kind: sitrep, version: \"1.0.0\"}}
    cre: {{id: OWN-0042, severity: 1, title: The billing shard loses its lease, category: own}}
    sitrep:
      status: {status}
      auto_tag: [billing-lease]
      tests:
        - {{name: fires, fires: true, log: \"2026-01-01 00:00:00 app: {RARE}\\n\"}}
        - {{name: silent, fires: false, log: \"2026-01-01 00:00:00 app: lease renewed\\n\"}}
    rule:
      set:
        event: {{source: sitrep.log.any}}
        match: [{{value: '{RARE}'}}]
"
    )
}
