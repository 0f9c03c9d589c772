//! No input makes the reader panic or run away; the corpus of verdicts is in the tests package.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;

use super::*;
use crate::bundle::{BundleWriter, WriterOptions};
use crate::time::UtcMs;

fn tar(names: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        let mut record = [0; tar::RECORD];
        record[..name.len()].copy_from_slice(name.as_bytes());
        record[100..108].copy_from_slice(b"0000644\0");
        record[108..116].copy_from_slice(b"0000000\0");
        record[116..124].copy_from_slice(b"0000000\0");
        record[124..136].copy_from_slice(b"00000000004\0");
        record[136..148].copy_from_slice(b"00000000000\0");
        record[148..156].fill(b' ');
        record[156] = b'0';
        record[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = record.iter().map(|byte| u32::from(*byte)).sum();
        record[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&record);
        out.extend_from_slice(b"data");
        out.resize(out.len().next_multiple_of(tar::RECORD), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn gz(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A zip of one stored file.
fn zip() -> Vec<u8> {
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend_from_slice(&libdeflater::crc32(b"data").to_le_bytes());
    common.extend_from_slice(&[4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0]);
    let mut out = [b"PK\x03\x04", &common[..], b"adata"].concat();
    let start = out.len() as u8;
    out.extend_from_slice(b"PK\x01\x02\x14\x03");
    out.extend_from_slice(&common);
    out.extend_from_slice(&[0; 14]);
    out.push(b'a');
    let size = out.len() as u8 - start;
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend_from_slice(&[size, 0, 0, 0, start, 0, 0, 0, 0, 0]);
    out
}

fn own() -> Vec<u8> {
    let options = WriterOptions {
        top_dir: "t".into(),
        mtime: UtcMs(0),
        level: 1,
    };
    let mut manifest = crate::bundle::manifest::Manifest {
        schema: crate::bundle::manifest::SCHEMA.into(),
        format: 1,
        ..Default::default()
    };
    let writer = BundleWriter::create(Cursor::new(Vec::new()), options);
    writer.seal(&mut manifest).unwrap().0.into_inner()
}

fn judge(bytes: &[u8]) -> Report {
    let limits = Limits {
        unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    inspect(&mut Cursor::new(bytes), &limits, &mut ())
}

#[test]
fn one_of_each_is_accepted() {
    for (bytes, format) in [
        (tar(&["a", "b/c"]), "tar"),
        (gz(&tar(&["a"])), "tar.gz"),
        (zip(), "zip"),
        (own(), "sitrep/1"),
        (b"a log line\n".to_vec(), "file"),
        (gz(b"a log line\n"), "gz"),
    ] {
        let report = judge(&bytes);
        assert_eq!(
            (report.verdict, report.reason, report.format.as_str()),
            (Verdict::Accept, OK, format),
            "{report:?}"
        );
    }
}

#[test]
fn every_cut_is_refused() {
    for whole in [tar(&["a"]), gz(&tar(&["a"])), zip(), own()] {
        for end in (0..whole.len()).step_by(7) {
            assert_eq!(
                judge(&whole[..end]).verdict,
                Verdict::Reject,
                "{end} of {}",
                whole.len()
            );
        }
    }
}

#[test]
fn a_report_is_one_line_of_json() {
    let json = serde_json::to_string(&judge(b"")).unwrap();
    assert!(
        json.starts_with(r#"{"verdict":"reject","reason":"empty","detail":""#),
        "{json}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn mutated_archives_never_panic(seed in 0usize..5, edits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6), cut in any::<usize>()) {
        let mut bytes = match seed {
            0 => tar(&["a", "b/c"]),
            1 => gz(&tar(&["a"])),
            2 => zip(),
            3 => own(),
            _ => b"a log line\n".repeat(9),
        };
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if cut % 4 == 0 {
            bytes.truncate(cut % bytes.len());
        }
        let report = judge(&bytes);
        prop_assert_eq!(report.verdict == Verdict::Reject, !report.detail.is_empty());
    }
}
