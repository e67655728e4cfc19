//! Certificates and tokens are what the other side accepts.

use std::fs;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::kernel::domain::{MemberId, MemberName};

fn members() -> Vec<(MemberId, MemberName)> {
    ["a", "b"]
        .into_iter()
        .zip(1..)
        .map(|(name, id)| (MemberId(id), MemberName::new(name).unwrap()))
        .collect()
}

fn whose(certificate: &str, cluster: &str) -> Option<MemberId> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let members = members();
    peer_member(&[der], members.iter().map(|(id, name)| (*id, name)), cluster)
}

#[test]
fn a_certificate_names_its_member_in_its_cluster_only() {
    let authority = Authority::create("shop").unwrap();
    let b = authority.issue_member("shop", "b", &[]).unwrap();
    assert_eq!(whose(&b.certificate, "shop"), Some(MemberId(2)));
    assert_eq!(whose(&b.certificate, "other"), None);
    let stranger = authority.issue_member("shop", "z", &[]).unwrap();
    assert_eq!(whose(&stranger.certificate, "shop"), None);
}

#[test]
fn files_that_do_not_fit_together_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create("shop").unwrap();
    let (a, b) = (
        authority.issue_member("shop", "a", &[]).unwrap(),
        authority.issue_member("shop", "b", &[]).unwrap(),
    );
    let path = |name: &str| dir.path().join(name);
    fs::write(path("ca.crt"), &authority.issued.certificate).unwrap();
    fs::write(path("a.crt"), &a.certificate).unwrap();
    fs::write(path("a.key"), &a.key).unwrap();
    fs::write(path("b.key"), &b.key).unwrap();
    let files = TlsFiles { ca: path("ca.crt"), certificate: path("a.crt"), key: path("a.key") };
    member_tls(&files).unwrap();
    api_server_tls(&files).unwrap();
    api_client_tls(&files.ca).unwrap();
    let mixed = TlsFiles { key: path("b.key"), ..files.clone() };
    let refused = member_tls(&mixed).unwrap_err().to_string();
    assert!(refused.contains("one `biplane init`"), "{refused}");
    let missing = TlsFiles { ca: path("none"), ..files };
    assert!(member_tls(&missing).unwrap_err().to_string().contains("none"));
}

#[test]
fn a_token_is_known_by_its_hash() {
    let (token, hash) = new_token([7; 32]);
    let tokens = Tokens::parse(&format!("# who\nann admin {hash}\n")).unwrap();
    assert_eq!(tokens.check(&token).as_deref(), Some("ann"));
    assert_eq!(tokens.check("bp_"), None);
    for none in ["", "# nobody\n\n"] {
        assert!(Tokens::parse(none).unwrap_err().contains("no token"));
    }
    for less in ["viewer", "operator"] {
        let refused = Tokens::parse(&format!("ann {less} {hash}")).unwrap_err();
        assert!(refused.contains("would not be held to less"), "{refused}");
    }
    for bad in ["ann operator", "ann king 00", "ann admin 12"] {
        assert!(Tokens::parse(bad).unwrap_err().starts_with("line 1"), "{bad}");
    }
}
