//! Watches over real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::fixture::*;
use crate::edge::api::Limits;
use crate::edge::api::limits::ROUTE_EVENTS;

/// A watch read by hand.
struct Raw {
    stream: TcpStream,
    text: String,
}

impl Raw {
    async fn open(server: &Server) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let ask =
            format!("GET /v1/watch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut raw = Self { stream, text: String::new() };
        let head = raw.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        raw
    }

    /// Reads up to and including a text; gives what was read.
    async fn until(&mut self, end: &str) -> String {
        let reading = async {
            loop {
                if let Some(at) = self.text.find(end) {
                    let rest = self.text.split_off(at + end.len());
                    return std::mem::replace(&mut self.text, rest);
                }
                let mut piece = [0; 4096];
                let count = self.stream.read(&mut piece).await.unwrap();
                assert!(count > 0, "the watch ended: {}", self.text);
                self.text += std::str::from_utf8(&piece[..count]).unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.unwrap_or_else(|_| panic!("no {end:?}"))
    }

    /// The next event: name, id, data.
    async fn event(&mut self) -> (String, String, serde_json::Value) {
        self.until("event: ").await;
        let name = self.until("\nid: ").await;
        let id = self.until("\ndata: ").await;
        let data = self.until("\n\n").await;
        let name = name.trim_end_matches("\nid: ").to_owned();
        let id = id.trim_end_matches("\ndata: ").to_owned();
        (name, id, serde_json::from_str(&data).unwrap())
    }
}

#[tokio::test]
async fn a_watch_gives_the_table_and_then_each_change() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let mut watch = Raw::open(&server).await;
    let (name, id, data) = watch.event().await;
    assert_eq!((name.as_str(), id.as_str()), ("table", "4"));
    assert_eq!(data["routes"]["shop"]["plane"], "east");

    node.publish(table(5, &[("shop", "west", 5), ("pay", "east", 1)]), true);
    let mut names = Vec::new();
    for _ in 0..2 {
        let (name, id, data) = watch.event().await;
        assert_eq!((name.as_str(), id.as_str()), ("route", "5"));
        assert_eq!(data["revision"], 5);
        names.push(data["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["pay", "shop"]);

    node.publish(table(6, &[("shop", "east", 6), ("pay", "east", 1)]), true);
    let (_, _, data) = watch.event().await;
    assert_eq!((&data["name"], &data["entry"]["epoch"]), (&"shop".into(), &"1.6".into()));

    let (name, _, data) = Raw::open(&server).await.event().await;
    assert_eq!((name.as_str(), &data["revision"]), ("table", &6.into()));
}

#[tokio::test]
async fn a_route_that_goes_away_and_a_large_change_come_as_a_whole_table() {
    let node = Node::new();
    node.publish(table(1, &[("shop", "east", 1), ("pay", "east", 1)]), true);
    let server = start(&node, Limits::default()).await;
    let mut watch = Raw::open(&server).await;
    watch.event().await;
    node.publish(table(2, &[("shop", "west", 2)]), true);
    let (name, _, data) = watch.event().await;
    assert_eq!(name, "table");
    assert_eq!(data["routes"].as_object().unwrap().len(), 1);

    let names: Vec<_> = (0..100).map(|n| format!("r{n}")).collect();
    let many = names.iter().map(|name| (name.as_str(), "east", 1)).chain([("shop", "east", 1)]);
    node.publish(table(3, &many.collect::<Vec<_>>()), true);
    let (name, id, _) = watch.event().await;
    assert_eq!((name.as_str(), id.as_str()), ("table", "3"));
}

#[tokio::test]
async fn a_view_without_news_is_not_told() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let mut watch = Raw::open(&server).await;
    watch.event().await;
    for _ in 0..3 {
        node.publish(table(4, &[("shop", "east", 4)]), true);
        tokio::task::yield_now().await;
    }
    node.publish(table(5, &[("shop", "west", 5)]), true);
    assert_eq!(watch.event().await.1, "5");
}

#[tokio::test]
async fn a_quiet_watch_is_kept_alive_by_comments() {
    let node = Node::with_table(4, "east");
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let server = start(&node, limits).await;
    let mut watch = Raw::open(&server).await;
    watch.event().await;
    for _ in 0..3 {
        watch.until(": alive\n\n").await;
    }
}

#[tokio::test]
async fn watchers_have_a_limit_and_leave_room_behind() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits { watchers: 1, requests: 1, ..Limits::default() }).await;
    let watch = Raw::open(&server).await;
    let problem = get(server.address, "/v1/watch").await.problem(503);
    assert!(problem.contains("watchers"), "{problem}");
    assert_eq!(
        get(server.address, "/v1/status").await.status,
        200,
        "a watch holds no request's place"
    );
    drop(watch);
    wait_until("there is room again", async || serves_watchers(&server).await).await;
}

#[tokio::test]
async fn a_watcher_that_lags_behind_is_disconnected() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits { watch_backlog: 4, ..Limits::default() }).await;
    let (mut lazy, mut eager) = (Raw::open(&server).await, Raw::open(&server).await);
    lazy.event().await;
    eager.event().await;
    // The sockets take some of it; a watcher that does not read falls behind the rest.
    let names: Vec<_> = (0..2_000).map(|n| format!("route-{n}")).collect();
    for revision in 5..36 {
        let routes: Vec<_> = names.iter().map(|name| (name.as_str(), "west", revision)).collect();
        node.publish(table(revision, &routes), true);
        assert_eq!(eager.event().await.1, revision.to_string());
    }
    let rest = read_to_end(&mut lazy.stream).await;
    assert!(rest.contains("id: 5\n") && !rest.contains("id: 35\n"), "{} bytes", rest.len());
    let (name, id, _) = Raw::open(&server).await.event().await;
    assert_eq!((name.as_str(), id.as_str()), ("table", "35"));
}

