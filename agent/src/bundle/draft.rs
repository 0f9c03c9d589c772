//! A sealed bundle that is not agreed to yet: it can be read, cut down and annotated.
//!
//! Every change seals again by copying untouched blocks. What was derived from a deselected item goes
//! with it: its redaction report, the evidence quoted from it, the facts read from it.

use super::View;
use super::readme;
use super::spool::{Spool, StateDir};
use crate::error::Failure;
use serde_json::Value;
use sitrep_shared::age::Recipient;
use sitrep_shared::bundle::layout;
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, Outcome};
use sitrep_shared::bundle::reader::Index;
use sitrep_shared::bundle::{Edit, reseal};
use sitrep_shared::redact::Redactor;
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the README says beyond the manifest.
#[derive(Clone, Debug, Default)]
pub struct Occasion {
    /// Title of the ticket.
    pub title: Option<String>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// Where it would be sent.
    pub host: Option<String>,
}

/// A sealed bundle in the agent's own directory.
pub struct Draft {
    spool: Spool,
    /// The same, encrypted: what is agreed to and sent.
    sealed: Option<Spool>,
    recipient: Option<Recipient>,
    dir: StateDir,
    index: Index,
    occasion: Occasion,
    whys: BTreeMap<String, &'static str>,
    /// Its length.
    pub bytes: u64,
    /// Its sha256 in hex.
    pub sha256: String,
    /// `meta/findings.json`.
    pub findings: Value,
    /// `meta/redaction.json`.
    pub redaction: Value,
    /// `meta/facts.json`.
    pub facts: Value,
}

/// What a run knows when it has sealed.
pub struct Parts {
    /// The sealed file.
    pub spool: Spool,
    /// Whom it is encrypted to.
    pub recipient: Option<Recipient>,
    /// Where it is.
    pub dir: StateDir,
    /// What the README says beyond the manifest.
    pub occasion: Occasion,
    /// Why each item is collected, by id.
    pub whys: BTreeMap<String, &'static str>,
    /// Digest of the file.
    pub sha256: String,
    /// Length of the file.
    pub bytes: u64,
    /// `meta/findings.json`.
    pub findings: Value,
    /// `meta/redaction.json`.
    pub redaction: Value,
    /// `meta/facts.json`.
    pub facts: Value,
}

impl Draft {
    /// Opens what was just sealed.
    pub fn open(parts: Parts) -> Result<Self, Failure> {
        let index = index(&parts.spool)?;
        let Parts {
            spool,
            recipient,
            dir,
            occasion,
            whys,
            sha256,
            bytes,
            findings,
            redaction,
            facts,
        } = parts;
        let mut draft = Self {
            spool,
            sealed: None,
            recipient,
            dir,
            index,
            occasion,
            whys,
            bytes,
            sha256,
            findings,
            redaction,
            facts,
        };
        draft.encrypt()?;
        Ok(draft)
    }

    /// Where a recipient is given: encrypts what was just sealed. Length and digest are then of that.
    fn encrypt(&mut self) -> Result<(), Failure> {
        let Some(recipient) = self.recipient else {
            return Ok(());
        };
        let fresh = self.dir.spool().map_err(|error| error.failure())?;
        let plain = self.spool.handle().map_err(|error| error.failure())?;
        let out = fresh.handle().map_err(|error| error.failure())?;
        let (sha256, bytes) = super::encrypt::encrypt(plain, out, &recipient)?;
        (self.sha256, self.bytes, self.sealed) = (sha256, bytes, Some(fresh));
        Ok(())
    }

    /// Whom it is encrypted to.
    pub fn recipient(&self) -> Option<String> {
        self.recipient.map(|recipient| recipient.to_string())
    }

    /// What its file is called.
    pub fn file_name(&self) -> String {
        let end = if self.recipient.is_some() { ".age" } else { "" };
        format!("{}.tar.gz{end}", self.index.top_dir)
    }

    /// Searches it once more when redaction is strict.
    pub fn guard(&self, redactor: &Redactor) -> Result<(), Failure> {
        let mut file = self.spool.handle().map_err(|error| error.failure())?;
        super::guard::check(redactor, &self.index, &mut file)
    }

