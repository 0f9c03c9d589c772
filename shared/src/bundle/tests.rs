//! Format 1 as a whole: written, read in every way, cut, changed, resealed.

use std::io::{BufRead, Cursor, Read as _};

use proptest::prelude::*;

use super::limits::{Limits, Reason, Reject};
use super::manifest::{Item, Kind, Manifest, Outcome, SCHEMA};
use super::reader::{Entry, Index, Visitor, decode_block, verify};
use super::*;
use crate::hash::sha256;
use crate::time::UtcMs;

struct Plan<'a> {
    path: &'a str,
    data: Vec<u8>,
    streamed: bool,
}

fn noise(bytes: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            if state & 0x300 == 0 {
                state as u8
            } else {
                b'a' + (state % 7) as u8
            }
        })
        .collect()
}

fn item(path: &str, kind: Kind) -> Item {
    Item {
        id: path.into(),
        source: "test".into(),
        kind,
        path: Some(path.into()),
        ..Item::default()
    }
}

fn writer() -> BundleWriter<Cursor<Vec<u8>>> {
    let options = WriterOptions {
        top_dir: "local-h-T".into(),
        mtime: UtcMs(1_700_000_000_000),
        level: 1,
    };
    BundleWriter::create(Cursor::new(Vec::new()), options)
}

fn build(plans: &[Plan<'_>]) -> (Vec<u8>, Manifest) {
    let mut writer = writer();
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        format: 1,
        ..Manifest::default()
    };
    for plan in plans {
        if plan.streamed {
            writer.start(plan.path).unwrap();
            plan.data
                .chunks(40_000)
                .for_each(|chunk| writer.write_data(chunk).unwrap());
            writer.end().unwrap();
        } else {
            writer.add(plan.path, &plan.data).unwrap();
        }
        manifest.items.push(item(plan.path, Kind::File));
    }
    writer.link("sos/link", "etc/x").unwrap();
    manifest.items.push(Item {
        link_target: Some("etc/x".into()),
        ..item("sos/link", Kind::Link)
    });
    manifest.items.push(Item {
        outcome: Outcome::Absent,
        ..Item::default()
    });
    let (out, sealed) = writer.seal(&mut manifest).unwrap();
    let bytes = out.into_inner();
    assert_eq!(
        sealed,
        Sealed {
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes)
        }
    );
    (bytes, manifest)
}

fn small() -> (Vec<u8>, Manifest) {
    build(&[
        Plan {
            path: "README.txt",
            data: b"hello\n".to_vec(),
            streamed: false,
        },
        Plan {
            path: "sos/big.log",
            data: noise(200_000, 3),
            streamed: true,
        },
        Plan {
            path: "sos/etc/x",
            data: b"x".to_vec(),
            streamed: true,
        },
    ])
}

fn reason(bytes: &[u8]) -> Option<Reason> {
    verify(bytes, &Limits::default(), &mut ())
        .err()
        .map(|reject| reject.reason)
}

#[derive(Default)]
struct Collect(Vec<(String, u64, Vec<u8>)>);

impl Visitor for Collect {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        self.0.push((entry.path.to_owned(), entry.offset, bytes));
        Ok(())
    }
}

fn check_all_readers(bytes: &[u8], manifest: &Manifest, plans: &[(&str, &[u8])]) {
    let limits = Limits::default();
    let mut seen = Collect::default();
    let verified = verify(bytes, &limits, &mut seen).unwrap();
    assert_eq!(
        (&verified.manifest, verified.sha256),
        (manifest, sha256(bytes))
    );
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .read_to_end(&mut tar)
        .unwrap();
    assert_eq!(tar.len() as u64, verified.unpacked_bytes);
    let mut input = Cursor::new(bytes);
    let index = Index::open(&mut input, &limits).unwrap();
    for (path, data) in plans {
        let (_, offset, sent) = seen.0.iter().find(|(p, ..)| p == path).unwrap();
        assert!(sent == data, "{path} as visited");
        assert!(
            &tar[*offset as usize..][..data.len()] == *data,
            "{path} in the tar"
        );
        for range in [0..u64::MAX, 1..70_000, 65_535..65_537, 5..5] {
            let mut got = Vec::new();
            index
                .read(&mut input, path, range.clone())
                .unwrap()
                .read_to_end(&mut got)
                .unwrap();
            let (start, end) = (
                (range.start as usize).min(data.len()),
                (range.end as usize).min(data.len()),
            );
            assert!(got == data[start..end], "{path} {range:?}");
        }
        let item = index.item(path).unwrap();
        for block in index.blocks_for(item, 0..u64::MAX) {
            let range = block.compressed.start as usize..block.compressed.end as usize;
            let block_tar = decode_block(&bytes[range], &limits).unwrap();
            assert!(tar[block.uncompressed_start as usize..][..block_tar.len()] == block_tar[..]);
        }
    }
}

