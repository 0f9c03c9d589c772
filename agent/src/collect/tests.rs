//! The runner under faults: panics, hangs, limits, cancelling.
