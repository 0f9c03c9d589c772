//! By the trace of the system calls, on every pair of database and store: every offset that was told had its bytes
//! durable before, and then its record. The order is bytes, sync or the store's answer, record, its sync or the
//! database's answer, and then ours.

use sitrep_tests::collector::Collector;
use sitrep_tests::pairs::{
    POSTGRES_FOLDER, POSTGRES_OBJECTS, Pair, SQLITE_FOLDER, SQLITE_OBJECTS, World,
};
use sitrep_tests::process::{self, Running};
use sitrep_tests::uploader::{Uploader, log_text};
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of a part in an object store; parts are numbered from 1.
const PIECE_BYTES: u64 = 8 << 20;

/// Bytes of an upload in pieces, and of one that comes with its creation: an upload ends where one of them is told.
const LONG_BYTES: u64 = 9 << 20;
const SHORT_BYTES: u64 = 900 << 10;

/// What is durable of the upload that is under way after the calls so far; one upload follows the other.
#[derive(Debug, Default)]
struct Machine {
    written: u64,
    /// Its name in its folder is durable.
    named: bool,
    synced: u64,
    /// Bytes that a written record covers.
    logged: u64,
    /// Bytes that a durable record covers.
    recorded: u64,
    /// Bytes that requests under way store, by their sockets.
    stored: HashMap<String, u64>,
    /// Bytes that commits under way record, and what was received since, by their sockets.
    committed: HashMap<String, (u64, String)>,
    answers: u64,
    faults: Vec<String>,
}

impl Machine {
    /// What has an effect from its begin on: writes and answers, as `name(5</path/of/the/descriptor>, …`.
    fn begun(&mut self, call: &str) {
        let (name, file, arguments) = parts(call);
        if name.starts_with('f') || name.starts_with('r') {
            return;
        }
        if is_kept(file) {
            self.written += length(arguments);
        } else if file.contains("sitrep.db-wal") {
            self.logged = self.synced;
        } else if arguments.contains("COMMIT") {
            let under_way = (self.synced, String::new());
            self.committed.insert(file.to_owned(), under_way);
        } else if let Some(end) = put(arguments) {
            self.stored.insert(file.to_owned(), end);
        } else if arguments.contains("HTTP/1.1 204") || arguments.contains("HTTP/1.1 201") {
            self.answered(arguments);
        }
    }

    /// What has an effect only at its end: syncs and what is received.
    fn ended(&mut self, call: &str) {
        let (name, file, arguments) = parts(call);
        if name.starts_with('f') {
            if is_kept(file) {
                self.synced = self.written;
            } else if file.ends_with("/parts>") || file.ends_with("/blobs>") {
                self.named = true;
            } else if file.contains("sitrep.db-wal") {
                self.recorded = self.logged;
            }
        } else if name.starts_with('r') {
            if arguments.contains("HTTP/1.1 200")
                && let Some(end) = self.stored.remove(file)
            {
                (self.synced, self.named) = (self.synced.max(end), true);
            }
            // The answer may come in pieces.
            if let Some((bytes, received)) = self.committed.get_mut(file) {
                received.push_str(quoted(arguments));
                if received.contains("COMMIT") {
                    self.recorded = *bytes;
                    self.committed.remove(file);
                }
            }
        }
    }

    fn answered(&mut self, arguments: &str) {
        let Some((_, behind)) = arguments.split_once("upload-offset: ") else {
            return;
        };
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next();
        let told = digits
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(u64::MAX);
        if told == 0 {
            return;
        }
        self.answers += 1;
        if told > self.recorded || !self.named {
            let fault = format!("answered too early: {self:?} {arguments}");
            self.faults.push(fault);
        }
        if told == LONG_BYTES || told == SHORT_BYTES {
            *self = Self {
                answers: self.answers,
                faults: std::mem::take(&mut self.faults),
                ..Self::default()
            };
        }
    }
}

/// Name, descriptor and the other arguments of a call.
fn parts(call: &str) -> (&str, &str, &str) {
    let (name, behind) = call.split_once('(').unwrap_or_default();
    let end = behind.find(['>', ')']).map_or(behind.len(), |at| at + 1);
    let (file, arguments) = behind.split_at(end);
    (name, file, arguments)
}

