//! What kind of bytes a file has: plain (any ASCII superset), UTF-16, or compressed.
//!
//! UTF-16 is worked on as UTF-8 and written as UTF-16 again. gzip is opened and closed again.
//! Other compressed data is refused: nobody can say what is in it.

use crate::redact::RedactError;
use crate::redact::redactor::Rules;
use crate::redact::stream::Engine;
use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};
use std::io::Write;

/// Bytes that decide about the encoding.
const SNIFF: usize = 512;

/// Where the bytes of one file go through before the engine sees them.
pub(crate) enum Decoder {
    /// Gathering the first bytes.
    Sniff(Vec<u8>),
    /// Bytes as they are.
    Plain,
    /// UTF-16 with the odd byte or half pair left over.
    Utf16 {
        little: bool,
        rest: Vec<u8>,
        held: Vec<u8>,
    },
    /// gzip, with what is inside.
    Gzip(Box<Gzip>),
}

/// An opened gzip file.
pub(crate) struct Gzip {
    unpack: MultiGzDecoder<Vec<u8>>,
    inner: Decoder,
    pack: GzEncoder<Vec<u8>>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self::Sniff(Vec::new())
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
        engine: &mut Engine,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        match self {
            Self::Sniff(head) => {
                let need = SNIFF.saturating_sub(head.len()).min(bytes.len());
                head.extend_from_slice(&bytes[..need]);
                if head.len() < SNIFF {
                    return Ok(());
                }
                let head = std::mem::take(head);
                *self = sniff(&head)?;
                self.push(&head, rules, engine, out)?;
                self.push(&bytes[need..], rules, engine, out)
            }
            Self::Plain => {
                engine.feed(rules, bytes, out);
                Ok(())
            }
            Self::Utf16 { little, rest, held } => {
                rest.extend_from_slice(bytes);
                let keep = utf16_tail(rest, *little);
                let text = utf16_text(&rest[..rest.len() - keep], *little)?;
                rest.drain(..rest.len() - keep);
                engine.feed(rules, text.as_bytes(), held);
                write_utf16(held, *little, out)
            }
            Self::Gzip(gzip) => gzip.push(bytes, rules, engine, out),
        }
    }

    pub(crate) fn finish(
        &mut self,
        rules: &Rules,
        engine: &mut Engine,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        match self {
            Self::Sniff(head) => {
                let head = std::mem::take(head);
                *self = sniff(&head)?;
                self.push(&head, rules, engine, out)?;
                self.finish(rules, engine, out)
            }
            Self::Plain => {
                engine.end(rules, out);
                Ok(())
            }
            Self::Utf16 { little, rest, held } => {
                if !rest.is_empty() {
                    return Err(RedactError::Encoding("UTF-16"));
                }
                engine.end(rules, held);
                write_utf16(held, *little, out)?;
                if held.is_empty() {
                    Ok(())
                } else {
                    Err(RedactError::Encoding("UTF-16"))
                }
            }
            Self::Gzip(gzip) => gzip.finish(rules, engine, out),
        }
    }
}

impl Gzip {
    fn push(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
        engine: &mut Engine,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        // Small steps: a bomb must not fill the memory.
        for step in bytes.chunks(1024) {
            self.unpack.write_all(step).map_err(damaged)?;
            self.forward(rules, engine, out)?;
        }
        Ok(())
    }

    fn forward(
        &mut self,
        rules: &Rules,
        engine: &mut Engine,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        let plain = std::mem::take(self.unpack.get_mut());
        let mut clean = Vec::new();
        self.inner.push(&plain, rules, engine, &mut clean)?;
        self.close(&clean, out)
    }

    fn close(&mut self, clean: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        self.pack.write_all(clean).map_err(damaged)?;
        out.append(self.pack.get_mut());
        Ok(())
    }

