//! Runs a plan: a worker thread reads, this thread hands the bytes on and watches the clock.
//!
//! The worker may be lost in the kernel (a dead mount, a stuck driver). Then its item ends as timed out,
//! the thread is left behind, and a new worker goes on with what is left. On a host that can start no thread this one
//! reads as well, item by item; then nobody watches the clock from outside.

use super::cancel::Cancel;
use super::caught;
use super::cost::Meter;
use super::execute::{Worker, end_without, start_of};
use super::host::Host;
use super::miss::Miss;
use super::out::{Msg, Shared};
use super::sink::{ItemEnd, ItemStart, Progress, Sink};
use super::source::{Outcome, Params};
use super::summary::{RunSummary, SourceSummary};
use super::{pressure, rights, sys};
use crate::plan::{Plan, Step};
use sitrep_shared::facts;
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Messages between the threads; each holds at most one chunk.
const QUEUE: usize = 16;
/// The same, when this thread reads as well: all of an item must fit.
const QUEUE_HERE: usize = 1024;
/// Bytes of one item then; its chunks are half full at least.
const BYTES_HERE: u64 = 16 << 20;
/// How often a silent worker is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Reasons kept per source for the progress display.
const MAX_PROBLEMS: usize = 8;

/// Carries out `plan` on `host` and hands everything to `sink`. Never fails: what goes wrong is an outcome.
pub fn run(host: &Host, plan: &Plan, sink: &mut dyn Sink, cancel: &Cancel) -> RunSummary {
    caught::quiet_panics();
    let meter = Meter::start(host);
    let shared = Arc::new(Shared {
        began: Instant::now(),
        deadline_ms: AtomicU64::new(0),
        used_bytes: AtomicU64::new(0),
        commands: AtomicU64::new(0),
        pressure: OnceLock::new(),
    });
    let mut run = Run::new(host, plan, sink, cancel, Arc::clone(&shared));
    while !run.pending.is_empty() {
        let (tx, rx) = sync_channel(QUEUE);
        let steps = run.pending.clone();
        let worker = Worker::new(tx, &shared);
        let (host, params, cancel) = (host.clone(), plan.params.clone(), cancel.clone());
        let spawned = std::thread::Builder::new()
            .name("sitrep-collect".to_owned())
            .spawn(move || {
                sys::be_harmless();
                rights::lay_down();
                work(&host, &params, &cancel, steps, worker);
            });
        match spawned {
            Ok(_) => run.drain(&rx),
            Err(_) => run.read_here(&plan.params),
        }
    }
    run.finish(meter, host, cancel)
}

/// The worker thread: every step, each inside its own catch.
fn work(host: &Host, params: &Params, cancel: &Cancel, steps: VecDeque<Step>, mut worker: Worker) {
    for step in steps {
        if worker.tx.send(Msg::StepStart).is_err() {
            return;
        }
        worker.queue = step.items;
        caught::collect(host, params, cancel, step.source, &mut worker);
        if worker.gone || worker.tx.send(Msg::StepEnd).is_err() {
            return;
        }
    }
}

struct Run<'a> {
    host: Host,
    sink: &'a mut dyn Sink,
    cancel: Cancel,
    shared: Arc<Shared>,
    pending: VecDeque<Step>,
    summary: RunSummary,
    facts: facts::Reader,
    source: Option<SourceSummary>,
    open: Option<Box<ItemStart>>,
    collected: BTreeSet<String>,
    planned: u64,
    last_event_ms: u64,
    last_look_ms: u64,
    wanted: Option<(String, Vec<u8>)>,
}

impl<'a> Run<'a> {
    fn new(
        host: &Host,
        plan: &Plan,
        sink: &'a mut dyn Sink,
        cancel: &Cancel,
        shared: Arc<Shared>,
    ) -> Self {
        let now_ms = plan.params.now_ms;
        Self {
            host: host.clone(),
            sink,
            cancel: cancel.clone(),
            shared,
            pending: plan.steps.iter().cloned().collect(),
            summary: RunSummary::default(),
            facts: facts::Reader::new(now_ms),
            source: None,
            open: None,
            collected: BTreeSet::new(),
            planned: plan.items().count() as u64,
            last_event_ms: 0,
            last_look_ms: 0,
            wanted: None,
        }
    }

    /// Takes messages until the worker is done or lost.
    fn drain(&mut self, rx: &Receiver<Msg>) {
        loop {
            self.look_round();
            match rx.recv_timeout(TICK) {
                Ok(msg) => self.take(msg),
                Err(RecvTimeoutError::Disconnected) => {
                    if !self.pending.is_empty() {
                        self.lost("the reader ended without a word");
                    }
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let deadline = self.shared.deadline_ms.load(Ordering::SeqCst);
                    if deadline != 0 && self.shared.now_ms() > deadline {
                        self.lost("does not answer (hung in the kernel)");
                        return;
                    }
                }
            }
        }
    }

    /// Once a second: whether the run has to give way.
    fn look_round(&mut self) {
        let now = self.shared.now_ms();
        if now < self.last_look_ms + 1000 || self.shared.pressure.get().is_some() {
            return;
        }
        self.last_look_ms = now;
        let reason = pressure::reason(&self.host).or_else(|| self.sink.shortage());
        if let Some(reason) = reason {
            let _ = self.shared.pressure.set(reason);
        }
    }

