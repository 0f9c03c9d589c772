//! TLS: given files, or a certificate of our own that is made at the first start and kept.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, TlsMode};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key file cannot be read or parsed.
    #[error("cannot read {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Our own certificate cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// Our own certificate cannot be stored.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// Certificate and key do not fit.
    #[error("the certificate and key cannot be used")]
    Unusable(#[from] rustls::Error),
}

/// The acceptor for the configured mode; none for plain HTTP.
pub fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>, TlsError> {
    let (certificate, key) = match &config.tls {
        TlsMode::Off => return Ok(None),
        TlsMode::Files { certificate, key } => (certificate.clone(), key.clone()),
        TlsMode::Own => own_files(config)?,
    };
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Pem {
            path: certificate,
            source,
        })?;
    let key =
        PrivateKeyDer::from_pem_file(&key).map_err(|source| TlsError::Pem { path: key, source })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

/// Where the own certificate is kept; customers can be given this file to trust.
pub fn own_certificate_path(config: &Config) -> PathBuf {
    config.data_dir.join("tls/certificate.pem")
}

fn own_files(config: &Config) -> Result<(PathBuf, PathBuf), TlsError> {
    let certificate = own_certificate_path(config);
    let key = config.data_dir.join("tls/key.pem");
    if certificate.exists() && key.exists() {
        return Ok((certificate, key));
    }
    let names = names(config);
    let (certificate_pem, key_pem) = make(names)?;
    // The key first: a certificate without its key would be found at the next start.
    for (path, text) in [(&key, key_pem), (&certificate, certificate_pem)] {
        write_private(path, text.as_bytes()).map_err(|source| TlsError::Write {
            path: path.clone(),
            source,
        })?;
    }
    tracing::info!(path = %certificate.display(), "made an own TLS certificate");
    Ok((certificate, key))
}

fn names(config: &Config) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    if let Some(host) = config.public_url.as_deref().and_then(host_of) {
        names.push(host);
    }
    names.extend(config.tls_names.iter().cloned());
    names.sort();
    names.dedup();
    names
}

fn host_of(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    uri.host().map(|h| h.trim_matches(['[', ']']).to_owned())
}

fn make(names: Vec<String>) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Sitrep collector");
    // Said explicitly: verifiers refuse a CA certificate as the server's own one.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2036, 1, 1);
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Writes a file that only this account can read; makes its folder, and lasts through a crash.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension("partial");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_certificate_loads_with_its_key() {
        let (certificate, key) = make(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let built = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key);
        assert!(built.is_ok());
        // basicConstraints (2.5.29.19) is present and says nothing else than "no CA".
        let oid = [0x06, 0x03, 0x55, 0x1d, 0x13];
        let der = chain[0].as_ref();
        let at = der
            .windows(5)
            .position(|w| w == oid)
            .expect("basicConstraints is present");
        assert!(der[at + 5..at + 14].windows(2).any(|w| w == [0x30, 0x00]));
    }
}
