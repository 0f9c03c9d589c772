//! The one way to print an error: its own text, then each cause.

use std::error::Error;
use std::fmt::Write as _;

/// Joins an error and its causes as `a: b: c`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open spool")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn joins_causes_outermost_first() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "cannot open spool: disk on fire");
    }
}
