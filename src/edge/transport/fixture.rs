//! Certificates of a cluster that lives as long as a test.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Identify;
use crate::kernel::domain::MemberId;

/// A certificate authority.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// Both sides' TLS settings for a member called `name`.
    pub(crate) fn tls(&self, name: &str) -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        let key = || PrivateKeyDer::Pkcs8(key.serialize_der().into());

        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&roots),
            Arc::clone(&provider),
        )
        .build()
        .unwrap();
        let versions = &[&rustls::version::TLS13];
        let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key())
            .unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key())
            .unwrap();
        (Arc::new(server), Arc::new(client))
    }
}

/// The name in a member's certificate.
pub(crate) fn name_of(id: u64) -> String {
    format!("node-{id}")
}

/// Knows members 1 to 9 by the DNS name in the leaf.
pub(crate) fn identify() -> Identify {
    Arc::new(|chain| {
        let leaf = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
        let id =
            leaf.valid_dns_names().find_map(|name| name.strip_prefix("node-"))?.parse().ok()?;
        (1..=9).contains(&id).then_some(MemberId(id))
    })
}