/// The bytes among arguments, as the tracer writes them.
fn quoted(arguments: &str) -> &str {
    let behind = arguments.split_once('"').map_or("", |(_, behind)| behind);
    behind.rsplit_once('"').map_or("", |(bytes, _)| bytes)
}

/// Whether it is a file of an upload's bytes: a part, or a blob that is stored whole.
fn is_kept(file: &str) -> bool {
    file.contains("/parts/") || file.contains("/blobs/")
}

/// Bytes that a write was asked to write: its second argument but the text, or those of a list.
fn length(arguments: &str) -> u64 {
    let lengths = arguments.split("iov_len=").skip(1);
    let number = |text: &str| {
        let digits = text.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse::<u64>().ok())
    };
    if arguments.contains("iov_len=") {
        return lengths.filter_map(number).sum();
    }
    // The text ends before the last comma; what was cut off is followed by dots.
    let last = arguments.rsplit("\", ").next().unwrap_or_default();
    let last = last.rsplit("\"..., ").next().unwrap_or_default();
    number(last).unwrap_or(0)
}

/// The end of the bytes that a request to an object store makes durable.
fn put(arguments: &str) -> Option<u64> {
    let request = arguments.split_once("\"PUT /")?.1;
    let (path, headers) = request.split_once(' ')?;
    let headers = headers.to_lowercase();
    let bytes = headers.split_once("content-length: ")?.1;
    let bytes: u64 = bytes.split('\\').next()?.parse().ok()?;
    let before = if let Some((_, tail)) = path.split_once("/tails/") {
        // tails/{upload}/{epoch}-{offset}-{bytes}
        tail.split('-').rev().nth(1)?.parse().ok()?
    } else if let Some((_, number)) = path.split_once("partNumber=") {
        (number.split('&').next()?.parse::<u64>().ok()? - 1) * PIECE_BYTES
    } else {
        0
    };
    Some(before + bytes)
}

/// Feeds a trace of `strace -f -y` to the machine. Calls of several threads overlap.
fn replay(trace: &str) -> Machine {
    let (mut machine, mut unfinished) = (Machine::default(), HashMap::new());
    for line in trace.lines() {
        let Some((thread, text)) = line.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some((begun, _)) = text.split_once(" <unfinished ...>") {
            machine.begun(begun);
            unfinished.insert(thread.to_owned(), begun.to_owned());
        } else if let Some((_, rest)) = text.split_once(" resumed>") {
            if let Some(begun) = unfinished.remove(thread) {
                machine.ended(&format!("{begun}{rest}"));
            }
        } else {
            machine.begun(text);
            machine.ended(text);
        }
    }
    machine
}

