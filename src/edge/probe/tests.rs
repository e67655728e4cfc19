//! Probes against targets that answer, refuse, stall and lie.

mod bounds;
mod certificate;
mod dns;
mod exec;
mod grpc;
mod prometheus;
mod results;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::CertificateParams;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::{ProbeRunner, ProbeSettings};
use crate::kernel::domain::{
    Endpoint, HttpProbe, Moment, ProbeFault, ProbeId, ProbeKind, ProbeOrder, ProbeResult,
    ProbeTarget,
};

const TIMEOUT: Duration = Duration::from_millis(500);

struct Probing {
    runner: ProbeRunner,
    results: mpsc::Receiver<ProbeResult>,
    start: Instant,
}

fn probing_with(limit: usize, name_servers: &[SocketAddr], roots: RootCertStore) -> Probing {
    let settings = ProbeSettings { in_flight: limit, ..ProbeSettings::default() };
    probing_by(settings, name_servers, roots)
}

fn probing_by(
    settings: ProbeSettings,
    name_servers: &[SocketAddr],
    roots: RootCertStore,
) -> Probing {
    let (sender, results) = mpsc::channel(64);
    let start = Instant::now();
    let now = move || {
        Moment::from_micros(u64::try_from(start.elapsed().as_micros()).expect("a short test"))
    };
    let runner = ProbeRunner::with_names_and_roots(settings, now, sender, name_servers, roots);
    Probing { runner, results, start }
}

fn probing() -> Probing {
    probing_with(16, &[], RootCertStore::empty())
}

impl Probing {
    fn start(&self, endpoint: Endpoint, kind: ProbeKind) {
        let target = Arc::new(ProbeTarget { endpoint, kind, timeout: TIMEOUT });
        self.runner.start(ProbeOrder { id: ProbeId(7), target });
    }

    async fn result(&mut self) -> ProbeResult {
        let result = tokio::time::timeout(Duration::from_secs(10), self.results.recv()).await;
        result.expect("a result in time").expect("the runner lives")
    }

    async fn ask(&mut self, address: SocketAddr, kind: ProbeKind) -> Result<(), ProbeFault> {
        self.start(at(address), kind);
        self.result().await.outcome
    }

    async fn tcp(&mut self, address: SocketAddr) -> Result<(), ProbeFault> {
        self.ask(address, ProbeKind::Tcp).await
    }

    async fn http(&mut self, address: SocketAddr, probe: HttpProbe) -> Result<(), ProbeFault> {
        self.ask(address, ProbeKind::Http(probe)).await
    }
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint { host: address.ip().to_string(), port: address.port() }
}