fn size() -> impl Strategy<Value = usize> {
    let near = |at: usize| (at - 600)..(at + 600);
    prop_oneof![
        0..2000usize,
        near(65_536),
        near(1 << 20),
        near((1 << 20) + (64 << 10)),
        0..300_000usize
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_sizes_round_trip_and_reseal(sizes in proptest::collection::vec((size(), any::<bool>()), 1..8), dropped in 0usize..8, new in size()) {
        let names: Vec<String> = (0..sizes.len()).map(|n| format!("sos/{}/f{n}", "d".repeat(n * 15))).collect();
        let names: Vec<String> = names.iter().map(|n| n.replace("//", "/")).collect();
        let plans: Vec<Plan<'_>> = sizes.iter().zip(&names).enumerate()
            .map(|(n, ((size, streamed), path))| Plan { path, data: noise(*size, n as u32), streamed: *streamed })
            .collect();
        let (bytes, manifest) = build(&plans);
        let all: Vec<(&str, &[u8])> = plans.iter().map(|p| (p.path, p.data.as_slice())).collect();
        check_all_readers(&bytes, &manifest, &all);

        let gone = names.get(dropped).cloned();
        let other = noise(new, 99);
        let replaced = names.last().cloned().filter(|name| Some(name) != gone.as_ref());
        let mut replace = vec![("meta/consent.json".to_owned(), b"{}".to_vec())];
        replace.extend(replaced.clone().map(|name| (name, other.clone())));
        let edit = Edit { drop: &|item| item.path == gone, replace, note: Some("n".into()), mtime: UtcMs(0) };
        let (out, sealed, manifest) = reseal(&mut Cursor::new(&bytes), Vec::new(), edit, &Limits::default()).unwrap();
        prop_assert_eq!(sealed, Sealed { bytes: out.len() as u64, sha256: sha256(&out) });
        let mut left: Vec<(&str, &[u8])> = all.into_iter().filter(|(path, _)| Some(*path) != gone.as_deref()).collect();
        for (path, data) in &mut left {
            if Some(*path) == replaced.as_deref() { *data = &other; }
        }
        left.push(("meta/consent.json", b"{}"));
        check_all_readers(&out, &manifest, &left);
    }
}

#[test]
fn a_cut_anywhere_is_truncated() {
    let (bytes, _) = small();
    for end in (0..bytes.len())
        .step_by(997)
        .chain(bytes.len() - 80..bytes.len())
    {
        let want = if end < 8 {
            Reason::NotABundle
        } else {
            Reason::Truncated
        };
        let got = reason(&bytes[..end]);
        assert_eq!(got, Some(want), "at {end}");
        assert!(Index::open(&mut Cursor::new(&bytes[..end]), &Limits::default()).is_err());
    }
}

#[test]
fn any_flipped_bit_is_noticed() {
    let (bytes, _) = small();
    for at in (0..bytes.len())
        .step_by(131)
        .chain(0..30)
        .chain(bytes.len() - 60..bytes.len())
    {
        let mut other = bytes.clone();
        other[at] ^= 0x10;
        // XFL and OS of a member mean nothing; the digest of the file still differs.
        if let Ok(verified) = verify(&other[..], &Limits::default(), &mut ()) {
            assert_ne!(verified.sha256, sha256(&bytes), "at {at}");
            assert_eq!(
                verified.manifest,
                verify(&bytes[..], &Limits::default(), &mut ())
                    .unwrap()
                    .manifest
            );
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let (mut bytes, _) = small();
    bytes.push(0);
    assert_eq!(reason(&bytes), Some(Reason::TrailingData));
    bytes.pop();
    let twice = [bytes.clone(), bytes].concat();
    assert_eq!(reason(&twice), Some(Reason::TrailingData));
}

/// Seals content under a manifest that was changed after the honest accounting.
fn lie(change: impl FnOnce(&mut Manifest)) -> Option<Reason> {
    let (bytes, mut manifest) = small();
    change(&mut manifest);
    let index = Index::open(&mut Cursor::new(&bytes), &Limits::default()).unwrap();
    let mut out = bytes[..index.manifest_at as usize].to_vec();
    let json = serde_json::to_vec(&manifest).unwrap();
    let head = header::Head {
        path: "local-h-T/meta/manifest.json".into(),
        kind: header::EntryKind::File,
        target: String::new(),
        size: json.len() as u64,
        mtime: 0,
    };
    let mut tar = head.encode();
    tar.extend_from_slice(&json);
    tar.resize(header::padded(tar.len() as u64) as usize + 1024, 0);
    tar.chunks(BLOCK_BYTES)
        .for_each(|block| out.extend_from_slice(gzip::Packer::new(1).member(block)));
    out.extend_from_slice(&gzip::footer(index.manifest_at));
    reason(&out)
}

#[test]
fn manifests_that_lie_are_refused() {
    assert_eq!(lie(|_| {}), None);
    let mismatch = Some(Reason::ManifestMismatch);
    assert_eq!(
        lie(|m| m.items[0].sha256 = Some(sha256(b"other"))),
        mismatch
    );
    assert_eq!(lie(|m| m.items[0].sha256 = None), mismatch);
    assert_eq!(lie(|m| m.items[1].stored_bytes += 1), mismatch);
    assert_eq!(lie(|m| m.items[1].offset = Some(0)), mismatch);
    assert_eq!(lie(|m| drop(m.items.remove(0))), mismatch);
    assert_eq!(
        lie(|m| m.items.push(item("sos/ghost", Kind::File))),
        mismatch
    );
    assert_eq!(lie(|m| m.items.push(m.items[0].clone())), mismatch);
    assert_eq!(
        lie(|m| m.items[3].link_target = Some("README.txt".into())),
        mismatch
    );
    assert_eq!(lie(|m| m.blocks[1][0] += 1), mismatch);
    assert_eq!(lie(|m| m.blocks.truncate(1)), mismatch);
    assert_eq!(
        lie(|m| m.schema = "x".into()),
        Some(Reason::ManifestInvalid)
    );
    assert_eq!(lie(|m| m.format = 2), Some(Reason::ManifestInvalid));
    assert_eq!(
        lie(|m| m.host = "h".repeat(17 << 20)),
        Some(Reason::LimitManifest)
    );
}

/// Writes a bundle by hand, with names that the writer refuses.
fn raw(entries: &[(&str, &[u8])], manifest: bool) -> Option<Reason> {
    let mut tar = Vec::new();
    let add = |tar: &mut Vec<u8>, path: &str, data: &[u8]| {
        let head = header::Head {
            path: path.into(),
            kind: header::EntryKind::File,
            target: String::new(),
            size: data.len() as u64,
            mtime: 0,
        };
        tar.extend_from_slice(&head.encode());
        tar.extend_from_slice(data);
        tar.resize(header::padded(tar.len() as u64) as usize, 0);
    };
    entries
        .iter()
        .for_each(|(path, data)| add(&mut tar, path, data));
    let at = tar.len();
    if manifest {
        let manifest = Manifest {
            schema: SCHEMA.into(),
            format: 1,
            blocks: if at > 0 { vec![[0, 0]] } else { Vec::new() },
            ..Manifest::default()
        };
        add(
            &mut tar,
            "t/meta/manifest.json",
            &serde_json::to_vec(&manifest).unwrap(),
        );
    }
    tar.resize(tar.len() + 1024, 0);
    let mut packer = gzip::Packer::new(1);
    let mut out = Vec::new();
    if at > 0 {
        out.extend_from_slice(packer.member(&tar[..at]));
    }
    let manifest_at = out.len() as u64;
    out.extend_from_slice(packer.member(&tar[at..]));
    out.extend_from_slice(&gzip::footer(manifest_at));
    reason(&out)
}

#[test]
fn bad_names_are_refused_by_code() {
    let deep = format!("t/{}", ["d"; 65].join("/"));
    let long = format!("t/{}", "n".repeat(300));
    for (names, want) in [
        (vec!["t/../x"], Reason::PathTraversal),
        (vec!["../x/y"], Reason::PathTraversal),
        (vec!["/t/x"], Reason::AbsolutePath),
        (vec!["t//x"], Reason::AbsolutePath),
        (vec!["x"], Reason::BadName),
        (vec!["t/a\u{1b}b"], Reason::BadName),
        (vec![&long], Reason::LimitPath),
        (vec![&deep], Reason::LimitDepth),
        (vec!["t/a", "t/a"], Reason::DuplicateEntry),
        (vec!["t/a/b", "t/a"], Reason::DuplicateEntry),
        (vec!["t/a", "u/b"], Reason::BadName),
        (vec!["t/a"], Reason::ManifestMismatch),
    ] {
        let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"1"[..])).collect();
        assert_eq!(raw(&entries, true), Some(want), "{names:?}");
    }
    assert_eq!(raw(&[], true), None);
    assert_eq!(raw(&[("t/a", b"1")], false), Some(Reason::ManifestMissing));
}

#[test]
fn limits_hold() {
    let (bytes, _) = small();
    let base = Limits::default();
    for (limits, want) in [
        (
            Limits {
                upload_bytes: 1000,
                ..base.clone()
            },
            Reason::UploadTooLarge,
        ),
        (
            Limits {
                unpacked_bytes: 100_000,
                ..base.clone()
            },
            Reason::LimitUnpacked,
        ),
        (
            Limits {
                unpacked_base_bytes: 0,
                unpacked_ratio: 1,
                ..base.clone()
            },
            Reason::LimitUnpacked,
        ),
        (
            Limits {
                entry_bytes: 1000,
                ..base.clone()
            },
            Reason::LimitUnpacked,
        ),
        (
            Limits {
                entries: 2,
                ..base.clone()
            },
            Reason::LimitEntries,
        ),
        (
            Limits {
                manifest_bytes: 100,
                ..base.clone()
            },
            Reason::LimitManifest,
        ),
        (
            Limits {
                component_bytes: 5,
                ..base
            },
            Reason::LimitPath,
        ),
    ] {
        assert_eq!(
            verify(&bytes[..], &limits, &mut ()).unwrap_err().reason,
            want
        );
    }
}

#[test]
fn other_files_are_not_bundles() {
    let mut gz = Vec::new();
    flate2::read::GzEncoder::new(&[7; 3000][..], flate2::Compression::fast())
        .read_to_end(&mut gz)
        .unwrap();
    let mut named = gz.clone();
    named[3] = 8;
    for bytes in [
        &b"plain log line\n"[..],
        b"PK\x03\x04 and so on and on",
        &named,
    ] {
        assert_eq!(reason(bytes), Some(Reason::NotABundle));
    }
}

#[test]
fn the_writer_keeps_its_own_rules() {
    let mut writer = writer();
    assert!(matches!(
        writer.add("../x", b""),
        Err(WriteError::Path { .. })
    ));
    assert!(matches!(
        writer.link("a", "/etc/passwd"),
        Err(WriteError::Path { .. })
    ));
    writer.add("a", b"1").unwrap();
    assert!(matches!(
        writer.add("a", b"2"),
        Err(WriteError::Duplicate { .. })
    ));
    assert!(matches!(
        writer.add("meta/manifest.json", b"2"),
        Err(WriteError::Duplicate { .. })
    ));
    writer.start("b").unwrap();
    assert!(matches!(writer.add("c", b""), Err(WriteError::Order(_))));
    writer.end().unwrap();
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        format: 1,
        ..Manifest::default()
    };
    manifest.items.push(item("a", Kind::File));
    assert!(
        matches!(writer.seal(&mut manifest), Err(WriteError::Unaccounted { path }) if path == "b")
    );
}