/// Attaches a tracer to the collector.
fn attach(collector: &Collector, trace: &Path) -> Result<Running, String> {
    let calls = "trace=write,pwrite64,writev,sendto,sendmsg,recvfrom,read,fsync,fdatasync";
    let mut command = process::command(Path::new("strace"));
    command
        .args(["-f", "-y", "-s", "1500", "-e", calls, "-o"])
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

/// Uploads in pieces, and whole with their creation, are traced. Nothing else is at work: the collector only receives.
fn traced(pair: Pair) -> Result<(), String> {
    let mut world = World::start_with(pair, &[("SITREPD_ROLE", "serve")])?;
    let collector = &mut world.collector;
    let trace = world.dir.path().join("trace");
    let mut tracer = attach(collector, &trace)?;
    let (ticket, count) = (collector.create_ticket("Traced")?, AtomicU64::new(0));
    let code = collector.create_wide_code(&ticket.id)?;
    let uploader = Uploader::new(&collector.url(), &code, 700 << 10, TIMEOUT, &count)?;
    let text = |n, bytes: u64| {
        let bytes = usize::try_from(bytes).unwrap_or(0);
        let mut text = log_text(1, n, bytes);
        text.truncate(bytes);
        text
    };
    for n in 0..2 {
        uploader.upload(&text(n, LONG_BYTES))?;
        uploader.whole(&text(n + 9, SHORT_BYTES))?;
    }
    let acknowledged = count.load(Ordering::Relaxed);
    collector.signal(libc::SIGTERM);
    collector.wait_for_end(TIMEOUT)?;
    tracer.wait(TIMEOUT)?;
    let text = std::fs::read(&trace).map_err(|error| error.to_string())?;
    let machine = replay(&String::from_utf8_lossy(&text));
    let first = machine.faults.first();
    assert!(first.is_none(), "{pair:?}: {first:#?}");
    assert_eq!(
        machine.answers, acknowledged,
        "{pair:?}: every answer was seen in the trace"
    );
    Ok(())
}

#[test]
fn sqlite_and_folder() -> Result<(), String> {
    traced(SQLITE_FOLDER)
}

#[test]
fn sqlite_and_object_store() -> Result<(), String> {
    traced(SQLITE_OBJECTS)
}

#[test]
fn postgres_and_folder() -> Result<(), String> {
    traced(POSTGRES_FOLDER)
}

#[test]
fn postgres_and_object_store() -> Result<(), String> {
    traced(POSTGRES_OBJECTS)
}

/// Traces in which nothing is wrong: on a folder, with PostgreSQL, and with an object store.
const GOOD: [&str; 3] = [
    "1 write(7</d/parts/u>, \"x\\n\"..., 1) = 1\n2 fdatasync(7</d/parts/u> <unfinished ...>\n\
     1 write(2</d/log>, \"x\", 1) = 1\n2 <... fdatasync resumed>) = 0\n2 fsync(9</d/parts>) = 0\n\
     1 pwrite64(8</d/sitrep.db-wal>, \"x\", 1, 0) = 1\n1 fdatasync(8</d/sitrep.db-wal>) = 0\n\
     1 writev(5<socket:[1]>, [{iov_base=\"HTTP/1.1 204 No Content\\r\\nupload-offset: 1\\r\\n\"}], 1) = 9\n",
    "1 writev(7</d/blobs/b>, [{iov_base=\"x\", iov_len=1}, {iov_base=\"y\", iov_len=2}], 2) = 3\n\
     1 fdatasync(7</d/blobs/b>) = 0\n1 fsync(9</d/blobs>) = 0\n\
     1 sendto(4<socket:[2]>, \"Q\\0\\0\\0\\vCOMMIT\\0\", 12, 0, NULL, 0) = 12\n\
     2 recvfrom(4<socket:[2]> <unfinished ...>\n2 <... recvfrom resumed>, \"C\\0\\0\\0\\vCOMMIT\\0Z\", 99, 0, NULL, NULL) = 18\n\
     1 sendto(5<socket:[1]>, \"HTTP/1.1 201 Created\\r\\nupload-offset: 3\\r\\n\", 9, 0, NULL, 0) = 9\n",
    "1 sendto(6<socket:[3]>, \"PUT /b/sitrep/tails/u/1-10-5 HTTP/1.1\\r\\ncontent-length: 5\\r\\n\", 9, 0, NULL, 0) = 9\n\
     2 recvfrom(6<socket:[3]>, \"HTTP/1.1 200 OK\\r\\n\", 99, 0, NULL, NULL) = 18\n\
     1 pwrite64(8</d/sitrep.db-wal>, \"x\", 1, 0) = 1\n1 fdatasync(8</d/sitrep.db-wal>) = 0\n\
     1 writev(5<socket:[1]>, [{iov_base=\"HTTP/1.1 204 No Content\\r\\nupload-offset: 15\\r\\n\"}], 1) = 9\n",
];

#[test]
fn the_check_sees_an_answer_that_comes_too_early() {
    let missing = [
        &["resumed>) = 0", "fsync(9", "fdatasync(8", "pwrite64(8"][..],
        &["fdatasync(7", "fsync(9", "sendto(4", "recvfrom resumed>"],
        &["sendto(6", "recvfrom(6", "fdatasync(8"],
    ];
    for (good, missing) in GOOD.iter().zip(missing) {
        let machine = replay(good);
        let seen = (machine.answers, machine.faults.len());
        assert_eq!(seen, (1, 0), "{machine:?}");
        for missing in missing {
            let kept: Vec<&str> = good
                .lines()
                .filter(|line| !line.contains(missing))
                .collect();
            assert_eq!(kept.len() + 1, good.lines().count(), "{missing}");
            assert_eq!(replay(&kept.join("\n")).faults.len(), 1, "{missing}");
        }
    }
}
