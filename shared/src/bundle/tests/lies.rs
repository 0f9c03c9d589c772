//! Bundles that lie, and files that are none.

use super::*;

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
