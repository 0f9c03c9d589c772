//! Collecting straight onto the road: after consent to the plan, with nothing written to this host's disk.
//!
//! The same pass as [`super::gather`], without a file that could be shown, cut down or searched again
//! afterwards. So it is for when there is no room for one.

use super::gather::{self, Prepared};
use super::output::{Output, Road};
use super::recorder::Recorder;
use super::request::Request;
use super::{View, meta, readme, seal_failure};
use crate::analysis::Analysis;
use crate::cli::App;
use crate::collect::{self, Cancel};
use crate::error::Failure;
use crate::ui::Progress;
use serde_json::Value;
use sitrep_shared::bundle::layout;
use sitrep_shared::bundle::manifest::Manifest;
use sitrep_shared::bundle::{BundleWriter, WriterOptions};

/// What went down the road.
#[derive(Debug)]
pub struct Streamed {
    /// Its manifest.
    pub manifest: Manifest,
    /// Digest of all bytes that left, as they left.
    pub sha256: String,
    /// How many.
    pub bytes: u64,
    /// `meta/findings.json`.
    pub findings: Value,
    /// `meta/redaction.json`.
    pub redaction: Value,
}

impl Streamed {
    /// What the summary and the result need.
    pub fn view(&self) -> View<'_> {
        View {
            manifest: &self.manifest,
            findings: &self.findings,
            redaction: &self.redaction,
            bytes: self.bytes,
            sha256: &self.sha256,
        }
    }
}

/// Name of the bundle of a request, before anything is collected.
pub fn name(app: &App, request: &Request, prepared: &Prepared) -> Result<String, Failure> {
    let redactor = super::redactor::build(app, &prepared.host, &prepared.name, &request.secrets)?;
    let shown = redactor.name(&prepared.name).into_owned();
    let now = (app.ui.io.now)();
    Ok(layout::top_dir(request.ticket.as_deref(), &shown, now))
}

/// Carries out a request, everything onto the road.
pub fn stream(
    app: &mut App,
    road: Road,
    request: &Request,
    prepared: &Prepared,
) -> Result<Streamed, Failure> {
    let Prepared { host, plan, name } = prepared;
    let now = (app.ui.io.now)();
    let (group, notes) = gather::be_modest(app);
    let redactor = super::redactor::build(app, host, name, &request.secrets)?;
    let analysis = Analysis::new().map_err(|error| Failure::internal("cannot analyse", error))?;
    let fault = |error| seal_failure("cannot send the bundle", error);
    let mut manifest = gather::manifest(app, request, plan, &redactor, now);
    manifest.host = redactor.name(name).into_owned();
    let options = WriterOptions {
        top_dir: layout::top_dir(request.ticket.as_deref(), &manifest.host, now),
        mtime: now,
        level: 1,
    };
    let mut writer = BundleWriter::create(Output::Road(road), options);
    let text = readme::on_the_road(&manifest, &request.occasion);
    writer.add(layout::README, text.as_bytes()).map_err(fault)?;
    let progress = Progress::new(plan.items().map(|item| item.source));
    let cancel = Cancel::from_flag(app.ui.io.interrupt.flag());
    let run = analysis.begin(now);
    let mut recorder = Recorder::new(&mut app.ui, progress, &redactor, run, writer);
    recorder.items.push(gather::document_item(layout::README));
    let summary = collect::run(host, plan, &mut recorder, &cancel);
    drop(group);
    let recorded = recorder.finish();
    if app.ui.io.interrupt.signal().is_some() {
        return Err(app.interrupted());
    }
    let recorded = recorded.map_err(fault)?;
    gather::account(&mut manifest, &summary);
    manifest.cost.notes = notes;
    let facts = gather::facts(&redactor, &summary)?;
    let report = recorded.analysis.finish(Some(&facts)).without_shadow();
    let findings = serde_json::to_value(&report)
        .map_err(|error| Failure::internal("cannot write the findings", error))?;
    let redaction = recorded.redactions.document(&manifest.redaction_level);
    let consent = gather::consent(request, &manifest, now, recorded.items.len());
    manifest.items = recorded.items;
    let mut writer = recorded.writer;
    let trace = recorded.trace.document();
    for (path, value) in [
        (layout::FACTS, &facts),
        (layout::FINDINGS, &findings),
        (layout::REDACTION, &redaction),
        (layout::CONSENT, &consent),
        (layout::TRACE, &trace),
    ] {
        writer.add(path, &meta::document(value)).map_err(fault)?;
        manifest.items.push(gather::document_item(path));
    }
    let (output, _) = writer.seal_unhashed(&mut manifest).map_err(fault)?;
    let left = match output {
        Output::Road(road) => road.end(),
        Output::File(_) => Err(std::io::Error::other("this is no road")),
    };
    let (digest, bytes) =
        left.map_err(|error| Failure::internal("cannot send the bundle", error))?;
    Ok(Streamed {
        manifest,
        sha256: digest.to_string(),
        bytes,
        findings,
        redaction,
    })
}
