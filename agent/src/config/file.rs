//! One TOML file as a flat list of dotted keys with their lines.

use std::io::Read;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// A configuration larger than this is not one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// One `key = value` of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Dotted name.
    pub name: String,
    /// The value, or the elements of a list.
    pub values: Vec<String>,
    /// Line of the key, from 1.
    pub line: usize,
}

/// Reads a file; `None` when it does not exist.
pub fn read(path: &Path) -> Result<Option<Vec<Entry>>, Vec<String>> {
    let say = |why: String| vec![format!("{}: {why}", path.display())];
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(say(format!("cannot be opened: {error}"))),
    };
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(count) if count as u64 > MAX_FILE_BYTES => Err(say("is larger than 1 MiB".to_owned())),
        Ok(_) => parse(&text).map(Some).map_err(|faults| {
            faults
                .into_iter()
                .map(|fault| format!("{}:{fault}", path.display()))
                .collect()
        }),
        Err(error) => Err(say(format!("cannot be read: {error}"))),
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, Vec<String>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|error| {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                format!("{line}: {}", error.message())
            })
            .collect());
    }
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    walk(text, "", table.get_ref(), &mut entries, &mut faults);
    if faults.is_empty() {
        Ok(entries)
    } else {
        Err(faults)
    }
}

fn walk(
    text: &str,
    prefix: &str,
    table: &DeTable<'_>,
    entries: &mut Vec<Entry>,
    faults: &mut Vec<String>,
) {
    for (key, value) in table {
        let name = match prefix {
            "" => key.get_ref().to_string(),
            _ => format!("{prefix}.{}", key.get_ref()),
        };
        let line = line_of(text, key.span().start);
        let values = match value.get_ref() {
            DeValue::Table(inner) => {
                walk(text, &name, inner, entries, faults);
                continue;
            }
            DeValue::Array(elements) => elements
                .iter()
                .map(|element| scalar(element.get_ref()))
                .collect(),
            single => scalar(single).map(|value| vec![value]),
        };
        match values {
            Some(values) => entries.push(Entry { name, values, line }),
            None => faults.push(format!(
                "{line}: {name}: tables and dates are not values here"
            )),
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_dotted_names_and_lines() {
        let entries = parse(
            "url = \"https://x\"\n[policy]\nallow_send = false\ndeny_items = [\"a\", \"b*\"]\n",
        );
        let entries = entries.expect("valid");
        let seen: Vec<(&str, &[String], usize)> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), &entry.values[..], entry.line))
            .collect();
        assert!(
            seen.contains(&("url", &["https://x".to_owned()][..], 1)),
            "{seen:?}"
        );
        assert!(
            seen.contains(&("policy.allow_send", &["false".to_owned()][..], 3)),
            "{seen:?}"
        );
        assert!(seen.contains(&(
            "policy.deny_items",
            &["a".to_owned(), "b*".to_owned()][..],
            4
        )));
    }

    #[test]
    fn broken_files_name_the_line() {
        let faults = parse("a = 1\nb = \nc = 2\n").expect_err("broken");
        assert!(faults[0].starts_with("2: "), "{faults:?}");
    }
}
