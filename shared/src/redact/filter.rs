//! The literal filter: finds the anchors of all rules in one pass over the bytes.
//!
//! Each literal is represented by one of its three-byte grams, ASCII case folded; a 16 KiB bit
//! table says for each position whether any literal can be there. Only positions that pass are
//! compared with the literals. Nothing is allocated while scanning.

/// A literal and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Literal {
    /// Bytes; lower-case when `fold`.
    pub bytes: Vec<u8>,
    /// Compare without ASCII case.
    pub fold: bool,
    /// Given back with each hit.
    pub tag: Anchor,
}

/// What an anchor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// A key word.
    Key,
    /// `://`.
    Url,
    /// A well-known token, by number of its rule.
    Token(u16),
    /// `-----BEGIN`.
    Pem,
    /// A word that opens a form of its own, by number of the form.
    Form(u8),
    /// A customer's own word or a learned name, by number.
    Name(u32),
    /// A byte that belongs to identifiers (strict): `.`, `:`, `@`.
    Byte(u8),
}

/// An anchor found at `at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub at: usize,
    pub len: usize,
    pub tag: Anchor,
}

/// Few positions that hold no literal pass; the table still fits the first cache.
const BITS: u32 = 17;

/// Grams that begin and end in a word of eight bytes.
const STRIDE: usize = 6;

/// One literal by its gram.
struct Gram {
    gram: u32,
    /// The literal's first four bytes, folded, and which of them it has.
    head: u32,
    mask: u32,
    /// Where in the literal the gram is.
    offset: u8,
    /// The literal.
    literal: u16,
}

/// The compiled filter.
pub(crate) struct Filter {
    literals: Vec<Literal>,
    table: Box<[u64; 1 << (BITS - 6)]>,
    /// Sorted by hash of the gram.
    grams: Vec<Gram>,
    /// Bucket starts in `grams`, by hash.
    buckets: Vec<u16>,
}

#[inline(always)]
fn gram(w: u32) -> u32 {
    (w | 0x0020_2020) & 0x00ff_ffff
}

#[inline(always)]
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

/// How common a folded byte is in logs; the rarest gram of a literal represents it.
fn weight(b: u8) -> u32 {
    match b {
        b'e' | b'a' | b'o' | b't' | b'i' | b'n' | b'r' | b's' | b' ' | b'0'..=b'9' => 8,
        b'd' | b'c' | b'l' | b'u' | b'm' | b'p' | b'.' | b':' | b'-' | b'f' | b'b' => 6,
        b'g' | b'h' | b'/' | b'v' | b'=' | b'_' | b'\x7f' => 4,
        _ => 2,
    }
}

impl Filter {
    /// Compiles literals of at least three bytes.
    pub(crate) fn new(literals: Vec<Literal>) -> Self {
        let mut table = Box::new([0u64; 1 << (BITS - 6)]);
        let mut grams = Vec::with_capacity(literals.len());
        for (n, lit) in literals.iter().enumerate() {
            let best = lit
                .bytes
                .windows(3)
                .enumerate()
                .min_by_key(|(_, w)| w.iter().map(|b| weight(b | 0x20)).sum::<u32>());
            let Some((at, w)) = best else { continue };
            let g = gram(u32::from_le_bytes([w[0], w[1], w[2], 0]));
            let h = hash(g);
            table[h >> 6] |= 1 << (h & 63);
            let four = [0, 1, 2, 3].map(|i| lit.bytes.get(i).copied());
            grams.push(Gram {
                gram: g,
                head: u32::from_le_bytes(four.map(|b| b.map_or(0, |b| b | 0x20))),
                mask: u32::from_le_bytes(four.map(|b| if b.is_some() { 0xff } else { 0 })),
                offset: at as u8,
                literal: n as u16,
            });
        }
        // Longest first, so that the most telling literal of a position wins.
        grams.sort_by_key(|g| {
            (
                hash(g.gram),
                g.gram,
                std::cmp::Reverse(literals[g.literal as usize].bytes.len()),
                g.offset,
            )
        });
        let mut buckets = vec![0u16; (1 << BITS) + 1];
        for g in &grams {
            buckets[hash(g.gram) + 1] += 1;
        }
        for i in 1..buckets.len() {
            buckets[i] += buckets[i - 1];
        }
        Self {
            literals,
            table,
            grams,
            buckets,
        }
    }

