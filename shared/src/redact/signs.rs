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
            self.left = judge(buf, at);
            self.judged = at + BLOCK;
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
        self.judged = self.judged.saturating_sub(by);
    }
}

/// The signs among the 64 positions from `at` on; what is beyond the buffer is none.
fn judge(buf: &[u8], at: usize) -> u64 {
    let Some(part) = buf.get(at..at + 2 * BLOCK) else {
        let mut part = [0; 2 * BLOCK];
        let rest = buf.get(at..).unwrap_or_default();
        let len = rest.len().min(part.len());
        part[..len].copy_from_slice(&rest[..len]);
        return masks(&part);
    };
    masks(part)
}

fn masks(part: &[u8]) -> u64 {
    let (now, next) = part.split_at(BLOCK);
    let wide = |sign: u8| -> u128 {
        let low = positions(now, sign);
        if low == 0 {
            // Nothing begins here.
            0
        } else {
            u128::from(low) | u128::from(positions(next, sign)) << BLOCK
        }
    };
    // A mail address.
    let mut found = u128::from(positions(now, b'@'));
    // `a.b.c.d`: a sign two to four positions after another; `aaaa.bbbb.cccc`.
    let dots = wide(b'.');
    if dots != 0 {
        let near = |m: u128| m >> 2 | m >> 3 | m >> 4;
        found |= dots & near(dots & near(dots)) | dots & dots >> 5;
    }
    let colons = wide(b':');
    if colons != 0 {
        found |= colons & colons >> 1 | pairs(colons);
        // `1:2:3:4:5:6:7:8`
        if colons.count_ones() >= 7 {
            let near = |m: u128| m >> 2 | m >> 3 | m >> 4 | m >> 5;
            found |= (0..6).fold(colons, |m, _| colons & near(m));
        }
    }
    let dashes = wide(b'-');
    if dashes != 0 {
        found |= pairs(dashes);
    }
    found as u64
}

/// Five signs with two bytes between each: six pairs.
fn pairs(m: u128) -> u128 {
    m & m >> 3 & m >> 6 & m >> 9 & m >> 12
}

/// A bit for each of 64 bytes that is `sign`.
fn positions(block: &[u8], sign: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let all = u64::from(sign) * 0x0101_0101_0101_0101;
    block
        .chunks_exact(8)
        .enumerate()
        .fold(0, |mask, (n, bytes)| {
            let word = bytes.iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b)) ^ all;
            // The high bit of each byte that is zero.
            let zero = !(((word & LOW) + LOW) | word | LOW);
            let bits = (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            mask | bits << (8 * n)
        })
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
