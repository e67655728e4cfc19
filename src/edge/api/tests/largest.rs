//! The largest answers: what a server accepts, a client can show, export and verify; and many of them at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::fixture::*;
use crate::edge::api::client::{ApiClient, ApiError, ClientTimes};
use crate::edge::api::limits::ANSWER_BYTES;
use crate::edge::api::{ConfigBody, Limits};
use crate::kernel::consensus::limits::PROPOSAL_BYTES;
use crate::kernel::controller::limits::COMMAND_BYTES;
use crate::kernel::controller::*;
use crate::kernel::domain::*;
use crate::kernel::ledger::{
    AuditLine, AuditPage, AuditRecord, Command, ConfigCommand, Envelope, FORMAT, GatewayRoute,
    Ledger, RULESET, RequestKey,
};

/// The longest name.
fn longest_name() -> String {
    "p".repeat(63)
}

fn envelope(command: Command) -> Vec<u8> {
    let (at, wall, by) = (LedgerTime(u64::MAX), WallTime(u64::MAX), MemberId(u64::MAX));
    Envelope { format: FORMAT, at, wall, by, commands: vec![command] }.encode()
}

fn configures(text: String, base: u64) -> Command {
    let cluster = view(1, true).cluster.clone().expect("the fixture's view has settings");
    let request = RequestKey { member: MemberId(1), incarnation: Incarnation(1), counter: base };
    let cluster = Box::new(cluster.as_ref().clone());
    let (by, reason) = ("ann".to_owned(), String::new());
    Command::Reconfigure(ConfigCommand { request, by, reason, base, text, cluster })
}

/// A command whose text is this sign again and again, as large as the kernel lets one into the log.
fn largest(sign: &str) -> Command {
    let empty = serde_json::to_vec(&configures(String::new(), 1)).unwrap().len();
    let each = serde_json::to_string(sign).unwrap().len() - 2;
    let room = COMMAND_BYTES - empty;
    let text = sign.repeat(room / each) + &"x".repeat(room % each);
    configures(text, 1)
}

/// A ledger with these configurations, one after the other.
fn configured(commands: Vec<Command>) -> Ledger {
    let mut ledger = Ledger::default();
    let Command::Reconfigure(first) = configures(String::new(), 0) else { panic!("as made") };
    ledger.apply(1, 1, &envelope(Command::Raise { ruleset: RULESET }));
    ledger.apply(2, 1, &envelope(Command::Configure(first.cluster)));
    for (command, index) in commands.into_iter().zip(3..) {
        ledger.apply(index, 1, &envelope(command));
    }
    ledger
}

fn view_of(ledger: Ledger) -> Arc<View> {
    let mut view = view(4, true).as_ref().clone();
    view.ledger = Arc::new(ledger);
    Arc::new(view)
}

fn audited(data: Vec<u8>) -> AuditLine {
    let before = "0".repeat(64);
    let record = AuditRecord { index: 3, term: 1, before, head: String::new(), data: data.into() };
    let mut audit = crate::kernel::ledger::Audit::default();
    audit.chain(3, 1, &record.data);
    AuditRecord { head: audit.head, ..record }.line()
}

fn paged(line: AuditLine) -> AuditPage {
    AuditPage { oldest: Some(u64::MAX), lines: vec![line], more: true }
}

fn patient(controller: std::net::SocketAddr) -> ApiClient {
    let times = ClientTimes { answer: Duration::from_secs(120), ..ClientTimes::default() };
    ApiClient::new(vec![controller], None, TOKEN.to_owned()).with_times(times)
}

#[test]
fn no_sign_makes_a_line_of_the_audit_trail_that_a_client_does_not_take() {
    // What JSON escapes with one sign more, and with five more, and what it does not.
    for sign in ["\"", "\t", "\u{1}", "\u{202e}"] {
        let data = envelope(largest(sign));
        assert!(data.len() <= PROPOSAL_BYTES, "{sign:?}");
        let page = serde_json::to_vec(&paged(audited(data))).unwrap();
        assert!(page.len() <= ANSWER_BYTES, "{sign:?}: {}", page.len());
    }
    // The worst entry that consensus takes at all; and the one that is no text.
    for byte in [b'"', 0xff] {
        let page = serde_json::to_vec(&paged(audited(vec![byte; PROPOSAL_BYTES]))).unwrap();
        assert!(page.len() > 2 * PROPOSAL_BYTES && page.len() <= ANSWER_BYTES, "{}", page.len());
    }
}

#[tokio::test]
async fn the_largest_configuration_of_the_worst_text_is_exported_verified_and_shown() {
    let command = largest("\"");
    let Command::Reconfigure(ConfigCommand { text, .. }) = &command else { panic!("as made") };
    let text = text.clone();
    assert!(text.len() > 11 << 20);
    let line = audited(envelope(command.clone()));
    let node = Node::with_table(4, "east");
    node.show(view_of(configured(vec![command])));
    *node.page.lock().unwrap() = Some(paged(line.clone()));
    let limits = Limits { write_stall: Duration::from_secs(60), ..Limits::default() };
    let server = start(&node, limits).await;
    let client = patient(server.address);
    let page: AuditPage = client.get_json("/v1/audit?from=3").await.unwrap();
    assert!(page.lines[0] == line && page.lines[0].is_sound());
    let shown: ConfigBody = client.get_json("/v1/config").await.unwrap();
    assert!(shown.version == 2 && shown.text.as_ref() == Some(&text));
    // One that no server accepts no client takes either: a hostile one is not believed.
    let beyond = AuditLine { entry: Some("\"".repeat(ANSWER_BYTES / 2)), ..line };
    *node.page.lock().unwrap() = Some(paged(beyond));
    let refused = client.get_json::<AuditPage>("/v1/audit?from=3").await;
    assert!(matches!(refused, Err(ApiError::BadAnswer { .. })), "it is too long");
}

