//! Commands over real sockets.

use std::time::Duration;

use super::fixture::*;
use crate::edge::api::Limits;
use crate::edge::api::limits::SPAN_MAX_MS;
use crate::kernel::controller::*;
use crate::kernel::domain::*;

const SWITCH: &str = "/v1/groups/shop/switch";

fn accepted(repeated: bool) -> Option<Response> {
    Some(Response::Accepted { switchover: "2-9".to_owned(), repeated })
}

fn shop() -> GroupName {
    GroupName::new("shop").unwrap()
}

#[tokio::test]
async fn a_switch_reaches_the_kernel_whole_and_says_where_to_follow_it() {
    let node = Node::with_table(4, "east");
    node.reply(accepted(true));
    let server = start(&node, Limits::default()).await;
    let body = br#"{"to":"west","kind":"forced","epoch":"1.7","reason":"a drill"}"#;
    let headers = ["content-type: application/json; charset=utf-8", "idempotency-key: k-1"];
    let answer = request(server.address, "POST", SWITCH, &headers, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("location"), Some("/v1/switchovers/2-9"));
    assert_eq!(answer.json()["url"], "/v1/switchovers/2-9");
    assert_eq!(answer.json()["repeated"], true);
    let expected = Action::Switch(SwitchRequest {
        group: shop(),
        to: Some(plane("west")),
        kind: SwitchKind::Forced,
        epoch: Some(Epoch { generation: 1, counter: 7 }),
        dry_run: false,
        reason: "a drill".to_owned(),
        idempotency_key: Some("k-1".to_owned()),
    });
    assert_eq!(*node.asked.lock().unwrap(), [("ann".to_owned(), expected)]);
}

