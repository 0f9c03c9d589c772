//! A request body as batches: what comes within a moment is taken together, and of what trickles in some KiB, so that
//! uploads cost few changes of thread and slow ones hold little memory.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

/// Bytes gathered at most before they are written.
const BATCH_BYTES: usize = 1 << 20;
/// Gathering takes so long at most: a connection gives some 64 KB at a time, and to hand each of them to the thread that
/// writes costs more than the writing.
const GATHER_TIME: Duration = Duration::from_millis(10);
/// Less than this is kept in memory until more comes: nothing of it is acknowledged before, written or not, and thousands
/// of slow clients would leave no time for others.
const TRICKLE_BYTES: usize = 4 << 10;
/// Pieces gathered at most: a body of pieces of one byte must not cost thirty for each.
const PIECES_MOST: usize = 256;
/// The rate is averaged over this.
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// Why no more data comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The body is over.
    Done,
    /// The connection broke, or the framing is wrong.
    Broken,
    /// The client was silent or slower than allowed.
    Slow,
}

/// A body being read.
pub(super) struct Batches<S> {
    body: S,
    end: Option<End>,
    idle: Duration,
    min_rate: u64,
    window: (Instant, u64),
}

impl<S, E> Batches<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    pub(super) fn new(body: S, idle: Duration, min_rate: u64) -> Self {
        Self {
            body,
            end: None,
            idle,
            min_rate,
            window: (Instant::now(), 0),
        }
    }

    /// The next batch, or why there is none. Whoever drops it while it waits gives the body up.
    pub(super) async fn next(&mut self) -> Result<Vec<Bytes>, End> {
        let (mut batch, mut size) = (Vec::new(), 0);
        let mut until = None;
        while size < BATCH_BYTES && batch.len() < PIECES_MOST && self.end.is_none() {
            let trickles = size < TRICKLE_BYTES;
            let wait = match trickles {
                true => Instant::now() + self.idle,
                false => *until.get_or_insert_with(|| Instant::now() + GATHER_TIME),
            };
            match timeout_at(wait, self.body.next()).await {
                Err(_) if trickles => self.end = Some(End::Slow),
                Err(_) => break,
                Ok(None) => self.end = Some(End::Done),
                Ok(Some(Err(_))) => self.end = Some(End::Broken),
                Ok(Some(Ok(more))) => {
                    size += more.len();
                    self.measure(more.len());
                    batch.push(more);
                }
            }
        }
        match self.end {
            Some(end) if batch.is_empty() => Err(end),
            _ => Ok(batch),
        }
    }

    fn measure(&mut self, size: usize) {
        self.window.1 += size as u64;
        let spent = self.window.0.elapsed();
        if spent < RATE_WINDOW {
            return;
        }
        if self.window.1 < self.min_rate * spent.as_secs() {
            self.end = Some(End::Slow);
        }
        self.window = (Instant::now(), 0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    type Item = Result<Bytes, ()>;

    #[tokio::test]
    async fn ready_chunks_come_together_and_the_end_is_kept() {
        let items: Vec<Item> = vec![
            Ok(Bytes::from_static(b"a")),
            Ok(Bytes::from_static(b"b")),
            Err(()),
        ];
        let mut batches = Batches::new(stream::iter(items), Duration::from_secs(1), 0);
        assert_eq!(batches.next().await.unwrap().len(), 2);
        assert_eq!(batches.next().await.unwrap_err(), End::Broken);
        assert_eq!(batches.next().await.unwrap_err(), End::Broken);
    }

    #[tokio::test]
    async fn a_batch_is_bounded() {
        let chunk = Bytes::from(vec![0u8; 300 * 1024]);
        let items: Vec<Item> = (0..10).map(|_| Ok(chunk.clone())).collect();
        let mut batches = Batches::new(stream::iter(items), Duration::from_secs(1), 0);
        assert_eq!(batches.next().await.unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a_batch_has_few_pieces_however_small_they_are() {
        let items: Vec<Item> = vec![Ok(Bytes::from_static(b"a")); 3 * PIECES_MOST];
        let mut batches = Batches::new(stream::iter(items), Duration::from_secs(1), 0);
        for _ in 0..3 {
            assert_eq!(batches.next().await.unwrap().len(), PIECES_MOST);
        }
        assert_eq!(batches.next().await.unwrap_err(), End::Done);
    }

    #[tokio::test]
    async fn what_trickles_in_comes_together_and_silence_after_it_ends_it() {
        let items: Vec<Item> = vec![Ok(Bytes::from_static(b"a")), Ok(Bytes::from_static(b"b"))];
        let body = stream::iter(items).chain(stream::pending());
        let mut batches = Batches::new(body, Duration::from_millis(50), 0);
        assert_eq!(batches.next().await.unwrap().len(), 2);
        assert_eq!(batches.next().await.unwrap_err(), End::Slow);
    }

    #[tokio::test]
    async fn what_is_worth_a_write_does_not_wait_for_more() {
        let chunk: Item = Ok(Bytes::from(vec![0u8; TRICKLE_BYTES]));
        let body = stream::iter([chunk]).chain(stream::pending());
        let mut batches = Batches::new(body, Duration::from_secs(3600), 0);
        assert_eq!(batches.next().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn silence_ends_it() {
        let mut batches = Batches::new(stream::pending::<Item>(), Duration::from_millis(1), 0);
        assert_eq!(batches.next().await.unwrap_err(), End::Slow);
    }
}
