//! PAX extended headers: each key once, and only what can be read in one way.

use std::collections::BTreeMap;

use crate::bundle::limits::{Reason, Reject};

/// From this size on a ustar header cannot hold it, and PAX must.
const OCTAL_SIZE_END: u64 = 1 << 33;

/// What an extended header changes about its entry.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    size: Option<u64>,
    /// Real size of a sparse entry whose map is in its data.
    pub(super) sparse: Option<u64>,
    sparse_name: Option<Vec<u8>>,
    pub(super) mtime_s: Option<i64>,
}

fn bad(what: &str) -> Reject {
    Reject::new(Reason::BadHeader, format!("PAX header: {what}"))
}

impl Pax {
    /// Stored bytes of the entry. Readers that ignore PAX would go on elsewhere if both sizes were
    /// there and different, unless the header cannot hold the true one.
    pub(super) fn size(&self, header: u64) -> Result<u64, Reject> {
        match self.size {
            None => Ok(header),
            Some(size) if size == header => Ok(size),
            Some(size) if size >= OCTAL_SIZE_END => Ok(size),
            Some(_) => Err(bad("another size than the header's")),
        }
    }

    /// Name of a sparse entry. A path beside it is made up; of another one, some readers would take the later.
    pub(super) fn sparse_name(&self) -> Result<Option<Vec<u8>>, Reject> {
        let made_up = |path: &Vec<u8>| memchr::memmem::find(path, b"GNUSparseFile.").is_some();
        match (&self.sparse_name, self.sparse) {
            (Some(_), Some(_)) if !self.path.as_ref().is_none_or(made_up) => {
                Err(bad("two names of a sparse entry"))
            }
            (Some(name), Some(_)) => Ok(Some(name.clone())),
            (None, None) => Ok(None),
            _ => Err(bad("half of a sparse description")),
        }
    }

    /// Whether it says the stored size: beside a sparse description, readers take either for where to go on.
    pub(super) fn has_size(&self) -> bool {
        self.size.is_some()
    }
}

/// Reads an extended header.
pub(super) fn parse(data: &[u8]) -> Result<Pax, Reject> {
    let records = records(data)?;
    let get = |key: &str| records.get(key.as_bytes()).copied();
    let mut pax = Pax {
        path: name(get("path"))?,
        link: name(get("linkpath"))?,
        ..Pax::default()
    };
    pax.size = get("size")
        .map(|value| number(value).ok_or_else(|| bad("size")))
        .transpose()?;
    pax.mtime_s = get("mtime").and_then(|value| {
        let whole = value.split(|byte| *byte == b'.').next()?;
        std::str::from_utf8(whole).ok()?.parse().ok()
    });
    for key in ["uid", "gid"] {
        if get(key).is_some_and(|value| number(value).is_none()) {
            return Err(bad(key));
        }
    }
    for key in ["mtime", "atime", "ctime"] {
        if get(key).is_some_and(|value| !is_time(value)) {
            return Err(bad(key));
        }
    }
    if get("hdrcharset")
        .is_some_and(|value| value != b"BINARY" && value != b"ISO-IR 10646 2000 UTF-8")
    {
        return Err(bad("character set"));
    }
    if get("GNU.sparse.major").is_some() || get("GNU.sparse.minor").is_some() {
        if get("GNU.sparse.major") != Some(b"1") || get("GNU.sparse.minor") != Some(b"0") {
            return Err(Reject::new(
                Reason::Unsupported,
                "another sparse format than 1.0",
            ));
        }
        let real = get("GNU.sparse.realsize")
            .and_then(number)
            .ok_or_else(|| bad("sparse size"))?;
        pax.sparse = Some(real);
        pax.sparse_name = name(get("GNU.sparse.name"))?;
    }
    let known = [
        "GNU.sparse.major",
        "GNU.sparse.minor",
        "GNU.sparse.realsize",
        "GNU.sparse.name",
    ];
    for key in records.keys() {
        let other_sparse =
            key.starts_with(b"GNU.") && !known.iter().any(|known| known.as_bytes() == *key);
        let star = *key == b"SCHILY.realsize"
            || *key == b"SCHILY.filetype"
            || key.starts_with(b"SUN.holes");
        let half = key.starts_with(b"GNU.sparse.") && pax.sparse.is_none();
        if other_sparse || star || half {
            let shown = String::from_utf8_lossy(key).into_owned();
            return Err(Reject::new(
                Reason::Unsupported,
                format!("PAX key {shown:?}"),
            ));
        }
    }
    Ok(pax)
}

