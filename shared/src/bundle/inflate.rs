//! Decodes one gzip member of a bundle and tells how many bytes it took.
//!
//! The safe binding of libdeflate does not tell where a member ends, and a reader that does not
//! know it cannot notice bytes hidden behind the end. zlib-rs tells it, at half the speed (600
//! against 1,090 MB per CPU second). So the fast path calls libdeflate's C function, and whatever
//! it refuses goes to the safe twin, which also knows why.
#![allow(unsafe_code)]

use flate2::{Decompress, FlushDecompress, Status};
use libdeflate_sys as sys;

use super::gzip::MEMBER_START;
use super::limits::{Reason, Reject};

const FRAME_START: usize = 10;
const FRAME_END: usize = 8;

/// Decoder of members, reusable.
pub(crate) struct Inflater(*mut sys::libdeflate_decompressor);

// SAFETY: libdeflate's decompressor is plain memory without thread affinity, used by `&mut` only.
unsafe impl Send for Inflater {}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: the pointer is from libdeflate_alloc_decompressor or null, freed once; null is allowed.
        unsafe { sys::libdeflate_free_decompressor(self.0) }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflater")
    }
}

/// What a member took and gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Compressed bytes, frame included.
    pub(crate) taken: usize,
    /// Bytes at the start of the output buffer.
    pub(crate) given: usize,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        // SAFETY: takes nothing; a null result is handled in `fast`.
        Self(unsafe { sys::libdeflate_alloc_decompressor() })
    }

    /// Decodes the member at the start of `input` into `out`, whose length is the limit.
    pub(crate) fn member(&mut self, input: &[u8], out: &mut [u8]) -> Result<Member, Reject> {
        frame_start(input)?;
        let body = &input[FRAME_START..];
        // What is wrong is said by the twin, also where only the checksum told: libdeflate takes some codes that zlib
        // refuses as damaged.
        if let Some(sizes) = self.fast(body, out)
            && let Ok(member) = checked(body, out, sizes)
        {
            return Ok(member);
        }
        let sizes = safe(body, out)?;
        checked(body, out, sizes)
    }

    fn fast(&mut self, body: &[u8], out: &mut [u8]) -> Option<(usize, usize)> {
        if self.0.is_null() {
            return None;
        }
        let (mut taken, mut given) = (0, 0);
        // SAFETY: the decompressor is live and not shared (`&mut self`); both buffers are valid
        // slices with the lengths given; libdeflate writes at most `out.len()` bytes to `out` and
        // sets both sizes when it succeeds.
        let result = unsafe {
            sys::libdeflate_deflate_decompress_ex(
                self.0,
                body.as_ptr().cast(),
                body.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                &raw mut taken,
                &raw mut given,
            )
        };
        (result == sys::libdeflate_result_LIBDEFLATE_SUCCESS
            && taken <= body.len()
            && given <= out.len())
        .then_some((taken, given))
    }
}

/// The member, when its end says what was decoded.
fn checked(body: &[u8], out: &[u8], (taken, given): (usize, usize)) -> Result<Member, Reject> {
    let trailer = body
        .get(taken..taken + FRAME_END)
        .ok_or_else(|| Reject::new(Reason::Truncated, "a block ends in the middle"))?;
    let mut expected = [0; FRAME_END];
    expected[..4].copy_from_slice(&libdeflater::crc32(&out[..given]).to_le_bytes());
    expected[4..].copy_from_slice(&(given as u32).to_le_bytes());
    if trailer != expected {
        return Err(Reject::new(
            Reason::BadChecksum,
            "a block's checksum or length is wrong",
        ));
    }
    Ok(Member {
        taken: FRAME_START + taken + FRAME_END,
        given,
    })
}

fn frame_start(input: &[u8]) -> Result<(), Reject> {
    let seen = input.len().min(MEMBER_START.len());
    if input[..seen] != MEMBER_START[..seen] {
        return Err(Reject::new(
            Reason::BadHeader,
            "a block begins with other bytes than format 1 has",
        ));
    }
    if input.len() < FRAME_START + FRAME_END {
        return Err(Reject::new(Reason::Truncated, "a block ends in the middle"));
    }
    Ok(())
}

/// The safe twin: same answer, slower, and it knows what is wrong.
fn safe(body: &[u8], out: &mut [u8]) -> Result<(usize, usize), Reject> {
    let mut inflate = Decompress::new(false);
    loop {
        let (taken, given) = (inflate.total_in() as usize, inflate.total_out() as usize);
        let status = inflate
            .decompress(&body[taken..], &mut out[given..], FlushDecompress::None)
            .map_err(|_| Reject::new(Reason::BadStream, "a block's deflate stream is damaged"))?;
        let moved = inflate.total_in() as usize > taken || inflate.total_out() as usize > given;
        match status {
            Status::StreamEnd => {
                return Ok((inflate.total_in() as usize, inflate.total_out() as usize));
            }
            Status::Ok | Status::BufError if moved => {}
            _ if inflate.total_out() as usize == out.len() => {
                return Err(Reject::new(
                    Reason::BadHeader,
                    "a block is larger than format 1 allows",
                ));
            }
            _ => return Err(Reject::new(Reason::Truncated, "a block ends in the middle")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gzip::{Packer, stored_member};
    use super::*;
    use proptest::prelude::*;

    fn both(input: &[u8], limit: usize) -> (Result<Member, Reject>, Result<Member, Reject>) {
        let (mut fast, mut slow) = (vec![0; limit], vec![0; limit]);
        let mut inflater = Inflater::new();
        let first = inflater.member(input, &mut fast);
        // A null decompressor sends everything to the safe twin.
        let second = Inflater(std::ptr::null_mut()).member(input, &mut slow);
        if let Ok(member) = &first {
            assert_eq!(fast[..member.given], slow[..member.given]);
        }
        (first, second)
    }

    #[test]
    fn faults_have_their_codes() {
        let good = Packer::new(1)
            .member(&b"some log line\n".repeat(500))
            .to_vec();
        let mut crc = good.clone();
        let at = crc.len() - 6;
        crc[at] ^= 1;
        let mut flags = good.clone();
        flags[3] = 8;
        let cases: [(&[u8], usize, Reason); 5] = [
            (&crc, 1 << 20, Reason::BadChecksum),
            (&flags, 1 << 20, Reason::BadHeader),
            (&good, 100, Reason::BadHeader),
            (&good[..good.len() - 9], 1 << 20, Reason::Truncated),
            (&good[..good.len() - 1], 1 << 20, Reason::Truncated),
        ];
        for (input, limit, reason) in cases {
            let (fast, slow) = both(input, limit);
            assert_eq!(fast.clone().unwrap_err().reason, reason);
            assert_eq!(fast, slow);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn twins_agree(block in proptest::collection::vec(0u8..4, 0..3000), tail in proptest::collection::vec(any::<u8>(), 0..40),
                       flip in proptest::option::of((0usize..4000, 0u8..8)), level in 0u8..3) {
            let mut input = match level { 0 => stored_member(&block), level => Packer::new(level).member(&block).to_vec() };
            let size = input.len();
            input.extend_from_slice(&tail);
            if let Some((at, bit)) = flip {
                let at = at % size;
                input[at] ^= 1 << bit;
            }
            let (fast, slow) = both(&input, 4096);
            prop_assert_eq!(&fast, &slow);
            if flip.is_none() {
                prop_assert_eq!(fast, Ok(Member { taken: size, given: block.len() }));
            }
        }
    }
}
