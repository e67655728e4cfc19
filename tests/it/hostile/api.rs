//! The API port: malformed requests, one by one, and clients that are slow, silent or too many.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use biplane::edge::identity::api_client_tls;
use rustls::ClientConfig;

use super::health::Health;
use super::wire::{connect, connect_tls, exchange, exchange_plain, idle, noise};
use crate::cluster::alone;
use crate::world::{EAST, World};

/// How to reach one node's API, and the token.
struct Door {
    to: SocketAddr,
    tls: Arc<ClientConfig>,
    token: String,
}

impl Door {
    fn of(world: &World, node: usize) -> Self {
        let dir = world.cluster_dir();
        let tls = api_client_tls(&dir.join("ca.crt")).unwrap();
        let token = std::fs::read_to_string(dir.join("token")).unwrap().trim().to_owned();
        Self { to: world.api_address(node), tls, token }
    }

    /// Status and body; no status when the connection was closed without a word.
    fn raw(&self, request: &[u8]) -> (Option<u16>, String) {
        let stream = connect_tls(self.to, &self.tls, "127.0.0.1").unwrap();
        let answer = exchange(stream, request);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split_whitespace().nth(1).and_then(|code| code.parse().ok());
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        (status, body)
    }

    fn ask(&self, line: &str, headers: &str, body: &[u8]) -> (Option<u16>, String) {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n{headers}content-length: {length}\r\n\r\n",
            self.token
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    fn post(&self, path: &str, body: &[u8]) -> (Option<u16>, String) {
        self.ask(&format!("POST {path}"), "content-type: application/json\r\nif-match: *\r\n", body)
    }
}

const SWITCH: &str = "/v1/groups/shop/switch";
const DRY: &str = r#"{"to":"west","dry_run":true}"#;

/// A dry run that is padded to so many bytes.
fn padded(len: usize) -> Vec<u8> {
    let mut body = DRY.as_bytes().to_vec();
    body.resize(len, b' ');
    body
}

/// A problem tells what is wrong and what to do next.
fn refused(what: &str, (status, body): (Option<u16>, String), due: &[u16]) {
    let status = status.unwrap_or_else(|| panic!("{what}: closed without a word"));
    assert!(due.contains(&status), "{what}: {status} {body}");
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let told = problem["detail"].is_string() && problem["next"].is_string();
    assert!(told || body.is_empty(), "{what}: {body}");
}

/// The same for what is too large: who is still sending when the door closes may lose the answer (RFC 9112,
/// section 9.6).
fn too_large(what: &str, answer: (Option<u16>, String), due: &[u16]) {
    if answer.0.is_some() {
        refused(what, answer, due);
    }
}

fn bodies(door: &Door) {
    let deep = [b'['; 50_000];
    let bodies: [(&str, &[u8], &[u16]); 13] = [
        ("half a value", b"{\"to\":", &[400]),
        ("two values", b"{} {}", &[400]),
        ("no JSON", b"to=west", &[400]),
        ("not UTF-8", b"{\"reason\":\"\xff\xfe\"}", &[400]),
        ("a lone surrogate", b"{\"reason\":\"\\ud800\"}", &[400]),
        ("fifty thousand brackets", &deep, &[400, 422]),
        ("a list", b"[]", &[400, 422]),
        ("a number for a plane", b"{\"to\":7}", &[400, 422]),
        ("a plane that no plane may be named", b"{\"to\":\"../west\"}", &[400, 422]),
        ("a plane that is not there", b"{\"to\":\"north\"}", &[404, 422]),
        ("a key that is not known", b"{\"too\":\"west\"}", &[400, 422]),
        ("a key twice", b"{\"to\":\"west\",\"to\":\"east\"}", &[400, 422]),
        ("an epoch beyond numbers", b"{\"epoch\":\"99999999999999999999.1\"}", &[400, 422]),
    ];
    for (what, body, due) in bodies {
        refused(what, door.post(SWITCH, body), due);
    }
    let (status, body) = door.post(SWITCH, &padded(64 * 1024));
    assert_eq!(status, Some(200), "a body of exactly the limit: {body}");
    too_large("a byte more", door.post(SWITCH, &padded(64 * 1024 + 1)), &[413]);
    let reason = |count: usize| format!(r#"{{"dry_run":true,"reason":"{}"}}"#, "x".repeat(count));
    assert_eq!(door.post(SWITCH, reason(1_024).as_bytes()).0, Some(200));
    refused("a reason too long", door.post(SWITCH, reason(1_025).as_bytes()), &[413, 422]);
}

fn heads(door: &Door) {
    let json = "content-type: application/json\r\n";
    let key = |len: usize| format!("{json}idempotency-key: {}\r\n", "k".repeat(len));
    let dry = DRY.as_bytes();
    let post = format!("POST {SWITCH}");
    assert_eq!(door.ask(&post, &key(128), dry).0, Some(200), "a key of exactly the limit");
    refused("a key too long", door.ask(&post, &key(129), dry), &[400, 422]);
    refused("an empty key", door.ask(&post, &key(0), dry), &[400, 422]);
    refused("a body without a type", door.ask(&post, "", dry), &[415]);
    refused("a body of text", door.ask(&post, "content-type: text/plain\r\n", dry), &[415]);
    let epoch = format!("{json}if-match: yesterday\r\n");
    refused("a condition that is no epoch", door.ask(&post, &epoch, dry), &[400, 422]);
    let asks: [(&str, &str, &[u16]); 8] = [
        ("no such path", "GET /v1/nothing", &[404]),
        ("a path that climbs", "GET /v1/../../etc/passwd", &[404]),
        ("a path with a zero", "GET /v1/groups/%00", &[404]),
        ("a path that is not UTF-8", "GET /v1/groups/%ff%fe", &[400, 404]),
        ("a name too long", &format!("GET /v1/groups/{}", "g".repeat(5_000)), &[404]),
        ("a number for a switchover", "GET /v1/switchovers/s99999999999999999999-0", &[404]),
        ("a method that the path does not take", "DELETE /v1/status", &[405]),
        ("a method that is none", "BREW /v1/status", &[405]),
    ];
    for (what, line, due) in asks {
        refused(what, door.ask(line, "", b""), due);
    }
    let many = |count: usize| "x-a: b\r\n".repeat(count);
    assert_eq!(door.ask("GET /v1/status", &many(50), b"").0, Some(200));
    too_large("a hundred headers", door.ask("GET /v1/status", &many(100), b""), &[431]);
    let long = format!("x-a: {}\r\n", "b".repeat(20_000));
    too_large("a header of 20,000 bytes", door.ask("GET /v1/status", &long, b""), &[431]);
}

/// Requests that are none: the status is hyper's, or the connection is closed.
fn scraps(door: &Door) {
    let bearer = format!("authorization: Bearer {}\r\n", door.token);
    let with = |text: &str| text.replace('$', &format!("host: x\r\nconnection: close\r\n{bearer}"));
    let scraps = [
        with("GET /v1/status HTTP/9.9\r\n$\r\n"),
        with("GET  /v1/status HTTP/1.1\r\n$\r\n"),
        with("GET /v1/status\r\n\r\n"),
        with("GET /v1/status HTTP/1.1\r\n$no colon\r\n\r\n"),
        with("POST /v1/freeze HTTP/1.1\r\n$content-length: -1\r\n\r\n"),
        with("POST /v1/freeze HTTP/1.1\r\n$content-length: 2\r\ncontent-length: 3\r\n\r\n{}x"),
        with(
            "POST /v1/freeze HTTP/1.1\r\n$transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ),
        with("POST /v1/freeze HTTP/1.1\r\n$transfer-encoding: chunked\r\n\r\nzz\r\n"),
        "\r\n\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ];
    for scrap in scraps {
        let (status, body) = door.raw(scrap.as_bytes());
        assert!(
            status.is_none_or(|code| (400..=505).contains(&code)),
            "{scrap}: {status:?} {body}"
        );
    }
    for seed in 0..20 {
        let (status, body) = door.raw(&[&noise(seed, 300)[..], b"\r\n\r\n"].concat());
        assert!(status.is_none_or(|code| code == 400), "{seed}: {status:?} {body}");
    }
    for token in
        ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", &format!("bearer{}", door.token)]
    {
        let request = format!(
            "GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {token}\r\n\r\n"
        );
        refused(token, door.raw(request.as_bytes()), &[401]);
    }
}

#[test]
fn malformed_requests_get_a_clear_error_and_slow_clients_leave_nothing_behind() {
    let _turn = alone();
    let mut world = World::steady();
    let door = Door::of(&world, 0);
    let told = |world: &World| world.api_of(0).get("/v1/groups").unwrap().to_string();
    let (before, groups) = (Health::of(world.node(0)), told(&world));
    bodies(&door);
    heads(&door);
    scraps(&door);
    // Before TLS.
    for seed in 0..20 {
        exchange_plain(connect(door.to).unwrap(), &noise(seed, 400));
    }
    // Silent before TLS, silent after it, and in the middle of a header and of a body.
    let silent = idle(door.to, 300);
    let mut slow = Vec::new();
    for part in
        ["", "GET /v1/sta", "POST /v1/freeze HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{"]
    {
        for _ in 0..20 {
            // Those that are beyond the limit of an address are refused.
            let Ok(mut stream) = connect_tls(door.to, &door.tls, "127.0.0.1") else { continue };
            let _ = stream.write_all(part.as_bytes()).and_then(|()| stream.flush());
            slow.push(stream);
        }
    }
    assert!(world.api_of(0).get("/v1/status").is_ok(), "operators are served meanwhile");
    drop((silent, slow));
    before.is_back(world.node_mut(0));
    assert_eq!(told(&world), groups, "nothing of all that changed anything");
    world.is_well(EAST);
}
