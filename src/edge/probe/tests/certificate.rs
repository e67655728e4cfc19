//! Checks of kind `tls`.

use super::*;
use crate::kernel::domain::TlsProbe;

fn days(days: u32) -> TlsProbe {
    TlsProbe { host: "shop.test".to_owned(), tls_verify: true, days }
}

/// A server that shakes hands with a certificate that is good for so long, and says which names it was asked for.
async fn server_for(
    good: i64,
    protocol: &[u8],
) -> (SocketAddr, RootCertStore, mpsc::Receiver<Option<String>>) {
    let (acceptor, roots) = tls_acceptor(good_for(good), protocol);
    let (listener, address) = listen().await;
    let (names, asked) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let _ = names.try_send(stream.get_ref().1.server_name().map(str::to_owned));
        }
    });
    (address, roots, asked)
}

#[tokio::test]
async fn days_that_are_left_are_demanded() {
    let (address, roots, mut asked) = server_for(30, b"").await;
    let mut probing = probing_with(4, &[], roots);
    probing.start(at(address), ProbeKind::Tls(days(30)));
    let result = probing.result().await;
    assert_eq!(result.outcome, Ok(()));
    assert!(result.timings.tls > Duration::ZERO);
    assert_eq!(asked.recv().await, Some(Some("shop.test".to_owned())));
    let said = wrong(probing.ask(address, ProbeKind::Tls(days(31))).await);
    assert!(said.starts_with("the certificate is good for 30 days more, until 20"), "{said}");
    assert!(said.ends_with(", not 31"), "{said}");
}

#[tokio::test]
async fn an_expired_certificate_fails_whether_it_is_verified_or_not() {
    let (address, roots, _asked) = server_for(-2, b"").await;
    let mut probing = probing_with(4, &[], roots);
    let outcome = probing.ask(address, ProbeKind::Tls(days(0))).await;
    let Err(ProbeFault::Tls(said)) = outcome else { panic!("{outcome:?}") };
    assert!(said.contains("expired"), "{said}");
    let unverified = TlsProbe { tls_verify: false, ..days(0) };
    let said = wrong(probing.ask(address, ProbeKind::Tls(unverified)).await);
    assert!(said.starts_with("the certificate expired on 20"), "{said}");
}

#[tokio::test]
async fn another_name_and_an_unknown_authority_fail_unless_it_is_not_verified() {
    let (address, roots, _asked) = server_for(30, b"").await;
    let other = TlsProbe { host: "other.test".to_owned(), ..days(1) };
    let mut knowing = probing_with(4, &[], roots);
    let outcome = knowing.ask(address, ProbeKind::Tls(other.clone())).await;
    assert!(matches!(outcome, Err(ProbeFault::Tls(_))), "{outcome:?}");
    let unverified = TlsProbe { tls_verify: false, ..other };
    assert_eq!(knowing.ask(address, ProbeKind::Tls(unverified)).await, Ok(()));

    let (_, others, _asked) = server_for(30, b"").await;
    let mut stranger = probing_with(4, &[], others);
    let outcome = stranger.ask(address, ProbeKind::Tls(days(1))).await;
    assert!(matches!(outcome, Err(ProbeFault::Tls(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_is_spoken_over_tls_does_not_matter() {
    let (address, roots, _asked) = server_for(30, b"imap").await;
    let mut probing = probing_with(4, &[], roots);
    assert_eq!(probing.ask(address, ProbeKind::Tls(days(1))).await, Ok(()));
}

#[tokio::test]
async fn what_is_no_handshake_is_a_fault_of_tls_and_one_that_drips_runs_out_of_time() {
    let (listener, address) = listen().await;
    let mut probing = probing();
    for garbage in [&b"220 mail.test ESMTP\r\n"[..], &[0x16, 3, 3, 0xff, 0xff], &[0x15; 70_000]] {
        probing.start(at(address), ProbeKind::Tls(days(1)));
        let (mut stream, _) = listener.accept().await.expect("a probe");
        let _ = stream.write_all(garbage).await;
        let outcome = probing.result().await.outcome;
        assert!(matches!(outcome, Err(ProbeFault::Tls(_))), "{outcome:?}");
    }
    probing.start(at(address), ProbeKind::Tls(days(1)));
    let (mut stream, _) = listener.accept().await.expect("a probe");
    // The head of a long record, and then a byte of it now and then.
    stream.write_all(&[0x16, 3, 3, 0x20, 0, 2, 0, 0x1f]).await.expect("writes");
    let drip = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        while stream.write_all(&[0]).await.is_ok() {
            beat.tick().await;
        }
    });
    assert_eq!(probing.result().await.outcome, Err(ProbeFault::TimedOut));
    let ended = tokio::time::timeout(Duration::from_secs(5), drip).await;
    assert!(ended.is_ok(), "the probe's socket was closed");
}
