//! Sparse entries: GNU's old form, with the map in headers, and form 1.0, with the map in the data.

use std::io::{self, BufRead, Read};

use super::header::{RECORD, octal, size_of};
use super::pax::number;
use crate::bundle::limits::{Limits, Reason, Reject};

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Where the stored bytes belong; everything else is zeros.
#[derive(Debug)]
pub(super) struct Map {
    /// Offset and length of each stretch, in order.
    stretches: Vec<(u64, u64)>,
    /// Bytes of the whole file.
    pub(super) size: u64,
}

fn bad(what: &str) -> Reject {
    Reject::new(Reason::BadHeader, format!("sparse map: {what}"))
}

impl Map {
    fn new(
        stretches: Vec<(u64, u64)>,
        size: u64,
        stored: u64,
        limits: &Limits,
    ) -> Result<Self, Reject> {
        if size > limits.entry_bytes {
            return Err(Reject::new(
                Reason::LimitSparse,
                format!("a sparse entry of {size} bytes"),
            ));
        }
        let (mut end, mut sum) = (0u64, 0u64);
        let filled = stretches.iter().filter(|(_, length)| *length > 0);
        let before_last = filled.clone().count().saturating_sub(1);
        if filled
            .take(before_last)
            .any(|(_, length)| length % RECORD as u64 != 0)
        {
            // Some readers begin each stretch with a new record, some where the one before ended.
            return Err(bad("a stretch that does not fill its records"));
        }
        for (offset, length) in &stretches {
            if *offset < end {
                return Err(bad("out of order"));
            }
            end = offset
                .checked_add(*length)
                .ok_or_else(|| bad("too large"))?;
            sum += length;
        }
        if end > size || sum != stored {
            return Err(bad("does not fit the sizes"));
        }
        Ok(Self { stretches, size })
    }
}

/// Reads GNU's old map: four stretches in the header, then records of 21.
pub(super) fn old_gnu<R: BufRead>(
    input: &mut R,
    record: &[u8; RECORD],
    stored: u64,
    limits: &Limits,
) -> Result<Map, Reject> {
    let size = size_of(&record[483..495]).ok_or_else(|| bad("size"))?;
    let mut stretches = Vec::new();
    let mut ended = list(&record[386..482], &mut stretches)?;
    let mut more = record[482];
    while more == 1 {
        let mut next = [0; RECORD];
        input.read_exact(&mut next)?;
        ended = if ended {
            return Err(bad("goes on after its end"));
        } else {
            list(&next[..504], &mut stretches)?
        };
        if stretches.len() as u64 > limits.sparse_regions {
            return Err(Reject::new(Reason::LimitSparse, "too many stretches"));
        }
        more = next[504];
    }
    if more != 0 {
        return Err(bad("a flag"));
    }
    Map::new(stretches, size, stored, limits)
}

/// Adds the stretches of one record; true when the list ended there.
fn list(fields: &[u8], stretches: &mut Vec<(u64, u64)>) -> Result<bool, Reject> {
    let mut ended = false;
    for field in fields.chunks_exact(24) {
        if field.iter().all(|byte| *byte == 0) {
            ended = true;
            continue;
        }
        let read = |field: &[u8]| {
            if field[0] == 0x80 {
                size_of(field)
            } else {
                octal(field)
            }
        };
        let (Some(offset), Some(length), false) = (read(&field[..12]), read(&field[12..]), ended)
        else {
            return Err(bad("a number"));
        };
        stretches.push((offset, length));
    }
    Ok(ended)
}

/// Reads the map of form 1.0: decimal lines at the start of the data, filled up to a record.
pub(super) fn in_data(data: &mut dyn BufRead, size: u64, limits: &Limits) -> Result<Map, Reject> {
    let mut taken = 0;
    let count = line(data, &mut taken)?;
    if count > limits.sparse_regions {
        return Err(Reject::new(Reason::LimitSparse, "too many stretches"));
    }
    let mut stretches = Vec::new();
    let mut stored = 0u64;
    for _ in 0..count {
        let stretch = (line(data, &mut taken)?, line(data, &mut taken)?);
        stored = stored
            .checked_add(stretch.1)
            .ok_or_else(|| bad("too large"))?;
        stretches.push(stretch);
    }
    let mut fill = [0; RECORD];
    let length = (RECORD - taken % RECORD) % RECORD;
    data.read_exact(&mut fill[..length])?;
    if fill.iter().any(|byte| *byte != 0) {
        return Err(bad("padding that is not zero"));
    }
    // Whether the data has just these bytes shows when they are read.
    Map::new(stretches, size, stored, limits)
}

fn line(data: &mut dyn BufRead, taken: &mut usize) -> Result<u64, Reject> {
    let mut digits = Vec::new();
    loop {
        let mut byte = [0];
        data.read_exact(&mut byte)?;
        *taken += 1;
        match byte[0] {
            b'\n' => return number(&digits).ok_or_else(|| bad("a number")),
            digit if digits.len() < 20 => digits.push(digit),
            _ => return Err(bad("a number")),
        }
    }
}

/// The file as it is, zeros included.
pub(super) struct Sparse<'d> {
    data: &'d mut dyn BufRead,
    stretches: std::iter::Peekable<std::vec::IntoIter<(u64, u64)>>,
    at: u64,
    size: u64,
}

/// What comes next, and how much of it.
enum Run {
    Zeros(u64),
    Data(u64),
    End,
}

impl<'d> Sparse<'d> {
    pub(super) fn new(data: &'d mut dyn BufRead, map: Map) -> Self {
        Self {
            data,
            stretches: map.stretches.into_iter().peekable(),
            at: 0,
            size: map.size,
        }
    }

    fn run(&mut self) -> Run {
        while self
            .stretches
            .next_if(|(offset, length)| offset + length <= self.at)
            .is_some()
        {}
        match self.stretches.peek() {
            Some((offset, _)) if self.at < *offset => Run::Zeros(offset - self.at),
            Some((offset, length)) => Run::Data(offset + length - self.at),
            None if self.at < self.size => Run::Zeros(self.size - self.at),
            None => Run::End,
        }
    }
}

impl BufRead for Sparse<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let cut = |bytes: u64, have: usize| usize::try_from(bytes).unwrap_or(usize::MAX).min(have);
        match self.run() {
            Run::Zeros(bytes) => Ok(&ZEROS[..cut(bytes, ZEROS.len())]),
            Run::Data(bytes) => {
                let now = self.data.fill_buf()?;
                if now.is_empty() {
                    return Err(bad("less data than it says").into());
                }
                Ok(&now[..cut(bytes, now.len())])
            }
            Run::End if !self.data.fill_buf()?.is_empty() => {
                Err(bad("more data than it says").into())
            }
            Run::End => Ok(&[]),
        }
    }

    fn consume(&mut self, bytes: usize) {
        if matches!(self.run(), Run::Data(_)) {
            self.data.consume(bytes);
        }
        self.at += bytes as u64;
    }
}

impl Read for Sparse<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let now = self.fill_buf()?;
        let take = now.len().min(out.len());
        out[..take].copy_from_slice(&now[..take]);
        self.consume(take);
        Ok(take)
    }
}
