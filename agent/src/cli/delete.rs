//! `sitrep delete RECEIPT`: has the collector delete a bundle that was sent from here, and shows the proof.

use super::{App, Command, sending};
use crate::bundle::StateDir;
use crate::config::local_minute;
use crate::error::{Exit, Failure};
use crate::ui::{Answer, Line, Tone};
use crate::upload::{Destination, Record, Records, UploadError};
use clap::Args;
use serde_json::json;
use sitrep_shared::ids::Receipt;
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;

/// Arguments of `delete`.
#[derive(Args, Debug)]
pub struct Delete {
    /// Receipt of the bundle, for example RCP-5H2K-0W93
    receipt: String,
    /// Code or link that was shown when the bundle was sent without a file
    #[arg(long, value_name = "CODE|LINK")]
    code: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Command for Delete {
    const NAME: &'static str = "delete";
    const ABOUT: &'static str = "Have a sent bundle deleted at the collector";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let receipt = Receipt::parse(&self.receipt).map_err(|_| {
            Failure::usage(format!("{} is not a receipt", self.receipt))
                .hint("a receipt looks like RCP-5H2K-0W93; sitrep status lists those of this host")
        })?;
        let path = StateDir::locate(&app.ui.io, &app.config).map_err(|error| error.failure())?;
        let records = Records::new(path);
        let known = records
            .all()
            .into_iter()
            .find(|record| record.receipt.as_deref() == Some(receipt.as_str()));
        let destination = self.destination(app, known.as_ref(), &receipt)?;
        if !self.agreed(app, &destination, &receipt)? {
            let text = app.ui.say("nothing_deleted", &[]);
            app.ui.status(&Line::of(text));
            return Ok(Exit::Declined);
        }
        let collector = app
            .collector(destination)
            .map_err(|error| error.failure("cannot ask for the deletion"))?;
        let proof = collector.withdraw(&receipt).map_err(|error| match error {
            UploadError::Gone => Failure::new(
                Exit::Auth,
                "the collector has no bundle with this receipt and this code",
            )
            .hint("it is deleted already, or it was sent from elsewhere: ask your support contact"),
            error => error.failure("the bundle was not deleted"),
        })?;
        let sha256 = proof.sha256.to_string();
        if let Some(mut record) = known {
            record.withdrawal_code = None;
            record.withdrawn_ms = Some(proof.deleted_ms);
            records.save(&record).map_err(|error| {
                error.failure("the bundle is deleted, but cannot be noted here")
            })?;
        }
        if app.ui.style.json {
            app.ui.json(&json!(proof));
            return Ok(Exit::Ok);
        }
        let values = [
            ("receipt", receipt.as_str()),
            ("size", &format_bytes(proof.bytes)),
            ("sha", &sending::short(&sha256)),
            ("host", collector.destination().host()),
            ("time", &local_minute(UtcMs(proof.deleted_ms))),
        ];
        let text = app.ui.say("deleted", &values);
        app.ui.data(&Line::new().tone(Tone::Good, text));
        Ok(Exit::Ok)
    }
}

impl Delete {
    fn destination(
        &self,
        app: &App,
        known: Option<&Record>,
        receipt: &Receipt,
    ) -> Result<Destination, Failure> {
        if let Some(code) = &self.code {
            return Destination::parse(code, app.config.text("url"))
                .map_err(|error| error.failure("cannot use the code"));
        }
        let receipt = receipt.as_str();
        if let Some(ms) = known.and_then(|record| record.withdrawn_ms) {
            let time = local_minute(UtcMs(ms));
            return Err(Failure::usage(format!(
                "{receipt} was deleted already, on {time}"
            )));
        }
        match known.and_then(Record::withdrawal) {
            Some(destination) => destination.map_err(|error| error.failure("cannot use the code")),
            None => Err(
                Failure::usage(format!("this host has no code to delete {receipt} with"))
                    .hint("run this as the user and on the host that sent it, or give --code")
                    .hint("your support contact can delete it as well"),
            ),
        }
    }

    /// What is deleted is gone for the engineers too, so a person is asked.
    fn agreed(
        &self,
        app: &mut App,
        destination: &Destination,
        receipt: &Receipt,
    ) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if app.no_input {
            return Err(Failure::usage(
                "cannot ask whether to delete: standard input is not a terminal",
            )
            .hint("add --yes to delete without asking"));
        }
        let values = [("receipt", receipt.as_str()), ("host", destination.host())];
        let question = app.ui.say("question_delete", &values);
        app.ui.ask(&Line::new().tone(Tone::Strong, &question));
        match app.ui.answer() {
            Answer::Line(line) => Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes")),
            Answer::End => Ok(false),
            Answer::Interrupted | Answer::TimedOut => Err(app.interrupted()),
        }
    }
}
