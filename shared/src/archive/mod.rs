//! The strict reader for archives that are not format 1 bundles: one meaning per archive, or a
//! rejection with a reason code.