    /// What the summary and the result need.
    pub fn view(&self) -> View<'_> {
        View {
            manifest: self.manifest(),
            findings: &self.findings,
            redaction: &self.redaction,
            bytes: self.bytes,
            sha256: &self.sha256,
        }
    }

    /// The manifest as sealed.
    pub fn manifest(&self) -> &Manifest {
        &self.index.manifest
    }

    /// Name of the top directory, also the default name of the file.
    pub fn name(&self) -> &str {
        &self.index.top_dir
    }

    /// Why an item is collected.
    pub fn why(&self, id: &str) -> &str {
        self.whys.get(id).copied().unwrap_or("")
    }

    /// Items that a person can deselect, with numbers that stay the same.
    pub fn choices(&self) -> impl Iterator<Item = (usize, &Item)> {
        let own = |item: &&Item| !matches!(item.kind, Kind::Meta | Kind::Link);
        self.manifest()
            .items
            .iter()
            .filter(own)
            .enumerate()
            .map(|(at, item)| (at + 1, item))
            .filter(|(_, item)| item.path.is_some() && is_stored(item))
    }

    /// The first bytes of a file of the bundle.
    pub fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Failure> {
        let what = || format!("cannot read {path}");
        let mut file = self.spool.handle().map_err(|error| error.failure())?;
        let length = self
            .index
            .item(path)
            .map_or(0, |item| item.stored_bytes)
            .min(most as u64);
        let mut bytes = Vec::new();
        self.index
            .read(&mut file, path, 0..length)
            .map_err(|error| Failure::internal(what(), error))?
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::internal(what(), error))?;
        Ok(bytes)
    }

    /// Takes items out; returns the findings that can no longer be shown.
    pub fn deselect(&mut self, chosen: &dyn Fn(&Item) -> bool) -> Result<Vec<String>, Failure> {
        let items = &self.manifest().items;
        let gone: Vec<String> = items
            .iter()
            .filter(|item| chosen(item))
            .filter_map(|item| item.path.clone())
            .collect();
        // A link goes with what it leads to.
        let drop =
            |item: &Item| chosen(item) || (item.kind == Kind::Link && gone.contains(&item.origin));
        let lost = super::derived::without_evidence(&mut self.findings, &gone);
        super::derived::without_reports(&mut self.redaction, &gone);
        super::derived::without_facts(&mut self.facts, &gone);
        let note = self.manifest().note.clone();
        self.seal_again(&drop, note)?;
        Ok(lost)
    }

    /// Adds a line for support.
    pub fn set_note(&mut self, note: &str) -> Result<(), Failure> {
        self.seal_again(&|_| false, Some(note.to_owned()))
    }

    fn seal_again(
        &mut self,
        drop: &dyn Fn(&Item) -> bool,
        note: Option<String>,
    ) -> Result<(), Failure> {
        let what = "cannot seal the bundle again";
        let mut manifest = self.manifest().clone();
        for item in manifest.items.iter_mut().filter(|item| drop(item)) {
            (item.outcome, item.reason) = (Outcome::Skipped, Some("deselected".to_owned()));
        }
        manifest.note.clone_from(&note);
        let readme = readme::text(&manifest, &self.occasion, &self.findings);
        let mut replace = vec![(layout::README.to_owned(), readme.into_bytes())];
        for (path, value) in [
            (layout::FINDINGS, &self.findings),
            (layout::REDACTION, &self.redaction),
            (layout::FACTS, &self.facts),
        ] {
            if self.index.item(path).is_some() {
                replace.push((path.to_owned(), super::meta::document(value)));
            }
        }
        let fresh = self.dir.spool().map_err(|error| error.failure())?;
        let mut input = self.spool.handle().map_err(|error| error.failure())?;
        let output = fresh.handle().map_err(|error| error.failure())?;
        let edit = Edit {
            drop,
            replace,
            note,
            redaction_level: None,
            mtime: UtcMs(self.manifest().started_ms),
        };
        let (_, sealed, _) = reseal(&mut input, output, edit, &Limits::default())
            .map_err(|error| super::seal_failure(what, error))?;
        self.index = index(&fresh)?;
        self.spool = fresh;
        self.bytes = sealed.bytes;
        self.sha256 = sealed.sha256.to_string();
        self.encrypt()
    }

    /// Moves the bundle to where the person wants it. When that fails it stays in the agent's own
    /// directory, and the failure says so.
    pub fn keep(mut self, target: &Path) -> Result<PathBuf, Failure> {
        let name = self.file_name();
        let spool = self.sealed.as_mut().unwrap_or(&mut self.spool);
        spool.keep(target).map_err(|error| {
            let left = spool.leave(&name);
            let mut failure = error.failure();
            if failure.exit == crate::error::Exit::Internal {
                "cannot put the bundle where it should go".clone_into(&mut failure.what);
                failure.hints = vec![format!(
                    "it can be moved from there, or sent: sitrep send {} CODE",
                    left.display()
                )];
            }
            failure.note("kept", left.display().to_string())
        })
    }
}

fn index(spool: &Spool) -> Result<Index, Failure> {
    let mut file = spool.handle().map_err(|error| error.failure())?;
    Index::open(&mut file, &Limits::default()).map_err(|reject| {
        Failure::internal("cannot read back the sealed bundle", reject.to_string())
    })
}

fn is_stored(item: &Item) -> bool {
    matches!(item.outcome, Outcome::Collected | Outcome::Partial)
}
