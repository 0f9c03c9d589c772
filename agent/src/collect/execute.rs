//! The worker's side of a run: reads one item after the other and says how each ended.

use super::cache::Passage;
use super::cancel::Cancel;
use super::host::Host;
use super::miss::Miss;
use super::out::{Msg, Out, Shared, Stop};
use super::sink::{ItemEnd, ItemStart, Truncated};
use super::source::{Kind, Native, Outcome, Params, PlannedItem, Read, Tier};
use super::{command, journal, logs};
use std::collections::VecDeque;
use std::io::{Read as _, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// Carries out items and reports them. One per worker thread.
pub struct Worker {
    pub(crate) tx: SyncSender<Msg>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: VecDeque<PlannedItem>,
    /// The item at hand, for the report should its source panic.
    pub(crate) current: Option<PlannedItem>,
    pub(crate) groups: logs::Groups,
    pub(crate) gone: bool,
}

/// How reading went, when it gave something.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub original_bytes: Option<u64>,
    pub truncated: Option<Truncated>,
    pub exit_code: Option<i32>,
    pub note: Option<Miss>,
}

impl Worker {
    /// A worker that has nothing to do yet.
    pub(crate) fn new(tx: SyncSender<Msg>, shared: &Arc<Shared>) -> Self {
        Self {
            tx,
            shared: Arc::clone(shared),
            queue: VecDeque::new(),
            current: None,
            groups: logs::Groups::default(),
            gone: false,
        }
    }

    pub(crate) fn next_item(&mut self) -> Option<PlannedItem> {
        if self.gone {
            return None;
        }
        let item = self.queue.pop_front()?;
        self.current = Some(item.clone());
        Some(item)
    }

    pub(crate) fn read(
        &mut self,
        host: &Host,
        params: &Params,
        cancel: &Cancel,
        item: &PlannedItem,
    ) {
        let cpu = thread_cpu_ms();
        let (limit, refusal) = self.allowance(params, cancel, item);
        let start = self.start_of(item);
        let start_ms = start.start_ms;
        let mut timeout_ms = item.timeout_ms;
        if item.tier != Tier::Must {
            // What begins within the run's time does not end long after it.
            let left = params.max_time_ms.saturating_sub(self.shared.now_ms());
            timeout_ms = timeout_ms.min(left.max(1_000));
        }
        let limits = (limit, timeout_ms);
        let mut out = Out::new(
            self.tx.clone(),
            Arc::clone(&self.shared),
            cancel.clone(),
            start,
            limits,
        );
        let result = match refusal {
            Some(miss) => Err(miss),
            None => self.fetch(host, params, cancel, item, &mut out),
        };
        let mut end = ended(item, &out, result);
        end.duration_ms = self.shared.now_ms().saturating_sub(start_ms);
        end.cpu_ms = thread_cpu_ms().saturating_sub(cpu);
        if item.tier != Tier::Must {
            self.shared
                .used_bytes
                .fetch_add(out.len(), Ordering::SeqCst);
        }
        self.gone |= !out.finish(end);
        self.current = None;
    }

    /// Reports an item that is not read.
    pub(crate) fn skip(&mut self, item: &PlannedItem, miss: Miss) {
        let limits = (0, 0);
        let start = self.start_of(item);
        let out = Out::new(
            self.tx.clone(),
            Arc::clone(&self.shared),
            Cancel::new(),
            start,
            limits,
        );
        let end = ended(item, &out, Err(miss));
        self.gone |= !out.finish(end);
    }

    fn start_of(&self, item: &PlannedItem) -> ItemStart {
        start_of(item, self.shared.now_ms())
    }

