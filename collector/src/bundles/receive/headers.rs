//! The words of tus 1.0 as they stand in headers, read strictly. Pure: no I/O, no HTTP types.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sitrep_shared::protocol::metadata;

use super::ReceiveError;

/// The one protocol version spoken.
pub const VERSION: &str = "1.0.0";
/// The extensions announced.
pub const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,checksum,termination,expiration";
/// The digests a chunk may be sent with.
pub const CHECKSUMS: &str = "sha1,sha256";
/// Longest Upload-Metadata header read, in bytes.
const METADATA_MAX_BYTES: usize = 8 * 1024;
/// Longest file name kept, in bytes.
const FILENAME_MAX_BYTES: usize = 255;

/// What a client says about its file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The header as it came, for HEAD.
    pub raw: String,
    /// Base name of the file, never empty.
    pub filename: String,
    /// Promised digest, hex in lower case.
    pub sha256: Option<String>,
    /// Consent record, JSON.
    pub consent: Option<String>,
    /// Hex SHA-256 of the code that may withdraw the bundle.
    pub withdrawal: Option<String>,
}

impl Metadata {
    /// Reads an Upload-Metadata header. An empty one is none, since tuspy sends it so.
    ///
    /// # Errors
    /// [`ReceiveError::Header`] for a key twice, bad base64, a digest that is none, or too many bytes.
    pub fn parse(raw: &str) -> Result<Self, ReceiveError> {
        let fault = |detail: &str| ReceiveError::Header {
            name: "Upload-Metadata",
            detail: detail.to_owned(),
        };
        if raw.len() > METADATA_MAX_BYTES {
            return Err(fault("longer than 8 KiB"));
        }
        let mut found = Self {
            raw: raw.to_owned(),
            filename: "upload".to_owned(),
            ..Self::default()
        };
        let mut seen: Vec<&str> = Vec::new();
        for pair in raw
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if seen.contains(&key) {
                return Err(fault("a key stands there twice"));
            }
            seen.push(key);
            if !matches!(
                key,
                metadata::FILENAME
                    | "name"
                    | metadata::SHA256
                    | metadata::CONSENT
                    | metadata::WITHDRAWAL
            ) {
                continue;
            }
            let bytes = STANDARD
                .decode(value.trim())
                .map_err(|_| fault("a value is not base64"))?;
            let text = String::from_utf8(bytes).map_err(|_| fault("a value is not UTF-8"))?;
            match key {
                metadata::FILENAME => found.filename = base_name(&text),
                // tus-js-client's examples send `name` as well; `filename` wins.
                "name" if !seen.contains(&"filename") => found.filename = base_name(&text),
                metadata::SHA256 | metadata::WITHDRAWAL => {
                    let digest = hex_digest(&text)
                        .ok_or_else(|| fault(&format!("{key} is not 64 hex digits")))?;
                    match key {
                        metadata::SHA256 => found.sha256 = Some(digest),
                        _ => found.withdrawal = Some(digest),
                    }
                }
                metadata::CONSENT if text.contains(char::is_control) => {
                    return Err(fault("consent has control characters"));
                }
                metadata::CONSENT => found.consent = Some(text),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The last component of a name, without control characters, bounded. It is shown, and offered at download; it never
/// names a file of ours.
pub fn base_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = last.chars().filter(|c| !c.is_control()).collect();
    while clean.len() > FILENAME_MAX_BYTES {
        clean.pop();
    }
    if clean.trim_matches('.').trim().is_empty() {
        "upload".to_owned()
    } else {
        clean
    }
}

fn hex_digest(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| text.to_ascii_lowercase())
}

/// Reads a header that holds a count of bytes.
///
/// # Errors
/// [`ReceiveError::Header`] when it is not a plain decimal number.
pub fn byte_count(name: &'static str, value: &str) -> Result<u64, ReceiveError> {
    let plain = !value.is_empty() && value.len() <= 18 && value.bytes().all(|b| b.is_ascii_digit());
    if !plain {
        return Err(ReceiveError::Header {
            name,
            detail: "not a number of bytes".to_owned(),
        });
    }
    value.parse().map_err(|_| ReceiveError::Header {
        name,
        detail: "not a number of bytes".to_owned(),
    })
}

/// The length of a new upload, or `None` when it is deferred.
///
/// # Errors
/// [`ReceiveError::Header`] unless exactly one of the two headers says it.
pub fn length(length: Option<&str>, defer: Option<&str>) -> Result<Option<u64>, ReceiveError> {
    match (length, defer) {
        (Some(length), None) => byte_count("Upload-Length", length).map(Some),
        (None, Some("1")) => Ok(None),
        (None, Some(_)) => Err(ReceiveError::Header {
            name: "Upload-Defer-Length",
            detail: "only 1 has a meaning".into(),
        }),
        (None, None) => Err(ReceiveError::Header {
            name: "Upload-Length",
            detail: "missing".into(),
        }),
        (Some(_), Some(_)) => Err(ReceiveError::Header {
            name: "Upload-Length",
            detail: "given and deferred at once".into(),
        }),
    }
}

/// The digest a chunk must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-1, for clients that know no other.
    Sha1([u8; 20]),
    /// SHA-256.
    Sha256([u8; 32]),
}

