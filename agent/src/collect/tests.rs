//! The runner under faults: panics, hangs, limits, cancelling, odd files, and time windows.

use super::source::Native;
use super::*;
use crate::plan::{Plan, Step};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

mod windows;

/// Keeps everything in memory.
#[derive(Default)]
struct Memory {
    at: String,
    data: BTreeMap<String, Vec<u8>>,
    ends: BTreeMap<String, ItemEnd>,
    links: Vec<(String, String)>,
}

impl Sink for Memory {
    fn item(&mut self, start: &ItemStart) {
        start.origin.clone_into(&mut self.at);
    }
    fn data(&mut self, bytes: &[u8]) {
        self.data
            .entry(self.at.clone())
            .or_default()
            .extend_from_slice(bytes);
    }
    fn end(&mut self, end: &ItemEnd) {
        assert!(
            self.ends.insert(self.at.clone(), end.clone()).is_none(),
            "{} ended twice",
            self.at
        );
    }
    fn link(&mut self, path: &str, _target: &str, relative: &str) {
        self.links.push((path.to_owned(), relative.to_owned()));
    }
}

impl Memory {
    fn outcome(&self, origin: &str) -> (Outcome, &str) {
        let end = self
            .ends
            .get(origin)
            .unwrap_or_else(|| panic!("{origin} was not reported: {:?}", self.ends.keys()));
        (end.outcome, end.reason.as_deref().unwrap_or(""))
    }
    fn text(&self, origin: &str) -> String {
        String::from_utf8_lossy(self.data.get(origin).map_or(&[][..], Vec::as_slice)).into_owned()
    }
}

/// A source whose plan is given.
struct Given;

impl Source for Given {
    fn id(&self) -> &'static str {
        "given"
    }
    fn title(&self) -> &'static str {
        "Given"
    }
    fn why(&self) -> &'static str {
        "?"
    }
    fn tags(&self) -> &'static [&'static str] {
        &["base"]
    }
    fn plan(&self, _: &Host, _: &Params) -> Vec<PlannedItem> {
        Vec::new()
    }
}

fn go(
    host: &Host,
    params: Params,
    cancel: &Cancel,
    plan: impl FnOnce(&mut Planner<'_>),
) -> (Memory, RunSummary) {
    let mut planner = Planner::new("given", "?", host, &params);
    plan(&mut planner);
    let mut steps: Vec<Step> = Vec::new();
    let items = planner.finish();
    for tier in [Tier::Must, Tier::Normal, Tier::Logs] {
        let of: VecDeque<PlannedItem> = items.iter().filter(|i| i.tier == tier).cloned().collect();
        if !of.is_empty() {
            steps.push(Step {
                source: &Given,
                tier,
                items: of,
            });
        }
    }
    let plan = Plan {
        profile: "test".to_owned(),
        version: "1".to_owned(),
        params,
        steps,
    };
    let mut memory = Memory::default();
    let summary = run(host, &plan, &mut memory, cancel);
    (memory, summary)
}

fn fixture(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Host) {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (path, content) in files {
        let path = dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(path, content).expect("file");
    }
    let host = Host::at(dir.path()).expect("host");
    (dir, host)
}

#[test]
fn a_panic_costs_one_item_only() {
    let (_dir, host) = fixture(&[("/etc/a", b"a")]);
    let (memory, summary) = go(&host, Params::default(), &Cancel::new(), |p| {
        p.file("/etc/a", 10).link("a");
        p.native("x", "boom", |n: &mut Native<'_>| {
            n.out.write_all(b"before")?;
            panic!("on purpose");
        });
        p.native("x", "after", |n: &mut Native<'_>| {
            Ok(n.out.write_all(b"fine")?)
        });
    });
    assert_eq!(memory.outcome("/etc/a").0, Outcome::Collected);
    assert_eq!(
        memory.outcome("boom"),
        (Outcome::Failed, "its source panicked: on purpose")
    );
    assert_eq!(memory.text("after"), "fine");
    assert_eq!(memory.links, [("sos/a".to_owned(), "etc/a".to_owned())]);
    assert_eq!(summary.items, 4);
    assert!(summary.is_partial());
}

#[test]
fn a_source_that_panics_at_once_is_reported_whole() {
    let (_dir, host) = fixture(&[("/etc/a", b"a"), ("/etc/b", b"b")]);
    let params = Params {
        fault_panic_in: Some("given".to_owned()),
        ..Params::default()
    };
    let (memory, _) = go(&host, params, &Cancel::new(), |p| {
        p.files(&["/etc/a", "/etc/b"], 10);
    });
    for origin in ["/etc/a", "/etc/b"] {
        assert_eq!(
            memory.outcome(origin),
            (Outcome::Failed, "its source panicked: fault on request")
        );
    }
}

