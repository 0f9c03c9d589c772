//! What holds for the whole engine: the families' examples, the same result whatever the chunk
//! size, twice is once, encodings and line ends kept, bounded and linear on hostile input.

use super::*;
use proptest::prelude::*;

fn redactor(level: Level) -> Redactor {
    RedactorBuilder::new(level, [3; 32])
        .build()
        .expect("the built-in rules compile")
}

fn text(redactor: &Redactor, path: &str, input: &[u8]) -> Vec<u8> {
    redactor
        .all(FileContext { path }, input)
        .expect("redacted")
        .0
}

/// Runs in chunks of the given sizes, again and again.
fn chunked(redactor: &Redactor, path: &str, input: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut out, mut stream, mut at, mut n) =
        (Vec::new(), redactor.stream(FileContext { path }), 0, 0);
    while at < input.len() {
        let end = input.len().min(at + sizes[n % sizes.len()].max(1));
        stream.push(&input[at..end], &mut out).expect("pushed");
        (at, n) = (end, n + 1);
    }
    stream.finish(&mut out).expect("finished");
    out
}

#[test]
fn the_examples_of_every_family_hold() {
    for family in families() {
        let redactor = redactor(family.level);
        for example in &family.examples {
            let path = example.file.as_deref().unwrap_or("etc/app.conf");
            let out = text(&redactor, path, example.text.as_bytes());
            let shown = String::from_utf8_lossy(&out);
            for gone in &example.gone {
                assert!(
                    !shown.contains(gone.as_str()),
                    "{}: {gone} is left in\n{shown}",
                    family.family
                );
            }
            for kept in &example.kept {
                assert!(
                    shown.contains(kept.as_str()),
                    "{}: {kept} is lost in\n{shown}",
                    family.family
                );
            }
            if example.gone.is_empty() {
                assert_eq!(shown, example.text, "{}: changed", family.family);
            }
            let again = text(&redactor, path, &out);
            assert_eq!(
                String::from_utf8_lossy(&again),
                shown,
                "{}: not the same twice",
                family.family
            );
            let lines = |b: &[u8]| b.iter().filter(|b| **b == b'\n').count();
            assert_eq!(
                lines(&out),
                lines(example.text.as_bytes()),
                "{}: lines",
                family.family
            );
        }
    }
}

/// Pieces that hostile and ordinary files are made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("password = ".to_owned()),
        Just("\"api_key\": \"".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("  - ".to_owned()),
        Just("token: |\n    ".to_owned()),
        Just("data:\n".to_owned()),
        Just("kind: Secret\n".to_owned()),
        Just("-----BEGIN RSA PRIVATE KEY-----\n".to_owned()),
        Just("-----END RSA PRIVATE KEY-----\n".to_owned()),
        Just("https://user:pa55@host/".to_owned()),
        Just("ghp_0123456789abcdefghijABCDEFGHIJ012345".to_owned()),
        Just("10.1.2.3 fe80::1 00:1a:2b:3c:4d:5e a.b@example.com ".to_owned()),
        Just("<password>".to_owned()),
        Just("Authorization: Bearer ".to_owned()),
        "[a-zA-Z0-9+/=]{1,40}",
        "[ -~]{0,30}",
        "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunk_sizes_do_not_matter(pieces in prop::collection::vec(piece(), 0..60), sizes in prop::collection::vec(1usize..700, 1..4), repeat in 1usize..200, strict: bool) {
        let redactor = redactor(if strict { Level::Strict } else { Level::Standard });
        let input = pieces.concat().repeat(repeat);
        let whole = text(&redactor, "etc/x.yaml", input.as_bytes());
        prop_assert_eq!(chunked(&redactor, "etc/x.yaml", input.as_bytes(), &sizes), whole);
    }

    #[test]
    fn twice_is_once(lines in prop::collection::vec(line(), 0..40), strict: bool) {
        let redactor = redactor(if strict { Level::Strict } else { Level::Standard });
        let once = text(&redactor, "etc/x.yaml", lines.concat().as_bytes());
        let twice = text(&redactor, "etc/x.yaml", &once);
        prop_assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once));
    }
}