    fn finish(
        &mut self,
        rules: &Rules,
        engine: &mut Engine,
        out: &mut Vec<u8>,
    ) -> Result<(), RedactError> {
        self.unpack.try_finish().map_err(damaged)?;
        self.forward(rules, engine, out)?;
        let mut clean = Vec::new();
        self.inner.finish(rules, engine, &mut clean)?;
        self.close(&clean, out)?;
        self.pack.try_finish().map_err(damaged)?;
        out.append(self.pack.get_mut());
        Ok(())
    }
}

fn damaged(e: std::io::Error) -> RedactError {
    RedactError::Damaged(e.to_string())
}

fn sniff(head: &[u8]) -> Result<Decoder, RedactError> {
    const REFUSED: &[(&[u8], &str)] = &[
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"LZIP", "lzip"),
    ];
    if head.starts_with(b"\x1f\x8b\x08") {
        return Ok(Decoder::Gzip(Box::new(Gzip {
            unpack: MultiGzDecoder::new(Vec::new()),
            inner: Decoder::new(),
            pack: GzEncoder::new(Vec::new(), Compression::new(6)),
        })));
    }
    if let Some((_, name)) = REFUSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        let third_is_level =
            head.get(3).is_some_and(u8::is_ascii_digit) && head.get(4) == Some(&0x31);
        if *name != "bzip2" || third_is_level {
            return Err(RedactError::Compressed(name));
        }
    }
    if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
        return Err(RedactError::Encoding("UTF-32"));
    }
    Ok(match utf16_order(head) {
        Some(little) => Decoder::Utf16 {
            little,
            rest: Vec::new(),
            held: Vec::new(),
        },
        None => Decoder::Plain,
    })
}

/// Whether text is UTF-16, by its mark or by zeros in every second place.
fn utf16_order(head: &[u8]) -> Option<bool> {
    match head {
        [0xff, 0xfe, ..] => return Some(true),
        [0xfe, 0xff, ..] => return Some(false),
        _ if head.len() < 8 => return None,
        _ => {}
    }
    let zeros = |odd: usize| {
        head.iter()
            .skip(odd)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let text = |odd: usize| {
        head.iter()
            .skip(odd)
            .step_by(2)
            .filter(|b| (0x20..0x7f).contains(*b) || b.is_ascii_whitespace())
            .count()
    };
    let half = head.len() / 2;
    let most = half - half / 8;
    if zeros(1) >= most && text(0) >= most {
        Some(true)
    } else if zeros(0) >= most && text(1) >= most {
        Some(false)
    } else {
        None
    }
}

fn unit(pair: &[u8], little: bool) -> u16 {
    if little {
        u16::from_le_bytes([pair[0], pair[1]])
    } else {
        u16::from_be_bytes([pair[0], pair[1]])
    }
}

/// Bytes at the end that are not a whole character yet.
fn utf16_tail(bytes: &[u8], little: bool) -> usize {
    let odd = bytes.len() % 2;
    let even = bytes.len() - odd;
    match even.checked_sub(2).map(|i| unit(&bytes[i..even], little)) {
        Some(0xd800..=0xdbff) => odd + 2,
        _ => odd,
    }
}

fn utf16_text(bytes: &[u8], little: bool) -> Result<String, RedactError> {
    let units = bytes.chunks_exact(2).map(|p| unit(p, little));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .map_err(|_| RedactError::Encoding("UTF-16"))
}

/// Writes the whole characters of `held` as UTF-16 and leaves a cut one for the next time.
fn write_utf16(held: &mut Vec<u8>, little: bool, out: &mut Vec<u8>) -> Result<(), RedactError> {
    let good = match std::str::from_utf8(held) {
        Ok(_) => held.len(),
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        Err(_) => return Err(RedactError::Encoding("UTF-16")),
    };
    let text = std::str::from_utf8(&held[..good]).map_err(|_| RedactError::Encoding("UTF-16"))?;
    for u in text.encode_utf16() {
        out.extend_from_slice(&if little {
            u.to_le_bytes()
        } else {
            u.to_be_bytes()
        });
    }
    held.drain(..good);
    Ok(())
}
