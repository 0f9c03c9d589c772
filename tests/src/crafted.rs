//! Archives that no honest agent makes, for the collector to refuse.

use sitrep_shared::bundle::manifest::{self, Manifest};
use sitrep_shared::bundle::{BundleWriter, WriterOptions};
use sitrep_shared::hash::sha256;
use sitrep_shared::time::UtcMs;
use std::io::{Cursor, Write};

/// One entry of a ustar archive with the bytes given, name and all.
fn entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A `.tar.gz` of these entries.
///
/// # Panics
/// When memory cannot be written to, which does not happen.
#[must_use]
pub fn tar_gz(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar: Vec<u8> = entries
        .iter()
        .flat_map(|(name, content)| entry(name, content))
        .collect();
    tar.extend_from_slice(&[0; 1024]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).expect("memory can be written to");
    gzip.finish().expect("memory can be written to")
}

/// A bundle of format 1, right in everything, but that its manifest states
/// another digest for one file than the file has.
///
/// # Errors
/// When the writer refuses.
pub fn lying_bundle() -> Result<Vec<u8>, String> {
    let options = WriterOptions {
        top_dir: "local-liar-20261121T140200Z".to_owned(),
        mtime: UtcMs(1_790_000_000_000),
        level: 1,
    };
    let mut writer = BundleWriter::create(Cursor::new(Vec::new()), options);
    let mut manifest = Manifest {
        schema: manifest::SCHEMA.to_owned(),
        format: 1,
        host: "liar".to_owned(),
        ..Manifest::default()
    };
    for (id, path, content) in [
        ("readme", "README.txt", "read me\n"),
        ("log", "sos/var/log/syslog", "all is well\n"),
    ] {
        let stored = writer
            .add(path, content.as_bytes())
            .map_err(|error| error.to_string())?;
        let said = if id == "log" {
            sha256(b"something else")
        } else {
            stored.sha256
        };
        let item = serde_json::json!({
            "id": id, "source": "test", "kind": "file", "origin": path, "path": path, "outcome": "collected", "sha256": said,
            "original_bytes": stored.bytes, "stored_bytes": stored.bytes, "offset": stored.offset,
        });
        manifest
            .items
            .push(serde_json::from_value(item).map_err(|error| error.to_string())?);
    }
    let (cursor, _) = writer
        .seal(&mut manifest)
        .map_err(|error| error.to_string())?;
    Ok(cursor.into_inner())
}