#[tokio::test]
async fn a_node_cut_off_from_the_quorum_sends_its_watchers_away() {
    let node = Node::with_table(4, "east");
    let grace = Duration::from_millis(50);
    let server = start(&node, Limits { cut_off_grace: grace, ..Limits::default() }).await;
    let mut watch = Raw::open(&server).await;
    watch.event().await;
    node.publish(table(4, &[("shop", "east", 4)]), false);
    assert_eq!(read_to_end(&mut watch.stream).await, "0\r\n\r\n");
    let problem = get(server.address, "/v1/watch").await.problem(503);
    assert!(problem.contains("/v1/routes?stale=true"), "{problem}");
    let stale = get(server.address, "/v1/routes?stale=true").await;
    assert_eq!(stale.json()["revision"], 4);

    node.publish(table(4, &[("shop", "east", 4)]), true);
    wait_until("it serves watchers again", async || serves_watchers(&server).await).await;
}

#[tokio::test]
async fn a_short_loss_of_the_quorum_disturbs_no_watcher() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let mut watch = Raw::open(&server).await;
    watch.event().await;
    node.publish(table(5, &[("shop", "west", 5)]), false);
    assert_eq!(watch.event().await.1, "5");
    node.publish(table(6, &[("shop", "east", 6)]), true);
    assert_eq!(watch.event().await.1, "6");
}

#[tokio::test]
async fn watches_end_when_the_server_stops() {
    let node = Node::with_table(4, "east");
    let mut server = start(&node, Limits::default()).await;
    let mut watch = Raw::open(&server).await;
    watch.event().await;
    server.shutdown.cancel();
    tokio::time::timeout(DEADLINE, &mut server.task).await.unwrap().unwrap();
    assert_eq!(read_to_end(&mut watch.stream).await, "0\r\n\r\n");
}

#[tokio::test]
async fn so_many_changed_routes_come_one_by_one_and_one_more_as_a_table() {
    let node = Node::new();
    let names: Vec<_> = (0..=ROUTE_EVENTS).map(|n| format!("r{n}")).collect();
    let moved = |count: usize| -> Vec<(&str, &str, u64)> {
        let on = |n: usize| if n < count { ("west", 2) } else { ("east", 1) };
        names.iter().enumerate().map(|(n, name)| (name.as_str(), on(n).0, on(n).1)).collect()
    };
    for (count, kind) in [(ROUTE_EVENTS, "route"), (ROUTE_EVENTS + 1, "table")] {
        node.publish(table(1, &moved(0)), true);
        let server = start(&node, Limits::default()).await;
        let mut watch = Raw::open(&server).await;
        watch.event().await;
        node.publish(table(2, &moved(count)), true);
        let (name, ..) = watch.event().await;
        assert_eq!(name, kind, "{count} routes");
    }
}
