//! Bundles that were encrypted to a key of age. With the key the plain text becomes the body that is read
//! and browsed, beside the file as it came; without it the file is only stored, and nothing in it is said
//! to have been looked at.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use sitrep_shared::age::{Identity, OpenError, Opened, is_encrypted};

use crate::db::bundles::Outcome;

/// What a stored file is.
pub(super) enum Content {
    /// Not encrypted: read it as it is.
    Plain,
    /// Decrypted into the output; this many bytes.
    Decrypted(u64),
    /// It cannot be read: the end of its ingest.
    Closed(Box<Outcome>),
}

/// Looks at the beginning of a file, and decrypts it to `output` when it must be and can be.
///
/// # Errors
/// The store fails; what is wrong with the file is an outcome.
pub(super) fn open(
    file: &mut File,
    identity: Option<&Identity>,
    output: &mut impl Write,
    now_ms: i64,
) -> io::Result<Content> {
    let mut start = Vec::new();
    (&mut *file).take(64).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    if !is_encrypted(&start) {
        return Ok(Content::Plain);
    }
    let closed = |state, reason: &str, detail: &str| {
        Content::Closed(Box::new(Outcome {
            state,
            reason: Some(reason.to_owned()),
            detail: Some(detail.to_owned()),
            not_evaluated: "[]".to_owned(),
            verdict_ms: now_ms,
            ..Outcome::default()
        }))
    };
    let Some(identity) = identity else {
        let detail = "it is stored as it came; the key is not here, so nothing in it was evaluated";
        return Ok(closed("quarantined", "encrypted", detail));
    };
    let damaged = "the encrypted file is damaged or cut off";
    let mut plain = match Opened::new(io::BufReader::with_capacity(1 << 17, file), identity) {
        Ok(plain) => plain,
        Err(OpenError::NotForUs) => {
            let detail = "it is encrypted to another key than ours, so nothing in it was evaluated";
            return Ok(closed("quarantined", "encrypted", detail));
        }
        Err(OpenError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
            return Err(error);
        }
        Err(_) => return Ok(closed("rejected", "bad_encryption", damaged)),
    };
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match plain.read(&mut buffer) {
            Ok(0) => return Ok(Content::Decrypted(bytes)),
            Ok(count) => {
                output.write_all(&buffer[..count])?;
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Ok(closed("rejected", "bad_encryption", damaged));
            }
            Err(error) => return Err(error),
        }
    }
}
