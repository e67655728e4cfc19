//! Events over real sockets.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::*;
use crate::edge::api::client::{ApiClient, ClientTimes, EventNews};
use crate::edge::api::{EventsBody, Limits};
use crate::kernel::controller::*;
use crate::kernel::domain::*;
use crate::kernel::ledger::limits::EVENTS_KEPT;
use crate::kernel::ledger::{Command, Envelope, FORMAT, Ledger, RULESET, RequestKey, TokenChange};

/// A ledger in which so many names were revoked, one an entry, from entry 2 on.
fn ledger(events: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let mut log = |index: u64, command: Command| {
        let commands = vec![command];
        let envelope = Envelope {
            format: FORMAT,
            at: LedgerTime(1),
            wall: WallTime(5),
            by: MemberId(1),
            commands,
        };
        ledger.apply(index, 1, &envelope.encode());
    };
    log(1, Command::Raise { ruleset: RULESET });
    for number in 0..events {
        let request =
            RequestKey { member: MemberId(1), incarnation: Incarnation(1), counter: number };
        // The same few names again and again: a name that is revoked can be revoked again.
        let name = PrincipalName::new(&format!("t{}", number % 9)).unwrap();
        let change = TokenChange::Revoke {};
        log(number + 2, Command::Token { request, by: "ann".to_owned(), name, change });
    }
    ledger
}

fn view_of(ledger: Ledger, in_quorum: bool) -> Arc<View> {
    let mut view = view(4, in_quorum).as_ref().clone();
    view.ledger = Arc::new(ledger);
    Arc::new(view)
}

fn node(events: u64) -> Arc<Node> {
    let node = Node::with_table(4, "east");
    node.show(view_of(ledger(events), true));
    node
}

fn id(index: u64) -> EventId {
    EventId { index, nth: 0 }
}

#[tokio::test]
async fn events_are_listed_from_where_one_was() {
    let server = start(&node(5), Limits::default()).await;
    let all: EventsBody =
        serde_json::from_str(&get(server.address, "/v1/events").await.body).unwrap();
    assert_eq!((all.events.len(), all.newest, all.gap), (5, id(6), false));
    assert_eq!(all.events[0].text, "t0 revoked, by ann");
    let some = get(server.address, "/v1/events?since=e4-0&stale=true").await;
    let some: EventsBody = serde_json::from_str(&some.body).unwrap();
    assert_eq!(some.events.iter().map(|event| event.id).collect::<Vec<_>>(), [id(5), id(6)]);
    get(server.address, "/v1/events?since=4").await.problem(400);
    get(server.address, "/v1/events?until=4").await.problem(400);
    get(server.address, "/v1/status?since=e4-0").await.problem(400);
}

#[tokio::test]
async fn so_many_events_are_kept_and_what_is_lost_is_told() {
    let kept = u64::try_from(EVENTS_KEPT).unwrap();
    let server = start(&node(kept), Limits::default()).await;
    let ask = async |path: &str| -> EventsBody {
        serde_json::from_str(&get(server.address, path).await.body).unwrap()
    };
    let body = ask("/v1/events").await;
    assert_eq!((body.events.len(), body.gap), (EVENTS_KEPT, false));
    let server = start(&node(kept + 3), Limits::default()).await;
    let ask = async |path: &str| -> EventsBody {
        serde_json::from_str(&get(server.address, path).await.body).unwrap()
    };
    let body = ask("/v1/events?since=e2-0").await;
    assert_eq!((body.events.len(), body.gap), (EVENTS_KEPT, true));
    assert_eq!(body.events[0].id, id(5));
    assert!(!ask("/v1/events?since=e4-0").await.gap, "the last one that is lost was heard");
}

fn client(controllers: Vec<std::net::SocketAddr>) -> Arc<ApiClient> {
    let times = ClientTimes { backoff_min: Duration::from_millis(5), ..ClientTimes::default() };
    Arc::new(ApiClient::new(controllers, None, TOKEN.to_owned()).with_times(times))
}

async fn heard(watch: &mut crate::edge::api::client::EventWatch, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let news = tokio::time::timeout(DEADLINE, watch.next()).await.expect("in time");
        if let EventNews::Event(event) = news {
            ids.push(event.id);
        }
    }
    ids
}

