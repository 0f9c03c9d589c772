//! Who may write to an upload right now, in this process. A newer request cuts the older one off and waits until its
//! last write is over; between processes the epoch in the database does the same for commits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[derive(Debug, Default)]
struct Slot {
    gate: Arc<tokio::sync::Mutex<()>>,
    cut: CancellationToken,
}

/// The uploads that were touched since the start, in this process.
#[derive(Debug, Default)]
pub struct Turns {
    slots: Mutex<HashMap<Uuid, Slot>>,
}

/// The right to write. While it lives, no other request of this process touches the part.
#[derive(Debug)]
pub struct Turn {
    /// Cancelled when a newer request waits.
    pub cut: CancellationToken,
    _gate: OwnedMutexGuard<()>,
}

impl Turns {
    /// Cuts off whoever writes to the upload and waits for the turn.
    pub async fn take(&self, upload: Uuid) -> Turn {
        let (gate, cut) = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = slots.entry(upload).or_default();
            slot.cut.cancel();
            slot.cut = CancellationToken::new();
            (slot.gate.clone(), slot.cut.clone())
        };
        Turn {
            _gate: gate.lock_owned().await,
            cut,
        }
    }

    /// Forgets an upload that has ended.
    pub fn forget(&self, upload: Uuid) {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&upload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_request_cuts_the_older_one_off() {
        let turns = Turns::default();
        let id = Uuid::from_u128(1);
        let first = turns.take(id).await;
        assert!(!first.cut.is_cancelled());
        let cut = first.cut.clone();
        let (second, ()) = tokio::join!(turns.take(id), async {
            cut.cancelled().await;
            drop(first);
        });
        assert!(!second.cut.is_cancelled());
    }
}
