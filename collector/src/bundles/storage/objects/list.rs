//! What lies in the bucket: for the search for orphans.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use object_store::ObjectStore;
use uuid::Uuid;

use super::super::{Found, StorageError};
use super::Objects;

impl Objects {
    /// Uploads with tails, and bundles with blobs or derived files, that are older than `age`.
    pub(in super::super) fn found(&self, age: Duration) -> Result<Found, StorageError> {
        let mut found = Found {
            uploads: self.ids_below("tails", age)?,
            bundles: self.ids_below("blobs", age)?,
        };
        found.bundles.extend(self.ids_below("derived", age)?);
        for ids in [&mut found.uploads, &mut found.bundles] {
            ids.sort_unstable();
            ids.dedup();
        }
        Ok(found)
    }

    /// The ids that keys below a folder begin with.
    fn ids_below(&self, folder: &str, age: Duration) -> Result<Vec<Uuid>, StorageError> {
        let youngest = SystemTime::now() - age;
        let (path, mut ids) = (self.path(folder), Vec::new());
        let mut listed = self.remote.list(Some(&path));
        while let Some(meta) =
            self.run("list", folder, async { listed.next().await.transpose() })?
        {
            let key = meta.location.as_ref();
            let below = key.strip_prefix(path.as_ref()).unwrap_or_default();
            let name = below.trim_start_matches('/').split(['/', '.']).next();
            if SystemTime::from(meta.last_modified) <= youngest {
                ids.extend(name.and_then(|name| Uuid::parse_str(name).ok()));
            }
        }
        Ok(ids)
    }

    /// Keys of all tails of an upload, also of those that nobody recorded.
    pub(super) fn tails_of(&self, upload: Uuid) -> Result<Vec<String>, StorageError> {
        let folder = format!("tails/{upload}");
        let (path, mut keys) = (self.path(&folder), Vec::new());
        let mut listed = self.remote.list(Some(&path));
        while let Some(meta) =
            self.run("list", &folder, async { listed.next().await.transpose() })?
        {
            let name = meta.location.filename().unwrap_or_default();
            keys.push(format!("{folder}/{name}"));
        }
        Ok(keys)
    }
}
