//! The TLS side of a probe: version, chain and expiry of what an endpoint presents. The chain is taken as
//! it comes, also when it is not valid, since that is what is to be found out; nothing is sent over it.

use crate::collect::certificate;
use crate::collect::{Miss, source::Native};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DAY_MS: i64 = 86_400_000;

/// Accepts any chain; the signatures of the handshake are still checked.
#[derive(Debug)]
struct Look(Arc<CryptoProvider>);

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Shakes hands on `stream` and writes what was presented.
///
/// # Errors
/// The output's limits; what fails at the endpoint is a line.
pub(super) fn chain(n: &mut Native<'_>, mut stream: TcpStream, host: &str) -> Result<(), Miss> {
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.set_write_timeout(Some(Duration::from_secs(3)))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Miss::failed(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Look(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| Miss::failed(e.to_string()))?;
    let mut client =
        ClientConnection::new(Arc::new(config), name).map_err(|e| Miss::failed(e.to_string()))?;
    let began = Instant::now();
    while client.is_handshaking() {
        if let Err(e) = client.complete_io(&mut stream) {
            writeln!(
                n.out,
                "tls {host}: failed after {:.1} ms: {e}",
                began.elapsed().as_secs_f64() * 1000.0
            )?;
            return Ok(());
        }
    }
    let version = client
        .protocol_version()
        .map_or_else(|| "unknown".to_owned(), |v| format!("{v:?}"));
    writeln!(
        n.out,
        "tls {host}: {version} in {:.1} ms",
        began.elapsed().as_secs_f64() * 1000.0
    )?;
    for (depth, der) in client
        .peer_certificates()
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        for found in certificate::read_all(der) {
            let days = (found.not_after_ms - n.params.now_ms).div_euclid(DAY_MS);
            writeln!(
                n.out,
                "  {depth} {} issued by {}, ends in {days} days",
                found.subject, found.issuer
            )?;
            if !found.names.is_empty() {
                writeln!(n.out, "    names {}", found.names.join(" "))?;
            }
        }
    }
    Ok(())
}
