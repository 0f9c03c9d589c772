//! Gzip, member after member, with nothing between and behind them.

use std::io::BufRead;

use flate2::{Decompress, FlushDecompress, Status};

use super::{Decode, behind, cut, damaged};
use crate::bundle::limits::{Reason, Reject};

/// Bytes of a name or comment in a header at most; nobody writes more than a path.
const FIELD_BYTES: usize = 64 << 10;

pub(super) struct Gzip {
    inflate: Decompress,
    crc: libdeflater::Crc,
    length: u32,
    members: u64,
    in_member: bool,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
            crc: libdeflater::Crc::new(),
            length: 0,
            members: 0,
            in_member: false,
        }
    }

    fn start<R: BufRead>(&mut self, input: &mut R) -> Result<bool, Reject> {
        if input.fill_buf()?.is_empty() {
            return if self.members == 0 {
                Err(cut("gzip"))
            } else {
                Ok(false)
            };
        }
        if let Err(reject) = header(input) {
            // Whatever follows a member and is no member is not ours to guess at.
            return Err(if self.members > 0 && reject.reason != Reason::Truncated {
                behind("gzip")
            } else {
                reject
            });
        }
        self.inflate.reset(false);
        self.crc = libdeflater::Crc::new();
        self.length = 0;
        self.in_member = true;
        Ok(true)
    }

    fn end<R: BufRead>(&mut self, input: &mut R) -> Result<(), Reject> {
        let mut trailer = [0; 8];
        input
            .read_exact(&mut trailer)
            .map_err(|error| short(error.into()))?;
        let mut expected = [0; 8];
        expected[..4].copy_from_slice(&self.crc.sum().to_le_bytes());
        expected[4..].copy_from_slice(&self.length.to_le_bytes());
        if trailer != expected {
            return Err(Reject::new(
                Reason::BadChecksum,
                "a gzip member's checksum or length is wrong",
            ));
        }
        self.in_member = false;
        self.members += 1;
        Ok(())
    }
}

impl<R: BufRead> Decode<R> for Gzip {
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject> {
        loop {
            if !self.in_member && !self.start(input)? {
                return Ok(0);
            }
            let bytes = input.fill_buf()?;
            let at_end = bytes.is_empty();
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(bytes, out, FlushDecompress::None)
                .map_err(|_| damaged("gzip"))?;
            let taken = (self.inflate.total_in() - taken) as usize;
            let given = (self.inflate.total_out() - given) as usize;
            input.consume(taken);
            self.crc.update(&out[..given]);
            self.length = self.length.wrapping_add(given as u32);
            if status == Status::StreamEnd {
                self.end(input)?;
            } else if at_end && given == 0 {
                return Err(cut("gzip"));
            } else if taken == 0 && given == 0 {
                return Err(damaged("gzip"));
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}

/// Reads a member's header: known flags only, its own checksum checked.
fn header<R: BufRead>(input: &mut R) -> Result<(), Reject> {
    let bad = |what: &str| Reject::new(Reason::BadHeader, format!("gzip header: {what}"));
    let mut crc = libdeflater::Crc::new();
    let mut fixed = [0; 10];
    take(input, &mut crc, &mut fixed[..1])?;
    if fixed[0] != 0x1f {
        return Err(bad("magic"));
    }
    take(input, &mut crc, &mut fixed[1..])?;
    let flags = fixed[3];
    if fixed[1] != 0x8b || fixed[2] != 8 {
        return Err(bad("magic or method"));
    }
    if flags & 0xe0 != 0 {
        return Err(bad("reserved flags"));
    }
    if flags & 4 != 0 {
        let mut length = [0; 2];
        take(input, &mut crc, &mut length)?;
        let mut extra = vec![0; usize::from(u16::from_le_bytes(length))];
        take(input, &mut crc, &mut extra)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let mut byte = [1];
            let mut length = 0;
            while byte[0] != 0 {
                take(input, &mut crc, &mut byte)?;
                length += 1;
                if length > FIELD_BYTES {
                    return Err(Reject::new(
                        Reason::LimitHeader,
                        "a gzip name or comment has no end",
                    ));
                }
            }
        }
    }
    if flags & 2 != 0 {
        let expected = (crc.sum() as u16).to_le_bytes();
        let mut sum = [0; 2];
        take(input, &mut crc, &mut sum)?;
        if sum != expected {
            return Err(Reject::new(
                Reason::BadChecksum,
                "a gzip header's checksum is wrong",
            ));
        }
    }
    Ok(())
}

fn take<R: BufRead>(
    input: &mut R,
    crc: &mut libdeflater::Crc,
    out: &mut [u8],
) -> Result<(), Reject> {
    input.read_exact(out).map_err(|error| short(error.into()))?;
    crc.update(out);
    Ok(())
}

fn short(reject: Reject) -> Reject {
    if reject.reason == Reason::Truncated {
        cut("gzip")
    } else {
        reject
    }
}