    /// The byte limit that the budgets leave for this item, or why it is not read.
    fn allowance(
        &self,
        params: &Params,
        cancel: &Cancel,
        item: &PlannedItem,
    ) -> (u64, Option<Miss>) {
        if cancel.is_cancelled() {
            return (0, Some(Miss::skipped("cancelled")));
        }
        if item.tier == Tier::Must {
            return (item.limit_bytes, None);
        }
        if let Some(reason) = self.shared.pressure.get() {
            return (0, Some(Miss::skipped(reason.clone())));
        }
        if self.shared.now_ms() >= params.max_time_ms {
            let seconds = params.max_time_ms / 1000;
            return (
                0,
                Some(Miss::skipped(format!(
                    "the time budget of {seconds} s is used up"
                ))),
            );
        }
        let left = params
            .max_bytes
            .saturating_sub(self.shared.used_bytes.load(Ordering::SeqCst));
        if left == 0 && !matches!(item.read, Read::Nothing(_)) {
            return (
                0,
                Some(Miss::skipped(format!(
                    "the size budget of {} bytes is used up",
                    params.max_bytes
                ))),
            );
        }
        (item.limit_bytes.min(left), None)
    }

    fn fetch(
        &mut self,
        host: &Host,
        params: &Params,
        cancel: &Cancel,
        item: &PlannedItem,
        out: &mut Out,
    ) -> Result<Done, Miss> {
        match &item.read {
            Read::Nothing(miss) => Err(miss.clone()),
            Read::File { tail } => file(host, &item.origin, *tail, out),
            Read::Log(log) => {
                if log.runs_program() {
                    self.shared.commands.fetch_add(1, Ordering::SeqCst);
                }
                let groups = &mut self.groups;
                logs::read(host, params, &item.origin, log, groups, (cancel, out))
            }
            Read::Command { argv } => {
                self.shared.commands.fetch_add(1, Ordering::SeqCst);
                command(argv, cancel, out)
            }
            Read::Journal(query) => {
                self.shared
                    .commands
                    .fetch_add(query.runs(), Ordering::SeqCst);
                journal::read(query, cancel, out)
            }
            Read::Native(render) => {
                render(&mut Native {
                    host,
                    params,
                    out,
                    cancel,
                })?;
                Ok(Done::default())
            }
        }
    }
}

/// The start of an item, for the sink.
pub(crate) fn start_of(item: &PlannedItem, start_ms: u64) -> ItemStart {
    ItemStart {
        id: item.id.clone(),
        source: item.source,
        kind: item.kind,
        origin: item.origin.clone(),
        path: Some(item.path.clone()),
        start_ms,
    }
}

/// The end of an item that gave nothing.
pub(crate) fn end_without(item: &PlannedItem, miss: Miss) -> ItemEnd {
    ItemEnd {
        outcome: miss.outcome,
        reason: Some(miss.reason),
        original_bytes: 0,
        truncated: None,
        exit_code: None,
        duration_ms: 0,
        cpu_ms: 0,
        needs: None,
        why: item.why,
    }
}

fn ended(item: &PlannedItem, out: &Out, result: Result<Done, Miss>) -> ItemEnd {
    let stopped = out.stopped();
    let (done, miss) = match result {
        Ok(done) => (done, None),
        // A reader that was stopped by its limit gave what it could.
        Err(_) if stopped == Some(Stop::Full) => (Done::default(), None),
        Err(miss) => (Done::default(), Some(miss)),
    };
    let mut end = end_without(
        item,
        Miss {
            outcome: Outcome::Collected,
            reason: String::new(),
        },
    );
    end.original_bytes = done.original_bytes.unwrap_or(out.len());
    end.exit_code = done.exit_code;
    end.truncated = done.truncated;
    if stopped == Some(Stop::Full) && end.truncated.is_none() {
        end.truncated = Some(Truncated {
            end: "tail",
            limit_bytes: out.limit(),
        });
    }
    let note = match (stopped, miss.or(done.note)) {
        (Some(Stop::Late), _) => Some(Miss::timed_out(format!(
            "more than {} s",
            item.timeout_ms.div_ceil(1000)
        ))),
        (Some(Stop::Cancelled), _) => Some(Miss::skipped("cancelled")),
        (_, Some(miss)) if miss.outcome != Outcome::Collected || end.truncated.is_none() => {
            Some(miss)
        }
        (_, _) if end.truncated.is_some() => Some(Miss::partial(format!(
            "cut at {} bytes",
            end.truncated.as_ref().map_or(0, |t| t.limit_bytes)
        ))),
        (_, _) => None,
    };
    if let Some(miss) = note {
        end.outcome = miss.outcome;
        if !out.is_empty()
            && !matches!(
                miss.outcome,
                Outcome::Collected | Outcome::TimedOut | Outcome::Denied
            )
        {
            end.outcome = Outcome::Partial;
        }
        if item.kind == Kind::Command && miss.outcome == Outcome::Collected {
            end.outcome = Outcome::Collected;
        }
        if !miss.reason.is_empty() {
            end.reason = Some(miss.reason);
        }
        if end.outcome == Outcome::Denied {
            end.needs = Some(item.needs.unwrap_or("root").to_owned());
        }
    } else {
        end.reason = None;
    }
    end
}