/// A global header may only say what changes nothing: `git archive` puts a comment there.
pub(super) fn check_global(data: &[u8]) -> Result<(), Reject> {
    const HARMLESS: [&[u8]; 6] = [b"comment", b"mtime", b"atime", b"ctime", b"uname", b"gname"];
    let records = records(data)?;
    match records.keys().find(|key| !HARMLESS.contains(key)) {
        Some(key) => Err(bad(&format!(
            "global key {:?}",
            String::from_utf8_lossy(key)
        ))),
        None => Ok(()),
    }
}

/// Splits a header into its records, which must fill it and have each key once.
fn records(data: &[u8]) -> Result<BTreeMap<&[u8], &[u8]>, Reject> {
    let mut records = BTreeMap::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (record, after) = next(rest).ok_or_else(|| bad("a record's length"))?;
        let equals = memchr::memchr(b'=', record).ok_or_else(|| bad("a record without a value"))?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        // GNU tar passes over blanks before a key, others take them for a part of it.
        if key.is_empty() || key.contains(&0) || matches!(key[0], b' ' | b'\t') {
            return Err(bad("a key"));
        }
        if records.insert(key, value).is_some() {
            return Err(bad(&format!("{:?} twice", String::from_utf8_lossy(key))));
        }
        rest = after;
    }
    if records.is_empty() {
        return Err(bad("empty"));
    }
    Ok(records)
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts everything.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = bytes.iter().take(10).position(|byte| *byte == b' ')?;
    if bytes[0] == b'0' {
        return None;
    }
    let length = usize::try_from(number(&bytes[..blank])?).ok()?;
    let record = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
    Some((record, &bytes[length..]))
}

fn name(value: Option<&[u8]>) -> Result<Option<Vec<u8>>, Reject> {
    match value {
        None => Ok(None),
        // An empty value takes an earlier one back, which no two readers do alike.
        Some(value) if value.is_empty() || value.contains(&0) => Err(Reject::new(
            Reason::BadName,
            "a PAX name that is empty or has a NUL",
        )),
        Some(value) => Ok(Some(value.to_vec())),
    }
}

pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .filter(|value| *value < 1 << 63)
}

fn is_time(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"-").unwrap_or(value);
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    parts.all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str) -> Vec<u8> {
        let rest = key.len() + value.len() + 3;
        let length = (1..10)
            .map(|digits| rest + digits)
            .find(|n| n.to_string().len() + rest == *n)
            .unwrap();
        format!("{length} {key}={value}\n").into_bytes()
    }

    #[test]
    fn headers_are_judged() {
        let cases: Vec<(Vec<u8>, Option<Reason>)> = vec![
            (
                [
                    record("path", "a/b"),
                    record("mtime", "12.5"),
                    record("SCHILY.xattr.user.x", "y"),
                ]
                .concat(),
                None,
            ),
            (
                [record("path", "a"), record("path", "b")].concat(),
                Some(Reason::BadHeader),
            ),
            (record(" path", "a"), Some(Reason::BadHeader)),
            (record("\tsize", "5"), Some(Reason::BadHeader)),
            (record("path", ""), Some(Reason::BadName)),
            (record("path", "a\0b"), Some(Reason::BadName)),
            (record("size", "-1"), Some(Reason::BadHeader)),
            (
                record("size", "99999999999999999999"),
                Some(Reason::BadHeader),
            ),
            (record("mtime", "soon"), Some(Reason::BadHeader)),
            (record("GNU.sparse.map", "0,1"), Some(Reason::Unsupported)),
            (record("GNU.sparse.name", "x"), Some(Reason::Unsupported)),
            (record("SCHILY.realsize", "5"), Some(Reason::Unsupported)),
            (record("hdrcharset", "EBCDIC"), Some(Reason::BadHeader)),
            (b"10 path=ab".to_vec(), Some(Reason::BadHeader)),
            (b"99 path=a\n".to_vec(), Some(Reason::BadHeader)),
            (b"011 path=a\n".to_vec(), Some(Reason::BadHeader)),
            (b"".to_vec(), Some(Reason::BadHeader)),
        ];
        for (data, reason) in cases {
            assert_eq!(
                parse(&data).err().map(|reject| reject.reason),
                reason,
                "{:?}",
                String::from_utf8_lossy(&data)
            );
        }
        assert!(check_global(&record("comment", "abc")).is_ok());
        assert!(check_global(&record("path", "abc")).is_err());
    }

    #[test]
    fn sizes_may_not_differ() {
        let pax = |size| Pax {
            size,
            ..Pax::default()
        };
        assert_eq!(pax(None).size(5), Ok(5));
        assert_eq!(pax(Some(5)).size(5), Ok(5));
        assert_eq!(pax(Some(1 << 33)).size(0), Ok(1 << 33));
        assert!(pax(Some(5)).size(0).is_err());
    }
}
