//! Bzip2, stream after stream, with nothing between and behind them.

use std::io::BufRead;

use bzip2::{Decompress, Status};

use super::{Decode, behind, cut, damaged};
use crate::bundle::limits::Reject;

pub(super) struct Bzip2 {
    stream: Option<Decompress>,
    streams: u64,
}

impl Bzip2 {
    pub(super) fn new() -> Self {
        Self {
            stream: None,
            streams: 0,
        }
    }
}

impl<R: BufRead> Decode<R> for Bzip2 {
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject> {
        loop {
            let bytes = input.fill_buf()?;
            let at_end = bytes.is_empty();
            let stream = match &mut self.stream {
                Some(stream) => stream,
                None if at_end => {
                    return if self.streams == 0 {
                        Err(cut("bzip2"))
                    } else {
                        Ok(0)
                    };
                }
                None if bytes[0] != b'B' => return Err(behind("bzip2")),
                None => self.stream.insert(Decompress::new(false)),
            };
            let (taken, given) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(bytes, out).map_err(|error| match error {
                bzip2::Error::DataMagic if self.streams > 0 => behind("bzip2"),
                _ => damaged("bzip2"),
            })?;
            let taken = (stream.total_in() - taken) as usize;
            let given = (stream.total_out() - given) as usize;
            input.consume(taken);
            if status == Status::StreamEnd {
                self.stream = None;
                self.streams += 1;
            } else if taken == 0 && given == 0 {
                return Err(if at_end {
                    cut("bzip2")
                } else {
                    damaged("bzip2")
                });
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}