impl Checksum {
    /// Reads an Upload-Checksum header.
    ///
    /// # Errors
    /// [`ReceiveError::Header`] for an algorithm that is not announced or a digest of the wrong length.
    pub fn parse(value: &str) -> Result<Self, ReceiveError> {
        let fault = |detail: &str| ReceiveError::Header {
            name: "Upload-Checksum",
            detail: detail.to_owned(),
        };
        let (name, digest) = value
            .trim()
            .split_once(' ')
            .ok_or_else(|| fault("not `algorithm digest`"))?;
        let digest = STANDARD
            .decode(digest.trim())
            .map_err(|_| fault("the digest is not base64"))?;
        match name {
            "sha1" => digest
                .try_into()
                .map(Self::Sha1)
                .map_err(|_| fault("the digest has the wrong length")),
            "sha256" => digest
                .try_into()
                .map(Self::Sha256)
                .map_err(|_| fault("the digest has the wrong length")),
            _ => Err(fault("this algorithm is not spoken; sha1 and sha256 are")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_strictly() {
        let found = Metadata::parse("filename L2V0Yy9hLnRhci5neg==,other,name eA==").unwrap();
        assert_eq!(found.filename, "a.tar.gz");
        assert_eq!(Metadata::parse("").unwrap().filename, "upload");
        for bad in [
            "filename !!",
            "filename YQ==,filename YQ==",
            "sha256 YQ==",
            "filename /w==",
        ] {
            assert!(Metadata::parse(bad).is_err(), "{bad}");
        }
        let digest = STANDARD.encode("AB".repeat(32));
        assert_eq!(
            Metadata::parse(&format!("sha256 {digest}")).unwrap().sha256,
            Some("ab".repeat(32))
        );
        assert!(Metadata::parse(&"a".repeat(METADATA_MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn names_lose_their_folders_and_controls() {
        for (input, expected) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\a\\b.zip", "b.zip"),
            ("..", "upload"),
            ("a\u{1b}[2Jb", "a[2Jb"),
            ("日志.log", "日志.log"),
            ("", "upload"),
        ] {
            assert_eq!(base_name(input), expected);
        }
        assert!(base_name(&"é".repeat(300)).len() <= FILENAME_MAX_BYTES);
    }

    #[test]
    fn a_consent_is_plain_text() {
        for (text, taken) in [("yes, by Ann", true), ("a\0", false), ("a\nb", false)] {
            let raw = format!("consent {}", STANDARD.encode(text));
            assert_eq!(Metadata::parse(&raw).is_ok(), taken, "{text:?}");
        }
    }

    #[test]
    fn counts_are_plain_decimal() {
        assert_eq!(byte_count("Upload-Offset", "10").unwrap(), 10);
        for bad in ["", "-1", "+1", "1e3", " 1", "99999999999999999999", "0x10"] {
            assert!(byte_count("Upload-Offset", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_length_is_given_or_deferred() {
        assert_eq!(length(Some("5"), None).unwrap(), Some(5));
        assert_eq!(length(None, Some("1")).unwrap(), None);
        for (length_, defer) in [(None, None), (Some("5"), Some("1")), (None, Some("2"))] {
            assert!(length(length_, defer).is_err());
        }
    }

    #[test]
    fn checksums_of_the_announced_kinds() {
        let twenty = STANDARD.encode([7u8; 20]);
        assert_eq!(
            Checksum::parse(&format!("sha1 {twenty}")).unwrap(),
            Checksum::Sha1([7; 20])
        );
        for bad in [
            format!("sha256 {twenty}"),
            format!("md5 {twenty}"),
            "sha1".into(),
            "sha1 ?".into(),
        ] {
            assert!(Checksum::parse(&bad).is_err(), "{bad}");
        }
    }
}
