//! Certificates and tokens are what the other side accepts.

use std::fs;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::kernel::domain::{AccessRole, MemberId, MemberName, Principal, PrincipalName, WallTime};

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
    let b = authority.issue_member("shop", "b", &[], (2099, 1, 1)).unwrap();
    assert_eq!(whose(&b.certificate, "shop"), Some(MemberId(2)));
    assert_eq!(whose(&b.certificate, "other"), None);
    let stranger = authority.issue_member("shop", "z", &[], (2099, 1, 1)).unwrap();
    assert_eq!(whose(&stranger.certificate, "shop"), None);
}

#[test]
fn a_clients_certificate_says_who_it_is_in_its_cluster_only() {
    let authority = Authority::create("shop").unwrap();
    let again = Authority::open(&authority.issued.certificate, &authority.issued.key).unwrap();
    let ann = PrincipalName::new("ann").unwrap();
    let issued = again.issue_client("shop", &ann, AccessRole::Operator, (2099, 1, 1)).unwrap();
    let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let known = Principal { name: ann, role: AccessRole::Operator, groups: [].into() };
    assert_eq!(peer_client(std::slice::from_ref(&der), "shop"), Some(known));
    assert_eq!(peer_client(&[der], "other"), None);
    assert_eq!(whose(&issued.certificate, "shop"), None, "it is no member");
    let member = authority.issue_member("shop", "a", &[], (2099, 1, 1)).unwrap();
    let member = CertificateDer::from_pem_slice(member.certificate.as_bytes()).unwrap();
    assert_eq!(peer_client(&[member], "shop"), None, "a member is no client");
}

#[test]
fn files_that_do_not_fit_together_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create("shop").unwrap();
    let (a, b) = (
        authority.issue_member("shop", "a", &[], (2099, 1, 1)).unwrap(),
        authority.issue_member("shop", "b", &[], (2099, 1, 1)).unwrap(),
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
    let now = WallTime::of_date("2026-11-26").unwrap();
    let ann = tokens.check(&token, now).unwrap();
    assert_eq!((ann.name.as_str(), ann.role), ("ann", AccessRole::Admin));
    assert!(tokens.check("bp_", now).unwrap_err().contains("not known"));
    for none in ["", "# nobody\n\n"] {
        assert!(Tokens::parse(none).unwrap_err().contains("no token"));
    }
    let scoped = format!("bob operator {hash} groups=shop,mail until=2026-11-26");
    let tokens = Tokens::parse(&scoped).unwrap();
    let refused = tokens.check(&token, now).unwrap_err();
    assert!(refused.contains("it was good until 2026-11-26T00:00:00.000Z"), "{refused}");
    let bob = tokens.check(&token, WallTime(now.0 - 1)).unwrap();
    assert_eq!((bob.role, bob.groups.len()), (AccessRole::Operator, 2));
    let faulty =
        [" groups=shop", " until=soon", " for=ever"].map(|end| format!("ann admin {hash}{end}"));
    let faulty = faulty.iter().map(String::as_str);
    for bad in
        ["ann operator", "ann king 00", "ann admin 12", "An_n admin 12"].into_iter().chain(faulty)
    {
        assert!(Tokens::parse(bad).unwrap_err().starts_with("line 1"), "{bad}");
    }
}

#[test]
fn the_end_of_a_certificate_is_read_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create("shop").unwrap();
    let issued = authority.issue_member("shop", "a", &[], (2031, 2, 3)).unwrap();
    let file = dir.path().join("a.crt");
    fs::write(&file, &issued.certificate).unwrap();
    assert_eq!(good_until(&file).unwrap(), WallTime::of_date("2031-02-03"));
    fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(good_until(&file).unwrap(), None);
}

#[test]
fn a_file_holds_so_many_tokens_and_not_one_more() {
    let hash = "0".repeat(64);
    let file = |count: usize| -> String {
        (0..count).map(|number| format!("t{number} viewer {hash}\n")).collect()
    };
    let most = token::TOKENS_MAX;
    assert!(Tokens::parse(&file(most)).is_ok(), "at the limit");
    let refused = Tokens::parse(&file(most + 1)).unwrap_err();
    assert_eq!(refused, format!("more than {most} tokens"));
}
