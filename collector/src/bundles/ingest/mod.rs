//! From a stored file to a verdict, in a confined child process. The step that ends it is one transaction, and doing
//! it twice leaves the same rows.

pub mod child;
pub mod confine;
mod encrypted;
mod era;
mod foreign;
pub mod frame;
mod gather;
pub mod indexer;
pub mod inspect;
mod matcher;
mod normal;
mod outcome;
pub mod process;
pub mod stamps;

pub(crate) use foreign::as_collected;
pub(crate) use outcome::finding as finding_row;

use std::fs::File;
use std::sync::Arc;

use sitrep_shared::age::Identity;
use sitrep_shared::bundle::limits::Limits;
use uuid::Uuid;

use super::storage::{Derived, StorageError, Store};
use crate::bundles::tickets::{Tickets, Told};
use crate::db::bundles::{self, BundleRow, Outcome};
use crate::db::findings;
use crate::db::{Db, DbError};
use crate::signatures::catalogue::CatalogueError;
use crate::signatures::{Signatures, unknown};
use encrypted::Content;
use outcome::Rows;
use process::{ChildError, Reader, Task};

/// An ingest that did not end.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The job's subject is no id.
    #[error("bundle id {0:?} is none")]
    Id(String),
    /// The store failed.
    #[error("use the store")]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error("record the verdict")]
    Db(#[from] DbError),
    /// The child gave no verdict.
    #[error("read the bundle")]
    Child(#[from] ChildError),
    /// The signatures do not load.
    #[error("load the signatures")]
    Signatures(#[from] CatalogueError),
    /// An encrypted bundle could not be read or its plain text not be written.
    #[error("decrypt the bundle")]
    Decrypt(#[source] std::io::Error),
    /// A blocking task did not end.
    #[error("run a write")]
    Task(#[from] tokio::task::JoinError),
}

/// Ingests bundles.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// The database.
    pub db: Db,
    /// The store.
    pub store: Arc<Store>,
    /// Starts children.
    pub reader: Reader,
    /// Limits of the reader.
    pub limits: Limits,
    /// The signatures that are looked for.
    pub signatures: Arc<Signatures>,
    /// Told the verdict.
    pub tickets: Arc<dyn Tickets>,
    /// Reads bundles that were encrypted to it.
    pub identity: Option<Identity>,
}

impl Ingest {
    /// Brings a stored bundle to its verdict. A bundle that has one, or was deleted, is left alone.
    ///
    /// # Errors
    /// When there is no verdict yet: to be tried again.
    pub async fn ingest(&self, bundle_id: &str) -> Result<(), IngestError> {
        let id = Uuid::parse_str(bundle_id).map_err(|_| IngestError::Id(bundle_id.to_owned()))?;
        let Some(bundle) = self.waiting(bundle_id).await? else {
            return Ok(());
        };
        let (blob, bytes) = match self.plain(id).await? {
            Ok(plain) => plain,
            Err(closed) => {
                let rows = Rows {
                    bundle: closed,
                    findings: Vec::new(),
                    templates: Default::default(),
                };
                return self.record(&bundle, rows).await;
            }
        };
        let task = Task {
            bytes: bytes.unwrap_or(bundle.bytes.max(0).unsigned_abs()),
            received_ms: bundle.received_ms,
            limits: self.limits.clone(),
            signatures: self.signatures.current().await?.file.clone(),
        };
        let scratch = self.store.scratch()?;
        let (answer, scratch) = self.reader.read(blob, &task, scratch).await?;
        let Some(verdict) = answer.verdict.clone() else {
            return Err(ChildError::Answer(std::io::ErrorKind::UnexpectedEof.into()).into());
        };
        let rows = outcome::rows(&answer, &verdict, &self.limits, super::now_ms());
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            // What was decrypted is the body already, unless the reader made blocks of it.
            if bytes.is_none() || !scratch.is_empty() {
                store.keep(id, Derived::Blocks, &scratch)?;
            }
            store.write_derived(id, Derived::Index, answer.index.as_deref())?;
            store.write_derived(id, Derived::Manifest, answer.manifest.as_deref())?;
            store.write_derived(id, Derived::Facts, answer.facts.as_deref())?;
            store.write_derived(id, Derived::Filter, answer.filter.as_deref())
        })
        .await??;
        self.record(&bundle, rows).await
    }

    /// The file that the reader reads, and its length when it is not the stored one; or why there is none.
    async fn plain(&self, id: Uuid) -> Result<Result<(File, Option<u64>), Outcome>, IngestError> {
        let (store, identity) = (Arc::clone(&self.store), self.identity.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let mut blob = store.blob(id)?;
            let mut scratch = store.scratch()?;
            let content =
                encrypted::open(&mut blob, identity.as_ref(), &mut scratch, super::now_ms())
                    .map_err(IngestError::Decrypt)?;
            match content {
                Content::Plain => Ok(Ok((blob, None))),
                Content::Closed(outcome) => Ok(Err(*outcome)),
                Content::Decrypted(bytes) => {
                    store.keep(id, Derived::Blocks, &scratch)?;
                    Ok(Ok((store.derived(id, Derived::Blocks)?, Some(bytes))))
                }
            }
        });
        opened.await?
    }

    /// Sets a bundle aside for a person when every try to read it failed.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn quarantine(&self, bundle_id: &str, fault: &str) -> Result<(), IngestError> {
        let Some(bundle) = self.waiting(bundle_id).await? else {
            return Ok(());
        };
        let outcome = Outcome {
            state: "quarantined",
            reason: Some("crashed".to_owned()),
            detail: Some(fault.chars().take(300).collect()),
            verdict_ms: super::now_ms(),
            ..Outcome::default()
        };
        self.record(
            &bundle,
            Rows {
                bundle: outcome,
                findings: Vec::new(),
                templates: Vec::new(),
            },
        )
        .await
    }

    /// The bundle, when it waits for a verdict; marked as being scanned.
    async fn waiting(&self, bundle_id: &str) -> Result<Option<BundleRow>, IngestError> {
        let found = bundles::find(&mut *self.db.read().await?, bundle_id).await?;
        let Some(bundle) =
            found.filter(|bundle| matches!(bundle.state.as_str(), "stored" | "scanning"))
        else {
            return Ok(None);
        };
        let mut tx = self.db.begin().await?;
        bundles::shift(&mut tx, bundle_id, &["stored"], "scanning").await?;
        tx.commit().await?;
        Ok(Some(bundle))
    }

    /// The verdict came too late. When the bundle was deleted meanwhile, nothing of it may come back.
    async fn take_back(&self, bundle: &str) -> Result<(), IngestError> {
        let found = bundles::find(&mut *self.db.read().await?, bundle).await?;
        if found.is_some() {
            return Ok(());
        }
        let id = Uuid::parse_str(bundle).map_err(|_| IngestError::Id(bundle.to_owned()))?;
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.remove_bundle(id)).await??)
    }

    async fn record(&self, bundle: &BundleRow, rows: Rows) -> Result<(), IngestError> {
        let mut tx = self.db.begin().await?;
        if !bundles::finish(&mut tx, &bundle.id, &rows.bundle).await? {
            drop(tx);
            return self.take_back(&bundle.id).await;
        }
        let now = super::now_ms();
        findings::replace(
            &mut tx,
            (&bundle.id, &bundle.ticket_id),
            &rows.findings,
            now,
        )
        .await?;
        let names = (bundle.id.as_str(), bundle.ticket_id.as_str());
        unknown::record(&mut tx, names, &rows.templates, now).await?;
        let told = Told {
            bundle,
            outcome: &rows.bundle,
            findings: &rows.findings,
        };
        self.tickets.verdict(&mut tx, told).await?;
        tx.commit().await?;
        let Rows {
            bundle: outcome,
            findings,
            ..
        } = rows;
        tracing::info!(
            bundle.id = %bundle.id, ticket.id = %bundle.ticket_id, verdict = outcome.state,
            reason = outcome.reason.as_deref(), findings = findings.len(), "verdict"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::bundles::tickets::AnyTicket;
    use crate::db::bundles::NewBundle;

    async fn ingest_with(script: &str) -> (tempfile::TempDir, Ingest, Arc<AnyTicket>, String) {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::db::testing::test_db(folder.path()).await;
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let program = folder.path().join("child");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let (upload, id) = (Uuid::now_v7(), Uuid::now_v7());
        let mut part = store.create_part(upload, id, Some(1)).unwrap();
        part.write(b"x").unwrap();
        store.seal(id, &mut part).unwrap();
        let bundle = id.to_string();
        let new = NewBundle {
            id: &bundle,
            upload_id: "u",
            ticket_id: "t",
            filename: "f",
            bytes: 1,
            sha256: "",
            receipt: "r",
            received_ms: 1,
        };
        bundles::insert(&mut db.read().await.unwrap(), &new)
            .await
            .unwrap();
        let ticket = Arc::new(AnyTicket::default());
        let ingest = Ingest {
            signatures: Arc::new(Signatures::new(
                db.clone(),
                folder.path().join("signatures"),
            )),
            db,
            store,
            reader: Reader::of_program(&program),
            limits: Limits::default(),
            identity: None,
            tickets: Arc::clone(&ticket) as Arc<dyn Tickets>,
        };
        (folder, ingest, ticket, bundle)
    }

    fn frames(report: &str) -> String {
        let mut wire = Vec::new();
        let verdict = r#"{"verdict":"accept"}"#;
        frame::write(&mut wire, frame::Kind::Report, report.as_bytes()).unwrap();
        frame::write(&mut wire, frame::Kind::Verdict, verdict.as_bytes()).unwrap();
        let octal: String = wire.iter().map(|byte| format!("\\{byte:03o}")).collect();
        format!("printf '{octal}'")
    }

    async fn row(ingest: &Ingest, id: &str) -> BundleRow {
        let mut conn = ingest.db.read().await.unwrap();
        bundles::find(&mut conn, id).await.unwrap().unwrap()
    }

    async fn stored(ingest: &Ingest, id: &str) -> usize {
        let mut conn = ingest.db.read().await.unwrap();
        findings::of_bundle(&mut conn, id, 9).await.unwrap().len()
    }

    #[tokio::test]
    async fn a_verdict_is_recorded_once_and_told_in_its_transaction() {
        let report = r#"{"findings":[{"id":"SIG-1","severity":"high","title":"T"}],"evaluated":1}"#;
        let (_folder, ingest, ticket, id) = ingest_with(&frames(report)).await;
        ticket.deaf.store(true, Ordering::Relaxed);
        assert!(ingest.ingest(&id).await.is_err());
        assert_eq!(stored(&ingest, &id).await, 0, "all or nothing");
        ticket.deaf.store(false, Ordering::Relaxed);
        ingest.ingest(&id).await.unwrap();
        ingest.ingest(&id).await.unwrap();
        assert_eq!(
            ticket.findings.load(Ordering::Relaxed),
            1,
            "the second time there is nothing to do"
        );
        assert_eq!(
            (
                stored(&ingest, &id).await,
                row(&ingest, &id).await.state.as_str()
            ),
            (1, "ready")
        );
    }

    #[tokio::test]
    async fn a_crash_leaves_the_bundle_waiting_until_it_is_set_aside() {
        let (_folder, ingest, _ticket, id) = ingest_with("kill -SEGV $$").await;
        assert!(matches!(
            ingest.ingest(&id).await,
            Err(IngestError::Child(_))
        ));
        assert_eq!(row(&ingest, &id).await.state, "scanning");
        ingest.quarantine(&id, "it died").await.unwrap();
        let row = row(&ingest, &id).await;
        assert_eq!(
            (row.state.as_str(), row.reason.as_deref()),
            ("quarantined", Some("crashed"))
        );
    }
}
