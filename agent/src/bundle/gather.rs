//! Plan, collect, redact, analyse, seal: from a request to a draft that can be shown.

use super::draft::{Draft, Occasion, Parts};
use super::packer::{Packer, StoredItems};
use super::recorder::{Recorded, Recorder};
use super::spool::{Spool, StateDir};
use super::{meta, readme, seal_failure};
use crate::analysis::Analysis;
use crate::cli::{App, Span};
use crate::collect::{self, Cancel, Host, RunSummary};
use crate::error::{Exit, Failure};
use crate::plan::Plan;
use crate::ui::Progress;
use serde_json::{Value, json};
use sitrep_shared::bundle::layout;
use sitrep_shared::bundle::manifest::{AgentRef, Cost, Item, Kind, Manifest, ProfileRef, SCHEMA};
use sitrep_shared::bundle::writer::{BundleWriter, WriterOptions};
use sitrep_shared::redact::{FileContext, Redactor};
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

/// What is asked for.
#[derive(Debug)]
pub struct Request {
    /// Profile name or file.
    pub profile: String,
    /// Span of time.
    pub span: Span,
    /// Items to add.
    pub include: Vec<String>,
    /// Items to leave out.
    pub exclude: Vec<String>,
    /// Another root than `/`.
    pub root: Option<PathBuf>,
    /// Words that must not appear anywhere, such as the upload code.
    pub secrets: Vec<String>,
    /// Ticket.
    pub ticket: Option<String>,
    /// Line for support.
    pub note: Option<String>,
    /// `interactive` or `policy`.
    pub basis: &'static str,
    /// What the README says beyond the manifest.
    pub occasion: Occasion,
}

/// Carries out a request. The result is sealed and private; nothing has been sent.
pub fn gather(app: &mut App, dir: StateDir, request: Request) -> Result<Draft, Failure> {
    let now = (app.ui.io.now)();
    let host = open_host(&request)?;
    let plan = make_plan(app, &host, &request)?;
    room(app, &dir, &plan)?;
    let redactor = crate::redaction::redactor(app, &host, &request.secrets)?;
    let analysis = Analysis::new().map_err(|error| Failure::internal("cannot analyse", error))?;
    let spool = dir.spool().map_err(|error| error.failure())?;
    let name = redactor.name(&plan.host_name).into_owned();
    let top_dir = layout::top_dir(request.ticket.as_deref(), &name, now);
    let out = spool.handle().map_err(|error| error.failure())?;
    let writer = BundleWriter::create(out, WriterOptions { top_dir, mtime: now, level: 1 })
        .map_err(|error| seal_failure("cannot write the bundle", error))?;
    let packer = Packer::start(writer)
        .map_err(|error| Failure::internal("cannot start a thread to write the bundle", error))?;
    let progress = Progress::new(plan.items.iter().map(|item| item.source));
    let run = analysis.begin(now);
    let mut recorder = Recorder::new(&mut app.ui, progress, &redactor, run, packer);
    let cancel = Cancel::from_flag(recorder.interrupt_flag());
    let summary = collect::run(&host, &plan, &mut recorder, &cancel);
    let (packer, recorded) = recorder.finish();
    if app.ui.io.interrupt.signal().is_some() {
        let _ = packer.finish();
        return Err(app.interrupted());
    }
    let (writer, stored) =
        packer.finish().map_err(|error| seal_failure("cannot write the bundle", error))?;
    let manifest = manifest(app, &request, &plan, &summary, &redactor, now);
    Sealing { request, manifest, summary, recorded, redactor: &redactor, dir, spool, now, plan: &plan }
        .seal(writer, stored)
}

struct Sealing<'a> {
    request: Request,
    manifest: Manifest,
    summary: RunSummary,
    recorded: Recorded<'a>,
    redactor: &'a Redactor,
    dir: StateDir,
    spool: Spool,
    now: UtcMs,
    plan: &'a Plan,
}

