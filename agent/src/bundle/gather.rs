//! Plan, collect, redact, analyse, seal: from a request to a draft that can be shown.

use super::draft::{Draft, Parts};
use super::output::Output;
use super::recorder::{Recorded, Recorder};
use super::request::Request;
use super::spool::{Spool, StateDir};
use super::{meta, readme, seal_failure};
use crate::analysis::Analysis;
use crate::cli::App;
use crate::collect::cgroup::{Bounds, Membership};
use crate::collect::{self, Cancel, Host, Miss, Params, Read, RunSummary};
use crate::consent::glob;
use crate::error::{Exit, Failure};
use crate::plan::{self, Plan};
use crate::redaction;
use crate::ui::{Line, Progress};
use serde_json::{Value, json};
use sitrep_shared::bundle::layout;
use sitrep_shared::bundle::manifest::{AgentRef, Item, Kind, Manifest, ProfileRef, SCHEMA};
use sitrep_shared::bundle::{BundleWriter, Reserved, WriterOptions};
use sitrep_shared::redact::{FileContext, Redactor};
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::path::Path;

/// A host and what would be read from it.
pub struct Prepared {
    /// The host.
    pub host: Host,
    /// The plan.
    pub plan: Plan,
    /// Name of the host.
    pub name: String,
}

/// Makes the plan; reads names and sizes only.
pub fn prepare(app: &App, request: &Request) -> Result<Prepared, Failure> {
    collect::sys::keep_memory_low();
    let host = open_host(request.root.as_deref())?;
    let mut params = Params {
        since_ms: request.span.since_ms,
        until_ms: request.span.until_ms,
        now_ms: (app.ui.io.now)().0,
        include: request.include.clone(),
        exclude: request.exclude.clone(),
        before: request.before.clone(),
        // Lets a test see that a panic of a source is an outcome; ignored in release builds.
        fault_panic_in: app.ui.io.var("SITREP_FAULT_PANIC_IN").map(str::to_owned),
        ..Params::default()
    };
    if let Some(bytes) = app.config.bytes("limits.max_size") {
        params.max_bytes = bytes;
    }
    if let Some(millis) = app.config.duration_ms("limits.max_time") {
        params.max_time_ms = millis;
    }
    let mut plan = plan::make(&host, &request.profile, &params);
    obey(app, &mut plan);
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .find_map(|path| host.text(path).ok().map(|text| text.trim().to_owned()))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "host".to_owned());
    Ok(Prepared { host, plan, name })
}

/// What the administrator does not allow stays in the plan, as left out.
fn obey(app: &App, plan: &mut Plan) {
    let denied = app.config.list("policy.deny_items");
    let no_commands = app.config.text("policy.allow_commands") == Some("none");
    for item in plan.steps.iter_mut().flat_map(|step| step.items.iter_mut()) {
        let names = [item.id.as_str(), item.source, item.origin.as_str()];
        let named = denied
            .iter()
            .any(|pattern| names.iter().any(|name| glob(pattern, name)));
        if named || (no_commands && item.read.runs_program()) {
            item.read = Read::Nothing(Miss::skipped("not allowed by this host's policy"));
        }
    }
}

