//! Reads over real sockets.

use super::fixture::*;
use crate::edge::api::Limits;
use crate::kernel::controller::{Action, Refusal, RefusalKind, Response};

#[tokio::test]
async fn every_read_gives_its_part_of_the_state() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    for (path, pointer, expected) in [
        ("/v1/status", "/cluster", "test"),
        ("/v1/status", "/warnings/0", "two sites only"),
        ("/v1/groups", "/0/name", "shop"),
        ("/v1/groups/shop", "/because", "all is well"),
        ("/v1/services", "/0/group", "shop"),
        ("/v1/services", "/0/name", "web"),
        ("/v1/services/web", "/group", "shop"),
        ("/v1/planes", "/0/name", "east"),
        ("/v1/members", "/0/role", "leader"),
        ("/v1/gateways", "/0/name", "gw"),
        ("/v1/switchovers", "/1/id", "2-5"),
        ("/v1/switchovers/2-5", "/id", "2-5"),
        ("/v1/switchovers/last", "/id", "2-9"),
        ("/v1/explain/shop", "/would_switch_if/0", "the sky falls"),
        ("/v1/explain/last", "/group/name", "shop"),
        ("/v1/routes", "/routes/shop/plane", "east"),
    ] {
        let answer = get(server.address, path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let json = answer.json();
        assert_eq!(
            json.pointer(pointer).and_then(|v| v.as_str()),
            Some(expected),
            "{path}: {json}"
        );
        assert_eq!(answer.header("biplane-node"), Some("1"), "{path}");
        assert_eq!(answer.header("biplane-applied"), Some("4"), "{path}");
        let body_length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(body_length.as_str()), "{path}");
    }
    let answer = get(server.address, "/v1/groups/shop").await;
    assert_eq!(answer.header("etag"), Some("\"1.7\""));
}

