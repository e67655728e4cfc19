//! TLS for probes: with a certificate that must be good, or with any.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::{self, short};
use crate::kernel::domain::{Endpoint, ProbeFault};

/// Where systems keep the certificates they trust, in one file.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What is to be spoken over TLS (RFC 7301).
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    /// Whatever the server speaks: only the handshake matters.
    Any,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

type Settings = OnceLock<Result<Arc<ClientConfig>, String>>;

/// Client settings for every kind of probe, made when first needed.
#[derive(Default)]
pub(super) struct Tls {
    given: Option<Arc<RootCertStore>>,
    /// By protocol.
    verifying: [Settings; 3],
    /// By protocol.
    trusting: [Settings; 3],
}

impl Tls {
    /// Trusts these roots; those of the system when none are given.
    pub(super) fn new(roots: Option<Arc<RootCertStore>>) -> Self {
        Self { given: roots, ..Self::default() }
    }

    fn config(&self, verify: bool, protocol: Protocol) -> Result<Arc<ClientConfig>, ProbeFault> {
        let cells = if verify { &self.verifying } else { &self.trusting };
        let config = cells[protocol as usize].get_or_init(|| self.make(verify, protocol));
        config.clone().map_err(|why| ProbeFault::NotProbed(short(why)))
    }

    fn make(&self, verify: bool, protocol: Protocol) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = if verify {
            let roots = self.given.clone().map_or_else(system_roots, Ok)?;
            versions.with_root_certificates(roots).with_no_client_auth()
        } else {
            let anybody = Arc::new(Anybody::new(&provider));
            versions.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth()
        };
        config.alpn_protocols = match protocol {
            Protocol::Any => Vec::new(),
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        // Every probe is a whole handshake: a resumed one would not look at the certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// Shakes hands over a connection. `host` is that of the check, the endpoint's when empty.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        endpoint: &Endpoint,
        host: &str,
        verify: bool,
        protocol: Protocol,
    ) -> Result<TlsStream<TcpStream>, ProbeFault> {
        let name = server_name(endpoint, host)?;
        let connector = TlsConnector::from(self.config(verify, protocol)?);
        connector.connect(name, stream).await.map_err(|error| fault::of_handshake(&error))
    }
}

/// The name that the certificate must be for: that of the check, without its port.
fn server_name(endpoint: &Endpoint, host: &str) -> Result<ServerName<'static>, ProbeFault> {
    let host = match Endpoint::try_from(host.to_owned()) {
        Ok(with_port) => with_port.host,
        Err(_) if host.is_empty() => endpoint.host.clone(),
        Err(_) => host.to_owned(),
    };
    ServerName::try_from(host.clone()).map_err(|_| {
        ProbeFault::NotProbed(short(format_args!("`{host}` cannot be the name in a certificate")))
    })
}

fn system_roots() -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for path in SYSTEM_ROOTS {
        let Ok(found) = CertificateDer::pem_file_iter(path) else { continue };
        // A bundle may hold what this library does not take; what it takes is enough.
        roots.add_parsable_certificates(found.flatten());
        if !roots.is_empty() {
            return Ok(Arc::new(roots));
        }
    }
    Err(format!("no trusted certificates on this node: none of {SYSTEM_ROOTS:?} holds any"))
}

/// Takes any certificate, but wants proof that the server has its key.
#[derive(Debug)]
struct Anybody {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Anybody {
    fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
