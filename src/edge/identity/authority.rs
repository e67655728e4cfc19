//! The cluster's authority: made once by `init`; its key signs the members' certificates.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::IdentityError;
use crate::kernel::domain::{AccessRole, PrincipalName};

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Issued {
    /// Certificate.
    pub certificate: String,
    /// Private key.
    pub key: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issued(…)")
    }
}

/// An authority that can sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate and key.
    pub issued: Issued,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(…)")
    }
}

/// The name by which a member's certificate is known: `MEMBER.CLUSTER.biplane`.
pub fn member_server_name(member: &str, cluster: &str) -> String {
    format!("{member}.{cluster}.biplane")
}

/// The name by which an observer's certificate is known: `NAME.observer.CLUSTER.biplane`.
pub fn observer_name(name: &str, cluster: &str) -> String {
    format!("{name}.observer.{cluster}.biplane")
}

/// The name by which a client's certificate is known: `NAME.ROLE.client.CLUSTER.biplane`.
pub fn client_name(name: &PrincipalName, role: AccessRole, cluster: &str) -> String {
    format!("{name}.{role}.client.{cluster}.biplane")
}

fn issue(error: rcgen::Error) -> IdentityError {
    IdentityError::Issue(error.to_string())
}

impl Authority {
    /// A new authority for a cluster.
    pub fn create(cluster: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(issue)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, format!("biplane {cluster}"));
        let certificate = params.self_signed(&key).map_err(issue)?.pem();
        let issued = Issued { certificate, key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), issued })
    }

    /// An authority that was made before, from its files.
    pub fn open(certificate: &str, key: &str) -> Result<Self, IdentityError> {
        let issued = Issued { certificate: certificate.to_owned(), key: key.to_owned() };
        let key = KeyPair::from_pem(key).map_err(issue)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(issue)?;
        Ok(Self { issuer, issued })
    }

    /// A client's certificate: its name says who it is and what it may do. Good until the first moment of this day.
    pub fn issue_client(
        &self,
        cluster: &str,
        name: &PrincipalName,
        role: AccessRole,
        until: (i32, u8, u8),
    ) -> Result<Issued, IdentityError> {
        self.issue_caller(client_name(name, role, cluster), until)
    }

    /// An observer's certificate: good for knocking at members' doors, as this observer.
    pub fn issue_observer(
        &self,
        cluster: &str,
        name: &str,
        until: (i32, u8, u8),
    ) -> Result<Issued, IdentityError> {
        self.issue_caller(observer_name(name, cluster), until)
    }

    /// A certificate of somebody who connects and is not connected to.
    fn issue_caller(&self, full: String, until: (i32, u8, u8)) -> Result<Issued, IdentityError> {
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = CertificateParams::new(vec![full.clone()]).map_err(issue)?;
        params.distinguished_name.push(DnType::CommonName, full);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let certificate = params.signed_by(&key, &self.issuer).map_err(issue)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem() })
    }

    /// A member's certificate: good for its names (the whole one, and the bare one that members connect to)
    /// and its addresses, as server and as client, until the first moment of this day.
    pub fn issue_member(
        &self,
        cluster: &str,
        member: &str,
        addresses: &[IpAddr],
        until: (i32, u8, u8),
    ) -> Result<Issued, IdentityError> {
        let key = KeyPair::generate().map_err(issue)?;
        let name = member_server_name(member, cluster);
        let names = vec![name.clone(), member.to_owned()];
        let mut params = CertificateParams::new(names).map_err(issue)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names.extend(addresses.iter().map(|ip| SanType::IpAddress(*ip)));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let certificate = params.signed_by(&key, &self.issuer).map_err(issue)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem() })
    }
}
