//! Stand-ins for identifiers, and the map from real value to stand-in that stays on the host.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// Most entries kept in the map; stand-ins do not depend on it.
const MAX_MAP: usize = 200_000;

/// Stand-ins that one file has used.
#[derive(Default)]
pub(crate) struct Cache {
    pub seen: Vec<(String, String)>,
}

/// The stand-ins of all files.
#[derive(Default)]
pub(crate) struct Map {
    all: Mutex<BTreeMap<String, String>>,
}

impl Map {
    /// Takes over what one file has used.
    pub(crate) fn merge(&self, cache: &mut Cache) {
        if cache.seen.is_empty() {
            return;
        }
        let mut all = self
            .all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (real, put) in cache.seen.drain(..) {
            if all.len() < MAX_MAP {
                all.insert(real, put);
            }
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.all
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}
