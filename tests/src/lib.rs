//! The whole product under test.
