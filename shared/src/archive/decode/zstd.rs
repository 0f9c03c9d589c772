//! Zstandard, frame after frame, with a limit on the window, lengths and checksums checked.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Decode, behind, cut, damaged};
use crate::bundle::limits::{Reason, Reject};

pub(super) struct Zstd {
    decoder: FrameDecoder,
    in_frame: bool,
    frames: u64,
    /// Length that the frame's header gives, and what was decoded so far.
    declared: Option<u64>,
    given: u64,
    limit: u64,
}

impl Zstd {
    pub(super) fn new(limit: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(limit);
        Self {
            decoder,
            in_frame: false,
            frames: 0,
            declared: None,
            given: 0,
            limit,
        }
    }

    /// Begins the next frame; false at the end of the input.
    fn start<R: BufRead>(&mut self, input: &mut R) -> Result<bool, Reject> {
        loop {
            if input.fill_buf()?.is_empty() {
                return if self.frames == 0 {
                    Err(cut("zstd"))
                } else {
                    Ok(false)
                };
            }
            let mut magic = [0; 4];
            input.read_exact(&mut magic).map_err(|_| {
                if self.frames > 0 {
                    behind("zstd")
                } else {
                    cut("zstd")
                }
            })?;
            if (0x50..=0x5f).contains(&magic[0]) && magic[1..] == [0x2a, 0x4d, 0x18] {
                let mut length = [0; 4];
                input.read_exact(&mut length).map_err(|_| cut("zstd"))?;
                let length = u64::from(u32::from_le_bytes(length));
                if io::copy(&mut input.by_ref().take(length), &mut io::sink())? != length {
                    return Err(cut("zstd"));
                }
                self.frames += 1;
                continue;
            }
            if magic != [0x28, 0xb5, 0x2f, 0xfd] {
                return Err(if self.frames > 0 {
                    behind("zstd")
                } else {
                    damaged("zstd")
                });
            }
            return self.frame(input).map(|()| true);
        }
    }

    /// Reads a frame's header; the decoder gets the same bytes once the window was judged.
    fn frame<R: BufRead>(&mut self, input: &mut R) -> Result<(), Reject> {
        let mut header = vec![0x28, 0xb5, 0x2f, 0xfd, 0];
        input
            .read_exact(&mut header[4..])
            .map_err(|_| cut("zstd"))?;
        let flags = header[4];
        let single = flags & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(flags & 3)];
        let content = [usize::from(single), 2, 4, 8][usize::from(flags >> 6)];
        let window_at = header.len();
        header.resize(window_at + usize::from(!single) + dictionary + content, 0);
        input
            .read_exact(&mut header[window_at..])
            .map_err(|_| cut("zstd"))?;
        let content_at = header.len() - content;
        let mut wide = [0; 8];
        wide[..content].copy_from_slice(&header[content_at..]);
        let length = u64::from_le_bytes(wide) + if content == 2 { 256 } else { 0 };
        let window = if single {
            length
        } else {
            window_of(header[window_at])
        };
        if window > self.limit {
            return Err(Reject::new(
                Reason::LimitMemory,
                format!("the zstd stream has a window of {window} bytes"),
            ));
        }
        if header[content_at - dictionary..content_at]
            .iter()
            .any(|byte| *byte != 0)
        {
            return Err(Reject::new(
                Reason::Unsupported,
                "a zstd stream with a dictionary",
            ));
        }
        if flags & 8 != 0 {
            return Err(damaged("zstd"));
        }
        self.decoder
            .reset(&header[..])
            .map_err(|_| damaged("zstd"))?;
        self.declared = (content > 0).then_some(length);
        self.given = 0;
        self.in_frame = true;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Reject> {
        if self.declared.is_some_and(|declared| declared != self.given) {
            return Err(Reject::new(
                Reason::BadStream,
                "a zstd frame's length is wrong",
            ));
        }
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(Reject::new(
                Reason::BadChecksum,
                "a zstd frame's checksum is wrong",
            ));
        }
        self.in_frame = false;
        self.frames += 1;
        Ok(())
    }
}

fn window_of(descriptor: u8) -> u64 {
    let base = 1u64 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

/// Notes when the input ends, which the decoder reports like any other fault.
struct Watch<'a, R> {
    input: &'a mut R,
    ended: bool,
}

impl<R: BufRead> Read for Watch<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let given = self.input.read(out)?;
        self.ended |= given == 0 && !out.is_empty();
        Ok(given)
    }
}

impl<R: BufRead> Decode<R> for Zstd {
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject> {
        loop {
            if !self.in_frame && !self.start(input)? {
                return Ok(0);
            }
            if self.decoder.can_collect() > 0 {
                let given = self.decoder.read(out)?;
                self.given += given as u64;
                if given > 0 {
                    return Ok(given);
                }
            }
            if self.decoder.is_finished() {
                self.end()?;
                continue;
            }
            let mut watch = Watch {
                input: &mut *input,
                ended: false,
            };
            let result = self
                .decoder
                .decode_blocks(&mut watch, BlockDecodingStrategy::UptoBlocks(1));
            if result.is_err() {
                return Err(if watch.ended {
                    cut("zstd")
                } else {
                    damaged("zstd")
                });
            }
        }
    }
}
