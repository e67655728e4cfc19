//! Bounds of the server, each at its last value and one beyond.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::fixture::*;
use crate::edge::api::limits::{HEADER_BYTES, HEADER_COUNT};
use crate::edge::api::{ApiState, Backend, Limits, router};

const FRONT: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

/// A request whose line and headers together have so many bytes.
fn head(bytes: usize) -> String {
    format!("{FRONT}x: {}\r\n\r\n", "y".repeat(bytes - FRONT.len() - "x: \r\n\r\n".len()))
}

#[tokio::test]
async fn a_head_of_the_limit_is_served_and_a_longer_one_is_not() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    let status = async |bytes: &str| {
        let text = raw(server.address, bytes.as_bytes()).await;
        if text.is_empty() { 0 } else { answer(&text).status }
    };
    assert_eq!(status(&head(HEADER_BYTES)).await, 200);
    // So many bytes and no end: nothing more is waited for.
    assert_eq!(status(&head(HEADER_BYTES + 1)[..HEADER_BYTES]).await, 431);
    // What the server leaves unread may take its answer away.
    let whole = status(&head(HEADER_BYTES + 1)).await;
    assert!([431, 0].contains(&whole), "{whole}");
    let with = |headers: usize| format!("{FRONT}{}\r\n", "a: b\r\n".repeat(headers - 2));
    assert_eq!(status(&with(HEADER_COUNT)).await, 200);
    assert_eq!(status(&with(HEADER_COUNT + 1)).await, 431);
}

/// A watch without a socket, which would hold some of what its client does not read.
async fn watch(router: &axum::Router) -> Body {
    let request = Request::get("/v1/watch")
        .header("host", "x")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Body::empty())
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// The next event; none when the watch is over.
async fn next(watch: &mut Body) -> Option<Bytes> {
    let frame = tokio::time::timeout(DEADLINE, watch.frame()).await.expect("an event in time")?;
    Some(frame.unwrap().into_data().unwrap())
}

#[tokio::test]
async fn a_watcher_may_lag_so_many_changes_behind_and_not_one_more() {
    let node = Node::with_table(1, "east");
    // Nothing but changes is told.
    let limits = Limits { keep_alive: Duration::from_secs(3600), ..Limits::default() };
    let settings = settings("127.0.0.1:0".parse().unwrap(), limits, None);
    let backend = Arc::clone(&node) as Arc<dyn Backend>;
    let router = router(&Arc::new(ApiState::new(&settings, backend, CancellationToken::new())));
    let (mut eager, mut lazy) = (watch(&router).await, watch(&router).await);
    next(&mut eager).await.expect("a table");
    next(&mut lazy).await.expect("a table");
    let mut revision = 1;
    let mut change = async || {
        revision += 1;
        node.publish(table(revision, &[("shop", "west", revision)]), true);
        // Whoever reads shows that it was told, and was no part of a greater change.
        next(&mut eager).await.expect("a change")
    };
    let mut told = Vec::new();
    for _ in 0..limits.watch_backlog {
        told.push(change().await);
    }
    for expected in told {
        assert_eq!(next(&mut lazy).await, Some(expected));
    }
    for _ in 0..=limits.watch_backlog {
        change().await;
    }
    assert_eq!(next(&mut lazy).await, None, "it is disconnected");
}
