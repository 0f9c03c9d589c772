//! The redaction engine on any bytes: it does not panic, gives the same wherever the window's edge falls
//! and however the bytes are cut, and changes nothing the second time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitrep_shared::redact::{FileContext, Level, Redactor, RedactorBuilder};
use std::sync::LazyLock;

/// Where the engine first stops to look, in bytes.
const EDGE: usize = 264 * 1024;
/// Names that choose between formats.
const PATHS: [&str; 6] = [
    "etc/app/app.conf",
    "etc/app/x.yaml",
    "var/log/app.log",
    "network/cisco/running-config",
    "etc/shadow",
    "proc/net/tcp",
];

static REDACTORS: LazyLock<[Redactor; 2]> = LazyLock::new(|| {
    [Level::Standard, Level::Strict].map(|level| {
        RedactorBuilder::new(level, [3; 32])
            .build()
            .expect("the built-in rules compile")
    })
});

fuzz_target!(|input: (u8, u8, u16, Vec<u8>)| {
    let (level, path, cut, text) = input;
    let redactor = &REDACTORS[usize::from(level % 2)];
    let path = PATHS[usize::from(path) % PATHS.len()];
    // Text that some encoding could claim is not what this is about.
    if text.len() < 8 || text.iter().any(|b| *b == 0 || *b > 0x7e) || text.starts_with(b"BZh") {
        return;
    }
    let once = all(redactor, path, &text, usize::MAX);
    assert_eq!(
        String::from_utf8_lossy(&all(redactor, path, &text, usize::from(cut).max(1))),
        String::from_utf8_lossy(&once),
        "cut differently"
    );
    let twice = all(redactor, path, &once, usize::MAX);
    assert_eq!(
        String::from_utf8_lossy(&twice),
        String::from_utf8_lossy(&once),
        "changed twice"
    );
    // The same text across the edge of the window, behind lines that say nothing.
    let before = EDGE - usize::from(cut) % text.len().min(EDGE);
    let mut far = b"zzzzzzz\n".repeat(before / 8);
    far.extend(std::iter::repeat_n(b'\n', before % 8));
    let head = far.clone();
    far.extend_from_slice(&text);
    let out = all(redactor, path, &far, usize::MAX);
    if path != "etc/shadow" {
        assert!(out.starts_with(&head), "lines that say nothing are changed");
    }
    let tail = &out[out.len().saturating_sub(once.len())..];
    if out.len() == head.len() + once.len() {
        assert_eq!(
            String::from_utf8_lossy(tail),
            String::from_utf8_lossy(&once),
            "the window's edge matters"
        );
    }
});

/// Redacts a text in pieces of `cut` bytes.
fn all(redactor: &Redactor, path: &str, text: &[u8], cut: usize) -> Vec<u8> {
    let (mut out, mut stream) = (Vec::new(), redactor.stream(FileContext { path }));
    for piece in text.chunks(cut.min(text.len()).max(1)) {
        stream.push(piece, &mut out).expect("plain text");
    }
    stream.finish(&mut out).expect("plain text");
    out
}
