//! `sitrep run --stream`: consent to the plan, then everything is sent while it is collected, and nothing
//! is written to this host's disk.

use super::result::RunResult;
use super::{App, sending, summary};
use crate::bundle::{self, Prepared, Request, Road, Streamed};
use crate::consent;
use crate::error::{Exit, Failure};
use crate::ui::Line;
use crate::upload::{Arrived, Collector, Outbound, UploadError};
use serde_json::json;
use std::sync::mpsc::sync_channel;

/// Pieces of a megabyte that wait for the network before collecting waits too.
const WAITING_PIECES: usize = 8;

/// What `run` has found out so far.
pub struct Streaming<'r> {
    /// Where it goes.
    pub collector: &'r Collector,
    /// What is asked for.
    pub request: Request,
    /// The plan.
    pub prepared: Prepared,
    /// A person is asked.
    pub ask: bool,
}

impl Streaming<'_> {
    /// Asks about the plan, collects and sends. The result is printed by the caller.
    ///
    /// Nothing when the person declined.
    pub fn run(self, app: &mut App) -> Result<Option<(Exit, RunResult)>, Failure> {
        if app.config.text("redact.mode") == Some("strict") {
            return Err(Failure::usage(
                "strict redaction reads the bundle once more before it is sent, which --stream cannot",
            )
            .hint("leave out --stream, or redact by --redact standard"));
        }
        if !app.config.is("policy.allow_send") {
            return Err(Failure::new(
                Exit::Declined,
                "this host's policy does not allow sending",
            ));
        }
        let host = self.collector.destination().host().to_owned();
        if self.ask && !consent::ask_plan(&mut app.ui, &self.prepared, &host)? {
            let text = app.ui.say("nothing_sent", &[]);
            app.ui.status(&Line::of(text));
            return Ok(None);
        }
        let now = (app.ui.io.now)();
        let name = bundle::name(app, &self.request, &self.prepared)?;
        let consent = json!({"basis": self.request.basis, "at_ms": now.0, "plan": {
            "profile": self.prepared.plan.profile, "items": self.prepared.plan.items().count(),
            "max_bytes": self.prepared.plan.params.max_bytes}})
        .to_string();
        let withdrawal_code = sending::new_withdrawal_code()?;
        let (streamed, arrived) = self.collect_and_send(app, &name, &consent, &withdrawal_code)?;
        summary::found(app, streamed.view(), None);
        let (sent, record) = self
            .collector
            .verdict_on(&mut app.ui, &arrived, &streamed.sha256, &withdrawal_code)
            .map_err(|error| error.failure("upload stopped"))?;
        let mut result = RunResult::of(streamed.view());
        result.sent(&sent, &record);
        match sending::report(app, &sent, &record) {
            Ok(exit) => Ok(Some((exit, result))),
            Err(failure) => Err(result.broken(app, failure)),
        }
    }

    fn collect_and_send(
        &self,
        app: &mut App,
        name: &str,
        consent: &str,
        withdrawal_code: &str,
    ) -> Result<(Streamed, Arrived), Failure> {
        let recipient = self.request.recipient.as_ref();
        let file = format!(
            "{name}.tar.gz{}",
            if recipient.is_some() { ".age" } else { "" }
        );
        let out = Outbound {
            name: &file,
            consent,
            withdrawal_code,
            max_rate: app.config.bytes("upload.max_rate"),
        };
        let (give, take) = sync_channel(WAITING_PIECES);
        std::thread::scope(|scope| {
            let collector = self.collector;
            // The receiver goes with the thread: when sending has failed, collecting learns it.
            let sending = std::thread::Builder::new()
                .name("upload".into())
                .spawn_scoped(scope, move || collector.stream(&out, &take))
                .map_err(|error| Failure::internal("cannot start a thread", error))?;
            let collected = Road::new(give, recipient)
                .map_err(|error| Failure::internal("cannot encrypt the bundle", error))
                .and_then(|road| bundle::stream(app, road, &self.request, &self.prepared));
            let sent = sending.join().unwrap_or(Err(UploadError::Broken));
            match (collected, sent) {
                (Ok(streamed), Ok(arrived)) => Ok((streamed, arrived)),
                (Err(failure), Err(UploadError::Broken | UploadError::Interrupted(_)) | Ok(_)) => {
                    Err(failure)
                }
                // Collecting only noticed that the road was cut; this is why.
                (_, Err(error)) => Err(error.failure("upload stopped").hint(
                    "nothing is kept here; run it again, or without --stream where there is room",
                )),
            }
        })
    }
}
