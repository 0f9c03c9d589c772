//! Short uploads whose bytes all come with their creation: kept in memory until they are there, then stored and
//! recorded at once. Nothing is told before, so nothing has to last before.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::append::Sum;
use super::headers::Checksum;
use super::{Append, Create, Grant, ReceiveError, Receiver, parse, to_db};
use crate::bundles::storage::HashState;
use crate::db::uploads::UploadRow;

/// Bytes of a short upload at most.
const SHORT_BYTES: u64 = 1 << 20;
/// KiB of short uploads in memory at once; others are received as long ones are.
pub(super) const MEMORY_KIB: usize = 16 << 10;
/// Whoever has not sent all after this long is received as a long upload: slow clients must not hold the memory.
const GATHER_TIME: Duration = Duration::from_secs(2);

/// The body that comes with a creation.
#[derive(Debug, Clone, Default)]
pub struct First {
    /// Digest it must have.
    pub checksum: Option<Checksum>,
    /// Its length, when the client says it.
    pub body_bytes: Option<u64>,
}

/// What came of a body in time.
enum Gathered<S> {
    Whole(Vec<Bytes>),
    Begun(Vec<Bytes>, S),
}

impl Receiver {
    /// Makes an upload whose first bytes, or all, come with the request.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::append`]. When the body breaks off, the upload may be there.
    pub async fn create_with<S, E>(
        &self,
        grant: &Grant,
        request: Create,
        first: First,
        body: S,
    ) -> Result<UploadRow, ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        if let (Some(limit), Some(said)) = (request.length, first.body_bytes)
            && said > limit
        {
            return Err(ReceiveError::TooLarge { limit });
        }
        let short = request.length.filter(|length| {
            (1..=SHORT_BYTES).contains(length) && first.body_bytes == request.length
        });
        let room = short.and_then(|length| {
            let kib = u32::try_from(length.div_ceil(1024)).ok()?;
            self.memory.try_acquire_many(kib).ok()
        });
        let Some((length, room)) = short.zip(room) else {
            return self.create_then_append(grant, request, first, body).await;
        };
        self.allowed(grant, &request)?;
        let slot = self.slots.try_acquire().map_err(|_| ReceiveError::Busy)?;
        match gather(body, length, GATHER_TIME).await? {
            Gathered::Whole(chunks) => self.store_whole(grant, request, first, chunks).await,
            Gathered::Begun(chunks, rest) => {
                let begun = stream::iter(chunks.into_iter().map(Ok));
                drop((room, slot));
                self.create_then_append(grant, request, first, begun.chain(rest))
                    .await
            }
        }
    }

    async fn create_then_append<S, E>(
        &self,
        grant: &Grant,
        request: Create,
        first: First,
        mut body: S,
    ) -> Result<UploadRow, ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        if request.length == Some(0) {
            // It is complete as soon as it is made.
            self.allowed(grant, &request)?;
            self.ends_here(&mut body, first.body_bytes, 0).await?;
        }
        let row = self.create(grant, request).await?;
        if !row.is_open() {
            return Ok(row);
        }
        let upload = parse(&row.id)?;
        let append = Append {
            upload,
            offset: 0,
            length: None,
            checksum: first.checksum,
            body_bytes: first.body_bytes,
        };
        match self.append(&grant.code_id, append, body).await {
            // The upload is there: its address is worth more to the client than the fault.
            Err(ReceiveError::Broken { .. } | ReceiveError::Slow { .. }) => {
                self.find(&grant.code_id, upload).await
            }
            other => other,
        }
    }

    async fn store_whole(
        &self,
        grant: &Grant,
        request: Create,
        first: First,
        chunks: Vec<Bytes>,
    ) -> Result<UploadRow, ReceiveError> {
        let length = request.length.unwrap_or_default();
        let (_, mut row) = self.new_row(grant, request, length);
        row.reserved_bytes = 0;
        row.length_bytes = Some(to_db(length));
        row.offset_bytes = to_db(length);
        "complete".clone_into(&mut row.state);
        let (store, bundle) = (Arc::clone(&self.store), parse(&row.bundle_id)?);
        let declared = row.declared_sha256.clone();
        let stored = tokio::task::spawn_blocking(move || -> Result<String, ReceiveError> {
            let digest = checked(&chunks, first.checksum, declared.as_deref())?;
            if !store.space()?.admits(length) {
                return Err(ReceiveError::Full);
            }
            store.put_blob(bundle, &chunks)?;
            Ok(digest)
        });
        row.sha256 = Some(stored.await??);
        self.waiting.record(row).await
    }
}

/// Takes a body of `length` bytes that comes in time.
async fn gather<S, E>(
    mut body: S,
    length: u64,
    within: Duration,
) -> Result<Gathered<S>, ReceiveError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let (mut chunks, mut left) = (Vec::new(), length);
    let until = Instant::now() + within;
    while left > 0 {
        match timeout_at(until, body.next()).await {
            Err(_) => return Ok(Gathered::Begun(chunks, body)),
            Ok(None | Some(Err(_))) => return Err(ReceiveError::Broken { committed: 0 }),
            Ok(Some(Ok(chunk))) => {
                left = left
                    .checked_sub(chunk.len() as u64)
                    .ok_or(ReceiveError::TooLarge { limit: length })?;
                chunks.push(chunk);
            }
        }
    }
    Ok(Gathered::Whole(chunks))
}

/// The digest of the bytes, when it is the one that was promised.
fn checked(
    chunks: &[Bytes],
    checksum: Option<Checksum>,
    declared: Option<&str>,
) -> Result<String, ReceiveError> {
    let (mut hash, mut sum) = (HashState::default(), checksum.map(Sum::new));
    for chunk in chunks {
        hash.update(chunk);
        if let Some(sum) = &mut sum {
            sum.update(chunk);
        }
    }
    let digest = hash.digest();
    if sum.is_some_and(|sum| !sum.fits()) || declared.is_some_and(|declared| declared != digest) {
        return Err(ReceiveError::Checksum);
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_come_in_time_comes_with_the_rest() {
        type Item = Result<Bytes, ()>;
        let text = |text: &'static str| -> Item { Ok(Bytes::from_static(text.as_bytes())) };
        let none = Duration::from_millis(1);
        let late = stream::iter([text("ab")]).chain(stream::pending());
        let Gathered::Begun(chunks, _) = gather(late, 3, none).await.unwrap() else {
            panic!("one byte is missing");
        };
        assert_eq!(chunks.concat(), b"ab");
        let whole = stream::iter([text("ab"), text("c"), text("behind")]);
        let Gathered::Whole(chunks) = gather(whole, 3, GATHER_TIME).await.unwrap() else {
            panic!("all is there");
        };
        assert_eq!(chunks.concat(), b"abc");
        for (items, broken) in [
            (vec![text("ab"), Err(())], true),
            (vec![text("ab")], true),
            (vec![text("ab"), text("cd")], false),
        ] {
            let ended = gather(stream::iter(items), 3, GATHER_TIME).await;
            assert_eq!(matches!(ended, Err(ReceiveError::Broken { .. })), broken);
            assert!(ended.is_err());
        }
    }
}
