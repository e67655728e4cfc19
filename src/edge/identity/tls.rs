//! TLS settings from files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::IdentityError;
use super::authority::{member_server_name, observer_name};
use crate::kernel::domain::{MemberId, MemberName, Principal, PrincipalName, WallTime};

/// A secret that signs has so many bytes at least.
const SECRET_BYTES_MIN: usize = 16;

/// The protocol that members speak, as TLS names it.
pub const ALPN: &[u8] = b"biplane-member/1";

/// A member's certificate files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// The member's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Mutual TLS between members.
#[derive(Clone, Debug)]
pub struct MemberTls {
    /// For connections that are accepted.
    pub server: Arc<ServerConfig>,
    /// For connections that are opened.
    pub client: Arc<ClientConfig>,
}

fn tls(error: impl std::fmt::Display) -> IdentityError {
    IdentityError::Tls(error.to_string())
}

fn file(path: &Path, why: impl std::fmt::Display) -> IdentityError {
    IdentityError::File { file: path.display().to_string(), why: why.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| file(path, error))?;
    let list = read.collect::<Result<Vec<_>, _>>().map_err(|error| file(path, error))?;
    if list.is_empty() { Err(file(path, "holds no certificate")) } else { Ok(list) }
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| file(path, error))?;
    }
    Ok(Arc::new(roots))
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own(files: &TlsFiles) -> Result<Own, IdentityError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| file(&files.key, error))?;
    Ok((chain, key))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Mutual TLS 1.3 between members of one authority.
pub fn member_tls(files: &TlsFiles) -> Result<MemberTls, IdentityError> {
    let roots = roots(&files.ca)?;
    let (chain, key) = own(files)?;
    let only = [&rustls::version::TLS13];
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
        .build()
        .map_err(tls)?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&only)
        .map_err(tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(tls)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&only)
        .map_err(tls)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(tls)?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    Ok(MemberTls { server: Arc::new(server), client: Arc::new(client) })
}

/// TLS of the API: the member's certificate; clients show a token, or a certificate of the cluster's authority.
pub fn api_server_tls(files: &TlsFiles) -> Result<Arc<ServerConfig>, IdentityError> {
    let (chain, key) = own(files)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&files.ca)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(tls)?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(tls)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

/// TLS of the API's clients: the cluster's authority and nobody else's.
pub fn api_client_tls(ca: &Path) -> Result<Arc<ClientConfig>, IdentityError> {
    client_tls(ca, None)
}

/// The same, of a client that shows a certificate instead of a token.
pub fn certified_client_tls(
    ca: &Path,
    certificate: &Path,
    key: &Path,
) -> Result<Arc<ClientConfig>, IdentityError> {
    client_tls(ca, Some((certificate, key)))
}

fn client_tls(
    ca: &Path,
    own_files: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>, IdentityError> {
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(roots(ca)?);
    let mut client = match own_files {
        None => client.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, error))?;
            client.with_client_auth_cert(certificates(certificate)?, key).map_err(tls)?
        }
    };
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(client))
}

/// Where systems keep the certificates they trust, in one file.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// TLS towards others' servers: by this authority, or by those that the system trusts; none where it trusts nobody.
pub fn webhook_tls(ca: Option<&Path>) -> Result<Option<Arc<ClientConfig>>, IdentityError> {
    if let Some(ca) = ca {
        return api_client_tls(ca).map(Some);
    }
    let bundle = SYSTEM_ROOTS.iter().find_map(|path| {
        let mut roots = RootCertStore::empty();
        // A bundle may hold what this library does not take; what it takes is enough.
        roots.add_parsable_certificates(CertificateDer::pem_file_iter(path).ok()?.flatten());
        (!roots.is_empty()).then_some(roots)
    });
    let Some(roots) = bundle else { return Ok(None) };
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(client)))
}

