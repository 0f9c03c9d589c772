//! The loader of redaction rules on any bytes: a family, own words and own patterns are refused or work;
//! nothing panics, and what is built redacts a text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitrep_shared::redact::{Family, FileContext, Level, RedactorBuilder};

const TEXT: &[u8] = b"user=app password=hunter2hunter2 abc ABC-123 https://u:p4ss@h/x 10.1.2.3 a@b.cd\n";

fuzz_target!(|input: &[u8]| {
    let cut = input.iter().position(|b| *b == 0).unwrap_or(input.len());
    let (json, rest) = input.split_at(cut);
    let mut builder = RedactorBuilder::new(Level::Strict, [3; 32]);
    if let Ok(family) = Family::parse(json) {
        builder = builder.family(family);
    }
    let text = String::from_utf8_lossy(rest);
    let lines: Vec<&str> = text.split('\n').filter(|l| l.len() < 200).take(8).collect();
    let (words, patterns) = lines.split_at(lines.len() / 2);
    let built = builder
        .words(words.iter().copied())
        .patterns(patterns.iter().copied())
        .build();
    if let Ok(redactor) = built {
        for text in [TEXT, input] {
            let _ = redactor.all(FileContext { path: "etc/x.yaml" }, text);
        }
    }
});
