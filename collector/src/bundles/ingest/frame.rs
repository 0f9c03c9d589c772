//! What the confined child says to its parent: frames of a kind byte, a little-endian length and a payload, ending
//! with the verdict. The parent believes no length and counts every byte; an end without a verdict is a crash.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

/// Longest single frame, in bytes: an index holds at most 64 MiB of names, 56 bytes for each of 200,000 files, and 16 for
/// each of some five million marks. A manifest is at most 16 MiB.
pub const FRAME_MAX_BYTES: u32 = 192 << 20;
/// Longest whole answer, in bytes.
pub const ANSWER_MAX_BYTES: u64 = 320 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The browse index.
    Index,
    /// The manifest, JSON.
    Manifest,
    /// The facts, JSON.
    Facts,
    /// The findings report, JSON.
    Report,
    /// Templates of error lines that no finding explains, JSON.
    Templates,
    /// The index that tells where signatures cannot match.
    Filter,
    /// More of the blocks of a file of another maker, in order; comes often.
    Block,
    /// The verdict, JSON; always last.
    Verdict,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Index => b'I',
            Self::Manifest => b'M',
            Self::Facts => b'F',
            Self::Report => b'R',
            Self::Templates => b'T',
            Self::Filter => b'G',
            Self::Block => b'B',
            Self::Verdict => b'V',
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [
            Self::Index,
            Self::Manifest,
            Self::Facts,
            Self::Report,
            Self::Templates,
            Self::Filter,
            Self::Block,
            Self::Verdict,
        ]
        .into_iter()
        .find(|kind| kind.byte() == byte)
    }
}

/// Whether a bundle is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Taken as it is.
    Accept,
    /// Taken, with hostile entries made inert and listed.
    Neutralise,
    /// Not taken.
    Reject,
}

/// The end of an ingest, and of `sitrepd inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Taken or not.
    pub verdict: Decision,
    /// Reason code; `ok` where there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// sitrep, or what else it is.
    #[serde(default)]
    pub format: String,
    /// Digest of the whole file, hex, when it was read to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Bytes read.
    #[serde(default)]
    pub bytes: u64,
    /// Bytes unpacked.
    #[serde(default)]
    pub unpacked_bytes: u64,
    /// Files in it.
    #[serde(default)]
    pub files: u64,
    /// Name of the host, when the files of another maker say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When the content was made, UTC milliseconds, as far as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_ms: Option<i64>,
    /// Entries made inert: name and what was wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neutralised: Vec<(String, String)>,
}

impl Verdict {
    /// A rejection.
    pub fn reject(reason: &str, detail: impl Into<String>) -> Self {
        Self {
            verdict: Decision::Reject,
            reason: Some(reason.to_owned()),
            detail: Some(detail.into()),
            format: String::new(),
            sha256: None,
            bytes: 0,
            unpacked_bytes: 0,
            files: 0,
            host: None,
            made_ms: None,
            neutralised: Vec::new(),
        }
    }
}

/// Writes one frame.
///
/// # Errors
/// When the payload is too long or the pipe is gone.
pub fn write(out: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= FRAME_MAX_BYTES);
    let length = length.ok_or_else(|| io::Error::other("frame too long"))?;
    out.write_all(&[kind.byte()])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(payload)
}

/// What a child said.
#[derive(Debug, Default)]
pub struct Answer {
    /// Browse index.
    pub index: Option<Vec<u8>>,
    /// Manifest, JSON.
    pub manifest: Option<Vec<u8>>,
    /// Facts, JSON.
    pub facts: Option<Vec<u8>>,
    /// Findings, JSON.
    pub report: Option<Vec<u8>>,
    /// Templates, JSON.
    pub templates: Option<Vec<u8>>,
    /// Index of segments.
    pub filter: Option<Vec<u8>>,
    /// The verdict; `None` when the child ended before it.
    pub verdict: Option<Verdict>,
}

/// Reads frames to the verdict or the end of the pipe; blocks go to `blocks`, at most `blocks_max` bytes of them.
///
/// # Errors
/// A frame of no known kind, too long, given twice, or too much in all: the child is not itself any more. Or `blocks`
/// fails.
pub fn read(input: &mut impl Read, blocks: &mut dyn Write, blocks_max: u64) -> io::Result<Answer> {
    let mut blocks_left = blocks_max;
    let mut answer = Answer::default();
    let mut total = 0u64;
    loop {
        let mut head = [0u8; 5];
        match input.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(answer),
            Err(error) => return Err(error),
        }
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let kind = Kind::of(head[0]).ok_or_else(|| io::Error::other("frame of no known kind"))?;
        if kind == Kind::Block {
            blocks_left = blocks_left
                .checked_sub(length.into())
                .ok_or_else(|| io::Error::other("more blocks than the limits allow"))?;
            if io::copy(&mut input.take(length.into()), blocks)? != u64::from(length) {
                return Ok(answer);
            }
            continue;
        }
        total += u64::from(length);
        if length > FRAME_MAX_BYTES || total > ANSWER_MAX_BYTES {
            return Err(io::Error::other("frames too long"));
        }
        let mut payload = Vec::new();
        if input.take(u64::from(length)).read_to_end(&mut payload)? as u64 != u64::from(length) {
            return Ok(answer);
        }
        let place = match kind {
            Kind::Index => &mut answer.index,
            Kind::Manifest => &mut answer.manifest,
            Kind::Facts => &mut answer.facts,
            Kind::Report => &mut answer.report,
            Kind::Templates => &mut answer.templates,
            Kind::Filter => &mut answer.filter,
            Kind::Block | Kind::Verdict => {
                answer.verdict = Some(serde_json::from_slice(&payload).map_err(io::Error::other)?);
                return Ok(answer);
            }
        };
        if place.replace(payload).is_some() {
            return Err(io::Error::other("a frame came twice"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_an_early_end_has_no_verdict() {
        let mut wire = Vec::new();
        write(&mut wire, Kind::Facts, b"{}").unwrap();
        write(
            &mut wire,
            Kind::Verdict,
            &serde_json::to_vec(&Verdict::reject("truncated", "x")).unwrap(),
        )
        .unwrap();
        let answer = read(&mut wire.as_slice(), &mut io::sink(), 0).unwrap();
        assert_eq!(answer.facts.as_deref(), Some(&b"{}"[..]));
        assert_eq!(answer.verdict.unwrap().reason.as_deref(), Some("truncated"));
        for cut in 0..wire.len() {
            assert!(
                read(&mut &wire[..cut], &mut io::sink(), 0)
                    .unwrap()
                    .verdict
                    .is_none(),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_child_that_is_not_itself_is_not_believed() {
        let mut twice = Vec::new();
        write(&mut twice, Kind::Facts, b"{}").unwrap();
        write(&mut twice, Kind::Facts, b"{}").unwrap();
        for wire in [
            twice,
            b"X\0\0\0\0".to_vec(),
            b"I\xff\xff\xff\xff".to_vec(),
            b"V\x01\0\0\0{".to_vec(),
        ] {
            assert!(read(&mut wire.as_slice(), &mut io::sink(), 0).is_err());
        }
    }

    #[test]
    fn blocks_go_their_own_way_up_to_their_limit() {
        let mut wire = Vec::new();
        for block in [&b"ab"[..], b"cd"] {
            write(&mut wire, Kind::Block, block).unwrap();
        }
        let mut blocks = Vec::new();
        read(&mut wire.as_slice(), &mut blocks, 4).unwrap();
        assert_eq!(blocks, b"abcd");
        assert!(read(&mut wire.as_slice(), &mut Vec::new(), 3).is_err());
    }
}
