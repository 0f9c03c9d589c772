//! The guard of strict redaction: what is about to be kept or sent is read back and searched once more.
//! Anything that the same rules would still remove stops the run.

use crate::error::{Exit, Failure};
use sitrep_shared::bundle::manifest::Kind;
use sitrep_shared::bundle::reader::Index;
use sitrep_shared::redact::{FileContext, FileReport, Level, Redactor};
use std::fs::File;
use std::io::Read as _;

/// Bytes read at a time.
const STEP: usize = 128 << 10;
/// Places that the message names.
const SHOWN: usize = 5;

/// Searches every file of a sealed bundle.
///
/// # Errors
/// Something is left (exit code 7), or the bundle cannot be read back.
pub fn check(redactor: &Redactor, index: &Index, file: &mut File) -> Result<(), Failure> {
    if redactor.level() != Level::Strict {
        return Ok(());
    }
    let mut left = 0;
    let mut places = Vec::new();
    for item in &index.manifest.items {
        // What lies in meta/ quotes these files, beside texts of our own.
        let own = matches!(item.kind, Kind::Link | Kind::Meta);
        let Some(path) = item.path.as_deref().filter(|_| !own) else {
            continue;
        };
        let report = again(redactor, index, file, path)?;
        left += report.total;
        let shown = path.strip_prefix("sos/").unwrap_or(path);
        places.extend(
            report
                .places
                .iter()
                .map(|place| format!("{shown}:{}", place.line)),
        );
    }
    if left == 0 {
        return Ok(());
    }
    places.truncate(SHOWN);
    Err(Failure::new(
        Exit::Redaction,
        format!(
            "{left} values still look like secrets after redaction ({}). Nothing was sent",
            places.join(", ")
        ),
    )
    .hint("leave the file out with --exclude, or name the value in --redact-word-file"))
}

fn again(
    redactor: &Redactor,
    index: &Index,
    file: &mut File,
    path: &str,
) -> Result<FileReport, Failure> {
    let what = || format!("cannot read {path} back");
    let length = index.item(path).map_or(0, |item| item.stored_bytes);
    if length == 0 {
        return Ok(FileReport::default());
    }
    let mut reader = index
        .read(file, path, 0..length)
        .map_err(|error| Failure::internal(what(), error))?;
    let mut stream = redactor.stream(FileContext { path });
    let (mut buffer, mut out) = (vec![0; STEP], Vec::new());
    loop {
        let n = reader
            .read(&mut buffer)
            .map_err(|error| Failure::internal(what(), error))?;
        if n == 0 {
            break;
        }
        stream
            .push(&buffer[..n], &mut out)
            .map_err(|error| Failure::internal(what(), error))?;
        out.clear();
    }
    stream
        .finish(&mut out)
        .map_err(|error| Failure::internal(what(), error))
}