    /// Next position in `from..to` whose gram may belong to a literal.
    #[inline]
    pub(crate) fn next_gram(&self, buf: &[u8], from: usize, to: usize) -> Option<usize> {
        let to = to.min(buf.len().saturating_sub(2));
        let mut i = from;
        // Eight bytes hold six grams. They are looked up together, since hardly any of them is known.
        while let Some(eight) = buf.get(i..to + 2).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_le_bytes(*eight);
            let mut known = (0..STRIDE).fold(0u32, |known, n| known | self.knows(word, n) << n);
            while known != 0 {
                let n = known.trailing_zeros() as usize;
                let h = hash(gram((word >> (8 * n)) as u32));
                if self.plausible(buf, i + n, h) {
                    return Some(i + n);
                }
                known &= known - 1;
            }
            i += STRIDE;
        }
        while i < to {
            let h = hash(gram(u32::from_le_bytes([
                buf[i],
                buf[i + 1],
                buf[i + 2],
                0,
            ])));
            if self.table[h >> 6] >> (h & 63) & 1 != 0 {
                return Some(i);
            }
            i += 1;
        }
        None
    }

    /// 1 when the gram that begins at byte `n` of a word may belong to a literal.
    #[inline(always)]
    fn knows(&self, word: u64, n: usize) -> u32 {
        let h = hash(gram((word >> (8 * n)) as u32));
        (self.table[h >> 6] >> (h & 63)) as u32 & 1
    }

    /// Whether a literal with this very gram begins as the bytes there do.
    #[inline]
    fn plausible(&self, buf: &[u8], at: usize, h: usize) -> bool {
        let w = gram(u32::from_le_bytes([buf[at], buf[at + 1], buf[at + 2], 0]));
        let (first, end) = (self.buckets[h] as usize, self.buckets[h + 1] as usize);
        self.grams[first..end].iter().any(|entry| {
            if entry.gram != w {
                return false;
            }
            let start = at.wrapping_sub(entry.offset as usize);
            let Some(four) = buf.get(start..).and_then(|b| b.get(..4)) else {
                return at >= entry.offset as usize;
            };
            let four = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            (four | 0x2020_2020) & entry.mask == entry.head & entry.mask
        })
    }

    /// The next literal that is really at gram position `at`; `skip` says where to go on.
    pub(crate) fn confirm(&self, buf: &[u8], at: usize, skip: usize) -> Option<(usize, Hit)> {
        let g = gram(u32::from_le_bytes([buf[at], buf[at + 1], buf[at + 2], 0]));
        let h = hash(g);
        let (first, end) = (
            self.buckets[h] as usize + skip,
            self.buckets[h + 1] as usize,
        );
        for (i, entry) in self.grams.get(first..end)?.iter().enumerate() {
            if entry.gram != g {
                continue;
            }
            let Some(start) = at.checked_sub(entry.offset as usize) else {
                continue;
            };
            if let Some(four) = buf.get(start..start + 4) {
                let four = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                if (four | 0x2020_2020) & entry.mask != entry.head & entry.mask {
                    continue;
                }
            }
            let lit = &self.literals[entry.literal as usize];
            let Some(part) = buf.get(start..start + lit.bytes.len()) else {
                continue;
            };
            let same = if lit.fold {
                part.eq_ignore_ascii_case(&lit.bytes)
            } else {
                part == lit.bytes
            };
            if same {
                return Some((
                    skip + i + 1,
                    Hit {
                        at: start,
                        len: lit.bytes.len(),
                        tag: lit.tag,
                    },
                ));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(s: &str, fold: bool, n: u16) -> Literal {
        Literal {
            bytes: s.as_bytes().to_vec(),
            fold,
            tag: Anchor::Token(n),
        }
    }

    fn all(filter: &Filter, text: &[u8]) -> Vec<(usize, Anchor)> {
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(at) = filter.next_gram(text, from, text.len()) {
            let mut skip = 0;
            while let Some((next, hit)) = filter.confirm(text, at, skip) {
                found.push((hit.at, hit.tag));
                skip = next;
            }
            from = at + 1;
        }
        found
    }

    #[test]
    fn finds_every_literal_wherever_it_stands() {
        let filter = Filter::new(vec![
            lit("pass", true, 0),
            lit("AKIA", false, 1),
            lit("://", false, 2),
            lit("passwd", true, 3),
        ]);
        for (text, expected) in [
            ("pass", vec![(0, 0)]),
            ("xPaSs", vec![(1, 0)]),
            ("AKIA", vec![(0, 1)]),
            ("akia", vec![]),
            ("a://b", vec![(1, 2)]),
            ("PASSWD", vec![(0, 3), (0, 0)]),
            ("pas", vec![]),
            ("", vec![]),
        ] {
            let mut got = all(&filter, text.as_bytes());
            let mut expected: Vec<_> = expected
                .into_iter()
                .map(|(a, n)| (a, Anchor::Token(n)))
                .collect();
            got.sort_by_key(|(a, t)| (*a, format!("{t:?}")));
            expected.sort_by_key(|(a, t)| (*a, format!("{t:?}")));
            assert_eq!(got, expected, "{text}");
        }
    }
}
