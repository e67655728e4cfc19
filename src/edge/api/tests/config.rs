//! `/v1/config` over real sockets.

use super::fixture::*;
use crate::edge::api::Limits;
use crate::edge::api::limits::CONFIG_BYTES;
use crate::kernel::controller::*;
use crate::kernel::ledger::Change;

const PATH: &str = "/v1/config";
const JSON: &str = "content-type: application/json";
const MATCH: &str = "if-match: \"3\"";

fn plan() -> ConfigPlan {
    let is = Some("west".into());
    let change = Change { path: "groups.shop.home".to_owned(), is, ..Change::default() };
    ConfigPlan { version: 3, changes: vec![change], all: 1, in_force: false, obstacle: None }
}

#[tokio::test]
async fn a_configuration_reaches_the_kernel_whole_and_its_number_comes_back() {
    let node = Node::with_table(4, "east");
    node.reply(Some(Response::Configured { version: 4, changed: true }));
    let server = start(&node, Limits::default()).await;
    let body = br#"{"text":"good","reason":"a new shop"}"#;
    let answer = request(server.address, "PUT", PATH, &[JSON, MATCH], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("etag"), Some("\"4\""));
    assert_eq!(answer.json(), serde_json::json!({"version": 4, "changed": true}));
    let (principal, action) = node.asked.lock().unwrap().remove(0);
    let Action::Configure(wish) = action else { panic!("{action:?}") };
    assert_eq!((principal.as_str(), wish.text.as_str(), wish.base), ("ann", "good", Some(3)));
    assert_eq!((wish.dry_run, wish.reason.as_str()), (false, "a new shop"));
}

#[tokio::test]
async fn a_dry_run_needs_no_condition_and_shows_the_changes() {
    let node = Node::with_table(4, "east");
    node.reply(Some(Response::ConfigPlan(plan())));
    let server = start(&node, Limits::default()).await;
    let body = br#"{"text":"good","dry_run":true}"#;
    let answer = request(server.address, "PUT", PATH, &[JSON], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(serde_json::from_str::<ConfigPlan>(&answer.body).unwrap(), plan());
}

#[tokio::test]
async fn who_does_not_say_what_he_replaces_replaces_nothing() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let good = br#"{"text":"good"}"#;
    let problem = request(server.address, "PUT", PATH, &[JSON], good).await.problem(428);
    assert!(problem.contains("ETag"), "{problem}");
    request(server.address, "PUT", PATH, &[JSON, "if-match: *"], good).await.problem(428);
    for bad in ["if-match: 3", "if-match: \"x\"", "if-match: \"1.7\"", "if-match: \"-1\""] {
        request(server.address, "PUT", PATH, &[JSON, bad], good).await.problem(400);
    }
    assert!(node.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_number_of_a_configuration_has_one_form() {
    let server = start(&Node::with_table(4, "east"), Limits::default()).await;
    for tag in ["\"03\"", "\"+3\"", "3", "\"3.0\""] {
        let header = format!("if-match: {tag}");
        let body = br#"{"text":"good"}"#;
        request(server.address, "PUT", PATH, &[JSON, &header], body).await.problem(400);
    }
}

#[tokio::test]
async fn a_faulty_configuration_is_refused_with_its_faults() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let put = async |body: &[u8]| request(server.address, "PUT", PATH, &[JSON, MATCH], body).await;
    let problem = put(br#"{"text":"bad"}"#).await.problem(422);
    assert!(problem.contains("`bad` is not good"), "{problem}");
    put(b"{}").await.problem(422);
    put(br#"{"text":"good","reason":"two\nlines"}"#).await.problem(422);
    put(br#"{"text":"good","force":true}"#).await.problem(422);
    assert!(node.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_body_is_bounded() {
    let node = Node::with_table(4, "east");
    node.reply(Some(Response::Configured { version: 4, changed: true }));
    let server = start(&node, Limits::default()).await;
    let text = br#"{"text":"good"}"#;
    let mut body = vec![b' '; CONFIG_BYTES];
    body[..text.len()].copy_from_slice(text);
    assert_eq!(request(server.address, "PUT", PATH, &[JSON, MATCH], &body).await.status, 200);
    body.push(b' ');
    request(server.address, "PUT", PATH, &[JSON, MATCH], &body).await.problem(413);
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let (why, next) = ("because so".to_owned(), "do this".to_owned());
    let kind = RefusalKind::StaleConfiguration;
    node.reply(Some(Response::Refused(Refusal { kind, why, next })));
    let answer = request(server.address, "PUT", PATH, &[JSON, MATCH], br#"{"text":"good"}"#).await;
    answer.problem(412);
    assert_eq!(answer.json()["type"], "urn:biplane:problem:stale-configuration");
}

#[tokio::test]
async fn a_cluster_without_configuration_says_so() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    request(server.address, "GET", PATH, &[], b"").await.problem(503);
    request(server.address, "GET", "/v1/config/7", &[], b"").await.problem(404);
    request(server.address, "GET", "/v1/config/x", &[], b"").await.problem(404);
}
