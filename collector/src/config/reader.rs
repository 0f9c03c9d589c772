//! The limits of the reader of bundles, from the settings under `reader.`: one key per field.

use serde_json::{Map, Value};
use sitrep_shared::bundle::limits::Limits;

use super::Resolved;
use super::keys::{KEYS, Kind};

/// What the keys begin with.
const PREFIX: &str = "reader.";

impl Resolved {
    /// The limits of every reader of bundles.
    pub fn reader_limits(&self) -> Limits {
        let mut fields = Map::new();
        for key in KEYS {
            let Some(field) = key.name.strip_prefix(PREFIX) else {
                continue;
            };
            let value = if key.kind == Kind::Bytes {
                self.bytes(key.name)
            } else {
                self.number(key.name)
            };
            fields.insert(field.to_owned(), Value::from(value));
        }
        let upload = Value::from(self.bytes("limits.upload_bytes"));
        fields.insert("upload_bytes".to_owned(), upload);
        serde_json::from_value(Value::Object(fields))
            .expect("each key under reader. is a field, as a test shows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn limits(flags: &[(&str, &str)]) -> Limits {
        let flags = flags.iter().map(|(key, value)| {
            (
                format!("--set {key}"),
                (*key).to_owned(),
                (*value).to_owned(),
            )
        });
        let sources = Sources {
            file: None,
            environment: Vec::new(),
            flags: flags.collect(),
        };
        load(&sources).unwrap().reader_limits()
    }

    #[test]
    fn the_defaults_are_those_of_the_reader() {
        assert_eq!(limits(&[]), Limits::default());
    }

    #[test]
    fn every_limit_but_that_of_the_format_can_be_set() {
        let defaults = serde_json::to_value(Limits::default()).unwrap();
        for field in defaults.as_object().unwrap().keys() {
            // A block's size belongs to the format.
            let key = match field.as_str() {
                "block_bytes" => continue,
                "upload_bytes" => "limits.upload_bytes".to_owned(),
                other => format!("{PREFIX}{other}"),
            };
            let set = serde_json::to_value(limits(&[(&key, "77")])).unwrap();
            assert_eq!(set[field], 77, "{key}");
        }
    }
}
