//! What the connectors of ticket systems share. What is missing in an answer is empty, as a field without a value is
//! there.

use serde_json::Value;

/// The settings that a ticket system uses.
pub(super) const USES: &[&str] = &[
    "private",
    "place",
    "open",
    "publish",
    "tags_field",
    "fields",
    "statuses",
    "report_bytes",
    "language",
];

/// Pages that are read of one list.
pub(super) const PAGES_MAX: usize = 50;

/// A whole number, which some systems give as a text by turns.
pub(super) fn int(value: &Value) -> i64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    value.as_i64().or(text).unwrap_or(0)
}

/// A text.
pub(super) fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
