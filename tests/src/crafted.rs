//! Archives that no honest agent makes, for the collector to refuse.

use sitrep_shared::hash::sha256;
use std::io::Write;

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

/// A bundle whose manifest states another digest for one file than the file has.
#[must_use]
pub fn lying_bundle() -> Vec<u8> {
    let files: [(&str, &str, &[u8]); 2] = [
        ("readme", "README.txt", b"read me\n"),
        ("log", "sos/var/log/syslog", b"all is well\n"),
    ];
    let items: Vec<serde_json::Value> = files
        .iter()
        .map(|(id, path, content)| {
            let said = if *id == "log" { sha256(b"something else") } else { sha256(content) };
            serde_json::json!({
                "id": id, "source": "test", "kind": "file", "origin": path, "path": path,
                "outcome": "collected", "sha256": said, "original_bytes": content.len(), "stored_bytes": content.len(),
            })
        })
        .collect();
    let manifest = serde_json::json!({
        "schema": "sitrep.manifest/1", "format": 1, "created": "2026-11-21T14:02:00.000Z", "host": "liar", "items": items,
    });
    let manifest = manifest.to_string();
    let top = "local-liar-20261121T140200Z";
    let mut entries: Vec<(String, &[u8])> = files
        .iter()
        .map(|(_, path, content)| (format!("{top}/{path}"), *content))
        .collect();
    entries.push((format!("{top}/meta/manifest.json"), manifest.as_bytes()));
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, content)| (name.as_str(), *content))
        .collect();
    tar_gz(&entries)
}
