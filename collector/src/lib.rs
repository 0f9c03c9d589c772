//! The collector: receives bundles, attaches them to tickets, flags known errors.

pub mod locale;
