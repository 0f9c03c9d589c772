//! Searching in bundles that were taken in.

use std::io::Write as _;

use super::*;
use crate::bundles::ingest::indexer::Indexer;
use crate::bundles::storage::Derived;
use sitrep_shared::bundle::BlockStream;

/// A store with one bundle of these files.
pub(in crate::bundles::browse) fn stored(
    files: &[(&str, Vec<u8>)],
) -> (tempfile::TempDir, Store, Uuid, BrowseIndex) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bundle = Uuid::now_v7();
    let mut scratch = store.scratch().unwrap();
    let (mut blocks, mut indexer) = (
        BlockStream::new(&mut scratch, 1),
        Indexer::new(1_795_500_000_000),
    );
    for (path, data) in files {
        indexer.begin(path, blocks.position());
        indexer.feed(data);
        blocks.push(data).unwrap();
    }
    let table = blocks.finish().unwrap();
    store.keep(bundle, Derived::Blocks, &scratch).unwrap();
    let index = indexer.finish(&table);
    store
        .write_derived(bundle, Derived::Index, Some(&index))
        .unwrap();
    let index = BrowseIndex::open(store.derived(bundle, Derived::Index).unwrap()).unwrap();
    (folder, store, bundle, index)
}

fn all(of: &(tempfile::TempDir, Store, Uuid, BrowseIndex), search: &Search) -> Vec<Hit> {
    let mut hits = Vec::new();
    run((&of.1, of.2), &of.3, search, &mut |hit| {
        hits.push(hit);
        true
    })
    .unwrap();
    hits
}

/// 30 MB, so that several workers have stretches, with a needle every 10,000 lines.
fn haystack() -> Vec<u8> {
    let mut text = Vec::new();
    for n in 1..=600_000u32 {
        let what = if n % 10_000 == 0 { "needle" } else { "hay" };
        writeln!(text, "Nov 21 14:02:00 h1 app[{n}]: {what} in line {n}").unwrap();
    }
    text
}

#[test]
fn hits_come_in_order_with_their_lines() {
    let big = haystack();
    let of = stored(&[
        ("a/first.log", b"no\nNEEDLE here\r\nno".to_vec()),
        ("b/big.log", big.clone()),
        ("c/binary", b"needle\0".to_vec()),
    ]);
    let hits = all(&of, &Search::new("needle", true, 1000).unwrap());
    assert_eq!(hits.len(), 61);
    assert_eq!((hits[0].line, hits[0].text.as_str()), (2, "NEEDLE here"));
    for (place, hit) in hits[1..].iter().enumerate() {
        let line = (place as u64 + 1) * 10_000;
        assert_eq!((hit.line, hit.path.as_str()), (line, "b/big.log"));
        assert!(hit.text.ends_with(&format!("line {line}")), "{}", hit.text);
        let at = usize::try_from(hit.offset).unwrap();
        assert!(big[at..].starts_with(hit.text.as_bytes()));
    }
    let mut below = Search::new("(?i)needle", false, 1000).unwrap();
    below.below = "a/".to_owned();
    assert_eq!(all(&of, &below).len(), 1);
    assert_eq!(
        all(&of, &Search::new("^Nov.*needle", false, 7).unwrap()).len(),
        7
    );
}

#[test]
fn a_line_is_one_hit_and_empty_matches_end() {
    let of = stored(&[("a", b"xx xx\n\nyy\n".to_vec())]);
    assert_eq!(all(&of, &Search::new("x", false, 9).unwrap()).len(), 1);
    let lines: Vec<u64> = all(&of, &Search::new("^", false, 9).unwrap())
        .iter()
        .map(|hit| hit.line)
        .collect();
    assert_eq!(lines, [1, 2, 3]);
    let long = vec![b'z'; 3 << 20];
    let of = stored(&[("a", [&long[..], b"needle\n"].concat())]);
    assert_eq!(all(&of, &Search::new("needle", false, 9).unwrap()).len(), 1);
}

#[test]
fn who_has_enough_ends_it() {
    let of = stored(&[("b", haystack())]);
    let mut seen = 0;
    let search = Search::new("hay", false, 1_000_000).unwrap();
    run((&of.1, of.2), &of.3, &search, &mut |_| {
        seen += 1;
        seen < 3
    })
    .unwrap();
    assert_eq!(seen, 3);
}

#[test]
fn patterns_that_are_none_are_refused() {
    for pattern in ["", "(", "a{1000}{1000}", &"x".repeat(2000)] {
        assert!(Search::new(pattern, false, 1).is_err(), "{pattern}");
    }
}

#[test]
fn a_file_of_a_sos_report_is_found_by_the_name_that_findings_have_for_it() {
    let of = stored(&[
        (
            "sosreport-h1-2026-11-21-abc/var/log/syslog",
            b"a\n".to_vec(),
        ),
        ("sosreport-h1-2026-11-21-abc/etc/fstab", b"b\n".to_vec()),
    ]);
    for path in ["sos/etc/fstab", "sosreport-h1-2026-11-21-abc/etc/fstab"] {
        assert_eq!(of.3.find(path).unwrap().fid, 1, "{path}");
    }
    assert!(of.3.find("sos/etc/passwd").is_err());
}
