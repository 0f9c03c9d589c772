//! Signatures on a thread of their own, so that unpacking and checking go on while lines are matched. Bounded: a few
//! chunks wait at most, and the reader waits when they do.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use serde_json::Value;
use sitrep_shared::signature::{Engine, Report, Run, RunOptions};

/// Chunks that may wait, each at most a block long.
const WAITING: usize = 4;

enum Word {
    File(String),
    Data(Arc<[u8]>),
    End,
}

/// The other end of the matching thread.
pub(super) struct Matcher<'scope, 'e> {
    words: SyncSender<Word>,
    thread: ScopedJoinHandle<'scope, Run<'e>>,
}

impl<'scope, 'e: 'scope> Matcher<'scope, 'e> {
    /// Starts the thread.
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        engine: &'e Engine,
        options: RunOptions,
    ) -> Self {
        let (words, heard) = sync_channel(WAITING);
        let thread = scope.spawn(move || listen(&heard, engine.run(options)));
        Self { words, thread }
    }

    /// Begins a file.
    pub(super) fn file(&self, path: &str) {
        self.say(Word::File(path.to_owned()));
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
        let _ = self.words.send(word);
    }

    /// Waits for the thread and decides every signature.
    pub(super) fn finish(self, facts: Option<&Value>) -> Report {
        drop(self.words);
        match self.thread.join() {
            Ok(run) => run.finish(facts),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn listen<'e>(heard: &Receiver<Word>, mut run: Run<'e>) -> Run<'e> {
    let mut scan = None;
    for word in heard {
        match word {
            Word::File(path) => scan = Some(run.file(&path)),
            Word::Data(data) => {
                if let Some(scan) = &mut scan {
                    scan.push(&data);
                }
            }
            Word::End => {
                if let Some(scan) = scan.take() {
                    run.done(scan.finish());
                }
            }
        }
    }
    run
}
