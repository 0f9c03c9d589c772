//! Finds the signs inside identifiers: the `@` of mail addresses and credentials, the dots of IPv4,
//! the colons and dashes of IPv6 and hardware addresses.
//!
//! Logs are full of single dots and colons. What tells an address is the distance from one sign to
//! the next, so 64 positions are judged at once on bit masks. A verdict depends on the bytes at and
//! after its position only, so that it is the same wherever a block begins.

/// Positions judged at once.
const BLOCK: usize = 64;

/// Where the next sign is, with what the last block has left.
#[derive(Default)]
pub(crate) struct Signs {
    /// Start of the judged block.
    base: usize,
    /// Its signs that have not been given yet.
    left: u64,
    /// Positions before this have been judged.
    judged: usize,
    /// Signs of the block at `judged`, when it was whole already.
    ahead: Option<Block>,
}

/// Where each sign is in a block.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    at: u64,
    dot: u64,
    colon: u64,
    dash: u64,
}

impl Signs {
    /// The next sign in `from..to`.
    pub(crate) fn next(
        &mut self,
        buf: &[u8],
        from: usize,
        to: usize,
        strict: bool,
    ) -> Option<usize> {
        if !strict {
            return self.mail(buf, from, to);
        }
        // What lies before `from` is done.
        if from > self.base {
            let passed = (from - self.base).min(BLOCK);
            self.left &= u64::MAX.checked_shl(passed as u32).unwrap_or(0);
        }
        let mut at = from.max(self.judged);
        loop {
            if self.left != 0 {
                let found = self.base + self.left.trailing_zeros() as usize;
                return (found < to).then_some(found);
            }
            if at >= to {
                return None;
            }
            self.base = at;
            let now = self
                .ahead
                .take_if(|_| at == self.judged)
                .unwrap_or_else(|| block(buf, at));
            let next = block(buf, at + BLOCK);
            self.left = judge(now, next);
            self.judged = at + BLOCK;
            self.ahead = (at + 2 * BLOCK <= buf.len()).then_some(next);
            at = self.judged;
        }
    }

    /// The next `@`; its place is remembered as if it were a block of its own.
    fn mail(&mut self, buf: &[u8], from: usize, to: usize) -> Option<usize> {
        if self.left != 0 && self.base >= from {
            return (self.base < to).then_some(self.base);
        }
        self.left = 0;
        let from = from.max(self.judged);
        if from >= to {
            return None;
        }
        match memchr::memchr(b'@', &buf[from..to]) {
            Some(n) => {
                (self.base, self.left, self.judged) = (from + n, 1, from + n + 1);
                Some(from + n)
            }
            None => {
                self.judged = to;
                None
            }
        }
    }

    /// The sign that [`Signs::next`] gave last.
    pub(crate) fn is_at(&self, at: usize) -> bool {
        self.left != 0 && self.base + self.left.trailing_zeros() as usize == at
    }

    /// The buffer has lost its first `by` bytes.
    pub(crate) fn shift(&mut self, by: usize) {
        match self.base.checked_sub(by) {
            Some(base) => self.base = base,
            None => {
                let lost = by - self.base;
                self.left = self.left.checked_shr(lost as u32).unwrap_or(0);
                self.base = 0;
            }
        }
        if self.judged < by {
            self.ahead = None;
        }
        self.judged = self.judged.saturating_sub(by);
    }
}

/// The signs of the 64 bytes from `at` on; what is beyond the buffer is none.
fn block(buf: &[u8], at: usize) -> Block {
    let mut short = [0; BLOCK];
    let bytes = buf.get(at..at + BLOCK).unwrap_or_else(|| {
        let rest = buf.get(at..).unwrap_or_default();
        let len = rest.len().min(BLOCK);
        short[..len].copy_from_slice(&rest[..len]);
        &short
    });
    compare(bytes)
}

/// Compares sixteen bytes at once: a third of what scanning for identifiers cost was spent here.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn compare(bytes: &[u8]) -> Block {
    #[expect(
        unsafe_code,
        reason = "the compiler does not find these instructions by itself"
    )]
    // SAFETY: SSE2 is part of x86-64; the function is safe but for that.
    unsafe {
        by_sixteen(bytes)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn by_sixteen(bytes: &[u8]) -> Block {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let mut block = Block::default();
    for (n, part) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let half = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&part[at..at + 8]);
            i64::from_le_bytes(eight)
        };
        let word = _mm_set_epi64x(half(8), half(0));
        let equal = |sign: u8| {
            let mask = _mm_movemask_epi8(_mm_cmpeq_epi8(word, _mm_set1_epi8(sign as i8)));
            u64::from(mask as u32) << (16 * n)
        };
        block.at |= equal(b'@');
        block.dot |= equal(b'.');
        block.colon |= equal(b':');
        block.dash |= equal(b'-');
    }
    block
}