/// Carries out a request. The result is sealed and private; nothing has been sent.
pub fn gather(
    app: &mut App,
    dir: StateDir,
    request: Request,
    prepared: Prepared,
) -> Result<Draft, Failure> {
    let Prepared { host, plan, name } = prepared;
    let now = (app.ui.io.now)();
    room(app, &dir, plan.estimate(&host).bytes)?;
    let (group, notes) = be_modest(app);
    let redactor = super::redactor::build(app, &host, &name, &request.secrets)?;
    let analysis = Analysis::new().map_err(|error| Failure::internal("cannot analyse", error))?;
    let spool = dir.spool().map_err(|error| error.failure())?;
    let shown_name = redactor.name(&name).into_owned();
    let mut manifest = manifest(app, &request, &plan, &redactor, now);
    manifest.host.clone_from(&shown_name);
    let top_dir = layout::top_dir(request.ticket.as_deref(), &shown_name, now);
    let out = spool.handle().map_err(|error| error.failure())?;
    let mut writer = BundleWriter::create(
        Output::File(out),
        WriterOptions {
            top_dir: top_dir.clone(),
            mtime: now,
            level: 1,
        },
    );
    let readme = writer
        .reserve(layout::README, readme::ROOM_BYTES)
        .map_err(|error| seal_failure("cannot write the bundle", error))?;
    let progress = Progress::new(plan.items().map(|item| item.source));
    let cancel = Cancel::from_flag(app.ui.io.interrupt.flag());
    let mut recorder = Recorder::new(
        &mut app.ui,
        progress,
        &redactor,
        analysis.begin(now),
        writer,
    );
    recorder.items.push(document_item(layout::README));
    let summary = collect::run(&host, &plan, &mut recorder, &cancel);
    drop(group);
    let recorded = recorder.finish();
    if app.ui.io.interrupt.signal().is_some() {
        return Err(app.interrupted());
    }
    let recorded = recorded.map_err(|error| seal_failure("cannot write the bundle", error))?;
    redaction::keep(app, &top_dir, &redactor.map())?;
    account(&mut manifest, &summary);
    manifest.cost.notes = notes;
    let sealed = Sealing {
        request,
        manifest,
        summary,
        recorded,
        redactor: &redactor,
        dir,
        spool,
        now,
        plan: &plan,
        readme,
    }
    .seal()?;
    // The bundle is read back in the room that the engine had.
    drop(analysis);
    let draft = Draft::open(sealed)?;
    draft.guard(&redactor)?;
    Ok(draft)
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
    readme: Reserved,
}

