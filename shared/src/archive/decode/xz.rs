//! XZ through liblzma, which checks every block, index and footer, within a memory limit.

use std::io::BufRead;

use liblzma::stream::{Action, CONCATENATED, Error, Status, Stream, TELL_UNSUPPORTED_CHECK};

use super::{Decode, behind, cut, damaged};
use crate::bundle::limits::{Reason, Reject};

pub(super) struct Xz {
    stream: Stream,
    limit: u64,
    given: u64,
    ended: bool,
}

impl Xz {
    pub(super) fn new(limit: u64) -> Result<Self, Reject> {
        let stream = Stream::new_stream_decoder(limit, CONCATENATED | TELL_UNSUPPORTED_CHECK)
            .map_err(|_| Reject::new(Reason::LimitMemory, "no memory for the xz decoder"))?;
        Ok(Self {
            stream,
            limit,
            given: 0,
            ended: false,
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
            // The second stream of a file does not begin as one: something else follows the first.
            Error::Format if self.given > 0 => behind("xz"),
            _ => damaged("xz"),
        }
    }
}

impl<R: BufRead> Decode<R> for Xz {
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject> {
        while !self.ended {
            let bytes = input.fill_buf()?;
            let at_end = bytes.is_empty();
            let action = if at_end { Action::Finish } else { Action::Run };
            let (taken, given) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .process(bytes, out, action)
                .map_err(|error| self.judge(&error))?;
            let taken = (self.stream.total_in() - taken) as usize;
            let given = (self.stream.total_out() - given) as usize;
            input.consume(taken);
            self.given += given as u64;
            self.ended = status == Status::StreamEnd;
            if given > 0 {
                return Ok(given);
            }
            if !self.ended && taken == 0 {
                return Err(if at_end { cut("xz") } else { damaged("xz") });
            }
        }
        Ok(0)
    }
}
