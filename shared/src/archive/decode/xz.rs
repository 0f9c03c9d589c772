//! XZ through liblzma, which checks every block, index and footer, within a memory limit. Stream after stream, with
//! nothing between and behind them but zeros in fours.

use std::io::BufRead;

use liblzma::stream::{Action, Error, Status, Stream, TELL_UNSUPPORTED_CHECK};

use super::{Decode, behind, cut, damaged};
use crate::bundle::limits::{Reason, Reject};

pub(super) struct Xz {
    stream: Option<Stream>,
    limit: u64,
    streams: u64,
    /// Zeros since the last stream.
    padding: usize,
}

impl Xz {
    pub(super) fn new(limit: u64) -> Result<Self, Reject> {
        Ok(Self {
            stream: Some(start(limit)?),
            limit,
            streams: 0,
            padding: 0,
        })
    }

    fn judge(&self, error: &Error) -> Reject {
        match error {
            Error::MemLimit | Error::Mem => Reject::new(
                Reason::LimitMemory,
                format!("the xz stream needs more than {} bytes", self.limit),
            ),
            Error::UnsupportedCheck | Error::Options | Error::NoCheck => Reject::new(
                Reason::Unsupported,
                "an xz filter or check that is not read",
            ),
            // What follows a stream does not begin as one.
            Error::Format if self.streams > 0 => behind("xz"),
            _ => damaged("xz"),
        }
    }

    /// Goes over zeros to the next stream; false at the end of the input.
    fn next<R: BufRead>(&mut self, input: &mut R) -> Result<bool, Reject> {
        loop {
            let bytes = input.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let (ended, only_zeros) = (bytes.is_empty(), zeros == bytes.len());
            self.padding += zeros;
            input.consume(zeros);
            if only_zeros && !ended {
                continue;
            }
            if !self.padding.is_multiple_of(4) {
                return Err(behind("xz"));
            }
            if !ended {
                self.padding = 0;
                self.stream = Some(start(self.limit)?);
            }
            return Ok(!ended);
        }
    }
}

fn start(limit: u64) -> Result<Stream, Reject> {
    Stream::new_stream_decoder(limit, TELL_UNSUPPORTED_CHECK)
        .map_err(|_| Reject::new(Reason::LimitMemory, "no memory for the xz decoder"))
}

impl<R: BufRead> Decode<R> for Xz {
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject> {
        loop {
            if self.stream.is_none() && !self.next(input)? {
                return Ok(0);
            }
            let Some(mut stream) = self.stream.take() else {
                continue;
            };
            let bytes = input.fill_buf()?;
            let at_end = bytes.is_empty();
            let (taken, given) = (stream.total_in(), stream.total_out());
            let status = stream
                .process(bytes, out, Action::Run)
                .map_err(|error| self.judge(&error))?;
            let taken = (stream.total_in() - taken) as usize;
            let given = (stream.total_out() - given) as usize;
            input.consume(taken);
            if status == Status::StreamEnd {
                self.streams += 1;
            } else {
                self.stream = Some(stream);
                if taken == 0 && given == 0 {
                    return Err(if at_end { cut("xz") } else { damaged("xz") });
                }
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}
