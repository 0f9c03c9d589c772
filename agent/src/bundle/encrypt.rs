//! Encrypts a sealed bundle to the recipient that the collector or the settings name.

use crate::error::Failure;
use sitrep_shared::age::{Randomness, Recipient, Sealer};
use sitrep_shared::hash::Sha256;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Hashes and counts what passes.
struct Counted {
    out: File,
    hash: Sha256,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.out.write(data)?;
        self.hash.update(&data[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Encrypts `plain` from its beginning to `out`; sha256 in hex and length of what was written.
pub fn encrypt(mut plain: File, out: File, to: &Recipient) -> Result<(String, u64), Failure> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull => super::seal_failure(
            "cannot encrypt the bundle",
            sitrep_shared::bundle::WriteError::Io {
                doing: "write",
                source: error,
            },
        ),
        _ => Failure::internal("cannot encrypt the bundle", error),
    };
    let random = randomness().map_err(fault)?;
    let counted = Counted {
        out,
        hash: Sha256::new(),
        bytes: 0,
    };
    let mut sealer = Sealer::new(counted, to, &random).map_err(fault)?;
    plain.seek(SeekFrom::Start(0)).map_err(fault)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = plain.read(&mut buffer).map_err(fault)?;
        if count == 0 {
            break;
        }
        sealer.write_all(&buffer[..count]).map_err(fault)?;
    }
    let done = sealer.finish().map_err(fault)?;
    Ok((done.hash.finish().to_string(), done.bytes))
}

/// What the system has of it.
pub(super) fn randomness() -> io::Result<Randomness> {
    let mut random = Randomness {
        ephemeral: [0; 32],
        file_key: [0; 16],
        salt: [0; 16],
    };
    for part in [
        &mut random.ephemeral[..],
        &mut random.file_key[..],
        &mut random.salt[..],
    ] {
        getrandom::fill(part).map_err(io::Error::other)?;
    }
    Ok(random)
}