    fn take(&mut self, msg: Msg) {
        match msg {
            Msg::StepStart => {
                if let Some(step) = self.pending.front() {
                    let (id, title) = (step.source.id(), step.source.title());
                    self.sink.event(&Progress::SourceStarted { id, title });
                    let start_ms = self.shared.now_ms();
                    self.source = Some(SourceSummary {
                        id,
                        title,
                        start_ms,
                        ..SourceSummary::default()
                    });
                }
            }
            Msg::StepEnd => self.end_step(),
            Msg::Whole(whole) => {
                let (start, data, end) = *whole;
                self.start(Box::new(start));
                if !data.is_empty() {
                    self.data(&data);
                }
                self.end(&end);
            }
            Msg::Start(start) => self.start(start),
            Msg::Data(data) => self.data(&data),
            Msg::End(end) => self.end(&end),
        }
    }

    fn end_step(&mut self) {
        self.pending.pop_front();
        if let Some(mut source) = self.source.take() {
            source.duration_ms = self.shared.now_ms().saturating_sub(source.start_ms);
            self.sink.event(&Progress::SourceEnded(&source));
            self.summary.sources.push(source);
        }
    }

    fn start(&mut self, start: Box<ItemStart>) {
        self.sink.item(&start);
        self.wanted = start
            .path
            .as_deref()
            .filter(|p| facts::wants(p))
            .map(|p| (p.to_owned(), Vec::new()));
        self.open = Some(start);
    }

    fn data(&mut self, data: &[u8]) {
        self.sink.data(data);
        if let Some((_, kept)) = &mut self.wanted {
            let room = facts::MAX_TEXT.saturating_sub(kept.len());
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
        self.summary.bytes += data.len() as u64;
        if let Some(source) = &mut self.source {
            source.bytes += data.len() as u64;
        }
        self.report_bytes();
    }

    fn report_bytes(&mut self) {
        let now = self.shared.now_ms();
        if now >= self.last_event_ms + 100 {
            self.last_event_ms = now;
            let (bytes, items, planned) = (self.summary.bytes, self.summary.items, self.planned);
            self.sink.event(&Progress::Bytes {
                bytes,
                items,
                planned,
            });
        }
    }

    fn end(&mut self, end: &ItemEnd) {
        self.sink.end(end);
        if self.sink.fault().is_some() {
            self.cancel.cancel();
        }
        if let Some((path, text)) = self.wanted.take()
            && !text.is_empty()
        {
            // A parser must not cost the run, whatever the host's files hold.
            let facts = &mut self.facts;
            let _ = catch_unwind(AssertUnwindSafe(|| facts.add(&path, &text)));
        }
        self.summary.items += 1;
        *self.summary.outcomes.entry(end.outcome).or_default() += 1;
        if let Some(source) = &mut self.source {
            source.items += 1;
            *source.outcomes.entry(end.outcome).or_default() += 1;
            let quiet = matches!(
                end.outcome,
                Outcome::Collected | Outcome::Absent | Outcome::Skipped
            );
            if let (false, Some(reason), Some(open)) = (quiet, &end.reason, &self.open)
                && source.problems.len() < MAX_PROBLEMS
            {
                source.problems.push(format!("{}: {reason}", open.origin));
            }
        }
        self.open = None;
        self.link(end);
    }

    /// Takes the ended item off the plan and makes its links.
    fn link(&mut self, end: &ItemEnd) {
        let Some(step) = self.pending.front_mut() else {
            return;
        };
        let Some(item) = step.items.pop_front() else {
            return;
        };
        if !matches!(end.outcome, Outcome::Collected | Outcome::Partial) {
            return;
        }
        for name in &item.links {
            let path = format!("sos/{name}");
            if self.collected.insert(path.clone()) {
                let relative = item.path.strip_prefix("sos/").unwrap_or(&item.path);
                self.sink.link(&path, &item.path, relative);
                self.summary.items += 1;
                *self.summary.outcomes.entry(Outcome::Collected).or_default() += 1;
            }
        }
    }

    /// The worker is gone: ends the item at hand, keeps the rest for the next worker.
    fn lost(&mut self, reason: &str) {
        let Some(item) = self.pending.front().and_then(|s| s.items.front()).cloned() else {
            self.end_step();
            return;
        };
        if self.open.is_none() {
            let start = start_of(&item, self.shared.now_ms());
            self.start(Box::new(start));
        }
        let mut end = end_without(&item, Miss::timed_out(reason));
        end.duration_ms = item.timeout_ms;
        self.end(&end);
        self.shared.deadline_ms.store(0, Ordering::SeqCst);
        if self.pending.front().is_some_and(|s| s.items.is_empty()) {
            self.end_step();
        }
    }

    /// Reads what is left in this thread.
    fn read_here(&mut self, params: &Params) {
        let (tx, rx) = sync_channel(QUEUE_HERE);
        let mut worker = Worker::new(tx, &self.shared);
        let (host, cancel) = (self.host.clone(), self.cancel.clone());
        sys::be_harmless();
        for step in self.pending.clone() {
            self.take(Msg::StepStart);
            for mut item in step.items {
                item.limit_bytes = item.limit_bytes.min(BYTES_HERE);
                worker.queue.push_back(item);
                caught::collect(&host, params, &cancel, step.source, &mut worker);
                self.look_round();
                rx.try_iter().for_each(|msg| self.take(msg));
            }
            self.take(Msg::StepEnd);
        }
    }

    fn finish(mut self, meter: Meter, host: &Host, cancel: &Cancel) -> RunSummary {
        self.summary.facts = self.facts.finish();
        self.summary.duration_ms = self.shared.now_ms();
        self.summary.cancelled = cancel.is_cancelled();
        self.summary.cost = meter.finish(host);
        self.summary.cost.commands = self.shared.commands.load(Ordering::SeqCst);
        self.summary
    }
}