fn get() -> HttpProbe {
    HttpProbe {
        path: "/healthz?deep=1".to_owned(),
        host: String::new(),
        tls: false,
        tls_verify: false,
        status: (200, 299),
        body_contains: String::new(),
        header: None,
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A server that answers each connection with these bytes and closes it.
async fn server(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let (listener, address) = listen().await;
    let answer = answer.into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

fn ok_with(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nX-Plane: east\r\n\r\n{body}", body.len())
}

fn wrong(outcome: Result<(), ProbeFault>) -> String {
    match outcome {
        Err(ProbeFault::WrongAnswer(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_listening_port_passes_and_says_when_it_was_asked() {
    let (listener, address) = listen().await;
    let mut probing = probing();
    let before = probing.start.elapsed();
    probing.start(at(address), ProbeKind::Tcp);
    let result = probing.result().await;
    assert_eq!(result.id, ProbeId(7));
    assert_eq!(result.outcome, Ok(()));
    assert!(u128::from(result.began.as_micros()) >= before.as_micros());
    assert!(result.timings.total >= result.timings.connect);
    assert!(result.timings.connect > Duration::ZERO);
    drop(listener);
    assert_eq!(probing.tcp(address).await, Err(ProbeFault::Refused));
}

#[tokio::test]
async fn a_port_whose_queue_is_full_times_out() {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a port");
    socket.listen(0).expect("listens");
    let address = socket.local_addr().expect("bound").as_socket().expect("an internet address");
    let mut filling = Vec::new();
    let patience = Duration::from_millis(100);
    while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        filling.push(connected.expect("connects"));
        assert!(filling.len() < 100, "the queue never fills");
    }
    let mut probing = probing();
    probing.start(at(address), ProbeKind::Tcp);
    let result = probing.result().await;
    assert_eq!(result.outcome, Err(ProbeFault::TimedOut));
    assert!(result.timings.total >= TIMEOUT);
}

#[tokio::test]
async fn a_good_answer_passes_with_every_demand() {
    let address = server(ok_with("all is well")).await;
    let mut probe = get();
    probe.body_contains = "is well".to_owned();
    probe.header = Some(("x-plane".to_owned(), "east".to_owned()));
    let mut probing = probing();
    probing.start(at(address), ProbeKind::Http(probe));
    let result = probing.result().await;
    assert_eq!(result.outcome, Ok(()));
    assert!(result.timings.first_byte > Duration::ZERO);
    assert_eq!(result.timings.tls, Duration::ZERO);
}

#[tokio::test]
async fn the_request_names_its_host_and_its_asker() {
    let (listener, address) = listen().await;
    let mut probing = probing();
    for (host, line) in
        [("", format!("host: {address}\r\n")), ("shop.test", "host: shop.test\r\n".to_owned())]
    {
        let probe = HttpProbe { host: host.to_owned(), ..get() };
        probing.start(at(address), ProbeKind::Http(probe));
        let (mut stream, _) = listener.accept().await.expect("a probe");
        let request = read_request(&mut stream).await;
        assert!(request.starts_with("GET /healthz?deep=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&line), "{request}");
        assert!(request.contains("user-agent: biplane-probe/"), "{request}");
        assert!(request.contains("connection: close\r\n"), "{request}");
        stream.write_all(ok_with("").as_bytes()).await.expect("answers");
        assert_eq!(probing.result().await.outcome, Ok(()));
    }
}

#[tokio::test]
async fn each_demand_that_is_not_met_is_named() {
    let mut probing = probing();
    let sick = server("HTTP/1.1 503 Sick\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(wrong(probing.http(sick, get()).await), "status 503, not 200 to 299");
    let exact = HttpProbe { status: (204, 204), ..get() };
    assert_eq!(wrong(probing.http(sick, exact).await), "status 503, not 204");
    let well = server(ok_with("hello")).await;
    let body = HttpProbe { body_contains: "ready".to_owned(), ..get() };
    assert_eq!(wrong(probing.http(well, body).await), "5 bytes of body without `ready`");
    let header = |name: &str, value: &str| {
        let header = Some((name.to_owned(), value.to_owned()));
        HttpProbe { header, ..get() }
    };
    assert_eq!(probing.http(well, header("x-plane", "")).await, Ok(()));
    assert_eq!(
        wrong(probing.http(well, header("x-plane", "west")).await),
        "header `x-plane` is `east`, not `west`"
    );
    assert_eq!(wrong(probing.http(well, header("x-other", "")).await), "no header `x-other`");
}

#[tokio::test]
async fn only_the_first_64_kib_of_a_huge_body_are_read() {
    let mut huge = "x".repeat(300 * 1024);
    huge.replace_range(100_000..100_005, "ready");
    huge.replace_range(1_000..1_005, "early");
    let address = server(ok_with(&huge)).await;
    let mut probing = probing();
    assert_eq!(probing.http(address, get()).await, Ok(()));
    let early = HttpProbe { body_contains: "early".to_owned(), ..get() };
    assert_eq!(probing.http(address, early).await, Ok(()));
    let late = HttpProbe { body_contains: "ready".to_owned(), ..get() };
    assert_eq!(wrong(probing.http(address, late).await), "65536 bytes of body without `ready`");
}

#[tokio::test]
async fn silence_and_dripping_run_out_of_time() {
    let (listener, address) = listen().await;
    let mut probing = probing();
    probing.start(at(address), ProbeKind::Http(get()));
    let (silent, _) = listener.accept().await.expect("a probe");
    assert_eq!(probing.result().await.outcome, Err(ProbeFault::TimedOut));
    drop(silent);

    probing.start(at(address), ProbeKind::Http(get()));
    let (mut dripping, _) = listener.accept().await.expect("a probe");
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    dripping.write_all(head.as_bytes()).await.expect("writes");
    let drip = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        while dripping.write_all(b".").await.is_ok() {
            beat.tick().await;
        }
    });
    let result = probing.result().await;
    assert_eq!(result.outcome, Err(ProbeFault::TimedOut));
    assert!(result.timings.first_byte > Duration::ZERO);
    let ended = tokio::time::timeout(Duration::from_secs(5), drip).await;
    assert!(ended.is_ok(), "the probe's socket was closed");
}

#[tokio::test]
async fn garbage_and_broken_answers_are_told_apart() {
    let mut probing = probing();
    let garbage = server("SSH-2.0-OpenSSH_9.9\r\n\r\n").await;
    assert!(wrong(probing.http(garbage, get()).await).starts_with("no HTTP answer: "));
    let endless = server("HTTP/1.1 200 OK\r\nx-long: ".to_owned() + &"y".repeat(100_000)).await;
    assert!(wrong(probing.http(endless, get()).await).starts_with("no HTTP answer: "));
    let closed = server("").await;
    let outcome = probing.http(closed, get()).await;
    assert!(matches!(outcome, Err(ProbeFault::Broken(_))), "{outcome:?}");
    let short = server("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort").await;
    let outcome = probing.http(short, get()).await;
    assert!(matches!(outcome, Err(ProbeFault::Broken(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_senseless_path_is_not_the_targets_fault() {
    let (_listener, address) = listen().await;
    let probe = HttpProbe { path: "/a b".to_owned(), ..get() };
    let outcome = probing().http(address, probe).await;
    assert!(matches!(outcome, Err(ProbeFault::NotProbed(_))), "{outcome:?}");
}

/// A certificate for `shop.test` that is good from yesterday until then.
fn good_for(days: i64) -> CertificateParams {
    let now = std::time::SystemTime::now();
    let day = |days: i64| {
        let span = Duration::from_secs(days.unsigned_abs() * 86_400);
        if days < 0 { now - span } else { now + span }
    };
    let mut wanted = CertificateParams::new(vec!["shop.test".to_owned()]).expect("good names");
    // An hour more: days are counted in whole ones.
    wanted.not_before = (day(-90)).into();
    wanted.not_after = (day(days) + Duration::from_secs(3600)).into();
    wanted
}

/// What shakes hands with such a certificate, signed by itself, and the roots that know it.
fn tls_acceptor(wanted: CertificateParams, protocol: &[u8]) -> (TlsAcceptor, RootCertStore) {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let own = wanted.self_signed(&pair).expect("a certificate");
    let certificate: CertificateDer<'static> = own.der().clone();
    let key = PrivateKeyDer::try_from(pair.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a good pair");
    if !protocol.is_empty() {
        config.alpn_protocols = vec![protocol.to_vec()];
    }
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    (TlsAcceptor::from(Arc::new(config)), roots)
}

/// A TLS server with a certificate for `shop.test` that it signed itself.
async fn tls_server() -> (SocketAddr, RootCertStore) {
    let (acceptor, roots) = tls_acceptor(good_for(365), b"");
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(ok_with("secret").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, roots)
}

#[tokio::test]
async fn a_certificate_is_held_against_roots_and_name_only_if_asked() {
    let (address, roots) = tls_server().await;
    let shop = |verify: bool, host: &str| HttpProbe {
        tls: true,
        tls_verify: verify,
        host: host.to_owned(),
        ..get()
    };
    let mut knowing = probing_with(4, &[], roots);
    knowing.start(at(address), ProbeKind::Http(shop(true, "shop.test")));
    let result = knowing.result().await;
    assert_eq!(result.outcome, Ok(()));
    assert!(result.timings.tls > Duration::ZERO);
    assert_eq!(knowing.http(address, shop(true, "shop.test:8443")).await, Ok(()));
    let other = knowing.http(address, shop(true, "other.test")).await;
    assert!(matches!(other, Err(ProbeFault::Tls(_))), "{other:?}");
    assert_eq!(knowing.http(address, shop(false, "")).await, Ok(()));

    let mut stranger = probing_with(4, &[], RootCertStore::empty());
    let unknown = stranger.http(address, shop(true, "shop.test")).await;
    assert!(matches!(unknown, Err(ProbeFault::Tls(_) | ProbeFault::NotProbed(_))), "{unknown:?}");
    assert_eq!(stranger.http(address, shop(false, "shop.test")).await, Ok(()));
}

#[tokio::test]
async fn tls_on_a_plain_port_is_a_fault_of_tls() {
    let address = server("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let (listener, deaf) = listen().await;
    let mut probing = probing();
    let shop = HttpProbe { tls: true, ..get() };
    probing.start(at(deaf), ProbeKind::Http(shop.clone()));
    let (mut stream, _) = listener.accept().await.expect("a probe");
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("writes");
    let outcome = probing.result().await.outcome;
    assert!(matches!(outcome, Err(ProbeFault::Tls(_))), "{outcome:?}");
    // One that waits for the end of a request never answers a handshake.
    let outcome = probing.http(address, shop).await;
    assert_eq!(outcome, Err(ProbeFault::TimedOut));
}

/// A DNS server: `plane.test` is 127.0.0.1, `silent.test` gets no answer, `sick.test` gets SERVFAIL,
/// nothing else exists.
async fn dns_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let query = &buffer[..length];
            let name_end = 12 + query[12..].iter().position(|byte| *byte == 0).expect("a name");
            let question = &query[12..name_end + 5];
            let asks = |label: &[u8]| question[1..].starts_with(label);
            let address_asked = question[question.len() - 3] == 1;
            if asks(b"silent") {
                continue;
            }
            let (code, answers) = match () {
                () if asks(b"sick") => (2, 0),
                () if asks(b"plane") => (0, u8::from(address_asked)),
                () => (3, 0),
            };
            let mut answer = query[..2].to_vec();
            answer.extend([0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
            answer.extend(question);
            if answers == 1 {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, peer).await;
        }
    });
    address
}

#[tokio::test]
async fn names_are_resolved_and_only_a_clear_no_speaks_against_the_target() {
    let dns = dns_server().await;
    let (_listener, address) = listen().await;
    let mut probing = probing_with(4, &[dns], RootCertStore::empty());
    let mut ask = async |host: &str| {
        probing.start(Endpoint { host: host.to_owned(), port: address.port() }, ProbeKind::Tcp);
        probing.result().await.outcome
    };
    assert_eq!(ask("plane.test").await, Ok(()));
    let missing = ask("missing.test").await;
    assert!(matches!(missing, Err(ProbeFault::Unresolved(_))), "{missing:?}");
    for host in ["silent.test", "sick.test"] {
        let outcome = ask(host).await;
        assert!(matches!(outcome, Err(ProbeFault::NotProbed(_))), "{host}: {outcome:?}");
    }
}

#[tokio::test]
async fn dropping_the_runner_ends_its_probes() {
    let (listener, address) = listen().await;
    let probing = probing();
    probing.start(at(address), ProbeKind::Http(get()));
    let (mut stream, _) = listener.accept().await.expect("a probe");
    read_request(&mut stream).await;
    drop(probing);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(TIMEOUT / 2, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the socket closes before the timeout");
}
