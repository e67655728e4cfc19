//! The client against real servers, and against sockets that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::fixture::*;
use crate::edge::api::client::{ANY, Answer, ApiClient, ApiError, ClientTimes, Watch, WatchEvent};
use crate::edge::api::{AcceptedBody, Limits, SwitchBody};
use crate::kernel::controller::*;

const SWITCH: &str = "/v1/groups/shop/switch";

fn times() -> ClientTimes {
    ClientTimes {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(1),
        silence: Duration::from_secs(1),
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
    }
}

fn client(controllers: &[SocketAddr]) -> Arc<ApiClient> {
    let client = ApiClient::new(controllers.to_vec(), None, TOKEN.to_owned());
    Arc::new(client.with_times(times()))
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// A server that takes connections and requests, says `words`, and then keeps silent or closes. Counts requests.
async fn odd(words: &'static str, close: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            seen.fetch_add(1, Ordering::SeqCst);
            stream.write_all(words.as_bytes()).await.unwrap();
            if !close {
                kept.push(stream);
            }
        }
    });
    (address, count)
}

async fn read_head(stream: &mut TcpStream) {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) > 0 {
        text.push(byte[0]);
    }
}

async fn post(client: &ApiClient, key: Option<&str>) -> Result<Answer<AcceptedBody>, ApiError> {
    client.post_json_over(SWITCH, &SwitchBody::default(), ANY, key).await
}

fn accepting() -> Arc<Node> {
    let node = Node::with_table(4, "east");
    node.reply(Some(Response::Accepted { switchover: "2-9".to_owned(), repeated: false }));
    node
}

#[tokio::test]
async fn a_client_reads_and_commands() {
    let node = accepting();
    let server = start(&node, Limits::default()).await;
    let client = client(&[server.address]);
    let answer = post(&client, Some("k")).await.unwrap();
    assert_eq!((answer.status, answer.body.switchover.as_str()), (202, "2-9"));
    assert_eq!(answer.headers["location"], "/v1/switchovers/2-9");
    node.reply(Some(Response::Done));
    let status: Status = client.get_json("/v1/status").await.unwrap();
    assert_eq!(status.applied, 4);
    let group: Answer<GroupStatus> = client.get("/v1/groups/shop").await.unwrap();
    assert_eq!(group.headers["etag"], "\"1.7\"");
    let body = serde_json::json!({"on": true});
    client.post_json::<_, ()>("/v1/freeze", &body, None).await.unwrap();
    assert_eq!(client.get_text("/metrics").await.unwrap(), "biplane_leader 1\n");
    let report = serde_json::json!(
        {"gateway": "gw", "incarnation": 1, "groups": {}, "connections_failed": 0});
    client.put_json("/v1/gateways/gw", &report).await.unwrap();
    assert_eq!(node.reports.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_problem_is_handed_on_whole() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    let good = client(&[server.address]);
    let error = good.get_json::<Status>("/v1/groups/ghost").await.unwrap_err();
    let ApiError::Problem(problem) = &error else { panic!("{error:?}") };
    assert_eq!(problem.status, 404);
    assert!(
        error.to_string().contains("ghost") && error.to_string().contains("/v1/groups"),
        "{error}"
    );
    let stranger = ApiClient::new(vec![server.address], None, "wrong".to_owned());
    assert_eq!(stranger.get_json::<Status>("/v1/status").await.unwrap_err().status(), Some(401));
    for (path, token) in [("no slash", TOKEN), ("/v1/status", "a\nb")] {
        let odd = ApiClient::new(vec![server.address], None, token.to_owned());
        assert!(odd.get_json::<Status>(path).await.is_err(), "{path} {token:?}");
    }
}

#[tokio::test]
async fn the_next_controller_is_asked_when_one_is_gone_or_cannot() {
    let (dead, busy, good) = (nobody().await, accepting(), accepting());
    let refusal = Refusal {
        kind: RefusalKind::Unavailable,
        why: "no leader".to_owned(),
        next: "wait".to_owned(),
    };
    busy.reply(Some(Response::Refused(refusal)));
    let first = start(&busy, Limits::default()).await;
    let second = start(&good, Limits::default()).await;
    let client = client(&[dead, first.address, second.address]);
    assert_eq!(post(&client, None).await.unwrap().controller, second.address);
    assert_eq!(busy.asked.lock().unwrap().len(), 1);
    // The one that answered is asked first from now on.
    assert_eq!(post(&client, None).await.unwrap().controller, second.address);
    assert_eq!(busy.asked.lock().unwrap().len(), 1);
    drop(second);
    wait_until("the second is gone", async || {
        matches!(post(&client, None).await, Err(ApiError::Problem(p)) if p.detail == "no leader")
    })
    .await;
}

#[tokio::test]
async fn when_nobody_answers_each_is_named() {
    let (one, two) = (nobody().await, nobody().await);
    let error = post(&client(&[one, two]), Some("k")).await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&one.to_string()) && text.contains(&two.to_string()), "{text}");
    let error = post(&client(&[]), None).await.unwrap_err();
    assert!(error.to_string().contains("none is configured"), "{error}");
}

