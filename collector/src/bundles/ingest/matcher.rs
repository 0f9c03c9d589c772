//! Signatures on threads of their own, so that unpacking and checking go on while lines are matched, and files are
//! matched beside one another where there are processors for it. Bounded: a few chunks wait at most for each thread, and
//! the reader waits when they do.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use serde_json::Value;
use sitrep_shared::signature::{Engine, Report, Run, RunOptions};

/// Chunks that may wait, each at most a block long.
const WAITING: usize = 4;
/// Threads at most; what one of them holds of a file is bounded.
const THREADS_MAX: usize = 4;

enum Word {
    File(String),
    Data(Arc<[u8]>),
    End,
}

/// The other end of the matching threads.
pub(super) struct Matcher<'scope, 'e> {
    threads: Vec<(SyncSender<Word>, ScopedJoinHandle<'scope, ()>)>,
    /// The thread that has the file that was begun.
    at: Cell<usize>,
    run: Arc<Mutex<Run<'e>>>,
}

impl<'scope, 'e: 'scope> Matcher<'scope, 'e> {
    /// Starts the threads: half of the processors unpack, check and gather.
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        engine: &'e Engine,
        options: RunOptions,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::with(
            scope,
            engine,
            options,
            (processors / 2).clamp(1, THREADS_MAX),
        )
    }

    fn with(
        scope: &'scope Scope<'scope, '_>,
        engine: &'e Engine,
        options: RunOptions,
        threads: usize,
    ) -> Self {
        let run = Arc::new(Mutex::new(engine.run(options)));
        let thread = |_| {
            let (words, heard) = sync_channel(WAITING);
            let run = Arc::clone(&run);
            (words, scope.spawn(move || listen(&heard, &run)))
        };
        Self {
            threads: (0..threads).map(thread).collect(),
            at: Cell::new(0),
            run,
        }
    }

    /// Begins a file, on the next thread that has room.
    pub(super) fn file(&self, path: &str) {
        let mut word = Word::File(path.to_owned());
        for step in 1..=self.threads.len() {
            let next = (self.at.get() + step) % self.threads.len();
            word = match self.threads[next].0.try_send(word) {
                Ok(()) => return self.at.set(next),
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => back,
            };
        }
        self.at.set((self.at.get() + 1) % self.threads.len());
        self.say(word);
    }

    /// Gives the next bytes of the file.
    pub(super) fn push(&self, data: Arc<[u8]>) {
        self.say(Word::Data(data));
    }

    /// Ends the file.
    pub(super) fn end(&self) {
        self.say(Word::End);
    }

    fn say(&self, word: Word) {
        // The thread hears until this end is dropped, unless it panicked, which `finish` passes on.
        let _ = self.threads[self.at.get()].0.send(word);
    }

    /// Waits for the threads and decides every signature.
    pub(super) fn finish(self, facts: Option<&Value>) -> Report {
        for (words, thread) in self.threads {
            drop(words);
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let run = Arc::into_inner(self.run).expect("every thread that had it has ended");
        let run = run.into_inner().unwrap_or_else(PoisonError::into_inner);
        run.finish(facts)
    }
}

fn listen(heard: &Receiver<Word>, run: &Mutex<Run<'_>>) {
    let run = || run.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scan = None;
    for word in heard {
        match word {
            Word::File(path) => scan = Some(run().file(&path)),
            Word::Data(data) => {
                if let Some(scan) = &mut scan {
                    scan.push(&data);
                }
            }
            Word::End => {
                if let Some(scan) = scan.take() {
                    let result = scan.finish();
                    run().done(result);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sitrep_shared::signature::{Catalogue, SourceMap};

    use super::*;

    #[test]
    fn threads_beside_one_another_report_what_one_reports() {
        let catalogue = Catalogue::embedded().unwrap();
        let engine = Engine::new(&catalogue, &SourceMap::embedded().unwrap()).unwrap();
        let report = |threads: usize| {
            std::thread::scope(|scope| {
                let matcher = Matcher::with(scope, &engine, RunOptions::default(), threads);
                for file in 0..40 {
                    matcher.file(&format!("sos/var/log/app{file}.log"));
                    let full = format!(
                        "2026-01-01 00:00:00 app: write failed: No space left on device {file}\n"
                    );
                    for _ in 0..file % 7 {
                        matcher.push(full.clone().into_bytes().into());
                    }
                    matcher.end();
                }
                let report = matcher.finish(None);
                serde_json::to_string(&report).unwrap()
            })
        };
        let one = report(1);
        assert!(one.contains("SIG-0001"), "{one}");
        for threads in [2, 4] {
            assert_eq!(report(threads), one);
        }
    }
}
