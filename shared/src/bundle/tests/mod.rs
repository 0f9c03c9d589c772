//! Format 1 as a whole: written, read in every way, cut, changed, resealed.

use std::io::{BufRead, Cursor, Read as _};

use proptest::prelude::*;

use super::limits::{Limits, Reason, Reject};
use super::manifest::{Item, Kind, Manifest, Outcome, SCHEMA};
use super::reader::{Entry, Index, Visitor, decode_block, verify};
use super::*;
use crate::hash::sha256;
use crate::time::UtcMs;

mod lies;

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
        let edit = Edit { drop: &|item| item.path == gone, replace, note: Some("n".into()), redaction_level: None, mtime: UtcMs(0) };
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