/// A line, or some that belong together, as files and logs have them.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("password"),
        Just("db.secret"),
        Just("API_TOKEN"),
        Just("name"),
        Just("x-api-key"),
        Just("cookie"),
        Just("auth")
    ];
    let value = prop_oneof![
        "[a-zA-Z0-9!#$%*+/=_.-]{1,30}",
        "[a-z]{1,8}( [a-z]{1,8}){0,4}",
        "10\\.[1-9][0-9]?\\.[0-9]\\.[1-9]",
        "[a-z]{3,8}@[a-z]{3,8}\\.com"
    ];
    let join = prop_oneof![Just(" = "), Just("="), Just(": "), Just(" "), Just("=\"")];
    let head = prop_oneof![
        Just(""),
        Just("  "),
        Just("Jan  7 04:00:01 web app[7]: "),
        Just("# "),
        Just("export "),
        Just("- ")
    ];
    let pair = (head, key, join, value).prop_map(|(h, k, j, v)| {
        let close = if j.ends_with('"') { "\"" } else { "" };
        format!("{h}{k}{j}{v}{close}\n")
    });
    prop_oneof![
        4 => pair,
        1 => Just("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA9NEUXp78SAkmL4\nAbcd==\n-----END RSA PRIVATE KEY-----\n".to_owned()),
        1 => Just("https://user:pa55word@host.example.com:80/x?token=abcdef99&b=1\n".to_owned()),
        1 => Just("from 10.1.2.3 to fe80::1:2 with 00:1a:2b:3c:4d:5e in host web1.corp.net\n".to_owned()),
        1 => Just("data:\n  a: QUJD\nkind: Secret\n".to_owned()),
        1 => Just("<password>hunter2</password>\n".to_owned()),
    ]
}

#[test]
fn a_reversed_address_can_be_joined_with_its_own() {
    let redactor = redactor(Level::Strict);
    let out = text(
        &redactor,
        "x",
        b"3.2.1.10.in-addr.arpa 10.1.2.3 2.1.10.in-addr.arpa\n",
    );
    let out = String::from_utf8(out).expect("text");
    let words: Vec<&str> = out.split_whitespace().collect();
    let back = |name: &str| -> Vec<String> {
        let numbers = name.trim_end_matches(".in-addr.arpa");
        let mut parts: Vec<String> = numbers.split('.').map(str::to_owned).collect();
        parts.reverse();
        parts
    };
    assert_eq!(back(words[0]).join("."), words[1], "{out}");
    assert_eq!(
        back(words[2]).join("."),
        words[1].rsplit_once('.').expect("dots").0
    );
    let digits = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.2.3.4.b.0.0.0.8.b.d.0.1.0.0.2";
    let both = format!("{digits}.ip6.arpa 2001:db8:b:4321:1::1 2001:db8:b:4321::1\n");
    let out = text(&redactor, "x", both.as_bytes());
    let out = String::from_utf8(out).expect("text");
    let words: Vec<&str> = out.split_whitespace().collect();
    let other = format!("{}.ip6.arpa", words[1]);
    assert_eq!(words[0], format!("{}.ip6.arpa", words[2]), "{out}");
    assert_ne!(words[0], other, "{out}");
}

#[test]
fn hostile_lines_are_quick() {
    let redactor = redactor(Level::Strict);
    for piece in [
        "password=",
        "<password>",
        "://",
        "\"key\":\"",
        "curl -u ",
        "data: {",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "a.b.",
        "a:b@c:80",
        "::1",
        "[{\"token\":[",
    ] {
        let line = piece.repeat((1 << 18) / piece.len());
        let start = std::time::Instant::now();
        text(&redactor, "x.log", line.as_bytes());
        // Generous: an unoptimised build on a busy machine. Quadratic work takes minutes.
        assert!(start.elapsed().as_secs() < 10, "{piece}");
    }
}

#[test]
fn encodings_and_line_ends_are_kept() {
    let redactor = redactor(Level::Standard);
    for (name, input) in [
        ("mark", "\u{feff}password = hunter2hunter2\n"),
        ("windows", "a=1\r\npassword = hunter2hunter2\r\nb=2\r\n"),
        ("old mac", "a=1\rpassword = hunter2hunter2\rb=2\r"),
        ("no end", "b=2\npassword = hunter2hunter2"),
    ] {
        let out = String::from_utf8(text(&redactor, "etc/x", input.as_bytes())).expect("text");
        assert!(!out.contains("hunter2"), "{name}: {out:?}");
        let expected = input.split("hunter2hunter2").collect::<Vec<_>>();
        assert!(
            out.starts_with(expected[0]) && out.ends_with(expected[1]),
            "{name}: {out:?}"
        );
    }
    for little in [true, false] {
        let encode = |s: &str| -> Vec<u8> {
            s.encode_utf16()
                .flat_map(|u| {
                    if little {
                        u.to_le_bytes()
                    } else {
                        u.to_be_bytes()
                    }
                })
                .collect()
        };
        let input = encode("\u{feff}user=ä\r\npassword = hunter2hunter2\r\n");
        let out = text(&redactor, "etc/x", &input);
        assert!(out.starts_with(&encode("\u{feff}user=ä\r\npassword = REMOVED-pass-")));
        assert!(out.ends_with(&encode("\r\n")));
    }
}