impl Sealing<'_> {
    fn seal(mut self) -> Result<Parts, Failure> {
        let fault = |error| seal_failure("cannot seal the bundle", error);
        let facts = facts(self.redactor, &self.summary)?;
        let items = self.recorded.items.len();
        let consent = consent(&self.request, &self.manifest, self.now, items);
        let report = self.recorded.analysis.finish(Some(&facts)).without_shadow();
        let findings = serde_json::to_value(&report)
            .map_err(|error| Failure::internal("cannot write the findings", error))?;
        let level = self.manifest.redaction_level.clone();
        let redaction = self.recorded.redactions.document(&level);
        self.manifest.items = self.recorded.items;
        let mut writer = self.recorded.writer;
        let readme = readme::text(&self.manifest, &self.request.occasion, &findings);
        writer.fill(self.readme, readme.as_bytes()).map_err(fault)?;
        let documents = [
            (layout::FACTS, meta::document(&facts)),
            (layout::FINDINGS, meta::document(&findings)),
            (layout::REDACTION, meta::document(&redaction)),
            (layout::CONSENT, meta::document(&consent)),
            (
                layout::TRACE,
                meta::document(&self.recorded.trace.document()),
            ),
        ];
        for (path, bytes) in documents {
            writer.add(path, &bytes).map_err(fault)?;
            self.manifest.items.push(document_item(path));
        }
        let (_, sealed) = writer.seal(&mut self.manifest).map_err(fault)?;
        let whys = self
            .plan
            .items()
            .map(|item| (self.redactor.name(&item.id).into_owned(), item.why));
        let whys: BTreeMap<String, &'static str> = whys.collect();
        Ok(Parts {
            spool: self.spool,
            recipient: self.request.recipient,
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
}

/// Facts were read before redaction; as text they go through it like everything else.
pub(super) fn facts(redactor: &Redactor, summary: &RunSummary) -> Result<Value, Failure> {
    let what = "cannot write the facts";
    let text =
        serde_json::to_vec(&summary.facts).map_err(|error| Failure::internal(what, error))?;
    let context = FileContext {
        path: layout::FACTS,
    };
    let (clean, _) = redactor
        .all(context, &text)
        .map_err(|error| Failure::internal(what, error))?;
    // A stand-in may break the syntax; then the facts are withheld, not sent as they were.
    Ok(serde_json::from_slice(&clean)
        .unwrap_or_else(|_| json!({"schema": "sitrep.facts/1", "withheld": true})))
}

/// `meta/consent.json`.
pub(super) fn consent(request: &Request, manifest: &Manifest, now: UtcMs, items: usize) -> Value {
    let occasion = &request.occasion;
    json!({"schema": "sitrep.consent/1", "basis": request.basis, "shown_at": now.rfc3339(),
        "ticket": request.ticket, "title": occasion.title, "requested_by": occasion.requested_by,
        "destination": occasion.host, "profile": manifest.profile.name,
        "redaction": manifest.redaction_level, "items": items})
}

pub(super) fn document_item(path: &str) -> Item {
    Item {
        id: path.to_owned(),
        source: "sitrep".to_owned(),
        kind: Kind::Meta,
        origin: "sitrep".to_owned(),
        path: Some(path.to_owned()),
        ..Item::default()
    }
}

/// The running host, or the one below another root.
pub fn open_host(root: Option<&Path>) -> Result<Host, Failure> {
    match root {
        None => Host::live().map_err(|error| Failure::internal("cannot open /", error)),
        Some(root) => Host::at(root).map_err(|error| {
            Failure::usage(format!("cannot open the root {}", root.display())).because(error)
        }),
    }
}

/// Takes the lowest priority for redacting and packing too (reading always has it), and a control group of
/// our own, where that is asked for. What the host does not allow is noted, and the run goes on.
pub(super) fn be_modest(app: &mut App) -> (Membership, Vec<String>) {
    if app.config.is("limits.nice") {
        collect::sys::be_harmless();
    }
    let bounds = Bounds {
        memory_bytes: app.config.bytes("limits.max_memory"),
        cpu_percent: app.config.percent("limits.max_cpu"),
    };
    if bounds.is_open() {
        return (Membership::default(), Vec::new());
    }
    match Membership::enter(bounds) {
        Ok(group) => (group, Vec::new()),
        Err(error) => {
            let note = format!(
                "--max-memory and --max-cpu do not hold: {}",
                sitrep_shared::error::chain(&error)
            );
            app.ui.status(&Line::of(format!("  ! {note}")));
            (Membership::default(), vec![note])
        }
    }
}

/// Refuses to fill a disk that is nearly full: the disk may be the very problem.
fn room(app: &App, dir: &StateDir, estimate: u64) -> Result<(), Failure> {
    let Some(free) = dir.free_bytes() else {
        return Ok(());
    };
    // Text packs to about a sixth; a quarter leaves room for what does not.
    let needed = estimate / 4 + app.config.bytes("limits.min_free").unwrap_or(0);
    if free >= needed {
        return Ok(());
    }
    let (needed, free) = (format_bytes(needed), format_bytes(free));
    Err(Failure::new(
        Exit::Limit,
        format!(
            "needs about {needed} in {}, {free} free",
            dir.path().display()
        ),
    )
    .hint("--tmp-dir DIR on another file system, or --max-size 50M, or --stream to send without a file"))
}

pub(super) fn manifest(
    app: &App,
    request: &Request,
    plan: &Plan,
    redactor: &Redactor,
    now: UtcMs,
) -> Manifest {
    Manifest {
        schema: SCHEMA.to_owned(),
        format: 1,
        created: now.rfc3339(),
        ticket: request.ticket.clone(),
        profile: ProfileRef {
            name: plan.profile.clone(),
            version: plan.version.clone(),
        },
        agent: AgentRef {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uid: rustix::process::geteuid().as_raw(),
        },
        redaction_level: app
            .config
            .text("redact.mode")
            .unwrap_or("standard")
            .to_owned(),
        started_ms: now.0,
        note: request
            .note
            .as_deref()
            .map(|note| redactor.name(note).into_owned()),
        ..Manifest::default()
    }
}

pub(super) fn account(manifest: &mut Manifest, summary: &RunSummary) {
    manifest.duration_ms = summary.duration_ms;
    manifest.cost.clone_from(&summary.cost);
}
