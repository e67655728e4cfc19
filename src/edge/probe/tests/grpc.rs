//! Checks of kind `grpc`: against the health server of tonic, and against servers that break the protocol.

use bytes::Bytes;
use h2::server::SendResponse;
use hyper::{HeaderMap, Request, Response};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::*;
use crate::kernel::domain::GrpcProbe;

pub(super) fn about(service: &str) -> GrpcProbe {
    GrpcProbe { service: service.to_owned(), host: String::new(), tls: false, tls_verify: false }
}

/// The health server of tonic.
async fn health() -> (HealthReporter, SocketAddr) {
    let (listener, address) = listen().await;
    let (reporter, service) = health_reporter();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(tonic::transport::Server::builder().serve_with_incoming(service, incoming));
    (reporter, address)
}

#[tokio::test]
async fn a_real_health_server_is_asked_about_itself_and_about_a_service() {
    let (reporter, address) = health().await;
    let mut probing = probing();
    probing.start(at(address), ProbeKind::Grpc(about("")));
    let result = probing.result().await;
    assert_eq!(result.outcome, Ok(()));
    assert!(result.timings.first_byte > Duration::ZERO);
    let shop = || ProbeKind::Grpc(about("shop.v1.Shop"));
    let said = wrong(probing.ask(address, shop()).await);
    assert!(said.starts_with("grpc-status 5 NOT_FOUND: it knows no such service"), "{said}");
    for (status, words) in [
        (ServingStatus::Serving, ""),
        (ServingStatus::NotServing, "shop.v1.Shop is NOT_SERVING, not SERVING"),
        (ServingStatus::Unknown, "shop.v1.Shop is UNKNOWN, not SERVING"),
        (ServingStatus::Serving, ""),
    ] {
        reporter.set_service_status("shop.v1.Shop", status).await;
        match probing.ask(address, shop()).await {
            Ok(()) => assert_eq!(words, ""),
            other => assert_eq!(wrong(other), words),
        }
    }
    let long = "x".repeat(300);
    reporter.set_service_status(&long, ServingStatus::Serving).await;
    assert_eq!(probing.ask(address, ProbeKind::Grpc(about(&long))).await, Ok(()));
}

#[tokio::test]
async fn over_tls_the_certificate_is_held_against_roots_and_name() {
    let (_reporter, plain) = health().await;
    let (acceptor, roots) = tls_acceptor(good_for(30), b"h2");
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut onward = TcpStream::connect(plain).await.expect("the server lives");
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    });
    let over = |host: &str, tls_verify: bool| {
        ProbeKind::Grpc(GrpcProbe { host: host.to_owned(), tls: true, tls_verify, ..about("") })
    };
    let mut probing = probing_with(4, &[], roots);
    probing.start(at(address), over("shop.test", true));
    let result = probing.result().await;
    assert_eq!(result.outcome, Ok(()));
    assert!(result.timings.tls > Duration::ZERO);
    let other = probing.ask(address, over("other.test", true)).await;
    assert!(matches!(other, Err(ProbeFault::Tls(_))), "{other:?}");
    assert_eq!(probing.ask(address, over("other.test", false)).await, Ok(()));
}

/// A server that takes one call on each connection, and treats it in its own way.
pub(super) async fn treating<F>(
    treat: impl Fn(Request<h2::RecvStream>, SendResponse<Bytes>) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            let Some(Ok((request, respond))) = connection.accept().await else { continue };
            tokio::spawn(treat(request, respond));
            tokio::spawn(async move { while connection.accept().await.is_some() {} });
        }
    });
    address
}

pub(super) fn head(content: &str) -> Response<()> {
    Response::builder().header("content-type", content).body(()).expect("a good head")
}

pub(super) fn trailers(status: &str, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().expect("a value"));
    if !message.is_empty() {
        trailers.insert("grpc-message", message.parse().expect("a value"));
    }
    trailers
}

