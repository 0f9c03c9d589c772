//! By the trace of the system calls: every offset that was told had its bytes synced before, and then its record. The
//! order is write, sync of the part, sync of the database's log, answer.

use sitrep_tests::collector::Collector;
use sitrep_tests::process::{self, Running};
use sitrep_tests::uploader::{Uploader, log_text};
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What is durable after the calls so far.
#[derive(Debug, Default)]
struct Machine {
    part_dirty: bool,
    parts_synced: u64,
    /// Syncs of parts before the last write to the log.
    written: u64,
    /// Syncs of parts that a synced log covers.
    recorded: u64,
    answers: u64,
    faults: Vec<String>,
}

impl Machine {
    /// Takes a call, as `name(5</path/of/the/descriptor>, …`.
    fn call(&mut self, call: &str) {
        let Some((name, arguments)) = call.split_once('(') else {
            return;
        };
        let file = arguments.split([',', ')']).next().unwrap_or_default();
        let (part, log) = (file.contains("/parts/"), file.contains("sitrep.db-wal"));
        match name {
            "fdatasync" | "fsync" if part => {
                self.part_dirty = false;
                self.parts_synced += 1;
            }
            "fdatasync" | "fsync" if log => {
                self.recorded = self.written;
            }
            "fdatasync" | "fsync" => {}
            _ if part => self.part_dirty = true,
            _ if log => self.written = self.parts_synced,
            _ if arguments.contains("204 No Content") => self.answered(arguments),
            _ => {}
        }
    }

    fn answered(&mut self, arguments: &str) {
        if !arguments.contains("upload-offset") {
            return;
        }
        self.answers += 1;
        if self.part_dirty || self.recorded < self.parts_synced || self.parts_synced == 0 {
            self.faults
                .push(format!("answered too early: {self:?} {arguments}"));
        }
    }
}

/// Feeds a trace of `strace -f -y` to the machine. Calls of several threads overlap: a sync counts from its end, a
/// write and an answer from their begin.
fn replay(trace: &str) -> Machine {
    let (mut machine, mut unfinished) = (Machine::default(), HashMap::new());
    for line in trace.lines() {
        let Some((thread, text)) = line.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some((begun, _)) = text.split_once(" <unfinished ...>") {
            if begun.starts_with('f') {
                unfinished.insert(thread.to_owned(), begun.to_owned());
            } else {
                machine.call(begun);
            }
        } else if text.starts_with("<... ") {
            if let Some(begun) = unfinished.remove(thread) {
                machine.call(&begun);
            }
        } else {
            machine.call(text);
        }
    }
    machine
}

/// Attaches a tracer to the collector.
fn attach(collector: &Collector, trace: &Path) -> Result<Running, String> {
    let calls = "trace=write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync";
    let mut command = process::command(Path::new("strace"));
    command
        .args(["-f", "-y", "-s", "400", "-e", calls, "-o"])
        .arg(trace);
    command
        .args(["-p", &collector.id().to_string()])
        .stderr(Stdio::null());
    let tracer = Running::start(&mut command)?;
    let threads = format!("/proc/{}/task", collector.id());
    process::wait_for(
        "the tracer to hold every thread",
        Duration::from_secs(60),
        || {
            let traced = |task: std::fs::DirEntry| {
                let status =
                    std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                let tracer = status
                    .lines()
                    .find_map(|line| line.strip_prefix("TracerPid:"));
                tracer.is_some_and(|pid| pid.trim() != "0")
            };
            std::fs::read_dir(&threads).is_ok_and(|tasks| tasks.flatten().all(traced))
        },
    )?;
    Ok(tracer)
}

#[test]
fn no_offset_is_told_before_its_bytes_and_its_record_are_synced() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let trace = dir.path().join("trace");
    let mut collector = Collector::start(&dir.path().join("collector"))?;
    let mut tracer = attach(&collector, &trace)?;
    let (ticket, count) = (collector.create_ticket("Traced")?, AtomicU64::new(0));
    let code = collector.create_wide_code(&ticket.id)?;
    let timeout = Duration::from_secs(120);
    let uploader = Uploader::new(&collector.url(), &code, 300 << 10, timeout, &count)?;
    for n in 0..3 {
        uploader.upload(&log_text(1, n, 3 << 20))?;
    }
    let acknowledged = count.load(std::sync::atomic::Ordering::Relaxed);
    collector.signal(libc::SIGTERM);
    collector.wait_for_end(timeout)?;
    tracer.wait(timeout)?;
    let text = std::fs::read(&trace).map_err(|error| error.to_string())?;
    let machine = replay(&String::from_utf8_lossy(&text));
    assert!(machine.faults.is_empty(), "{:#?}", machine.faults);
    assert_eq!(
        machine.answers, acknowledged,
        "every answer was seen in the trace"
    );
    Ok(())
}

#[test]
fn the_check_sees_an_answer_that_comes_too_early() {
    let good = "1 write(7</d/parts/u>, \"x\", 1) = 1\n2 fdatasync(7</d/parts/u> <unfinished ...>\n\
        1 write(2</d/log>, \"x\", 1) = 1\n2 <... fdatasync resumed>) = 0\n\
        1 pwrite64(8</d/sitrep.db-wal>, \"x\", 1, 0) = 1\n1 fdatasync(8</d/sitrep.db-wal>) = 0\n\
        1 writev(5<socket:[1]>, [{\"HTTP/1.1 204 No Content\\r\\nupload-offset: 1\"}], 1) = 9\n";
    let machine = replay(good);
    assert_eq!(
        (machine.answers, machine.faults.len()),
        (1, 0),
        "{machine:?}"
    );
    for missing in ["fdatasync(8", "<... fdatasync resumed>"] {
        let line = format!(
            "{}\n",
            good.lines()
                .find(|line| line.contains(missing))
                .unwrap_or_default()
        );
        assert_eq!(
            replay(&good.replace(&line, "")).faults.len(),
            1,
            "{missing}"
        );
    }
}
