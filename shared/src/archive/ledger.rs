//! What was seen in an archive: keeps names unique, counts, notes what was made inert, and checks
//! at the end what only all entries together tell.

use std::collections::hash_map::{DefaultHasher, Entry as MapEntry};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::io::BufRead;

use super::detect;
use super::manifest;
use super::names::{self, Name};
use super::reading::Reading;
use super::{Entry, Kind, Note, Visitor};
use crate::bundle::limits::{Limits, Reason, Reject};
use crate::hash::{Digest, Sha256};

/// Notes that are kept; more are only counted.
const NOTES: usize = 1000;

/// An entry as a format's reader hands it over.
pub(super) struct Head<'a> {
    pub(super) raw: &'a [u8],
    pub(super) kind: Kind,
    pub(super) size: Option<u64>,
    pub(super) target: Option<&'a [u8]>,
    pub(super) mtime_s: Option<i64>,
}

/// What stands at a path.
pub(super) enum Slot {
    File { size: u64, sha256: Digest },
    Directory,
    Link(Vec<u8>),
    Other,
}

pub(super) struct Ledger<'a> {
    limits: &'a Limits,
    pub(super) slots: HashMap<String, Slot>,
    /// Hashes of names and folders as they are, and in lower case; a chance collision costs no more than a note.
    spelled: HashSet<u64>,
    folded: HashSet<u64>,
    names_bytes: u64,
    /// Our own manifest, when the archive has one.
    manifest: Option<(String, Vec<u8>)>,
    /// Unpacked bytes that this file may have.
    pub(super) budget: u64,
    pub(super) count: u64,
    pub(super) unpacked: u64,
    pub(super) noted: u64,
    pub(super) notes: Vec<Note>,
    pub(super) hostile: Option<Reason>,
    pub(super) remark: Option<Reason>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            slots: HashMap::new(),
            spelled: HashSet::new(),
            folded: HashSet::new(),
            names_bytes: 0,
            manifest: None,
            budget: limits.unpacked_bytes,
            count: 0,
            unpacked: 0,
            noted: 0,
            notes: Vec::new(),
            hostile: None,
            remark: None,
        }
    }

    /// Takes an entry: judges its name, shows it to the visitor, reads its data to the end.
    pub(super) fn entry(
        &mut self,
        head: &Head<'_>,
        data: &mut dyn BufRead,
        visitor: &mut dyn Visitor,
    ) -> Result<(), Reject> {
        let name = names::judge(head.raw, self.limits)?;
        if name.slash && head.kind != Kind::Directory {
            return Err(Reject::new(
                Reason::AmbiguousEntry,
                format!("{:?} is no directory", names::shown(head.raw)),
            ));
        }
        self.count()?;
        if name.path.is_empty() && head.kind == Kind::Directory {
            return Ok(());
        }
        if name.path.is_empty() {
            return Err(Reject::new(Reason::BadName, "an entry without a name"));
        }
        self.admit(&name, head)?;
        let target = head.target.map(|target| names::text(target).0);
        let keep = manifest::keep(&name.path, self.limits);
        let mut reading = Reading {
            data,
            hash: Sha256::new(),
            bytes: 0,
            limit: self.limits.entry_bytes,
            start: Vec::new(),
            keep: keep.max(detect::PACKED_BYTES),
        };
        let entry = Entry {
            path: &name.path,
            raw: head.raw,
            kind: head.kind,
            size: head.size,
            link_target: target.as_deref(),
            mtime_s: head.mtime_s,
        };
        visitor.entry(&entry, &mut reading)?;
        reading.drain()?;
        // An archive inside: by what it begins with, whatever it is called.
        if head.kind == Kind::File && detect::is_packed(&reading.start) {
            self.remark(&name.path, Reason::NestedNotOpened);
        }
        if keep == 0 {
            reading.start.clear();
        }
        self.settle(
            name.path,
            head,
            reading.start,
            (reading.bytes, reading.hash.finish()),
        )
    }

    /// Takes a file that is alone in its stream.
    pub(super) fn file(
        &mut self,
        path: &str,
        data: &mut dyn BufRead,
        visitor: &mut dyn Visitor,
    ) -> Result<(), Reject> {
        let head = Head {
            raw: path.as_bytes(),
            kind: Kind::File,
            size: None,
            target: None,
            mtime_s: None,
        };
        self.entry(&head, data, visitor)
    }

    fn count(&mut self) -> Result<(), Reject> {
        self.count += 1;
        if self.count > self.limits.entries {
            return Err(Reject::new(
                Reason::LimitEntries,
                format!("more than {} entries", self.limits.entries),
            ));
        }
        Ok(())
    }

    fn admit(&mut self, name: &Name, head: &Head<'_>) -> Result<(), Reject> {
        let target_bytes = head.target.map_or(0, <[u8]>::len);
        if target_bytes > self.limits.path_bytes {
            return Err(Reject::new(
                Reason::LimitPath,
                format!("a link's target of {target_bytes} bytes"),
            ));
        }
        self.names_bytes += (name.path.len() + target_bytes) as u64;
        if self.names_bytes > self.limits.headers_total_bytes {
            return Err(Reject::new(
                Reason::LimitHeader,
                "the names alone are too large",
            ));
        }
        if head.size.is_some_and(|size| size > self.limits.entry_bytes) {
            return Err(Reject::new(
                Reason::LimitUnpacked,
                format!("{:?} is too large", name.path),
            ));
        }
        match self.slots.get(&name.path) {
            Some(Slot::Directory) if head.kind == Kind::Directory => {}
            Some(_) => {
                return Err(Reject::new(
                    Reason::DuplicateEntry,
                    format!("name {:?} twice", name.path),
                ));
            }
            None => self.fold(&name.path),
        }
        if let Some(odd) = name.odd {
            self.note(&name.path, odd, String::new());
        }
        Ok(())
    }

    /// Notes a path, or a folder it lies in, that differs from an earlier one only in case.
    fn fold(&mut self, path: &str) {
        let sum = |text: &str| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        let ends = path.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let new = self.spelled.insert(sum(&path[..end]));
            if new && !self.folded.insert(sum(&path[..end].to_lowercase())) {
                self.note(path, Reason::NameCase, String::new());
                return;
            }
        }
    }

    fn settle(
        &mut self,
        path: String,
        head: &Head<'_>,
        start: Vec<u8>,
        (bytes, sha256): (u64, Digest),
    ) -> Result<(), Reject> {
        self.unpacked += bytes;
        if manifest::is_ours(&start) {
            if bytes > self.limits.manifest_bytes {
                return Err(Reject::new(Reason::LimitManifest, format!("{bytes} bytes")));
            }
            self.manifest = Some((path.clone(), start));
        }
        let slot = match head.kind {
            Kind::File => Slot::File {
                size: bytes,
                sha256,
            },
            Kind::Directory => Slot::Directory,
            Kind::Symlink => {
                let target = head.target.unwrap_or_default();
                if names::escapes(&path, target) {
                    self.note(&path, Reason::LinkEscape, names::text(target).0);
                }
                Slot::Link(target.to_vec())
            }
            Kind::Hardlink => self.hardlink(&path, head.target.unwrap_or_default()),
            Kind::Device | Kind::Fifo => {
                self.note(&path, Reason::SpecialFile, String::new());
                Slot::Other
            }
        };
        self.slots.insert(path, slot);
        Ok(())
    }

    /// A hard link is a second name of a file that came before; any other target is hostile.
    fn hardlink(&mut self, path: &str, target: &[u8]) -> Slot {
        let reason = match names::judge(target, self.limits) {
            Err(_) => Some(Reason::LinkEscape),
            Ok(name) => match self.slots.get(&name.path) {
                Some(Slot::File { .. }) => None,
                Some(Slot::Link(_)) => Some(Reason::LinkEscape),
                _ => Some(Reason::LinkRecorded),
            },
        };
        if let Some(reason) = reason {
            self.note(path, reason, names::text(target).0);
        }
        Slot::Other
    }

    /// Notes something about an entry before its name was judged.
    pub(super) fn note_name(&mut self, raw: &[u8], reason: Reason, detail: &str) {
        self.note(&names::text(raw).0, reason, detail.to_owned());
    }

    /// Notes something that was made inert.
    fn note(&mut self, path: &str, reason: Reason, detail: String) {
        self.hostile.get_or_insert(reason);
        self.list(path, reason, detail);
    }

    /// Notes something that is worth knowing and harmless.
    pub(super) fn remark(&mut self, path: &str, reason: Reason) {
        self.remark.get_or_insert(reason);
        self.list(path, reason, String::new());
    }

    fn list(&mut self, path: &str, reason: Reason, detail: String) {
        self.noted += 1;
        if self.notes.len() < NOTES {
            self.notes.push(Note {
                path: path.to_owned(),
                reason,
                detail,
            });
        }
    }

    /// Checks what all entries together tell.
    pub(super) fn finish(&mut self) -> Result<(), Reject> {
        let mut through = self.winding_links();
        for path in self.slots.keys() {
            for (at, _) in path.match_indices('/') {
                match self.slots.get(&path[..at]) {
                    None | Some(Slot::Directory) => {}
                    // Extracted by name this would be written through the link; here it is only a name.
                    Some(Slot::Link(_)) => {
                        through.push(path);
                        break;
                    }
                    Some(_) => {
                        return Err(Reject::new(
                            Reason::AmbiguousEntry,
                            format!("{path:?} lies below a file"),
                        ));
                    }
                }
            }
        }
        through.sort_unstable();
        through.dedup();
        let more = through.len().saturating_sub(NOTES) as u64;
        through.truncate(NOTES);
        let through: Vec<String> = through.into_iter().cloned().collect();
        for path in through {
            self.note(&path, Reason::LinkEscape, "goes through a link".to_owned());
        }
        self.noted += more;
        match self.manifest.take() {
            Some((path, json)) => manifest::compare(&path, &json, self, self.limits),
            None => Ok(()),
        }
    }

    /// Links whose target passes another link and then goes up: their text does not tell where to.
    fn winding_links(&self) -> Vec<&String> {
        let links = || {
            self.slots.iter().filter_map(|(path, slot)| match slot {
                Slot::Link(target) => Some((path, target)),
                _ => None,
            })
        };
        // Paths as the sums of their components: a target may have very many, and each step must cost little.
        let known: HashSet<u64> = links()
            .map(|(path, _)| path.split('/').fold(0, step))
            .collect();
        let winds = |link: &str, target: &[u8]| {
            let mut at: Vec<u64> = vec![0];
            for component in link.split('/') {
                at.push(step(at.last().copied().unwrap_or(0), component));
            }
            at.pop();
            let Ok(target) = std::str::from_utf8(target) else {
                return false;
            };
            let mut passed = false;
            for component in target.split('/') {
                match component {
                    "" | "." => {}
                    ".." if passed => return true,
                    ".." if at.len() > 1 => drop(at.pop()),
                    ".." => {}
                    name => {
                        let now = step(at.last().copied().unwrap_or(0), name);
                        at.push(now);
                        passed |= known.contains(&now);
                    }
                }
            }
            false
        };
        links()
            .filter(|(path, target)| winds(path, target))
            .map(|(path, _)| path)
            .collect()
    }

    /// Takes a file out of the account of a manifest.
    pub(super) fn take(&mut self, path: &str) -> Option<Slot> {
        match self.slots.entry(path.to_owned()) {
            MapEntry::Occupied(slot) => Some(slot.remove()),
            MapEntry::Vacant(_) => None,
        }
    }
}

/// The sum of a path that goes on by a component; a chance collision costs no more than a note.
fn step(above: u64, component: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (above, component).hash(&mut hasher);
    hasher.finish()
}