/// Gives this message and these trailers.
pub(super) async fn saying(message: impl Into<Bytes>, end: HeaderMap) -> SocketAddr {
    let message = message.into();
    treating(move |request, mut respond| {
        let (message, end) = (message.clone(), end.clone());
        async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            assert_eq!(request.headers()["te"], "trailers");
            let mut body =
                respond.send_response(head("application/grpc+proto"), false).expect("sends");
            body.send_data(message, false).expect("sends");
            body.send_trailers(end).expect("sends");
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_is_not_the_demanded_one_is_named() {
    let mut probing = probing();
    let mut said = async |message: &'static [u8], end: HeaderMap| {
        let address = saying(message, end).await;
        let outcome = probing.ask(address, ProbeKind::Grpc(about(""))).await;
        outcome.map_or_else(|fault| fault.to_string(), |()| "passed".to_owned())
    };
    let fine = || trailers("0", "");
    assert_eq!(said(&[0, 0, 0, 0, 2, 8, 1], fine()).await, "passed");
    let nothing = said(&[0, 0, 0, 0, 0], fine()).await;
    assert_eq!(nothing, "wrong answer: the server is UNKNOWN, not SERVING");
    let odd = said(&[0, 0, 0, 0, 2, 8, 77], fine()).await;
    assert_eq!(odd, "wrong answer: the server is status 77, not SERVING");
    for broken in [&[][..], &[0, 0, 0, 0, 9, 8, 1], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 1, 8]] {
        assert_eq!(said(broken, fine()).await, "wrong answer: no HealthCheckResponse");
    }
    // A good message does not outweigh a bad end.
    let denied = said(&[0, 0, 0, 0, 2, 8, 1], trailers("16", "show a token")).await;
    assert_eq!(denied, "wrong answer: grpc-status 16 UNAUTHENTICATED (`show a token`)");
    let endless = said(&[0, 0, 0, 0, 2, 8, 1], HeaderMap::new()).await;
    assert_eq!(endless, "wrong answer: grpc-status ");
}

#[tokio::test]
async fn what_is_not_grpc_is_named() {
    let mut probing = probing();
    let mut said = async |answer: fn() -> Response<()>, end: bool| {
        let address = treating(move |_, mut respond| async move {
            let _ = respond.send_response(answer(), end);
        })
        .await;
        wrong(probing.ask(address, ProbeKind::Grpc(about(""))).await)
    };
    let page = || head("text/html");
    assert_eq!(said(page, true).await, "no gRPC answer: content-type is `text/html`");
    let busy = || Response::builder().status(503).body(()).expect("a good head");
    assert_eq!(said(busy, true).await, "no gRPC answer: HTTP status 503");
    let without = || {
        let mut head = head("application/grpc");
        head.headers_mut()
            .extend(trailers("12", "").into_iter().map(|(key, value)| (key.expect("one"), value)));
        head
    };
    let unknown = said(without, true).await;
    assert_eq!(unknown, "grpc-status 12 UNIMPLEMENTED: it has no health service");
    let empty = || head("application/grpc");
    assert_eq!(said(empty, true).await, "no gRPC answer: it ends without a grpc-status");
}

#[tokio::test]
async fn endless_answers_are_bounded() {
    let mut probing = probing();
    let kind = || ProbeKind::Grpc(about(""));
    let flooding = treating(|_, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).expect("sends");
        // More than the window: the rest waits in this server.
        let _ = body.send_data(Bytes::from(vec![0; 200_000]), false);
        std::future::poll_fn(|context| body.poll_reset(context)).await.ok();
    })
    .await;
    assert_eq!(wrong(probing.ask(flooding, kind()).await), "an answer of more than 1024 bytes");
    let long = treating(|_, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).expect("sends");
        let _ = body.send_trailers(trailers("0", &"x".repeat(15_000)));
    })
    .await;
    assert_eq!(wrong(probing.ask(long, kind()).await), "no HealthCheckResponse");
    let longer = treating(|_, mut respond| async move {
        let mut head = head("application/grpc");
        for place in 0..40 {
            let name: hyper::header::HeaderName = format!("x-{place}").parse().expect("a name");
            head.headers_mut().insert(name, "y".repeat(1000).parse().expect("a value"));
        }
        let _ = respond.send_response(head, false);
    })
    .await;
    let outcome = probing.ask(longer, kind()).await;
    assert!(
        matches!(outcome, Err(ProbeFault::Broken(_) | ProbeFault::WrongAnswer(_))),
        "{outcome:?}"
    );
    let silent = treating(|_, respond| async move {
        let _kept = respond;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(probing.ask(silent, kind()).await, Err(ProbeFault::TimedOut));
}

#[tokio::test]
async fn a_call_or_connection_that_is_ended_is_broken() {
    let mut probing = probing();
    let kind = || ProbeKind::Grpc(about(""));
    let resetting = treating(|_, mut respond| async move {
        respond.send_reset(h2::Reason::REFUSED_STREAM);
    })
    .await;
    let outcome = probing.ask(resetting, kind()).await;
    let Err(ProbeFault::Broken(said)) = outcome else { panic!("{outcome:?}") };
    assert!(said.starts_with("the server ended the call: "), "{said}");

    // SETTINGS, then GOAWAY: no stream was looked at, ENHANCE_YOUR_CALM (RFC 9113, section 6.8).
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let calm = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
    let leaving = raw(&[&settings[..], &calm].concat()).await;
    let outcome = probing.ask(leaving, kind()).await;
    let Err(ProbeFault::Broken(said)) = outcome else { panic!("{outcome:?}") };
    assert!(said.starts_with("the server goes away (GOAWAY): "), "{said}");
    let closing = raw(b"").await;
    let outcome = probing.ask(closing, kind()).await;
    assert!(matches!(outcome, Err(ProbeFault::Broken(_))), "{outcome:?}");
}

/// A server that answers whatever comes with these bytes and closes.
async fn raw(answer: &[u8]) -> SocketAddr {
    let (listener, address) = listen().await;
    let answer = answer.to_vec();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            // What is unread would turn the end into a reset.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    address
}

#[tokio::test]
async fn garbage_is_no_http2() {
    let mut probing = probing();
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.9\r\n this is long enough for a frame",
        // DATA on a stream that nobody opened.
        &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 9, 7],
        // HEADERS that are no HPACK.
        &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 1, 4, 0, 0, 0, 1, 0xff, 0xff],
    ] {
        let address = raw(garbage).await;
        let said = wrong(probing.ask(address, ProbeKind::Grpc(about(""))).await);
        assert!(said.starts_with("no HTTP/2 answer: "), "{said}");
    }
    let (listener, address) = listen().await;
    probing.start(at(address), ProbeKind::Grpc(about("")));
    let (mut stream, _) = listener.accept().await.expect("a probe");
    // Pings without end.
    let flood = tokio::spawn(async move {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        stream.write_all(&settings).await.expect("writes");
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        while stream.write_all(&ping).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let outcome = probing.result().await.outcome;
    let bounded = matches!(outcome, Err(ProbeFault::TimedOut | ProbeFault::WrongAnswer(_)));
    assert!(bounded, "{outcome:?}");
    let ended = tokio::time::timeout(Duration::from_secs(5), flood).await;
    assert!(ended.is_ok(), "the probe's socket was closed");
}
