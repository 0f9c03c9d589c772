//! How much a reader takes from a stranger, and the codes of what it refuses.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Limits of every reader of untrusted archives; the collector's configuration may change them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the file as uploaded.
    pub upload_bytes: u64,
    /// Unpacked bytes at most, whatever the ratio.
    pub unpacked_bytes: u64,
    /// Unpacked bytes that any file may have, however small it is.
    pub unpacked_base_bytes: u64,
    /// Unpacked bytes per compressed byte beyond the base.
    pub unpacked_ratio: u64,
    /// Bytes of one entry, zeros of sparse regions included.
    pub entry_bytes: u64,
    /// Regions of one sparse entry.
    pub sparse_regions: u64,
    /// Entries of one archive.
    pub entries: u64,
    /// Bytes of a path.
    pub path_bytes: usize,
    /// Bytes of one component of a path.
    pub component_bytes: usize,
    /// Components of a path.
    pub depth: usize,
    /// Bytes of one extension header.
    pub header_bytes: u64,
    /// Bytes of all extension headers.
    pub headers_total_bytes: u64,
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// Nesting of the manifest's JSON.
    pub json_depth: usize,
    /// Window or dictionary of a decoder.
    pub decoder_bytes: u64,
    /// Tar bytes of one block of a bundle.
    pub block_bytes: u64,
    /// Resident memory of the process that reads.
    pub memory_bytes: u64,
    /// CPU seconds that any file may take.
    pub cpu_base_s: u64,
    /// CPU seconds more per GiB of the file.
    pub cpu_per_gib_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 5 * GIB,
            unpacked_bytes: 64 * GIB,
            unpacked_base_bytes: GIB,
            unpacked_ratio: 200,
            entry_bytes: 16 * GIB,
            sparse_regions: 10_000,
            entries: 200_000,
            path_bytes: 4096,
            component_bytes: 255,
            depth: 64,
            header_bytes: MIB,
            headers_total_bytes: 64 * MIB,
            manifest_bytes: 16 * MIB,
            json_depth: 64,
            decoder_bytes: 128 * MIB,
            block_bytes: MIB,
            memory_bytes: 512 * MIB,
            cpu_base_s: 60,
            cpu_per_gib_s: 10,
        }
    }
}

impl Limits {
    /// CPU seconds for a file of so many bytes.
    #[must_use]
    pub fn cpu_seconds_for(&self, bytes: u64) -> u64 {
        let more = self.cpu_per_gib_s.saturating_mul(bytes.div_ceil(GIB));
        self.cpu_base_s.saturating_add(more)
    }

    /// Unpacked bytes allowed after so many compressed ones.
    #[must_use]
    pub fn unpacked_for(&self, compressed: u64) -> u64 {
        self.unpacked_base_bytes
            .saturating_add(self.unpacked_ratio.saturating_mul(compressed))
            .min(self.unpacked_bytes)
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// Why an archive was refused, or what was made inert; stable codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $name,)+
        }