/// A secret from a file, without the white space around it.
pub fn read_secret(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let bytes = std::fs::read(path).map_err(|error| IdentityError::Secret {
        file: path.display().to_string(),
        why: error.to_string(),
    })?;
    let secret = bytes.trim_ascii();
    if secret.len() < SECRET_BYTES_MIN {
        let why = format!("holds {} bytes, fewer than {SECRET_BYTES_MIN}", secret.len());
        return Err(IdentityError::Secret { file: path.display().to_string(), why });
    }
    Ok(secret.to_vec())
}

/// Which member a node's own certificate names.
pub fn own_member<'a>(
    certificate: &Path,
    members: impl IntoIterator<Item = (MemberId, &'a MemberName)>,
    cluster: &str,
) -> Result<Option<MemberId>, IdentityError> {
    Ok(peer_member(&certificates(certificate)?, members, cluster))
}

/// Whether an observer's own certificate names it.
pub fn own_observer(
    certificate: &Path,
    name: &MemberName,
    cluster: &str,
) -> Result<bool, IdentityError> {
    let chain = certificates(certificate)?;
    Ok(peer_observer(&chain, [(MemberId(0), name)], cluster).is_some())
}

/// Until when a certificate is good; nothing where its dates cannot be read.
pub fn good_until(certificate: &Path) -> Result<Option<WallTime>, IdentityError> {
    Ok(certificates(certificate)?.first().and_then(certificate_ends))
}

/// Until when a certificate is good, if that can be read.
pub fn certificate_ends(certificate: &CertificateDer<'_>) -> Option<WallTime> {
    let (_, leaf) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let seconds = u64::try_from(leaf.validity().not_after.timestamp()).ok()?;
    Some(WallTime(seconds.saturating_mul(1000)))
}

/// Whether others than its owner and group may read a key.
pub fn key_is_exposed(key: &Path) -> bool {
    std::fs::metadata(key).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}

/// Which client of the cluster a verified certificate belongs to; nobody for a member's, or another cluster's.
pub fn peer_client(certificates: &[CertificateDer<'_>], cluster: &str) -> Option<Principal> {
    let leaf = certificates.first()?;
    let leaf = webpki::EndEntityCert::try_from(leaf).ok()?;
    let suffix = format!(".client.{cluster}.biplane");
    leaf.valid_dns_names().find_map(|name| {
        let (name, role) = name.strip_suffix(&suffix)?.split_once('.')?;
        let (name, role) = (PrincipalName::new(name).ok()?, role.parse().ok()?);
        Some(Principal { name, role, groups: std::collections::BTreeSet::new() })
    })
}

/// Which observer a verified certificate belongs to; nobody for a member's, or one of another cluster or name.
pub fn peer_observer<'a>(
    certificates: &[CertificateDer<'_>],
    observers: impl IntoIterator<Item = (MemberId, &'a MemberName)>,
    cluster: &str,
) -> Option<MemberId> {
    known_by(certificates, observers, |name| observer_name(name, cluster))
}

/// Which member a verified certificate belongs to; nobody for one of another cluster or name.
pub fn peer_member<'a>(
    certificates: &[CertificateDer<'_>],
    members: impl IntoIterator<Item = (MemberId, &'a MemberName)>,
    cluster: &str,
) -> Option<MemberId> {
    known_by(certificates, members, |member| member_server_name(member, cluster))
}

fn known_by<'a>(
    certificates: &[CertificateDer<'_>],
    all: impl IntoIterator<Item = (MemberId, &'a MemberName)>,
    full: impl Fn(&str) -> String,
) -> Option<MemberId> {
    let leaf = certificates.first()?;
    let leaf = webpki::EndEntityCert::try_from(leaf).ok()?;
    all.into_iter().find_map(|(id, name)| {
        let name = ServerName::try_from(full(name.as_str())).ok()?;
        leaf.verify_is_valid_for_subject_name(&name).is_ok().then_some(id)
    })
}
