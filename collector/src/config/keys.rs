//! Registry of all settings: one line per key. Order is the order of `config show`.

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path.
    Path,
    /// A whole number.
    Number,
    /// Bytes, as `500M` or `2 GiB`.
    Bytes,
    /// A time span, as `30s`, `15m`, `72h`, `7d`.
    Duration,
    /// Texts; in the environment and in flags separated by commas.
    List,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted name.
    pub name: &'static str,
    /// Form of the value.
    pub kind: Kind,
    /// Built-in value, empty for none.
    pub default: &'static str,
    /// Whether the value is never printed.
    pub secret: bool,
    /// One line of documentation.
    pub doc: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        secret: false,
        doc,
    }
}

const fn secret(name: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Text,
        default: "",
        secret: true,
        doc,
    }
}

/// All settings.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("listen", Kind::Text, "127.0.0.1:8443", "address and port to listen on"),
    key("public_url", Kind::Text, "", "URL under which customers reach this service"),
    key("name", Kind::Text, "Sitrep", "name of the service or team, shown to customers"),
    key("data_dir", Kind::Path, "/var/lib/sitrepd", "folder for database, bundles and keys"),
    secret("database_url", "sqlite:// or postgres:// URL; default: SQLite in data_dir"),
    key("database_url_file", Kind::Path, "", "file that holds the database URL"),
    key("database_connections", Kind::Number, "8", "most database connections at once"),
    key("pepper_file", Kind::Path, "", "key for stored upload codes; the same on every replica"),
    key("trusted_proxies", Kind::List, "", "addresses whose X-Forwarded-For is believed"),
    key("role", Kind::Choice(&["all", "serve", "work"]), "all", "what this process does: requests, jobs, or both"),
    key("workers", Kind::Number, "2", "bundles read at once in this process"),
    key("metrics.listen", Kind::Text, "", "address and port for metrics and health alone, without TLS; none for none"),
    key("tickets.reopen", Kind::Duration, "14d", "how long after closing a customer's answer opens the ticket again; later it begins a follow-up"),
    key("retention.closed", Kind::Duration, "30d", "how long bundles of a closed ticket are kept"),
    key("connectors.poll", Kind::Duration, "60s", "how often other ticket systems are read for what happened there"),
    key("requests", Kind::Choice(&["closed", "open"]), "closed", "whether customers may open tickets at /request without being asked to"),
    key("shutdown_grace", Kind::Duration, "30s", "time for running requests and jobs to end"),
    key("storage.kind", Kind::Choice(&["folder", "s3", "gcs", "azure"]), "folder", "where bundles lie: in data_dir, in an S3-compatible store, Google's or Azure's"),
    key("storage.endpoint", Kind::Text, "", "URL of the store; none for the provider's own; of Azure with the account at its end"),
    key("storage.bucket", Kind::Text, "", "bucket, or Azure's container"),
    key("storage.region", Kind::Text, "us-east-1", "region of the bucket, for s3"),
    key("storage.prefix", Kind::Text, "", "what all keys in the bucket begin with"),
    key("storage.access_key_id", Kind::Text, "", "key id of s3, account of azure; s3 and gcs: none to use what the machine is given"),
    secret("storage.secret_access_key", "secret of the key id, key of the account, or the JSON of Google's service account"),
    key("storage.secret_access_key_file", Kind::Path, "", "file that holds the same"),
    key("tls.mode", Kind::Choice(&["own", "files", "off"]), "own", "own certificate, given files, or off (loopback only)"),
    key("tls.certificate", Kind::Path, "", "PEM chain for tls.mode = \"files\""),
    key("tls.key", Kind::Path, "", "PEM key for tls.mode = \"files\""),
    key("tls.names", Kind::List, "", "further names and addresses in the own certificate"),
    key("encryption.recipient", Kind::Text, "", "age recipient (age1…) that agents encrypt bundles to"),
    key("encryption.identity_file", Kind::Path, "", "file with the age key that reads them; without it they are only stored"),
    key("limits.upload_bytes", Kind::Bytes, "5 GiB", "largest upload"),
    key("limits.ticket_bytes", Kind::Bytes, "100 GiB", "bytes of all bundles of a ticket, unfinished uploads included"),
    key("limits.total_bytes", Kind::Bytes, "", "bytes of all bundles, unfinished uploads included; none for no limit"),
    key("limits.address_uploads", Kind::Number, "1000", "unfinished uploads from one address"),
    key("limits.bodies", Kind::Number, "11000", "upload requests served at once"),
    key("limits.code_lifetime", Kind::Duration, "72h", "how long an upload code is valid"),
    key("reader.unpacked_bytes", Kind::Bytes, "64 GiB", "unpacked bytes of a bundle, whatever the ratio"),
    key("reader.unpacked_base_bytes", Kind::Bytes, "1 GiB", "unpacked bytes that any bundle may have"),
    key("reader.unpacked_ratio", Kind::Number, "200", "unpacked bytes per compressed byte beyond that"),
    key("reader.entry_bytes", Kind::Bytes, "16 GiB", "bytes of one entry, holes included"),
    key("reader.sparse_regions", Kind::Number, "10000", "regions of one sparse entry"),
    key("reader.entries", Kind::Number, "200000", "entries of one bundle"),
    key("reader.path_bytes", Kind::Number, "4096", "bytes of a path in a bundle"),
    key("reader.component_bytes", Kind::Number, "255", "bytes of one component of a path"),
    key("reader.depth", Kind::Number, "64", "components of a path"),
    key("reader.header_bytes", Kind::Bytes, "1 MiB", "bytes of one extension header"),
    key("reader.headers_total_bytes", Kind::Bytes, "64 MiB", "bytes of all extension headers"),
    key("reader.manifest_bytes", Kind::Bytes, "16 MiB", "bytes of a manifest"),
    key("reader.json_depth", Kind::Number, "64", "nesting of a manifest"),
    key("reader.decoder_bytes", Kind::Bytes, "128 MiB", "window or dictionary of a decoder"),
    key("reader.memory_bytes", Kind::Bytes, "512 MiB", "memory of the process that reads a bundle"),
    key("reader.cpu_base_s", Kind::Number, "60", "CPU seconds that reading any bundle may take"),
    key("reader.cpu_per_gib_s", Kind::Number, "10", "CPU seconds more per GiB of the bundle"),
    key("limits.connections", Kind::Number, "12000", "connections served at once"),
];

