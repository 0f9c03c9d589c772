//! What else is learnt from the lines of a bundle, on a thread of its own: templates of its error lines, and the index
//! that tells later signatures where they cannot match. Bounded: a few chunks wait at most.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use sitrep_shared::signature::{FilterBuilder, Miner, Report, Template};

/// Chunks that may wait, each at most a block long.
const WAITING: usize = 4;

enum Word {
    File { path: String, offset: u64 },
    Data(Arc<[u8]>),
    End,
}

/// The other end of the gathering thread.
pub(super) struct Gatherer<'scope> {
    words: SyncSender<Word>,
    thread: ScopedJoinHandle<'scope, (Miner, FilterBuilder)>,
}

impl<'scope> Gatherer<'scope> {
    /// Starts the thread.
    pub(super) fn start(scope: &'scope Scope<'scope, '_>) -> Self {
        let (words, heard) = sync_channel(WAITING);
        let thread = scope.spawn(move || listen(&heard));
        Self { words, thread }
    }

    /// Begins a file, whose bytes are at `offset` of the unpacked stream that pages are read from.
    pub(super) fn file(&self, path: &str, offset: u64) {
        self.say(Word::File {
            path: path.to_owned(),
            offset,
        });
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

    /// Waits for the thread: the templates that no finding of the report explains, and the stored index.
    pub(super) fn finish(self, report: &Report) -> (Vec<Template>, Vec<u8>) {
        drop(self.words);
        match self.thread.join() {
            Ok((miner, filter)) => (miner.finish(report), filter.finish()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn listen(heard: &Receiver<Word>) -> (Miner, FilterBuilder) {
    let (mut miner, mut filter) = (Miner::default(), FilterBuilder::default());
    for word in heard {
        match word {
            Word::File { path, offset } => {
                miner.begin(&path);
                filter.begin(offset);
            }
            Word::Data(data) => {
                miner.push(&data);
                filter.push(&data);
            }
            Word::End => {
                miner.end();
                filter.end();
            }
        }
    }
    (miner, filter)
}
