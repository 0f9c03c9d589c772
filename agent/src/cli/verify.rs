//! `sitrep verify FILE`: reads a bundle from the first byte to the last and believes nothing.

use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone};
use clap::Args;
use serde_json::json;
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_shared::bundle::reader::{self, Entry, Visitor};
use sitrep_shared::size::format_bytes;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// Arguments of `verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// Bundle to check
    pub file: PathBuf,
}

/// Reads every entry to its end; the reader does the checking.
struct Drain(Vec<u8>);

impl Visitor for Drain {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        let _ = entry;
        // A fault of the data is found again, with its reason, by the reader itself.
        while data.read(&mut self.0).is_ok_and(|count| count > 0) {}
        Ok(())
    }
}

impl Command for Verify {
    const NAME: &'static str = "verify";
    const ABOUT: &'static str = "Check a bundle: seal, manifest, every file's digest";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let path = self.file.display().to_string();
        let file = std::fs::File::open(&self.file)
            .map_err(|error| Failure::usage(format!("cannot open {path}")).because(error))?;
        let mut drain = Drain(vec![0; 64 * 1024]);
        let input = BufReader::with_capacity(256 * 1024, file);
        match reader::verify(input, &Limits::default(), &mut drain) {
            Ok(verified) => {
                let items = verified.manifest.items.len();
                if app.ui.style.json {
                    app.ui.json(&json!({"schema": "sitrep.verify/1", "ok": true,
                        "sha256": verified.sha256, "bytes": verified.bytes,
                        "unpacked_bytes": verified.unpacked_bytes, "items": items,
                        "host": verified.manifest.host, "ticket": verified.manifest.ticket}));
                } else {
                    let size = format_bytes(verified.bytes);
                    let unpacked = format_bytes(verified.unpacked_bytes);
                    let n = items.to_string();
                    let values = [
                        ("path", &*path),
                        ("n", &n),
                        ("size", &size),
                        ("unpacked", &unpacked),
                    ];
                    let text = app.ui.say("whole", &values);
                    let line = Line::new().tone(Tone::Good, "✓ ").text(text);
                    app.ui.data(&line);
                    app.ui
                        .data(&Line::of(format!("  sha256 {}", verified.sha256)));
                }
                Ok(Exit::Ok)
            }
            Err(reject) => {
                let reason = reject.reason.as_str();
                if app.ui.style.json {
                    app.ui.json(
                        &json!({"schema": "sitrep.verify/1", "ok": false, "reason": reason,
                        "detail": reject.detail}),
                    );
                }
                Err(
                    Failure::new(Exit::Internal, format!("{path} is not a whole bundle"))
                        .because(format!("{reason}: {}", reject.detail))
                        .hint("collect again, or fetch the file again if it was copied"),
                )
            }
        }
    }
}