/// The environment variable that sets a key: `tls.mode` is `SITREPD_TLS_MODE`.
pub fn env_name(key: &str) -> String {
    format!("SITREPD_{}", key.replace('.', "_").to_uppercase())
}

/// The known key that is nearest to a wrong one, when it is near enough to be meant.
pub fn nearest(wrong: &str) -> Option<&'static str> {
    let mut best: Option<(usize, &'static str)> = None;
    for key in KEYS {
        let distance = edit_distance(wrong, key.name);
        if best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, key.name));
        }
    }
    best.filter(|(d, name)| *d <= 2 + name.len() / 4)
        .map(|(_, name)| name)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_what_was_meant() {
        assert_eq!(nearest("listn"), Some("listen"));
        assert_eq!(nearest("limits.upload_byte"), Some("limits.upload_bytes"));
        assert_eq!(nearest("completely-different-thing"), None);
    }

    #[test]
    fn names_are_unique_and_defaults_are_valid() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(
                KEYS[i + 1..].iter().all(|k| k.name != key.name),
                "{} twice",
                key.name
            );
            if !key.default.is_empty() {
                let checked = super::super::layers::check_value(key, key.default);
                assert!(checked.is_ok(), "{}: {checked:?}", key.name);
            }
        }
    }

    #[test]
    fn env_names() {
        assert_eq!(
            env_name("limits.upload_bytes"),
            "SITREPD_LIMITS_UPLOAD_BYTES"
        );
    }
}