/// Reads one file, whole or its beginning or its end.
fn file(host: &Host, path: &str, tail: bool, out: &mut Out) -> Result<Done, Miss> {
    let (mut file, meta) = host.open(path)?;
    let mut done = Done {
        original_bytes: Some(meta.size).filter(|s| *s > 0),
        ..Done::default()
    };
    let mut skip_line = false;
    if tail && meta.size > out.limit() {
        file.seek(SeekFrom::Start(meta.size - out.limit()))?;
        done.truncated = Some(Truncated {
            end: "head",
            limit_bytes: out.limit(),
        });
        skip_line = true;
    }
    let mut passage = Passage::begin(&file, 0, meta.size);
    let mut buffer = vec![
        0;
        if meta.size > 0 {
            meta.size.clamp(512, 65_536) as usize
        } else {
            16_384
        }
    ];
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            // An empty pipe-like file of /proc would block here.
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e.into()),
        };
        let mut bytes = &buffer[..n];
        if skip_line {
            let Some(at) = memchr::memchr(b'\n', bytes) else {
                continue;
            };
            bytes = &bytes[at + 1..];
            skip_line = false;
        }
        if !out.push(bytes) || !out.check() {
            break;
        }
    }
    passage.end(&file);
    done.note = meta.changed(&file);
    if done.original_bytes.is_some_and(|s| s < out.len()) {
        done.original_bytes = Some(out.len());
    }
    Ok(done)
}

/// Runs a program and takes its output as long as there is room.
pub(super) fn command(argv: &[String], cancel: &Cancel, out: &mut Out) -> Result<Done, Miss> {
    let timeout = out.time_left().max(Duration::from_millis(1));
    let ended = command::run(argv, timeout, cancel, &mut |bytes| out.push(bytes))?;
    let message = ended
        .stderr
        .lines()
        .next()
        .unwrap_or("")
        .chars()
        .take(300)
        .collect::<String>();
    let note = if ended.timed_out && !cancel.is_cancelled() {
        Some(Miss::timed_out(format!(
            "killed after {} s",
            timeout.as_secs().max(1)
        )))
    } else if ended.stopped || ended.code == Some(0) {
        None
    } else if out.is_empty() {
        Some(said_nothing(&ended, message))
    } else {
        let reason = format!("ended with {}: {message}", code(ended.code));
        Some(Miss {
            outcome: Outcome::Collected,
            reason,
        })
    };
    Ok(Done {
        exit_code: ended.code,
        note,
        ..Done::default()
    })
}

/// What a program that failed without output is to be called, by its messages.
fn said_nothing(ended: &command::Ended, first: String) -> Miss {
    const DENIED: [&str; 6] = [
        "permission denied",
        "insufficient permissions",
        "not permitted",
        "must be root",
        "superuser",
        "are you root",
    ];
    let lower = ended.stderr.to_lowercase();
    let reason = if first.is_empty() {
        format!("ended with {}", code(ended.code))
    } else {
        first
    };
    if DENIED.iter().any(|word| lower.contains(word)) {
        Miss::denied(reason)
    } else if lower.contains("was not provided by any .service files") {
        Miss::absent(reason)
    } else {
        Miss::failed(reason)
    }
}

fn code(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |c| format!("exit code {c}"))
}

fn thread_cpu_ms() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(t.tv_sec * 1000 + t.tv_nsec / 1_000_000).unwrap_or(0)
}
