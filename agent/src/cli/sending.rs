//! Sending a sealed file and telling the person what came of it: shared by `run` and `send`.

use super::App;
use crate::config::local_minute;
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone, Ui};
use crate::upload::{
    Collector, Outgoing, Record, Records, Sent, UploadError, verdict_word, withdrawal_code,
};
use serde_json::{Value, json};
use sitrep_shared::protocol::{CodeInfo, Verdict};
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;
use std::path::Path;

/// A file on its way out.
pub struct Parcel<'a> {
    /// The bundle.
    pub path: &'a Path,
    /// Its sha256 in hex.
    pub sha256: String,
    /// Its length.
    pub length: u64,
    /// `interactive` or `policy`.
    pub basis: &'static str,
}

/// A digest as a person compares it.
pub fn short(sha256: &str) -> String {
    match (
        sha256.get(..4),
        sha256.get(sha256.len().saturating_sub(4)..),
    ) {
        (Some(head), Some(tail)) if sha256.len() > 12 => format!("{head}…{tail}"),
        _ => sha256.to_owned(),
    }
}

/// Asks what a code is for, after saying so.
pub fn ask(app: &mut App, collector: &Collector) -> Result<CodeInfo, Failure> {
    let host = collector.destination().host().to_owned();
    let text = app.ui.say("asking", &[("host", &host)]);
    let name = concat!("sitrep ", env!("CARGO_PKG_VERSION"), "  ");
    app.ui.status(&Line::new().tone(Tone::Dim, name).text(text));
    let info = collector.code_info().map_err(|error| {
        if let Some(failure) = distrust(app, collector, &error) {
            return failure;
        }
        let exit = error.exit();
        let mut failure = error.failure("cannot ask what the code is for");
        if exit == Exit::Upload {
            failure = failure
                .hint("sitrep check CODE  tests proxy, name, TLS and clock")
                .hint("no network? keep the bundle: sitrep run --no-send");
        }
        failure
    })?;
    let until = local_minute(UtcMs(info.expires_ms));
    let text = app.ui.say(
        "ticket",
        &[
            ("key", &info.ticket.key),
            ("title", &info.ticket.title),
            ("host", &host),
            ("until", &until),
        ],
    );
    app.ui.status(&Line::of(format!("  {text}")));
    Ok(info)
}

/// Why a certificate is not believed, in words that help; nothing when the error is about something else.
fn distrust(app: &App, collector: &Collector, error: &UploadError) -> Option<Failure> {
    let step = collector.distrust(error, (app.ui.io.now)().0 / 1000)?;
    let values: Vec<(&str, &str)> = step.values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut failure = Failure::new(error.exit(), app.ui.say(step.key, &values));
    failure.hints = step
        .fix
        .map(|fix| app.ui.say(fix, &values))
        .into_iter()
        .collect();
    Some(failure)
}

/// Sends the file. A failure says what is kept and how to go on.
pub fn send(
    app: &mut App,
    collector: &Collector,
    records: &Records,
    parcel: &Parcel<'_>,
) -> Result<(Sent, Record), Failure> {
    if !app.config.is("policy.allow_send") {
        return Err(
            Failure::new(Exit::Declined, "this host's policy does not allow sending")
                .note("kept", parcel.path.display().to_string()),
        );
    }
    let now = (app.ui.io.now)();
    let known = records.find(&parcel.sha256);
    let base_url = collector.destination().base_url().to_owned();
    let known = known.filter(|record| record.base_url == base_url && !record.complete);
    let mut record = match known {
        Some(record) => record,
        None => Record {
            schema: Record::SCHEMA.to_owned(),
            sha256: parcel.sha256.clone(),
            length: parcel.length,
            base_url,
            created_ms: now.0,
            basis: parcel.basis.to_owned(),
            agreed_ms: now.0,
            withdrawal_code: Some(new_withdrawal_code()?),
            ..Record::default()
        },
    };
    record.code = Some(collector.destination().secret());
    record.file = std::path::absolute(parcel.path).unwrap_or_else(|_| parcel.path.to_path_buf());
    let consent =
        json!({"basis": record.basis, "at_ms": record.agreed_ms, "sha256": parcel.sha256})
            .to_string();
    let name = parcel
        .path
        .file_name()
        .map_or("bundle.tar.gz".into(), |name| name.to_string_lossy());
    let outgoing = Outgoing {
        path: parcel.path,
        name: &name,
        sha256: &parcel.sha256,
        length: parcel.length,
        consent: &consent,
        max_rate: app.config.bytes("upload.max_rate"),
        records,
    };
    match collector.send(&mut app.ui, &outgoing, &mut record) {
        Ok(sent) => Ok((sent, record)),
        Err(error) => {
            let named = distrust(app, collector, &error);
            Err(stopped(error, named, parcel, &record))
        }
    }
}