#[tokio::test]
async fn a_read_sees_what_the_kernel_confirmed_and_a_stale_one_what_was_published() {
    let node = Node::with_table(4, "east");
    *node.confirmed.lock().unwrap() = Some(view(9, true));
    let server = start(&node, Limits::default()).await;
    let fresh = get(server.address, "/v1/status").await;
    assert_eq!(fresh.json()["applied"], 9);
    assert_eq!(fresh.header("biplane-applied"), Some("9"));
    assert_eq!(fresh.header("biplane-stale"), None);
    assert_eq!(*node.asked.lock().unwrap(), [("ann".to_owned(), Action::Read)]);

    let stale = get(server.address, "/v1/status?stale=true").await;
    assert_eq!(stale.json()["applied"], 4);
    assert_eq!(stale.header("biplane-applied"), Some("4"));
    assert_eq!(stale.header("biplane-stale"), Some("true"));
    assert_eq!(node.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_views_of_the_kernel_are_shown_as_they_are() {
    let node = Node::with_table(4, "east");
    *node.real.lock().unwrap() = true;
    let server = start(&node, Limits::default()).await;
    let status = get(server.address, "/v1/status").await.json();
    assert_eq!((&status["cluster"], &status["term"]), (&"test".into(), &3.into()));
    assert_eq!(get(server.address, "/v1/routes").await.json()["revision"], 0);
    assert_eq!(get(server.address, "/v1/switchovers").await.body, "[]");
    get(server.address, "/v1/explain/shop").await.problem(404);
    get(server.address, "/v1/switchovers/2-9").await.problem(404);
}

#[tokio::test]
async fn a_read_without_quorum_is_refused_and_says_how_to_read_stale() {
    let node = Node::with_table(4, "east");
    let limits = Limits { ask: std::time::Duration::from_millis(50), ..Limits::default() };
    let server = start(&node, limits).await;
    let refusal = Refusal {
        kind: RefusalKind::Unavailable,
        why: "no leader".to_owned(),
        next: "wait for an election".to_owned(),
    };
    node.reply(Some(Response::Refused(refusal)));
    let answer = get(server.address, "/v1/status").await;
    assert!(answer.problem(503).contains("no leader"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    for silent in [Some(Response::Unknown { settle: String::new() }), None] {
        node.reply(silent);
        let problem = get(server.address, "/v1/groups/shop").await.problem(503);
        assert!(problem.contains("?stale=true"), "{problem}");
    }
    assert_eq!(get(server.address, "/v1/status?stale=true").await.status, 200);
}

#[tokio::test]
async fn a_node_that_has_published_nothing_says_so() {
    let node = Node::new();
    let server = start(&node, Limits::default()).await;
    get(server.address, "/v1/status?stale=true").await.problem(503);
    get(server.address, "/v1/watch").await.problem(503);
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    for (path, part) in [
        ("/v1/groups/ghost", "ghost"),
        ("/v1/groups/NotAName", "NotAName"),
        ("/v1/services/ghost", "ghost"),
        ("/v1/switchovers/9-9", "9-9"),
        ("/v1/explain/ghost", "ghost"),
        ("/v1/nothing", "/v1/nothing"),
        ("/", "/"),
        ("/v1/groups/%2e%2e%2fetc", "../etc"),
    ] {
        let problem = get(server.address, path).await.problem(404);
        assert!(problem.contains(part), "{path}: {problem}");
    }
    get(server.address, "/v1/groups/%ff").await.problem(400);
}

#[tokio::test]
async fn before_the_first_switchover_there_is_no_last_one() {
    let server = start(&Node::with_table(0, "east"), Limits::default()).await;
    get(server.address, "/v1/switchovers/last").await.problem(404);
    get(server.address, "/v1/explain/last").await.problem(404);
}

#[tokio::test]
async fn unknown_parameters_are_refused_by_name() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    let problem = get(server.address, "/v1/status?fresh=true").await.problem(400);
    assert!(problem.contains("fresh") && problem.contains("stale=true"), "{problem}");
    get(server.address, "/v1/status?stale=perhaps").await.problem(400);
}

#[tokio::test]
async fn the_wrong_method_is_told_the_right_ones() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    for (method, path, allow) in [
        ("DELETE", "/v1/status", "GET"),
        ("GET", "/v1/groups/shop/switch", "POST"),
        ("POST", "/v1/gateways/gw", "PUT"),
        ("PATCH", "/healthz", "GET"),
    ] {
        let answer = request(server.address, method, path, &[], b"").await;
        answer.problem(405);
        assert!(answer.header("allow").is_some_and(|a| a.contains(allow)), "{answer:?}");
    }
}

#[tokio::test]
async fn only_health_and_metrics_are_open() {
    let node = Node::with_table(4, "east");
    let limits = Limits { failed_logins: 1_000, ..Limits::default() };
    let server = start(&node, limits).await;
    let bare = |path: &str, auth: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{auth}\r\n")
    };
    for (path, body) in
        [("/healthz", "ok\n"), ("/readyz", "ready\n"), ("/metrics", "biplane_leader 1\n")]
    {
        let answer = answer(&raw(server.address, bare(path, "").as_bytes()).await);
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
    }
    for path in ["/v1/status", "/v1/watch", "/v1/nothing", "/", "//healthz", "/healthz/"] {
        for auth in [
            "",
            "authorization: Bearer wrong\r\n",
            "authorization: Bearer\r\n",
            "authorization: Basic let-me-in\r\n",
            "authorization: let-me-in\r\n",
            "authorization: Bearer \u{e4}\r\n",
            "authorization: Bearer let-me-in\r\nauthorization: Bearer let-me-in\r\n",
        ] {
            let answer = answer(&raw(server.address, bare(path, auth).as_bytes()).await);
            let problem = answer.problem(401);
            assert!(problem.contains("Authorization: Bearer TOKEN"), "{problem}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path} {auth}");
        }
    }
    let lower = bare("/v1/status", "authorization: bearer let-me-in\r\n");
    assert_eq!(answer(&raw(server.address, lower.as_bytes()).await).status, 200);
    assert_eq!(node.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_why() {
    let node = Node::with_table(4, "east");
    *node.not_ready.lock().unwrap() = Some("no quorum yet".to_owned());
    let server = start(&node, Limits::default()).await;
    let answer = get(server.address, "/readyz").await;
    assert!(answer.body.contains("not ready: no quorum yet"), "{}", answer.body);
    answer.problem(503);
    assert_eq!(get(server.address, "/healthz").await.status, 200);
}

#[tokio::test]
async fn a_fault_inside_costs_one_answer() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    get(server.address, "/v1/explain/panics").await.problem(500);
    *node.not_ready.lock().unwrap() = Some("panic".to_owned());
    get(server.address, "/readyz").await.problem(500);
    assert_eq!(get(server.address, "/v1/explain/shop").await.status, 200);
}
