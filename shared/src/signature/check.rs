//! What makes a document a signature: ids, conditions on facts, tests. The matching part is checked
//! in `rule`.

use serde_saphyr::Spanned;
use sha2::{Digest, Sha256};

use super::condition;
use super::model::Signature;
use super::parse::{Fault, line_of};

/// The shortest immutable rule id.
const MIN_RULE_ID: usize = 12;
/// The length of an id that is made here.
const GENERATED_LENGTH: usize = 22;

/// Checks the public id.
pub(super) fn cre_id(id: Option<&Spanned<String>>, line: u64) -> Result<String, Fault> {
    let Some(id) = id else {
        return Err(Fault::new(
            line,
            "rule without cre.id",
            "for example `id: SIG-0001`",
        ));
    };
    let valid = id.value.len() >= 4
        && id
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if valid {
        return Ok(id.value.clone());
    }
    let message = format!("cre.id `{}` is not valid", id.value);
    Err(Fault::new(
        line_of(id),
        message,
        "at least four letters, digits and dashes",
    ))
}

/// Checks the rule id; a rule without one gets an id from its public id, always the same.
pub(super) fn rule_id(id: Option<&Spanned<String>>, cre_id: &str) -> Result<String, Fault> {
    let Some(id) = id else {
        return Ok(generated(cre_id));
    };
    let base58 = |b: u8| b.is_ascii_alphanumeric() && b != b'0';
    if id.value.len() >= MIN_RULE_ID && id.value.bytes().all(base58) {
        return Ok(id.value.clone());
    }
    let message = format!("metadata.id `{}` is not valid", id.value);
    Err(Fault::new(
        line_of(id),
        message,
        "at least 12 of 1-9, A-Z and a-z; there is no 0 in base58",
    ))
}

/// A rule id from the public id's hash, in the letters of base58.
fn generated(cre_id: &str) -> String {
    const LETTERS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let hash = Sha256::digest(cre_id.as_bytes());
    hash.iter()
        .take(GENERATED_LENGTH)
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect()
}

/// Checks a CEL expression.
pub(super) fn condition(text: &Spanned<String>) -> Result<(), Fault> {
    condition::compile(&text.value).map(|_| ()).map_err(|e| {
        Fault::new(
            line_of(text),
            format!("condition does not compile: {e}"),
            "it is CEL over `facts`",
        )
    })
}

/// Reads the end of a suppression: a date or an RFC 3339 time.
pub(super) fn until(text: &Spanned<String>) -> Result<i64, Fault> {
    let value = text.value.trim();
    let stamp = if value.len() == 10 {
        format!("{value}T23:59:59Z")
    } else {
        value.to_owned()
    };
    stamp
        .parse::<jiff::Timestamp>()
        .map(|t| t.as_millisecond())
        .map_err(|_| {
            Fault::new(
                line_of(text),
                format!("`{value}` is not a date"),
                "for example 2027-03-31",
            )
        })
}

/// Checks what depends on the whole signature: ours must bring tests, and one of them must fire.
pub(super) fn extension(signature: &Signature) -> Result<(), Fault> {
    let Some(extension) = &signature.extension else {
        return Ok(());
    };
    if !extension.tests.iter().any(|t| t.fires) {
        return Err(Fault::new(
            signature.line,
            format!("signature {} has no test in which it fires", signature.id),
            "add one under sitrep.tests with `fires: true` and the log or facts",
        ));
    }
    for test in &extension.tests {
        if test.log.is_none() && test.facts.is_none() {
            let message = format!("test `{}` has neither a log nor facts", test.name);
            return Err(Fault::new(test.line, message, "add `log:` or `facts:`"));
        }
    }
    Ok(())
}