#[test]
fn the_route_table_is_smaller_than_two_and_a_half_times_the_settings() {
    let long = longest_name();
    for (one, two, name) in [("e", "w", "a"), (long.as_str(), "w", long.as_str())] {
        let planes = [one, two].map(plane);
        let endpoint = Endpoint { host: "h".to_owned(), port: 1 };
        let upstream: std::collections::BTreeMap<_, _> =
            planes.iter().map(|plane| (plane.clone(), endpoint.clone())).collect();
        let name = ServiceName::new(name).unwrap();
        let group = GroupName::new("g").unwrap();
        let set =
            GatewayRoute { group: group.clone(), upstream: upstream.clone(), front_door: None };
        let told = RouteEntry {
            group,
            plane: planes[0].clone(),
            epoch: Epoch { generation: u32::MAX, counter: u64::MAX },
            on_switch: crate::kernel::ledger::OnSwitch::Drain,
            upstream,
        };
        let set = serde_json::to_string(&[(name.clone(), set)]).unwrap().len();
        let told = serde_json::to_string(&[(name, told)]).unwrap().len();
        assert!(2 * told < 5 * set, "{told} of {set}");
    }
}

/// Asks and reads the status of the answer only, with buffers that take little of the rest.
async fn begin(server: &Server, path: &str) -> (TcpStream, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
    let status = std::str::from_utf8(&head[9..]).unwrap().parse().unwrap();
    (stream, status)
}

/// Rendering large answers takes its time where the compiler did not.
const PATIENCE: Duration = Duration::from_secs(120);

fn unhurried() -> Limits {
    Limits { write_stall: PATIENCE, ..Limits::default() }
}

#[tokio::test]
async fn slow_readers_of_a_configuration_share_one_text() {
    const READERS: usize = 64;
    let text = |sign: &str| sign.repeat(3 << 20);
    let node = Node::with_table(4, "east");
    node.show(view_of(configured(vec![configures(text("\""), 1)])));
    let server = start(&node, unhurried()).await;
    let held = || server.state.under_way.held();
    let first: ConfigBody = patient(server.address).get_json("/v1/config").await.unwrap();
    assert_eq!(first.text, Some(text("\"")));
    let one = held();
    assert!((6 << 20..7 << 20).contains(&one), "{one}");
    let mut slow = Vec::new();
    for number in 0..READERS {
        let path = if number % 2 == 0 { "/v1/config" } else { "/v1/config/2" };
        let (stream, status) = begin(&server, path).await;
        assert_eq!(status, 200);
        slow.push(stream);
    }
    assert_eq!(held(), one, "{READERS} readers, one text");
    // Another takes its place: the old one is held as long as one of them reads it.
    node.show(view_of(configured(vec![
        configures(text("\""), 1),
        configures("#".repeat(5 << 20), 2),
    ])));
    let other: ConfigBody = patient(server.address).get_json("/v1/config").await.unwrap();
    assert_eq!(other.version, 3);
    let both = held();
    assert!((one + (5 << 20)..one + (6 << 20)).contains(&both), "{both}");
    slow.truncate(1);
    assert_eq!(held(), both);
    slow.clear();
    wait_until("the old text is gone", async || held() == both - one).await;
}

#[tokio::test]
async fn what_slow_readers_are_sent_is_bounded_in_bytes_and_given_back() {
    const PATH: &str = "/v1/audit?from=3";
    let node = Node::with_table(4, "east");
    // More than what sockets hold, and made soon: after 20 s the kernel hangs up on who takes nothing.
    *node.page.lock().unwrap() = Some(paged(audited(vec![b'x'; 10 << 20])));
    let server = start(&node, unhurried()).await;
    let size = patient(server.address).get_text(PATH).await.unwrap().len();
    assert!(size > 10 << 20, "{size}");
    wait_until("it is sent", async || server.state.under_way.held() == 0).await;
    for (answer_bytes, fit) in [(3 * size, 3), (3 * size - 1, 2)] {
        let server = start(&node, Limits { answer_bytes, ..unhurried() }).await;
        let held = || server.state.under_way.held();
        let mut slow = Vec::new();
        for number in 0..5 {
            let (mut stream, status) = begin(&server, PATH).await;
            assert_eq!(status, if number < fit { 200 } else { 503 }, "{number} of {fit}");
            assert_eq!(held(), size * fit.min(number + 1));
            if status == 503 {
                let mut rest = vec![0; 4_096];
                let count = stream.read(&mut rest).await.unwrap();
                let rest = String::from_utf8_lossy(&rest[..count]).into_owned();
                assert!(rest.contains("retry-after: 1") && rest.contains("problem+json"), "{rest}");
                assert!(rest.contains("under way at once") && rest.contains("try again"), "{rest}");
            } else {
                slow.push(stream);
            }
        }
        // Small answers need no room.
        assert_eq!(get(server.address, "/v1/planes").await.status, 200);
        slow.pop();
        wait_until("its room is given back", async || held() == size * (fit - 1)).await;
        assert_eq!(begin(&server, PATH).await.1, 200);
        slow.clear();
        wait_until("all of it is", async || held() == 0).await;
    }
}