#[tokio::test]
async fn an_empty_switch_goes_to_the_other_plane() {
    let node = Node::with_table(4, "east");
    node.reply(accepted(false));
    let server = start(&node, Limits::default()).await;
    let any = ["if-match: *"];
    assert_eq!(request(server.address, "POST", SWITCH, &any, b"").await.status, 202);
    assert_eq!(post(server.address, SWITCH, "{}").await.status, 202);
    for (_, action) in node.asked.lock().unwrap().iter() {
        let Action::Switch(request) = action else { panic!("{action:?}") };
        assert_eq!((&request.to, request.kind), (&None, SwitchKind::Planned));
        assert!(request.epoch.is_none() && request.idempotency_key.is_none());
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_plan() {
    let node = Node::with_table(4, "east");
    let plan = Plan {
        group: shop(),
        epoch: Epoch { generation: 1, counter: 7 },
        from: "east".to_owned(),
        to: "west".to_owned(),
        steps: vec!["routing".to_owned()],
        obstacles: Vec::new(),
    };
    node.reply(Some(Response::Plan(plan.clone())));
    let server = start(&node, Limits::default()).await;
    let answer = post(server.address, SWITCH, r#"{"dry_run":true}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(serde_json::from_str::<Plan>(&answer.body).unwrap(), plan);
    let (_, action) = node.asked.lock().unwrap().remove(0);
    assert!(matches!(action, Action::Switch(SwitchRequest { dry_run: true, .. })), "{action:?}");
}

#[tokio::test]
async fn an_etag_makes_a_switch_conditional() {
    let node = Node::with_table(4, "east");
    node.reply(accepted(false));
    let server = start(&node, Limits::default()).await;
    let json = "content-type: application/json";
    let ask = async |condition: &str, body: &str| {
        request(server.address, "POST", SWITCH, &[json, condition], body.as_bytes()).await
    };
    assert_eq!(ask("if-match: \"1.7\"", "{}").await.status, 202);
    assert_eq!(ask("if-match: \"1.7\"", r#"{"epoch":"1.7"}"#).await.status, 202);
    assert_eq!(ask("if-match: *", "{}").await.status, 202);
    ask("if-match: \"1.7\"", r#"{"epoch":"1.8"}"#).await.problem(422);
    ask("x-none: 1", "{}").await.problem(428);
    assert_eq!(ask("x-none: 1", r#"{"epoch":"1.7"}"#).await.status, 202);
    // An epoch has one form, and no other is taken for it.
    for bad in [
        "1.7",
        "W/\"1.7\"",
        "\"1.7\", \"1.8\"",
        "\"",
        "\"01.7\"",
        "\"1.07\"",
        "\"+1.7\"",
        "\"1.+7\"",
        "\" 1.7\"",
    ] {
        let problem = ask(&format!("if-match: {bad}"), "{}").await.problem(400);
        assert!(problem.contains("If-Match does not hold an epoch"), "{bad}: {problem}");
    }
    let epochs: Vec<_> = node
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, action)| match action {
            Action::Switch(request) => request.epoch.map(|epoch| epoch.counter),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(epochs, [Some(7), Some(7), None, Some(7)]);
}

#[tokio::test]
async fn each_refusal_has_its_status_and_says_what_to_do() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    for (kind, status) in [
        (RefusalKind::NotFound, 404),
        (RefusalKind::StaleEpoch, 412),
        (RefusalKind::Conflict, 409),
        (RefusalKind::Unprocessable, 422),
        (RefusalKind::Unavailable, 503),
    ] {
        let (why, next) = ("because so".to_owned(), "do this".to_owned());
        node.reply(Some(Response::Refused(Refusal { kind, why, next })));
        let problem = post(server.address, SWITCH, "{}").await.problem(status);
        assert!(problem.contains("because so") && problem.contains("do this"), "{problem}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_never_called_a_failure() {
    let node = Node::with_table(4, "east");
    let limits = Limits { ask: Duration::from_millis(50), ..Limits::default() };
    let server = start(&node, limits).await;
    for (reply, settle) in [
        (
            Some(Response::Unknown { settle: "/v1/switchovers/2-9".to_owned() }),
            "/v1/switchovers/2-9",
        ),
        (Some(Response::Unknown { settle: String::new() }), "/v1/groups/shop"),
        (None, "/v1/groups/shop"),
    ] {
        node.reply(reply);
        let answer = post(server.address, SWITCH, "{}").await;
        let problem = answer.problem(504);
        assert!(problem.contains("may or may not have happened"), "{problem}");
        assert_eq!(answer.json()["settle"], settle);
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_meant_are_refused_with_the_place() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let deep = format!("{{\"to\":{}", "[".repeat(30_000));
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1_025));
    for (body, status, part) in [
        ("{", 400, "line 1, column 1"),
        ("{\n \"to\": west}", 400, "line 2"),
        ("{} {}", 400, "column 4"),
        ("\u{0}", 400, "column 1"),
        (deep.as_str(), 422, "to"),
        (r#"{"two":"west"}"#, 422, "two"),
        (r#"{"to":"west","to":"east"}"#, 422, "duplicate field"),
        (r#"{"to":"No Such Name"}"#, 422, "No Such Name"),
        (r#"{"to":7}"#, 422, "`to`"),
        (r#"{"kind":"gently"}"#, 422, "gently"),
        (r#"{"epoch":"7"}"#, 422, "GENERATION.COUNTER"),
        (r#"{"dry_run":"yes"}"#, 422, "dry_run"),
        (r#"{"reason":"a\nb"}"#, 422, "one line"),
        (r#"{"reason":"\u001b[2J"}"#, 422, "control characters"),
        (r#"{"reason":"\u202etsew ot"}"#, 422, "control characters"),
        (r#"{"reason":"a\u2028b"}"#, 422, "control characters"),
        (long.as_str(), 422, "1024"),
        ("[]", 422, "not a JSON object"),
        ("null", 422, "not a JSON object"),
        (" [1,", 400, "line 1"),
    ] {
        let problem = post(server.address, SWITCH, body).await.problem(status);
        let shown: String = body.chars().take(40).collect();
        assert!(problem.contains(part), "{shown}: {problem}");
    }
    let ill = request(
        server.address,
        "POST",
        SWITCH,
        &["content-type: application/json"],
        b"{\"reason\":\"\xff\"}",
    );
    ill.await.problem(400);
    assert!(node.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_json_is_taken() {
    let node = Node::with_table(4, "east");
    node.reply(accepted(false));
    let server = start(&node, Limits::default()).await;
    for header in
        ["x: y", "content-type: text/plain", "content-type: jsonish", "content-type: \u{e4}"]
    {
        request(server.address, "POST", SWITCH, &[header], b"{}").await.problem(415);
    }
    let header = "content-type: Application/Vnd.Test+JSON";
    let headers = [header, "if-match: *"];
    assert_eq!(request(server.address, "POST", SWITCH, &headers, b"{}").await.status, 202);
}

#[tokio::test]
async fn bodies_have_a_limit_and_reports_a_larger_one() {
    let node = Node::with_table(4, "east");
    node.reply(accepted(false));
    let server = start(&node, Limits::default()).await;
    let body = |size: usize| format!("{{{}}}", " ".repeat(size - 2));
    assert_eq!(post(server.address, SWITCH, &body(65_536)).await.status, 202);
    let problem = post(server.address, SWITCH, &body(65_537)).await.problem(413);
    assert!(problem.contains("65536"), "{problem}");
    let groups: Vec<_> =
        (0..10_000).map(|n| format!("\"group-with-a-name-{n}\":\"1.100\"")).collect();
    let report = format!(
        r#"{{"gateway":"gw","incarnation":3,"groups":{{{}}},"connections_failed":0}}"#,
        groups.join(",")
    );
    let json = ["content-type: application/json"];
    let put = async |path: &str, body: &str| {
        request(server.address, "PUT", path, &json, body.as_bytes()).await
    };
    assert_eq!(put("/v1/gateways/gw", &report).await.status, 204);
    assert_eq!(node.reports.lock().unwrap()[0].groups.len(), 10_000);
    put("/v1/gateways/gw", &body(1024 * 1024 + 1)).await.problem(413);
}

#[tokio::test]
async fn idempotency_keys_are_checked() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let long = format!("idempotency-key: {}", "k".repeat(129));
    for headers in [
        vec!["idempotency-key: "],
        vec!["idempotency-key: a b"],
        vec!["idempotency-key: \u{e4}"],
        vec![long.as_str()],
        vec!["idempotency-key: a", "idempotency-key: b"],
    ] {
        request(server.address, "POST", SWITCH, &headers, b"").await.problem(400);
    }
    assert!(node.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn freeze_and_drain_reach_the_kernel() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let body = r#"{"on":true,"reason":"night"}"#;
    for path in ["/v1/groups/shop/freeze", "/v1/freeze", "/v1/planes/west/drain"] {
        assert_eq!(post(server.address, path, body).await.status, 204, "{path}");
        post(server.address, path, r#"{"reason":"night"}"#).await.problem(422);
    }
    post(server.address, "/v1/planes/Nowhere/drain", body).await.problem(404);
    let (on, reason) = (true, "night".to_owned());
    let asked: Vec<_> = node.asked.lock().unwrap().drain(..).map(|(_, action)| action).collect();
    assert_eq!(
        asked,
        [
            freeze(vec![shop()], on, &reason),
            freeze(Vec::new(), on, &reason),
            Action::Drain { plane: plane("west"), on, reason, for_ms: None },
        ]
    );
}

#[tokio::test]
async fn gateways_report_for_themselves() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let put = async |path: &str, body: &str| {
        let json = ["content-type: application/json"];
        request(server.address, "PUT", path, &json, body.as_bytes()).await
    };
    let report =
        r#"{"gateway":"gw","incarnation":3,"groups":{"shop":"1.7"},"connections_failed":2}"#;
    assert_eq!(put("/v1/gateways/gw", report).await.status, 204);
    let expected = GatewayReport {
        gateway: GatewayName::new("gw").unwrap(),
        incarnation: Incarnation(3),
        groups: [(shop(), Epoch { generation: 1, counter: 7 })].into(),
        connections_failed: 2,
    };
    assert_eq!(*node.reports.lock().unwrap(), [expected]);
    put("/v1/gateways/other", report).await.problem(422);
    put("/v1/gateways/gw", r#"{"gateway":"gw"}"#).await.problem(422);
    put("/v1/gateways/gw", &report.replace("\"incarnation\"", "\"extra\"")).await.problem(422);
    *node.queue_full.lock().unwrap() = true;
    put("/v1/gateways/gw", report).await.problem(503);
}

#[tokio::test]
async fn hints_are_handed_on() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let hint = r#"{"gateway":"gw","route":"shop","plane":"east"}"#;
    assert_eq!(post(server.address, "/v1/hints", hint).await.status, 204);
    assert_eq!(node.hints.lock().unwrap()[0].plane, plane("east"));
    post(server.address, "/v1/hints", r#"{"gateway":"gw","route":"shop"}"#).await.problem(422);
    *node.queue_full.lock().unwrap() = true;
    post(server.address, "/v1/hints", hint).await.problem(503);
    assert_eq!(node.hints.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn too_many_requests_at_once_are_turned_away() {
    let node = Node::with_table(4, "east");
    node.reply(None);
    let server = start(&node, Limits { requests: 2, ..Limits::default() }).await;
    let address = server.address;
    let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(get(address, "/v1/status"))).collect();
    wait_until("both are asked", async || node.asked.lock().unwrap().len() == 2).await;
    let problem = get(address, "/v1/status").await.problem(503);
    assert!(problem.contains("2 requests"), "{problem}");
    assert_eq!(get(address, "/healthz").await.status, 200);
    for task in waiting {
        task.abort();
    }
    node.reply(Some(Response::Done));
    wait_until("there is room again", async || get(address, "/v1/status").await.status == 200)
        .await;
}

fn freeze(groups: Vec<GroupName>, on: bool, reason: &str) -> Action {
    Action::Freeze { groups, on, reason: reason.to_owned(), for_ms: None, abort: false }
}

#[tokio::test]
async fn a_freeze_lasts_a_year_at_most() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let body = |ms: u64| format!(r#"{{"on":true,"for_ms":{ms}}}"#);
    let path = "/v1/groups/shop/freeze";
    assert_eq!(post(server.address, path, &body(SPAN_MAX_MS)).await.status, 204);
    let problem = post(server.address, path, &body(SPAN_MAX_MS + 1)).await.problem(422);
    assert!(problem.contains("a year"), "{problem}");
}