impl Sealing<'_> {
    fn seal(mut self, mut writer: BundleWriter<File>, stored: StoredItems) -> Result<Draft, Failure> {
        let fault = |error| seal_failure("cannot seal the bundle", error);
        let mut items = std::mem::take(&mut self.recorded.items);
        for (number, stored) in stored {
            if let Some(item) = items.get_mut(number) {
                describe(item, &stored);
            }
        }
        let facts = self.facts()?;
        let report = self.recorded.analysis.finish(Some(&facts));
        let findings = serde_json::to_value(&report)
            .map_err(|error| Failure::internal("cannot write the findings", error))?;
        let level = self.manifest.redaction_level.clone();
        let redaction = self.recorded.redactions.document(&level);
        self.manifest.items = items;
        let consent = self.consent();
        let readme = readme::text(&self.manifest, &self.request.occasion, &findings).into_bytes();
        let documents = [
            (layout::README, readme),
            (layout::FACTS, meta::document(&facts)),
            (layout::FINDINGS, meta::document(&findings)),
            (layout::REDACTION, meta::document(&redaction)),
            (layout::CONSENT, meta::document(&consent)),
            (layout::TRACE, meta::document(&self.recorded.trace.document())),
        ];
        for (path, bytes) in documents {
            let stored = writer.add(path, &bytes).map_err(fault)?;
            let mut item = Item {
                id: path.to_owned(),
                source: "sitrep".to_owned(),
                kind: Kind::Meta,
                origin: "sitrep".to_owned(),
                path: Some(path.to_owned()),
                original_bytes: bytes.len() as u64,
                ..Item::default()
            };
            describe(&mut item, &stored);
            self.manifest.items.push(item);
        }
        let sealed = writer.seal(&mut self.manifest).map_err(fault)?;
        let whys = self.plan.items.iter().map(|item| (self.redactor.name(&item.id).into_owned(), item.why));
        let whys: BTreeMap<String, &'static str> = whys.collect();
        Draft::open(Parts {
            spool: self.spool,
            dir: self.dir,
            occasion: self.request.occasion,
            whys,
            sha256: sealed.sha256.to_string(),
            bytes: sealed.bytes,
            findings,
            redaction,
            facts,
        })
    }

    /// Facts were read before redaction; as text they go through it like everything else.
    fn facts(&self) -> Result<Value, Failure> {
        let what = "cannot write the facts";
        let text =
            serde_json::to_vec(&self.summary.facts).map_err(|error| Failure::internal(what, error))?;
        let (clean, _) = self
            .redactor
            .all(FileContext { path: layout::FACTS }, &text)
            .map_err(|error| Failure::internal(what, error))?;
        // A stand-in may break the syntax; then the facts are withheld, not sent as they were.
        Ok(serde_json::from_slice(&clean).unwrap_or_else(|_| json!({"schema": "sitrep.facts/1", "withheld": true})))
    }

    fn consent(&self) -> Value {
        let occasion = &self.request.occasion;
        json!({"schema": "sitrep.consent/1", "basis": self.request.basis, "shown_at": self.now.rfc3339(),
            "ticket": self.request.ticket, "title": occasion.title, "requested_by": occasion.requested_by,
            "destination": occasion.host, "profile": self.manifest.profile.name,
            "redaction": self.manifest.redaction_level, "items": self.manifest.items.len()})
    }
}

fn describe(item: &mut Item, stored: &sitrep_shared::bundle::writer::Stored) {
    item.stored_bytes = stored.bytes;
    if item.kind != Kind::Link {
        item.sha256 = Some(stored.sha256);
        item.offset = Some(stored.offset);
    }
}

fn open_host(request: &Request) -> Result<Host, Failure> {
    match &request.root {
        None => Host::live().map_err(|error| Failure::internal("cannot open /", error)),
        Some(root) => Host::at(root).map_err(|error| {
            Failure::usage(format!("cannot open the root {}", root.display())).because(error)
        }),
    }
}

/// Refuses to fill a disk that is nearly full: the disk may be the very problem.
fn room(app: &App, dir: &StateDir, plan: &Plan) -> Result<(), Failure> {
    let Some(free) = dir.free_bytes() else { return Ok(()) };
    let most = app.config.bytes("limits.max_size").unwrap_or(u64::MAX).min(plan.estimate_bytes());
    // Text packs to about a sixth; a quarter leaves room for what does not.
    let needed = most / 4 + app.config.bytes("limits.min_free").unwrap_or(0);
    if free >= needed {
        return Ok(());
    }
    let (needed, free) = (format_bytes(needed), format_bytes(free));
    Err(Failure::new(
        Exit::Limit,
        format!("needs about {needed} in {}, {free} free", dir.path().display()),
    )
    .hint("--tmp-dir DIR on another file system, or --max-size 50M"))
}

fn manifest(
    app: &App,
    request: &Request,
    plan: &Plan,
    summary: &RunSummary,
    redactor: &Redactor,
    now: UtcMs,
) -> Manifest {
    let cost = &summary.cost;
    Manifest {
        schema: SCHEMA.to_owned(),
        format: 1,
        created: now.rfc3339(),
        host: redactor.name(&plan.host_name).into_owned(),
        ticket: request.ticket.clone(),
        profile: ProfileRef { name: plan.profile.clone(), version: plan.profile_version.clone() },
        agent: AgentRef {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uid: rustix::process::geteuid().as_raw(),
        },
        redaction_level: app.config.text("redact.mode").unwrap_or("standard").to_owned(),
        started_ms: now.0,
        duration_ms: summary.duration_ms,
        cost: Cost {
            user_ms: cost.user_ms,
            sys_ms: cost.sys_ms,
            peak_rss_bytes: cost.peak_rss_bytes,
            read_bytes: cost.read_bytes,
            written_bytes: cost.written_bytes,
            children_cpu_ms: cost.children_cpu_ms,
            modules_added: Vec::new(),
        },
        note: request.note.as_deref().map(|note| redactor.name(note).into_owned()),
        ..Manifest::default()
    }
}
