//! Problem details (RFC 9457), with a stable code for programs and a hint for people.

use serde::{Deserialize, Serialize};

/// The uniform answer to a wrong, used or expired upload code.
pub const CODE_INVALID: &str = "code_invalid";

/// An `application/problem+json` body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// URI reference of the kind; `about:blank` when the status says it all.
    #[serde(rename = "type", default = "blank")]
    pub kind: String,
    /// Short text of the kind.
    #[serde(default)]
    pub title: String,
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Stable snake_case code.
    #[serde(default)]
    pub code: String,
    /// What the reader can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Faults per field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A fault of one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Name of the field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// A problem with its status, code and title.
    #[must_use]
    pub fn new(status: u16, code: &str, title: &str) -> Self {
        Self {
            kind: blank(),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            ..Self::default()
        }
    }
}

fn blank() -> String {
    "about:blank".to_owned()
}
