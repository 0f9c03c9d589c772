//! Why an item gave nothing, or not all: the reader's side of an outcome.

use super::source::Outcome;
use std::io;

/// An outcome other than collected, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The outcome to report.
    pub outcome: Outcome,
    /// The reason, for people.
    pub reason: String,
}

impl Miss {
    /// There is no such thing on this host.
    pub fn absent(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Absent,
            reason: reason.into(),
        }
    }

    /// A right is missing.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Denied,
            reason: reason.into(),
        }
    }

    /// Not read on purpose.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Skipped,
            reason: reason.into(),
        }
    }

    /// Forbidden by the deny list or by the rules of safe reading.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Refused,
            reason: reason.into(),
        }
    }

    /// Tried, and it did not work.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            reason: reason.into(),
        }
    }

    /// Took too long.
    pub fn timed_out(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::TimedOut,
            reason: reason.into(),
        }
    }

    /// What was read is incomplete.
    pub fn partial(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Partial,
            reason: reason.into(),
        }
    }
}

impl From<io::Error> for Miss {
    /// Classifies an error of opening or reading. Files of /proc and /sys answer some reads with odd codes
    /// that mean "the kernel has no value here"; those are absent, not failed.
    fn from(error: io::Error) -> Self {
        const ENXIO: i32 = 6;
        const ENODEV: i32 = 19;
        const EINVAL: i32 = 22;
        const ENODATA: i32 = 61;
        const EOPNOTSUPP: i32 = 95;
        const ESRCH: i32 = 3;
        const ENOTDIR: i32 = 20;
        const ELOOP: i32 = 40;
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::NotFound, _) | (_, Some(ESRCH | ENOTDIR)) => {
                Self::absent("does not exist")
            }
            (io::ErrorKind::PermissionDenied, _) => Self::denied("permission denied"),
            (_, Some(ELOOP)) => Self::refused("is or lies behind a symbolic link"),
            (_, Some(ENXIO | ENODEV | EINVAL | ENODATA | EOPNOTSUPP)) => {
                Self::absent(format!("the kernel gives no value: {error}"))
            }
            (io::ErrorKind::TimedOut, _) => Self::timed_out("timed out"),
            _ => Self::failed(error.to_string()),
        }
    }
}