        impl Reason {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable snake_case code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

reasons! {
    /// The file is larger than an upload may be.
    UploadTooLarge = "upload_too_large",
    /// It unpacks to too much.
    LimitUnpacked = "limit_unpacked",
    /// Too many entries.
    LimitEntries = "limit_entries",
    /// A path or component is too long.
    LimitPath = "limit_path",
    /// A path is too deep.
    LimitDepth = "limit_depth",
    /// Extension headers are too large.
    LimitHeader = "limit_header",
    /// A sparse entry is too large or in too many regions.
    LimitSparse = "limit_sparse",
    /// The manifest is too large or too deep.
    LimitManifest = "limit_manifest",
    /// A decoder would need too much memory.
    LimitMemory = "limit_memory",
    /// The time limit of the reader was reached.
    LimitCpu = "limit_cpu",
    /// Not a bundle of format 1.
    NotABundle = "not_a_bundle",
    /// Neither a known archive nor text.
    UnknownFormat = "unknown_format",
    /// The file is empty.
    Empty = "empty",
    /// It ends in the middle.
    Truncated = "truncated",
    /// A checksum of the container does not hold.
    BadChecksum = "bad_checksum",
    /// The compressed stream is damaged.
    BadStream = "bad_stream",
    /// A header breaks the format or can be read in two ways.
    BadHeader = "bad_header",
    /// A name leads out of the archive.
    PathTraversal = "path_traversal",
    /// A name is absolute.
    AbsolutePath = "absolute_path",
    /// A name has bytes that no reader agrees on.
    BadName = "bad_name",
    /// A name appears twice.
    DuplicateEntry = "duplicate_entry",
    /// Two descriptions of one entry differ.
    AmbiguousEntry = "ambiguous_entry",
    /// Entries share bytes of the file.
    OverlappingEntries = "overlapping_entries",
    /// Entries are encrypted.
    Encrypted = "encrypted",
    /// A method or feature that is not read.
    Unsupported = "unsupported",
    /// Something follows the end.
    TrailingData = "trailing_data",
    /// No manifest.
    ManifestMissing = "manifest_missing",
    /// The manifest cannot be read.
    ManifestInvalid = "manifest_invalid",
    /// Manifest and content disagree.
    ManifestMismatch = "manifest_mismatch",
    /// A link was recorded and not made.
    LinkRecorded = "link_recorded",
    /// A link leads out of the archive; recorded and not made.
    LinkEscape = "link_escape",
    /// A device, FIFO or socket was recorded and not made.
    SpecialFile = "special_file",
    /// A name has control, bidirectional or invisible characters, or is not UTF-8.
    NameUnsafe = "name_unsafe",
    /// A name that Windows cannot hold.
    NameWindows = "name_windows",
    /// Two names differ only in case.
    NameCase = "name_case",
    /// An archive inside was stored, not opened.
    NestedNotOpened = "nested_not_opened",
    /// The reader died.
    Crashed = "crashed",
    /// The bytes could not be read.
    ReadFailed = "read_failed",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: the code for programs, the detail for people. The detail may quote untrusted names;
/// print it through `escape::terminal`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}: {detail}")]
pub struct Reject {
    /// Stable code.
    pub reason: Reason,
    /// What and where.
    pub detail: String,
}

impl Reject {
    /// Refuses with a code and a detail.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// A reject travels through `Read` as the inner error of an `io::Error` and comes back unchanged.
impl From<Reject> for io::Error {
    fn from(reject: Reject) -> Self {
        Self::new(io::ErrorKind::InvalidData, reject)
    }
}

impl From<io::Error> for Reject {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<Self>()) {
            if let Some(reject) = error
                .into_inner()
                .and_then(|inner| inner.downcast::<Self>().ok())
            {
                return *reject;
            }
            return Self::new(Reason::ReadFailed, "unknown");
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Self::new(Reason::Truncated, "the file ends in the middle")
            }
            _ => Self::new(Reason::ReadFailed, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_what_serde_writes() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let code = reason.as_str();
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{code}"
            );
            assert!(seen.insert(code), "{code} twice");
            assert_eq!(
                serde_json::to_string(reason).unwrap(),
                format!("\"{code}\"")
            );
        }
    }

    #[test]
    fn rejects_survive_io() {
        let reject = Reject::new(Reason::LimitSparse, "x");
        assert_eq!(Reject::from(io::Error::from(reject.clone())), reject);
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(Reject::from(cut).reason, Reason::Truncated);
    }

    #[test]
    fn cpu_grows_with_the_file() {
        let limits = Limits::default();
        for (bytes, seconds) in [(0, 60), (1, 70), (5 * GIB, 110)] {
            assert_eq!(limits.cpu_seconds_for(bytes), seconds);
        }
    }

    #[test]
    fn unpacked_grows_with_the_file_up_to_the_cap() {
        let limits = Limits::default();
        assert_eq!(limits.unpacked_for(0), GIB);
        assert_eq!(limits.unpacked_for(MIB), GIB + 200 * MIB);
        assert_eq!(limits.unpacked_for(u64::MAX), 64 * GIB);
    }
}
