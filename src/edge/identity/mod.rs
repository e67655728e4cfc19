//! The edge's identity (F5): certificates of members, TLS settings, and tokens of clients.
//!
//! Members know each other by certificate: a member's has the DNS name `MEMBER.CLUSTER.biplane`, signed by the
//! cluster's own authority, so one of another cluster or another member is nobody's.

mod authority;
mod tls;
mod token;

#[cfg(test)]
mod tests;

pub use authority::{Authority, Issued, client_name, member_server_name, observer_name};
pub use tls::{
    ALPN, MemberTls, TlsFiles, api_client_tls, api_server_tls, certificate_ends,
    certified_client_tls, good_until, key_is_exposed, member_tls, own_member, own_observer,
    peer_client, peer_member, peer_observer, read_secret, webhook_tls,
};
pub use token::{TokenEntry, Tokens, new_token, token_hash};

/// Why an identity cannot be used, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is missing or cannot be read.
    #[error(
        "{file}: {why}. `biplane init` makes this file; node.toml, gateway.toml or client.toml says where it is"
    )]
    File {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
    /// A secret cannot be used.
    #[error(
        "the secret in {file}: {why}. Make one for each member, the same: \
         `head -c 32 /dev/urandom | base64 > FILE`, and tell it to who checks the signatures"
    )]
    Secret {
        /// Which file.
        file: String,
        /// Why.
        why: String,
    },
    /// Certificates or keys do not fit together.
    #[error("TLS: {0}: the certificate, its key and ca.crt must come from one `biplane init`")]
    Tls(String),
    /// The certificate is another member's, or another cluster's.
    #[error(
        "{file} is not the certificate of member {member} of cluster {cluster}: the others would turn this node \
         away. Name the certificate and key that `biplane init` made for this member in node.toml"
    )]
    NotMine {
        /// Which file.
        file: String,
        /// Whose it should be.
        member: String,
        /// Of which cluster.
        cluster: String,
    },
    /// The certificate is not that of the observer that shows it.
    #[error(
        "{file} is not the certificate of observer {observer} of cluster {cluster}: the members would turn it away. \
         Name the one that `biplane init`, or `biplane certificate {observer} --observer`, made in observer.toml"
    )]
    NotObserver {
        /// Which file.
        file: String,
        /// Whose it should be.
        observer: String,
        /// Of which cluster.
        cluster: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Issue(String),
}