/// The code that takes a bundle back, for one that is sent for the first time.
pub fn new_withdrawal_code() -> Result<String, Failure> {
    withdrawal_code().map_err(|error| error.failure("cannot prepare the upload"))
}

fn stopped(
    error: UploadError,
    named: Option<Failure>,
    parcel: &Parcel<'_>,
    record: &Record,
) -> Failure {
    let exit = error.exit();
    let path = parcel.path.display().to_string();
    let mut failure = named.unwrap_or_else(|| error.failure("upload stopped"));
    let there = if record.offset > 0 {
        format!(
            " ({} of {} are already there)",
            format_bytes(record.offset),
            format_bytes(parcel.length)
        )
    } else {
        String::new()
    };
    failure = failure.note("kept", format!("{path}{there}"));
    if exit == Exit::Auth {
        return failure.hint(format!("with a new code: sitrep send {path} CODE"));
    }
    failure = failure.hint(format!(
        "run  sitrep send {path}  to continue where it stopped"
    ));
    if exit == Exit::Upload {
        failure = failure
            .hint("sitrep check CODE  tests proxy, name, TLS and clock")
            .hint("no network at all? open the upload page's link on any computer and drop the file there");
    }
    failure
}

/// Tells what the collector made of it, and the exit code that follows.
pub fn report(app: &mut App, sent: &Sent, record: &Record) -> Result<Exit, Failure> {
    let receipt = record.receipt.clone().unwrap_or_else(|| "-".to_owned());
    let sha = short(&record.sha256);
    let key = if sent.confirmed {
        "done"
    } else {
        "done_pending"
    };
    let text = app.ui.say(key, &[("receipt", &receipt), ("sha", &sha)]);
    app.ui.status(&Line::new().tone(Tone::Good, text));
    if let Some(url) = &record.ticket_url {
        let text = app.ui.say("ticket_link", &[("url", url)]);
        app.ui.status(&Line::of(format!("  {text}")));
    }
    let path = record.file.display().to_string();
    if !path.is_empty() {
        let text = app.ui.say("copy", &[("path", &path)]);
        app.ui.status(&Line::of(format!("  {text}")));
    }
    if let (Some(receipt), Some(code)) = (&record.receipt, &record.withdrawal_code) {
        // Without a file there is no record either: the code is to be kept by the person.
        let command = if path.is_empty() {
            format!(
                "sitrep delete {receipt} --code {}/u/{code}",
                record.base_url
            )
        } else {
            format!("sitrep delete {receipt}")
        };
        let text = app.ui.say("delete_later", &[("command", &command)]);
        app.ui.status(&Line::of(format!("  {text}")));
    }
    let Some(status) = &sent.status else {
        return Ok(Exit::Ok);
    };
    match status.verdict {
        // It was to be stored only.
        Some(Verdict::Quarantined) if status.reason.as_deref() == Some("encrypted") => {
            let text = app.ui.say("stored_encrypted", &[]);
            app.ui.status(&Line::of(text));
            Ok(Exit::Ok)
        }
        Some(verdict @ (Verdict::Rejected | Verdict::Quarantined)) => {
            let word = verdict_word(verdict);
            let reason = status.reason.as_deref().unwrap_or("no reason given");
            Err(Failure::new(
                Exit::Upload,
                format!("the collector {word} the bundle: {reason}"),
            )
            .note("kept", path)
            .hint("tell support the receipt and the reason"))
        }
        Some(Verdict::Ready) => {
            let key = if status.findings.is_empty() {
                "collector_found_none"
            } else {
                "collector_found"
            };
            let text = app.ui.say(key, &[]);
            app.ui.status(&Line::new().tone(Tone::Strong, text));
            for finding in &status.findings {
                super::findings::headline(
                    &mut app.ui,
                    &finding.severity,
                    &finding.id,
                    &finding.title,
                );
            }
            Ok(Exit::Ok)
        }
        _ => Ok(Exit::Ok),
    }
}

/// The collector's verdict in the person's language.
pub fn verdict_text(ui: &Ui, word: &str) -> String {
    match word {
        "pending" => ui.say("verdict_pending", &[]),
        "ready" => ui.say("verdict_ready", &[]),
        "rejected" => ui.say("verdict_rejected", &[]),
        "quarantined" => ui.say("verdict_quarantined", &[]),
        other => other.to_owned(),
    }
}

/// The upload as it appears in JSON results.
pub fn as_json(sent: &Sent) -> Value {
    let status = sent.status.as_ref();
    json!({
        "state": "complete",
        "sha256_confirmed": sent.confirmed,
        "resumed_from": sent.resumed_from,
        "seconds": (sent.seconds * 10.0).round() / 10.0,
        "verdict": status.and_then(|status| status.verdict).map(verdict_word),
        "reason": status.and_then(|status| status.reason.clone()),
        "findings": status.map(|status| &status.findings),
    })
}