#[tokio::test]
async fn a_watcher_that_moves_to_another_node_goes_on_where_it_was() {
    let (ahead, behind) = (node(10), node(4));
    let one = start(&ahead, Limits::default()).await;
    let other = start(&behind, Limits::default()).await;
    let mut watch = client(vec![one.address, other.address]).events(Some(EventId::default()));
    let expected: Vec<EventId> = (2..12).map(id).collect();
    assert_eq!(heard(&mut watch, 10).await, expected);
    one.shutdown.cancel();
    // The other node is behind and alone: nothing is told twice, and what comes is told when it comes.
    behind.reply(None);
    let lost = tokio::time::timeout(DEADLINE, watch.next()).await.expect("in time");
    assert!(matches!(lost, EventNews::Lost { .. }), "{lost:?}");
    let silence = tokio::time::timeout(Duration::from_millis(200), watch.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    behind.show(view_of(ledger(12), true));
    assert_eq!(heard(&mut watch, 2).await, [id(12), id(13)]);
}

#[tokio::test]
async fn an_event_that_has_not_happened_is_told_from_one_that_this_node_has_not_heard_of() {
    let node = node(4);
    let server = start(&node, Limits::default()).await;
    let watch =
        async |header: &str, path: &str| request(server.address, "GET", path, &[header], b"").await;
    // Nobody has given it.
    let path = "/v1/events/watch";
    let asked = async |problem: String| {
        assert!(
            problem.contains("no event e6-0 has happened yet: the newest is e5-0"),
            "{problem}"
        );
        assert!(problem.contains("GET /v1/events lists what is kept"), "{problem}");
    };
    asked(watch("last-event-id: e6-0", path).await.problem(400)).await;
    asked(watch("x-none: 1", "/v1/events/watch?since=e6-0").await.problem(400)).await;
    // Another node has: a confirmed read shows it.
    *node.confirmed.lock().unwrap() = Some(view_of(ledger(8), true));
    let header = format!("authorization: Bearer {TOKEN}\r\nlast-event-id: e6-0");
    assert_eq!(raw_request(server.address, "GET", path, &header).await, 200);
    // Nobody can say: it is believed.
    *node.confirmed.lock().unwrap() = None;
    node.reply(Some(Response::Unknown { settle: String::new() }));
    assert_eq!(raw_request(server.address, "GET", path, &header).await, 200);
}

#[tokio::test]
async fn a_follower_is_told_why_it_is_not_served() {
    let server = start(&node(4), Limits::default()).await;
    let mut watch = client(vec![server.address]).events(Some(id(99)));
    let lost = tokio::time::timeout(DEADLINE, watch.next()).await.expect("in time");
    let EventNews::Lost { why, turned_away: false, .. } = lost else { panic!("{lost:?}") };
    assert!(why.contains("no event e99-0 has happened yet"), "{why}");
}

#[tokio::test]
async fn a_gap_is_told_before_what_is_left() {
    let kept = u64::try_from(EVENTS_KEPT).unwrap();
    let server = start(&node(kept + 3), Limits::default()).await;
    let mut watch = client(vec![server.address]).events(Some(id(2)));
    let first = tokio::time::timeout(DEADLINE, watch.next()).await.expect("in time");
    assert_eq!(first, EventNews::Gap);
    assert_eq!(heard(&mut watch, 1).await, [id(5)]);
}

#[tokio::test]
async fn a_node_that_is_cut_off_sends_its_watchers_away() {
    let node = node(3);
    let short = Duration::from_millis(40);
    let limits = Limits { keep_alive: short, cut_off_grace: short, ..Limits::default() };
    let server = start(&node, limits).await;
    let mut watch = client(vec![server.address]).events(Some(EventId::default()));
    assert_eq!(heard(&mut watch, 3).await.len(), 3);
    node.show(view_of(ledger(3), false));
    let lost = tokio::time::timeout(DEADLINE, watch.next()).await.expect("in time");
    assert!(matches!(lost, EventNews::Lost { .. }), "{lost:?}");
}
