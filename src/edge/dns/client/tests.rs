//! The client against servers that answer, refuse, garble and stay silent.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use super::super::sample::published;
use super::super::{Asker, DnsServer, Identity, Published};
use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

fn start(published: Published) -> DnsServer {
    let state = Arc::new(ArcSwap::from_pointee(published));
    let identity = Identity { name: "member-a".to_owned(), secret: [7; 16], wall: 0 };
    DnsServer::start((Ipv4Addr::LOCALHOST, 0).into(), 1, state, identity).unwrap()
}

/// A server that the test plays itself.
async fn played() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// What the real server would have answered.
fn true_answer(query: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let transport = super::super::Transport::Udp;
    super::super::answer(&published(), Instant::now(), query, &Asker::plain(transport), &mut out);
    out
}

#[tokio::test]
async fn a_server_is_asked_for_epoch_addresses_and_serial() {
    let server = start(published());
    let at = server.local_addr();
    let epoch = ask_epoch(at, "shop.biplane.test", DEADLINE).await.unwrap();
    assert_eq!((epoch.plane.as_str(), epoch.epoch.counter), ("east", 7));
    let shop = ask_addresses(at, "shop.biplane.test", DEADLINE).await.unwrap();
    assert_eq!(shop, [IpAddr::from([10, 1, 0, 1])]);
    assert!(ask_addresses(at, "biplane.test", DEADLINE).await.unwrap().is_empty());
    assert_eq!(ask_serial(at, "biplane.test", DEADLINE).await.unwrap(), 42);
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_fetched_by_tcp() {
    let server = start(published());
    let crowd = ask_addresses(server.local_addr(), "crowd.biplane.test", DEADLINE).await.unwrap();
    assert_eq!(crowd.len(), 500);
    assert_eq!(server.counters().tcp_queries, 1);
}

#[tokio::test]
async fn refusals_say_what_to_look_at() {
    let server = start(published());
    let at = server.local_addr();
    let table = [
        ("nothing.biplane.test", "does not exist (NXDOMAIN)"),
        ("example.com", "does not serve"),
        ("a..b", "is not a domain name"),
    ];
    for (name, expected) in table {
        let error = ask_epoch(at, name, DEADLINE).await.unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let since = Instant::now().checked_sub(Duration::from_secs(60));
    let server = start(Published { cut_off_since: since, ..published() });
    let error = ask_epoch(server.local_addr(), "shop.biplane.test", DEADLINE).await.unwrap_err();
    assert!(error.contains("cut off from the quorum"), "{error}");
}

#[tokio::test]
async fn a_lost_question_is_asked_again() {
    let (socket, at) = played().await;
    let server = tokio::spawn(async move {
        let mut octets = [0; 512];
        let (first, _) = socket.recv_from(&mut octets).await.unwrap();
        let lost = octets[..first].to_vec();
        let (len, asker) = socket.recv_from(&mut octets).await.unwrap();
        assert_eq!(octets[..len], lost);
        socket.send_to(&true_answer(&lost), asker).await.unwrap();
    });
    let epoch = ask_epoch(at, "shop.biplane.test", Duration::from_secs(1)).await;
    assert_eq!(epoch.unwrap().plane.as_str(), "east");
    server.await.unwrap();
}

#[tokio::test]
async fn answers_to_other_questions_are_passed_over() {
    let (socket, at) = played().await;
    let server = tokio::spawn(async move {
        let mut octets = [0; 512];
        let (len, asker) = socket.recv_from(&mut octets).await.unwrap();
        let truth = true_answer(&octets[..len]);
        // An older epoch: to be believed by nobody.
        let mut other_id = truth.clone();
        let place = other_id.windows(9).position(|octets| octets == b"epoch=1.7").unwrap();
        other_id[place + 8] = b'6';
        let mut other_name = other_id.clone();
        other_id[0] ^= 1;
        other_name[13] ^= 1;
        let echo = octets[..len].to_vec();
        for wrong in [other_id, other_name, echo, vec![], vec![1, 2, 3], vec![0xFF; 600], truth] {
            socket.send_to(&wrong, asker).await.unwrap();
        }
    });
    let epoch = ask_epoch(at, "shop.biplane.test", DEADLINE).await;
    assert_eq!(epoch.unwrap().epoch.counter, 7);
    server.await.unwrap();
}

#[tokio::test]
async fn a_silent_server_costs_the_timeout_and_a_closed_port_nothing() {
    let (_silent, at) = played().await;
    let start = Instant::now();
    let error = ask_epoch(at, "shop.biplane.test", Duration::from_millis(100)).await.unwrap_err();
    assert!(error.contains("did not answer within 100 ms"), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(100));
    let (closed, at) = played().await;
    drop(closed);
    let error = ask_epoch(at, "shop.biplane.test", DEADLINE).await.unwrap_err();
    assert!(error.contains("nothing listens"), "{error}");
    assert!(start.elapsed() < DEADLINE);
}

#[tokio::test]
async fn a_record_of_somebody_else_is_no_epoch() {
    let (socket, at) = played().await;
    let server = tokio::spawn(async move {
        let mut octets = [0; 512];
        let (len, asker) = socket.recv_from(&mut octets).await.unwrap();
        let mut truth = true_answer(&octets[..len]);
        let place = truth.windows(6).position(|octets| octets == b"group=").unwrap();
        truth[place] = b'G';
        socket.send_to(&truth, asker).await.unwrap();
    });
    let error = ask_epoch(at, "shop.biplane.test", DEADLINE).await.unwrap_err();
    assert!(error.contains("no epoch record"), "{error}");
    server.await.unwrap();
}
