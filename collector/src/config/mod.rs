//! Settings of the service, resolved from built-in values, file, environment and flags.
//!
//! `keys` is the registry, `layers` reads and merges; this file gives the values their types.

mod encryption;
pub mod keys;
pub mod layers;
mod reader;
mod storage;
pub mod units;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use encryption::Encryption;
pub use layers::{ConfigError, Resolved, Sources, load};

/// A value that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How the listener speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsMode {
    /// A certificate of our own, made at the first start.
    Own,
    /// Certificate chain and key from files.
    Files {
        /// PEM chain, leaf first.
        certificate: PathBuf,
        /// PEM private key.
        key: PathBuf,
    },
    /// Plain HTTP; allowed on loopback only.
    Off,
}

/// Typed settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// URL under which customers reach the service; links are built from it.
    pub public_url: Option<String>,
    /// Name shown to customers.
    pub name: String,
    /// Folder for everything that is kept.
    pub data_dir: PathBuf,
    /// Database URL; none means SQLite in the data folder.
    pub database_url: Option<Secret>,
    /// File with the key for stored upload codes; none means one in the data folder.
    pub pepper_file: Option<PathBuf>,
    /// TLS.
    pub tls: TlsMode,
    /// Names and addresses for the own certificate besides the listen address.
    pub tls_names: Vec<String>,
    /// Peers whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Time for running requests and jobs to end at shutdown.
    pub shutdown_grace: Duration,
    /// Largest upload in bytes.
    pub max_upload_bytes: u64,
    /// Lifetime of an upload code.
    pub code_lifetime: Duration,
    /// Whom agents encrypt to, and what reads it.
    pub encryption: Encryption,
    /// Connections served at once.
    pub max_connections: usize,
    /// Largest number of database connections.
    pub database_connections: u32,
    /// Everything resolved, with origins, for `config show` and for pieces with keys of their own.
    pub resolved: Resolved,
}

impl Config {
    /// Gives resolved texts their types; `load` has already checked every one of them.
    pub fn from_resolved(resolved: Resolved) -> Result<Self, ConfigError> {
        let tls = match resolved.text("tls.mode") {
            "off" => TlsMode::Off,
            "files" => TlsMode::Files {
                certificate: resolved.path("tls.certificate").unwrap_or_default(),
                key: resolved.path("tls.key").unwrap_or_default(),
            },
            _ => TlsMode::Own,
        };
        let listen = parse_listen(resolved.text("listen"))?;
        resolved
            .optional("metrics.listen")
            .map(parse_listen)
            .transpose()?;
        let config = Self {
            listen,
            public_url: resolved
                .optional("public_url")
                .map(|u| u.trim_end_matches('/').to_owned()),
            name: resolved.text("name").to_owned(),
            data_dir: resolved.path("data_dir").unwrap_or_default(),
            database_url: database_url(&resolved)?,
            pepper_file: resolved.path("pepper_file"),
            tls,
            tls_names: resolved.list("tls.names"),
            trusted_proxies: parse_proxies(&resolved)?,
            shutdown_grace: resolved.duration("shutdown_grace"),
            max_upload_bytes: resolved.bytes("limits.upload_bytes"),
            code_lifetime: resolved.duration("limits.code_lifetime"),
            encryption: encryption::encryption(&resolved)?,
            max_connections: usize::try_from(resolved.number("limits.connections"))
                .unwrap_or(usize::MAX),
            database_connections: u32::try_from(resolved.number("database_connections"))
                .unwrap_or(u32::MAX),
            resolved,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.tls == TlsMode::Off && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PlainOutside {
                listen: self.listen,
            });
        }
        if let TlsMode::Files { certificate, key } = &self.tls
            && (certificate.as_os_str().is_empty() || key.as_os_str().is_empty())
        {
            return Err(ConfigError::TlsFiles);
        }
        Ok(())
    }

    /// The scheme and authority that links begin with.
    pub fn base_url(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let scheme = if self.tls == TlsMode::Off {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://{bound}")
    }

    /// The database URL in use.
    pub fn database(&self) -> String {
        match &self.database_url {
            Some(url) => url.reveal().to_owned(),
            None => format!(
                "sqlite://{}?mode=rwc",
                self.data_dir.join("sitrep.db").display()
            ),
        }
    }
}

/// The address of `ADDRESS:PORT`.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, ConfigError> {
    let normal = text.replace("localhost", "127.0.0.1");
    normal.parse().map_err(|_| ConfigError::Listen {
        text: text.to_owned(),
    })
}

fn parse_proxies(resolved: &Resolved) -> Result<Vec<IpAddr>, ConfigError> {
    resolved
        .list("trusted_proxies")
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| ConfigError::Proxy { text: text.clone() })
        })
        .collect()
}

fn database_url(resolved: &Resolved) -> Result<Option<Secret>, ConfigError> {
    if let Some(path) = resolved.path("database_url_file") {
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ConfigError::ReadFile { path, source })?;
        return Ok(Some(Secret::new(text.trim())));
    }
    Ok(resolved.optional("database_url").map(Secret::new))
}