#[tokio::test]
async fn a_command_without_a_key_is_never_sent_twice() {
    for close in [true, false] {
        let ((odd, count), good) = (odd("", close).await, accepting());
        let server = start(&good, Limits::default()).await;
        let error = post(&client(&[odd, server.address]), None).await.unwrap_err();
        assert!(matches!(error, ApiError::UnknownOutcome { .. }), "{error:?}");
        assert!(error.to_string().contains("may or may not have happened"), "{error}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(good.asked.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_command_with_a_key_is_repeated_elsewhere_and_stays_unknown_if_nobody_settles_it() {
    for close in [true, false] {
        let ((odd, count), good) = (odd("", close).await, accepting());
        let server = start(&good, Limits::default()).await;
        let answer = post(&client(&[odd, server.address]), Some("k")).await.unwrap();
        assert_eq!((answer.controller, count.load(Ordering::SeqCst)), (server.address, 1));

        let error = post(&client(&[odd, nobody().await]), Some("k")).await.unwrap_err();
        assert!(matches!(error, ApiError::UnknownOutcome { .. }), "{error:?}");
        let read = client(&[odd, nobody().await]).get_json::<Status>("/v1/status").await;
        assert!(matches!(read, Err(ApiError::Unreachable(_))), "{read:?}");
    }
}

#[tokio::test]
async fn an_outcome_that_the_server_does_not_know_is_not_known_here() {
    let node = Node::with_table(4, "east");
    node.reply(Some(Response::Unknown { settle: "/v1/switchovers/2-9".to_owned() }));
    let server = start(&node, Limits::default()).await;
    let error = post(&client(&[server.address]), Some("k")).await.unwrap_err();
    let ApiError::UnknownOutcome { settle, .. } = &error else { panic!("{error:?}") };
    assert_eq!(settle, "/v1/switchovers/2-9");
    assert_eq!(error.status(), Some(504));
}

#[tokio::test]
async fn answers_that_are_not_of_this_api_are_refused() {
    for words in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
    ] {
        let (odd, _) = odd(words, false).await;
        let error = client(&[odd]).get_json::<Status>("/v1/status").await.unwrap_err();
        assert!(matches!(error, ApiError::BadAnswer { .. }), "{words}: {error:?}");
    }
    for words in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"] {
        let (odd, _) = odd(words, true).await;
        let error = client(&[odd]).get_json::<Status>("/v1/status").await.unwrap_err();
        assert!(matches!(error, ApiError::Unreachable(_)), "{words}: {error:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced() {
    let node = Node::with_table(4, "east");
    let short = Duration::from_millis(20);
    let server = start(&node, Limits { header: short, ..Limits::default() }).await;
    let client = client(&[server.address]);
    for pause in [0, 5, 15, 19, 20, 21, 40] {
        client.get_json::<Status>("/v1/status").await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

#[tokio::test]
async fn a_command_lost_on_a_kept_connection_is_not_called_unsent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull").await.unwrap();
        read_head(&mut stream).await;
    });
    let client = client(&[address]);
    client.get_json::<()>("/v1/status").await.unwrap();
    let error = post(&client, Some("k")).await.unwrap_err();
    assert!(matches!(error, ApiError::UnknownOutcome { .. }), "{error:?}");
}

#[tokio::test]
async fn tls_proves_the_address_and_the_authority() {
    let authority = Authority::new();
    let node = accepting();
    let any = "127.0.0.1:0".parse().unwrap();
    let good = start_at(any, &node, Limits::default(), Some(authority.server("127.0.0.1"))).await;
    let named = start_at(any, &node, Limits::default(), Some(authority.server("127.0.0.9"))).await;
    let tls = |authority: &Authority, server: &Server| {
        let tls = Some(authority.client());
        Arc::new(ApiClient::new(vec![server.address], tls, TOKEN.to_owned()).with_times(times()))
    };
    let trusting = tls(&authority, &good);
    assert_eq!(post(&trusting, None).await.unwrap().status, 202);
    assert_eq!(post(&trusting, Some("k")).await.unwrap().status, 202);
    let WatchEvent::Table(table) = next(&mut trusting.watch()).await else { panic!("no table") };
    assert_eq!(table.revision, 4);

    for (authority, server) in [(&Authority::new(), &good), (&authority, &named)] {
        let error = post(&tls(authority, server), None).await.unwrap_err();
        assert!(matches!(error, ApiError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains("TLS"), "{error}");
    }
    let plain = post(&client(&[good.address]), None).await;
    assert!(plain.is_err(), "{plain:?}");
    assert_eq!(node.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_tls_handshake_that_never_comes_is_given_up() {
    let authority = Authority::new();
    let limits = Limits { handshake: Duration::from_millis(50), ..Limits::default() };
    let any = "127.0.0.1:0".parse().unwrap();
    let tls = Some(authority.server("127.0.0.1"));
    let server = start_at(any, &accepting(), limits, tls).await;
    assert_eq!(raw(server.address, b"\x16\x03\x01").await, "");
}

async fn next(watch: &mut Watch) -> WatchEvent {
    tokio::time::timeout(DEADLINE, watch.next()).await.expect("an event in time").expect("an event")
}

/// The next event that is no loss.
async fn told(watch: &mut Watch) -> WatchEvent {
    loop {
        match next(watch).await {
            WatchEvent::Lost { .. } => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_at_another_controller_with_the_whole_table() {
    let (one, two) = (Node::with_table(4, "east"), Node::with_table(4, "east"));
    let (first, second) =
        (start(&one, Limits::default()).await, start(&two, Limits::default()).await);
    let mut watch = client(&[first.address, second.address]).watch();
    assert_eq!(told(&mut watch).await, WatchEvent::Table(table(4, &[("shop", "east", 4)])));
    one.publish(table(5, &[("shop", "west", 5)]), true);
    let WatchEvent::Route { name, entry, revision } = told(&mut watch).await else { panic!() };
    assert_eq!((name.as_str(), entry.plane, revision), ("shop", plane("west"), 5));

    two.publish(table(6, &[("shop", "east", 6)]), true);
    let gone = first.address;
    drop(first);
    let WatchEvent::Lost { controller, .. } = next(&mut watch).await else { panic!() };
    assert_eq!(controller, gone);
    // The second controller may still be about to show its newest table when the watch arrives.
    let WatchEvent::Table(mut whole) = next(&mut watch).await else { panic!("not a table") };
    while whole.revision < 6 {
        match next(&mut watch).await {
            WatchEvent::Route { name, entry, revision } => {
                whole.routes.insert(name, entry);
                whole.revision = revision;
            }
            WatchEvent::Table(table) => whole = table,
            WatchEvent::Lost { .. } => panic!("the second controller lives"),
        }
    }
    assert_eq!(whole, table(6, &[("shop", "east", 6)]));
}

#[tokio::test]
async fn a_watch_survives_the_loss_of_every_controller() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let address = server.address;
    let mut watch = client(&[address, nobody().await]).watch();
    told(&mut watch).await;
    drop(server);
    for _ in 0..4 {
        assert!(matches!(next(&mut watch).await, WatchEvent::Lost { .. }));
    }
    node.publish(table(5, &[("shop", "west", 5)]), true);
    let _server = start_at(address, &node, Limits::default(), None).await;
    assert_eq!(told(&mut watch).await, WatchEvent::Table(table(5, &[("shop", "west", 5)])));
}

#[tokio::test]
async fn a_silent_controller_is_left() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: alive\n\n";
    let (silent, _) = odd(head, false).await;
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    let mut watch = client(&[silent, server.address]).watch();
    let WatchEvent::Lost { controller, why } = next(&mut watch).await else { panic!() };
    assert_eq!(controller, silent);
    assert!(why.contains("silent"), "{why}");
    assert!(matches!(next(&mut watch).await, WatchEvent::Table(_)));
}

#[tokio::test]
async fn keep_alives_hold_a_quiet_watch() {
    let node = Node::with_table(4, "east");
    let limits = Limits { keep_alive: Duration::from_millis(50), ..Limits::default() };
    let server = start(&node, limits).await;
    let mut watch = client(&[server.address]).watch();
    told(&mut watch).await;
    tokio::time::sleep(times().silence * 2).await;
    node.publish(table(5, &[("shop", "west", 5)]), true);
    assert!(matches!(next(&mut watch).await, WatchEvent::Route { revision: 5, .. }));
}

#[tokio::test]
async fn events_that_are_nonsense_end_the_watch() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    for words in ["event: table\ndata: {\"revision\":-1}\n\n", "event: route\ndata: []\n\n"] {
        let (odd, _) = odd(Box::leak(format!("{head}{words}").into_boxed_str()), false).await;
        let server = start(&Node::with_table(4, "east"), Limits::default()).await;
        let mut watch = client(&[odd, server.address]).watch();
        assert!(
            matches!(next(&mut watch).await, WatchEvent::Lost { controller, .. } if controller == odd)
        );
        assert!(matches!(next(&mut watch).await, WatchEvent::Table(_)));
    }
}

#[tokio::test]
async fn a_cut_off_cluster_still_tells_what_it_knew_last() {
    let node = Node::new();
    node.publish(table(4, &[("shop", "east", 4)]), false);
    let limits = Limits { cut_off_grace: Duration::ZERO, ..Limits::default() };
    let server = start(&node, limits).await;
    wait_until("watchers are sent away", async || !serves_watchers(&server).await).await;
    let mut watch = client(&[server.address]).watch();
    assert!(matches!(next(&mut watch).await, WatchEvent::Lost { .. }));
    assert_eq!(next(&mut watch).await, WatchEvent::Table(table(4, &[("shop", "east", 4)])));
    // The same again is no news.
    for _ in 0..3 {
        assert!(matches!(next(&mut watch).await, WatchEvent::Lost { .. }));
    }
    node.publish(table(5, &[("shop", "west", 5)]), true);
    assert_eq!(told(&mut watch).await, WatchEvent::Table(table(5, &[("shop", "west", 5)])));
}

#[tokio::test]
async fn a_watch_of_nobody_waits_quietly() {
    let mut watch = client(&[]).watch();
    let nothing = tokio::time::timeout(Duration::from_millis(100), watch.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

/// A certificate authority of the test's own.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: rcgen::Issuer::new(params, key), certificate }
    }

    fn server(&self, address: &str) -> Arc<rustls::ServerConfig> {
        let params = rcgen::CertificateParams::new(vec![address.to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }

    fn client(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}