#[test]
fn compressed_files_are_redacted_inside_or_refused() {
    use std::io::{Read, Write};
    let redactor = redactor(Level::Standard);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"x\npassword = hunter2hunter2\n")
        .expect("packed");
    let out = text(&redactor, "var/log/x.1.gz", &gz.finish().expect("packed"));
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&out[..])
        .read_to_string(&mut plain)
        .expect("gzip again");
    assert!(plain.starts_with("x\npassword = REMOVED-pass-"), "{plain}");
    for refused in [
        &b"\xfd7zXZ\0rest"[..],
        b"\x28\xb5\x2f\xfdrest",
        b"PK\x03\x04rest",
        b"\x1f\x8b\x08broken",
        b"\xff\xfea\xd8b",
    ] {
        assert!(
            redactor.all(FileContext { path: "x" }, refused).is_err(),
            "{refused:?}"
        );
    }
}

#[test]
fn a_line_without_end_is_bounded_and_clean() {
    let redactor = redactor(Level::Strict);
    let mut stream = redactor.stream(FileContext { path: "x" });
    let (mut out, mut largest, mut total) = (Vec::new(), 0, 0);
    for n in 0..200 {
        let mut chunk = vec![b'a' + (n % 26) as u8; 64 * 1024];
        chunk[100..130].copy_from_slice(b" password=hunter2hunter2 rest ");
        stream.push(&chunk, &mut out).expect("pushed");
        assert!(!out.windows(7).any(|w| w == b"hunter2"));
        largest = largest.max(out.len());
        total += out.len();
        out.clear();
    }
    stream.finish(&mut out).expect("finished");
    assert!(largest < 1024 * 1024 && total > 10 * 1024 * 1024);
}

#[test]
fn a_value_longer_than_the_window_goes_whole() {
    let redactor = redactor(Level::Standard);
    let long = "Ab1/".repeat(100_000);
    let out = text(
        &redactor,
        "x.json",
        format!("{{\"password\": \"{long}\", \"b\": 2}}\n").as_bytes(),
    );
    let out = String::from_utf8(out).expect("text");
    assert!(
        out.len() < 200 && out.ends_with("\", \"b\": 2}\n"),
        "{}",
        &out[..out.len().min(300)]
    );
}

#[test]
fn counts_and_places_are_reported() {
    let redactor = redactor(Level::Standard);
    let (_, report) = redactor
        .all(
            FileContext { path: "x" },
            b"a\npassword = hunter2hunter2\n\nhttps://u:pa55word@h/\n",
        )
        .expect("redacted");
    assert_eq!(report.total, 2);
    assert_eq!(report.by_rule.get("keys.password"), Some(&1));
    let places: Vec<_> = report
        .places
        .iter()
        .map(|p| (p.line, p.rule.as_str()))
        .collect();
    assert_eq!(places, [(2, "keys.password"), (4, "url")]);
}

#[test]
fn names_and_own_words_go() {
    let redactor = RedactorBuilder::new(Level::Standard, [1; 32])
        .words(["Projekt Adler"])
        .patterns([r"ACME-\d{4}"])
        .build()
        .expect("compiles");
    let out = text(&redactor, "x", b"about projekt adler and ACME-1234.\n");
    assert!(
        !String::from_utf8_lossy(&out)
            .to_lowercase()
            .contains("adler")
    );
    assert!(!String::from_utf8_lossy(&out).contains("ACME-1234"));
    assert!(
        !redactor
            .name("x/ghp_0123456789abcdefghijABCDEFGHIJ012345/y")
            .contains("ghp_")
    );
    assert_eq!(redactor.name("var/log/syslog"), "var/log/syslog");
    assert!(
        RedactorBuilder::new(Level::Standard, [1; 32])
            .patterns(["("])
            .build()
            .is_err()
    );
    assert!(
        RedactorBuilder::new(Level::Standard, [1; 32])
            .patterns(["a*"])
            .build()
            .is_err()
    );
}