/// The same eight bytes at a time.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn compare(bytes: &[u8]) -> Block {
    by_words(bytes)
}

/// Compares eight bytes at once, on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn by_words(bytes: &[u8]) -> Block {
    let mut block = Block::default();
    for (n, part) in bytes.chunks_exact(8).enumerate() {
        let word = part.iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b));
        block.at |= positions(word, b'@') << (8 * n);
        block.dot |= positions(word, b'.') << (8 * n);
        block.colon |= positions(word, b':') << (8 * n);
        block.dash |= positions(word, b'-') << (8 * n);
    }
    block
}

/// What begins in the first of two blocks.
fn judge(now: Block, next: Block) -> u64 {
    let wide = |low: u64, high: u64| u128::from(low) | u128::from(high) << BLOCK;
    // A mail address.
    let mut found = u128::from(now.at);
    // `a.b.c.d`: a sign two to four positions after another; `aaaa.bbbb.cccc`.
    if now.dot != 0 {
        let dots = wide(now.dot, next.dot);
        let near = |m: u128| m >> 2 | m >> 3 | m >> 4;
        found |= dots & near(dots & near(dots)) | dots & dots >> 5;
    }
    if now.colon != 0 {
        let colons = wide(now.colon, next.colon);
        found |= colons & colons >> 1 | pairs(colons);
        // `1:2:3:4:5:6:7:8`
        if colons.count_ones() >= 7 {
            let near = |m: u128| m >> 2 | m >> 3 | m >> 4 | m >> 5;
            found |= (0..6).fold(colons, |m, _| colons & near(m));
        }
    }
    if now.dash != 0 {
        found |= pairs(wide(now.dash, next.dash));
    }
    found as u64
}

/// Five signs with two bytes between each: six pairs.
fn pairs(m: u128) -> u128 {
    m & m >> 3 & m >> 6 & m >> 9 & m >> 12
}

/// A bit for each of eight bytes that is `sign`.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
fn positions(word: u64, sign: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let word = word ^ (u64::from(sign) * 0x0101_0101_0101_0101);
    // The high bit of each byte that is zero.
    let zero = !(((word & LOW) + LOW) | word | LOW);
    (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, start: usize) -> Vec<usize> {
        let (mut signs, mut from, mut found) = (Signs::default(), start, Vec::new());
        while let Some(at) = signs.next(text.as_bytes(), from, text.len(), true) {
            assert!(signs.is_at(at));
            found.push(at);
            from = at + 1;
        }
        found
    }

    #[test]
    fn only_what_addresses_have_is_found() {
        for (text, expected) in [
            ("at 20:26:43 on 2015-10-18 in a.b.Server 1.5", vec![]),
            ("10.1.2.3:80", vec![2]),
            ("a@b", vec![1]),
            ("fe80::1", vec![4]),
            ("1:2:3:4:5:6:7:8", vec![1]),
            ("2001:db8:1:22:333:4444:5:6", vec![4]),
            ("00:1a:2b:3c:4d:5e", vec![2]),
            ("00-1a-2b-3c-4d-5e", vec![2]),
            ("0012.3456.789a", vec![4]),
        ] {
            assert_eq!(all(text, 0), expected, "{text}");
        }
    }

    #[test]
    fn both_ways_to_compare_agree() {
        let mut n: u32 = 7;
        for _ in 0..500 {
            let bytes: Vec<u8> = (0..BLOCK)
                .map(|_| {
                    n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b"@.:-ax\xff\x7f\0\xc0\xae"[(n >> 16) as usize % 11]
                })
                .collect();
            assert_eq!(compare(&bytes), by_words(&bytes));
        }
    }

    #[test]
    fn blocks_do_not_matter() {
        let text =
            "x 10.1.2.3 and fe80::1 at 20:26:43 00:1a:2b:3c:4d:5e a@b 1:2:3:4:5:6:7:8 ".repeat(9);
        let whole = all(&text, 0);
        for start in 1..130 {
            let later: Vec<usize> = whole.iter().copied().filter(|at| *at >= start).collect();
            assert_eq!(all(&text, start), later, "{start}");
        }
    }
}