#[test]
fn a_reader_that_never_answers_is_left_behind() {
    let (_dir, host) = fixture(&[("/etc/a", b"a")]);
    let began = Instant::now();
    let (memory, _) = go(&host, Params::default(), &Cancel::new(), |p| {
        let (keep, never) = std::sync::mpsc::channel::<()>();
        let never = Arc::new(std::sync::Mutex::new((keep, never)));
        p.native("x", "stuck", move |_: &mut Native<'_>| {
            // Stands for a read that is stuck in the kernel: it looks at no token and never ends.
            let guard = never.lock().expect("lock");
            let _ = guard.1.recv();
            Ok(())
        })
        .seconds(0);
        p.file("/etc/a", 10);
    });
    assert_eq!(memory.outcome("stuck").0, Outcome::TimedOut);
    assert_eq!(
        memory.text("/etc/a"),
        "a",
        "what came after is still collected"
    );
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn limits_cut_at_line_ends_and_say_so() {
    let lines: String = (0..100).map(|i| format!("line {i:03}\n")).collect();
    let (_dir, host) = fixture(&[("/var/log/x", lines.as_bytes()), ("/etc/empty", b"")]);
    let (memory, _) = go(&host, Params::default(), &Cancel::new(), |p| {
        p.file("/var/log/x", 50);
        p.file("/etc/empty", 50);
        let log = logs::LogItem {
            group: "x".to_owned(),
            group_bytes: 50,
            packing: unpack::Packing::Plain,
        };
        p.log("/var/log/../log/x", "/var/log/x2", log);
    });
    assert_eq!(
        memory.text("/var/log/x"),
        lines[..45],
        "the beginning, whole lines"
    );
    assert_eq!(memory.outcome("/var/log/x").0, Outcome::Partial);
    assert_eq!(memory.outcome("/etc/empty").0, Outcome::Collected);
    let tail = memory.text("/var/log/../log/x");
    assert_eq!(tail, lines[lines.len() - 45..], "the end, whole lines");
}

#[test]
fn budgets_skip_what_does_not_fit_but_never_the_must_tier() {
    let (_dir, host) = fixture(&[
        ("/etc/a", &[b'a'; 1000]),
        ("/etc/b", b"b\n"),
        ("/etc/must", b"must\n"),
    ]);
    let params = Params {
        max_bytes: 1000,
        ..Params::default()
    };
    let (memory, _) = go(&host, params, &Cancel::new(), |p| {
        p.file("/etc/a", 5000);
        p.file("/etc/b", 5000);
        p.file("/etc/must", 5000).must();
    });
    assert_eq!(memory.outcome("/etc/a").0, Outcome::Collected);
    assert_eq!(memory.outcome("/etc/b").0, Outcome::Skipped);
    assert_eq!(memory.text("/etc/must"), "must\n");
}

#[test]
fn cancelling_reports_the_rest_as_skipped() {
    let (_dir, host) = fixture(&[("/etc/a", b"a")]);
    let cancel = Cancel::new();
    let inner = cancel.clone();
    let (memory, summary) = go(&host, Params::default(), &cancel, |p| {
        p.native("x", "stops", move |n: &mut Native<'_>| {
            inner.cancel();
            n.out.check();
            Ok(())
        });
        p.file("/etc/a", 10);
    });
    assert_eq!(memory.outcome("/etc/a"), (Outcome::Skipped, "cancelled"));
    assert!(summary.cancelled);
}

#[test]
fn odd_files_are_outcomes_and_nothing_hangs() {
    let (dir, host) = fixture(&[
        ("/etc/real", b"real\n"),
        ("/home/u/secret", b"secret\n"),
        ("/etc/shadow", b"root:x\n"),
    ]);
    let etc = dir.path().join("etc");
    symlink("real", etc.join("link")).expect("link");
    symlink("/home/u/secret", etc.join("swapped")).expect("link");
    symlink("shadow", etc.join("to-shadow")).expect("link");
    symlink("loop", etc.join("loop")).expect("link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        etc.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("fifo");
    std::fs::create_dir(etc.join("dir")).expect("folder");
    let all = [
        "/etc/link",
        "/etc/swapped",
        "/etc/to-shadow",
        "/etc/loop",
        "/etc/fifo",
        "/etc/dir",
        "/etc/shadow",
        "/etc/none",
    ];
    let (memory, _) = go(&host, Params::default(), &Cancel::new(), |p| {
        p.files(&all, 100);
    });
    assert_eq!(
        memory.text("/etc/link"),
        "real\n",
        "a link that stays below /etc is resolved"
    );
    for refused in [
        "/etc/swapped",
        "/etc/to-shadow",
        "/etc/loop",
        "/etc/fifo",
        "/etc/dir",
        "/etc/shadow",
    ] {
        assert_eq!(
            memory.outcome(refused).0,
            Outcome::Refused,
            "{refused}: {}",
            memory.outcome(refused).1
        );
        assert_eq!(memory.text(refused), "");
    }
    assert_eq!(memory.outcome("/etc/none").0, Outcome::Absent);
}

#[test]
fn commands_that_are_missing_or_late_are_outcomes() {
    let host = Host::live().expect("host");
    let (memory, summary) = go(&host, Params::default(), &Cancel::new(), |p| {
        p.command("x", "no-such-program-here --version");
        p.argv(
            "x",
            "late",
            ["sh", "-c", "echo early; sleep 60"]
                .map(str::to_owned)
                .to_vec(),
        )
        .seconds(1);
        p.argv(
            "x",
            "bad",
            ["sh", "-c", "echo wrong >&2; exit 4"]
                .map(str::to_owned)
                .to_vec(),
        );
    });
    assert_eq!(
        memory.outcome("no-such-program-here --version").0,
        Outcome::Absent
    );
    assert_eq!(
        (memory.outcome("late").0, memory.text("late").as_str()),
        (Outcome::TimedOut, "early\n")
    );
    assert_eq!(memory.outcome("bad"), (Outcome::Failed, "wrong"));
    assert_eq!(memory.ends["bad"].exit_code, Some(4));
    assert_eq!(
        summary.cost.commands, 2,
        "what is not installed is not started"
    );
}
