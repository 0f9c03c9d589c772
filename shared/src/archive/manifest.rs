//! A bundle of ours that somebody packed again is an ordinary archive with a manifest in it. What
//! the manifest says of the files must still be true.

use super::ledger::{Ledger, Slot};
use crate::bundle::layout;
use crate::bundle::limits::{Limits, Reason, Reject};
use crate::bundle::manifest::{Kind, Manifest};

/// How much of a file to keep: all that a manifest may have where one can stand, else nothing.
pub(super) fn keep(path: &str, limits: &Limits) -> usize {
    let below_top = path
        .split_once('/')
        .is_some_and(|(_, rest)| rest == layout::MANIFEST);
    if below_top {
        usize::try_from(limits.manifest_bytes).unwrap_or(usize::MAX)
    } else {
        0
    }
}

/// Whether a file says that it is a manifest of ours; other products have `meta/manifest.json` too.
pub(super) fn is_ours(start: &[u8]) -> bool {
    let begin = &start[..start.len().min(4096)];
    memchr::memmem::find(begin, b"\"sitrep.manifest/").is_some()
}

/// Compares all files with the manifest; offsets belong to the packing and are not looked at.
pub(super) fn compare(
    at: &str,
    json: &[u8],
    ledger: &mut Ledger<'_>,
    limits: &Limits,
) -> Result<(), Reject> {
    let manifest = Manifest::parse(json, limits)?;
    let top = at.strip_suffix(layout::MANIFEST).unwrap_or_default();
    let mismatch = |what: &str, path: &str| {
        Reject::new(
            Reason::ManifestMismatch,
            format!("{what} of {path:?} is not what the manifest says"),
        )
    };
    ledger.take(at);
    for item in &manifest.items {
        let Some(path) = item.path.as_deref() else {
            continue;
        };
        match ledger.take(&format!("{top}{path}")) {
            Some(Slot::File { size, sha256 }) => {
                if item.stored_bytes != size {
                    return Err(mismatch("the size", path));
                }
                if item.sha256 != Some(sha256) {
                    return Err(mismatch("the digest", path));
                }
            }
            Some(Slot::Link(target)) if item.kind == Kind::Link => {
                if item.link_target.as_deref().map(str::as_bytes) != Some(&target) {
                    return Err(mismatch("the target", path));
                }
            }
            _ => return Err(mismatch("the presence", path)),
        }
    }
    match ledger
        .slots
        .iter()
        .find(|(_, slot)| !matches!(slot, Slot::Directory))
    {
        Some((path, _)) => Err(mismatch("the presence", path)),
        None => Ok(()),
    }
}
