//! What a stranger may send: bytes that are no request, requests that never end.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::fixture::*;
use crate::edge::api::Limits;

const SHORT: Duration = Duration::from_millis(300);

fn short_limits() -> Limits {
    Limits {
        handshake: SHORT,
        header: SHORT,
        body: SHORT,
        write_stall: SHORT,
        shutdown_grace: SHORT,
        ..Limits::default()
    }
}

fn with_token(rest: &str) -> Vec<u8> {
    let head = "POST /v1/groups/shop/switch HTTP/1.1\r\nhost: x\r\nif-match: *\r\ncontent-type: application/json\r\n";
    format!("{head}authorization: Bearer {TOKEN}\r\n{rest}").into_bytes()
}

/// Asserts that the server still serves.
async fn alive(server: &Server) {
    let ask = format!(
        "GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    // On a slow machine the server may find the shortest of the tests' limits passed.
    let served = async || raw(server.address, ask.as_bytes()).await.starts_with("HTTP/1.1 200");
    wait_until("it still serves", served).await;
}

#[tokio::test]
async fn bytes_that_are_no_request_get_an_error_or_silence() {
    let node = Node::with_table(4, "east");
    let server = start(&node, short_limits()).await;
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    let huge_header = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(1_000_000));
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "p".repeat(100_000));
    for (bytes, allowed) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), [400, 0].as_slice()),
        (b"\0\0\0\0\0\0\0\0\r\n\r\n", &[400]),
        (b"GET\r\n\r\n", &[400]),
        (b"GET / HTTP/9.9\r\n\r\n", &[400]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 0]),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", &[400]),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", &[400]),
        (b"\r\n\r\n\r\n\r\n", &[400, 0]),
        (many_headers.as_bytes(), &[431]),
        (huge_header.as_bytes(), &[431, 0]),
        (long_path.as_bytes(), &[414, 431, 400, 0]),
        (b"CONNECT a:1 HTTP/1.1\r\nconnection: close\r\n\r\n", &[401]),
        (b"OPTIONS * HTTP/1.1\r\nconnection: close\r\n\r\n", &[401]),
        (b"GET http://elsewhere/v1/status HTTP/1.1\r\nconnection: close\r\n\r\n", &[401]),
    ] {
        let text = raw(server.address, bytes).await;
        let status = if text.is_empty() { 0 } else { answer(&text).status };
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert!(allowed.contains(&status), "{shown:?}: {status}");
    }
    alive(&server).await;
    assert_eq!(node.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn hostile_lengths_are_refused_before_the_body_is_read() {
    let node = Node::with_table(4, "east");
    let server = start(&node, short_limits()).await;
    for (framing, allowed) in [
        ("content-length: 18446744073709551615\r\n\r\n{}", [400, 413, 431].as_slice()),
        ("content-length: 18446744073709551614\r\n\r\n{}", &[413, 431]),
        ("content-length: 18446744073709551613\r\n\r\n{}", &[413]),
        ("content-length: 99999999999999999999999\r\n\r\n{}", &[400]),
        ("content-length: 1000000000\r\n\r\n{}", &[413]),
        ("content-length: -1\r\n\r\n{}", &[400]),
        ("content-length: +2\r\n\r\n{}", &[400]),
        ("content-length: 0x2\r\n\r\n{}", &[400]),
        ("content-length: 2\r\ncontent-length: 3\r\n\r\n{} ", &[400]),
        ("transfer-encoding: gzip\r\n\r\n{}", &[400]),
        ("transfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n", &[400]),
        ("transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}", &[400, 408]),
        ("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", &[400]),
    ] {
        let text = raw(server.address, &with_token(framing)).await;
        assert!(allowed.contains(&answer(&text).status), "{framing:?}: {text}");
    }
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let chunks = format!("transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(3));
    assert_eq!(answer(&raw(server.address, &with_token(&chunks)).await).status, 413);
    assert!(node.asked.lock().unwrap().is_empty());
    alive(&server).await;
}

#[tokio::test]
async fn who_sends_slowly_is_cut_off() {
    let node = Node::with_table(4, "east");
    let server = start(&node, short_limits()).await;
    let began = Instant::now();
    // A byte of header now and then does not buy more time.
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let (mut reader, mut writer) = slow.split();
    let dripping = async {
        writer.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
        while writer.write_all(b"y").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::select! {
        () = dripping => {}
        text = read_to_end(&mut reader) => assert!(!text.contains("200"), "{text}"),
    }
    assert_eq!(raw(server.address, b"").await, "", "an idle connection is closed");
    assert!(began.elapsed() >= SHORT);

    let half = with_token("content-length: 10\r\n\r\n{");
    let text = raw(server.address, &half).await;
    answer(&text).problem(408);
    let text = raw(server.address, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(text.ends_with("ok\n"), "served, kept alive, then closed: {text}");
}

#[tokio::test]
async fn connections_have_a_limit() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits { connections: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    assert_eq!(raw(server.address, b"GET /healthz HTTP/1.1\r\n\r\n").await, "");
    held.pop();
    let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    wait_until("there is room again", async || raw(server.address, ask).await.contains("200"))
        .await;
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_disconnected() {
    let node = Node::with_table(4, "east");
    *node.group_count.lock().unwrap() = 50_000;
    let server = start(&node, Limits { connections: 1, ..short_limits() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut lazy = socket.connect(server.address).await.unwrap();
    let ask =
        format!("GET /v1/status HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    lazy.write_all(ask.as_bytes()).await.unwrap();
    wait_until("it is asked", async || !node.asked.lock().unwrap().is_empty()).await;
    let health = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let free = async || raw(server.address, health).await.contains("200");
    wait_until("its place is free", free).await;
    let text = read_to_end(&mut lazy).await;
    assert!(text.len() < 10_000_000, "it did not get all: {}", text.len());
}

#[tokio::test]
async fn a_stopping_server_ends_idle_connections_and_does_not_wait_for_stuck_ones() {
    let node = Node::with_table(4, "east");
    node.reply(None);
    let mut server = start(&node, Limits { shutdown_grace: SHORT, ..Limits::default() }).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let stuck = tokio::spawn(async move {
        let request = with_token("content-length: 0\r\n\r\n");
        raw(server.address, &request).await
    });
    wait_until("it is asked", async || !node.asked.lock().unwrap().is_empty()).await;
    server.shutdown.cancel();
    tokio::time::timeout(DEADLINE, &mut server.task).await.unwrap().unwrap();
    assert_eq!(stuck.await.unwrap(), "");
    assert!(TcpStream::connect(server.address).await.is_err());
    drop(idle);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_bytes_take_the_server_down(
        head in prop::sample::select(vec!["", "GET /v1/status HTTP/1.1\r\n", "POST /v1/hints HTTP/1.1\r\n"]),
        token in any::<bool>(),
        noise in prop::collection::vec(any::<u8>(), 0..400),
        end in prop::sample::select(vec!["", "\r\n\r\n", "\r\ncontent-length: 5\r\n\r\n{\"a\":"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let node = Node::with_table(4, "east");
            let tiny = Duration::from_millis(20);
            let server = start(&node, Limits { header: tiny, body: tiny, ..short_limits() }).await;
            let auth = if token { format!("authorization: Bearer {TOKEN}\r\n") } else { String::new() };
            let bytes = [head.as_bytes(), auth.as_bytes(), &noise, end.as_bytes()].concat();
            let text = raw(server.address, &bytes).await;
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 "), "{text}");
            alive(&server).await;
        });
    }
}
