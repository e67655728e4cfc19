//! Who is let in, and what for: each route in each role, over real sockets.

use std::sync::Arc;

use super::fixture::*;
use crate::edge::api::{Limits, ROUTES, roles_page};
use crate::kernel::controller::*;
use crate::kernel::domain::*;
use crate::kernel::ledger::{Command, Envelope, FORMAT, Ledger, RULESET, RequestKey, TokenChange};

fn with_token(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// A path with something in its variable part.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "shop" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn each_route_is_for_the_roles_of_its_row_and_no_other() {
    let node = Node::with_table(4, "east");
    let limits = Limits { failed_logins: 1_000, ..Limits::default() };
    let server = start(&node, limits).await;
    for row in ROUTES {
        let path = filled(row.path);
        let ask = async |header: &str| raw_request(server.address, row.method, &path, header).await;
        let stranger = ask("x-none: 1").await;
        assert_eq!(stranger == 401, !row.roles.is_empty(), "{row:?} without a token: {stranger}");
        for role in AccessRole::ALL {
            let status = ask(&with_token(&format!("{role}-token"))).await;
            let may = row.roles.is_empty() || row.roles.contains(&role);
            assert_eq!(status != 403, may, "{row:?} as {role}: {status}");
            assert!(status != 401 && status != 404 || row.path.contains('{'), "{row:?}: {status}");
            assert_ne!(status, 405, "{row:?} is not in the router");
        }
    }
}

#[test]
fn the_router_has_the_routes_of_the_table_and_no_other() {
    let router = include_str!("../mod.rs");
    let mut routed = Vec::new();
    for line in router.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once("\", ").expect("a path, then handlers");
        for method in ["get", "post", "put", "delete"] {
            if handlers.starts_with(&format!("{method}("))
                || handlers.contains(&format!(".{method}("))
            {
                routed.push((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    routed.sort();
    let row = |row: &crate::edge::api::RouteRow| (row.method.to_owned(), row.path.to_owned());
    let mut told: Vec<_> = ROUTES.iter().map(row).collect();
    told.sort();
    assert_eq!(routed, told);
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/roles.md");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(path, roles_page()).expect("docs/reference can be written");
    }
    assert_eq!(std::fs::read_to_string(path).expect("the page"), roles_page());
}

#[tokio::test]
async fn a_scoped_token_acts_on_its_groups_only() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let token = with_token("shop-token");
    let headers = [token.as_str(), "content-type: application/json"];
    let ask = async |path: &str, body: &[u8]| {
        bare_request(server.address, "POST", path, &headers, body).await
    };
    let on = br#"{"on":true}"#;
    assert_eq!(ask("/v1/groups/shop/freeze", on).await.status, 204);
    assert_ne!(ask("/v1/groups/shop/switch", b"{}").await.status, 403);
    for (path, body) in [
        ("/v1/groups/mail/freeze", &on[..]),
        ("/v1/groups/mail/switch", b"{}"),
        ("/v1/groups/m%61il/switch", b"{}"),
        ("/v1/freeze", on),
        ("/v1/planes/west/drain", on),
    ] {
        let problem = ask(path, body).await.problem(403);
        assert!(problem.contains("may act on shop only"), "{problem}");
    }
    for (_, action) in node.asked.lock().unwrap().iter() {
        assert!(!format!("{action:?}").contains("mail"), "{action:?}");
    }
}

/// A view whose ledger holds tokens: `op` may operate, `old` has expired, `gone` was revoked, and so was the name `viewer`.
fn view_with_tokens() -> Arc<View> {
    let mut ledger = Ledger::default();
    let name = |name: &str| PrincipalName::new(name).unwrap();
    let create = |hash: &str, expires| TokenChange::Create {
        role: AccessRole::Operator,
        groups: std::collections::BTreeSet::new(),
        hash: hash.to_owned(),
        expires,
    };
    let changes = [
        ("op", create("op-secret", Some(WallTime(1_000_001)))),
        ("old", create("old-secret", Some(WallTime(1_000_000)))),
        ("gone", create("gone-secret", None)),
        ("gone", TokenChange::Revoke {}),
        ("viewer", TokenChange::Revoke {}),
    ];
    let commands = changes.into_iter().zip(1..).map(|((whose, change), counter)| Command::Token {
        request: RequestKey { member: MemberId(1), incarnation: Incarnation(1), counter },
        by: "ann".to_owned(),
        name: name(whose),
        change,
    });
    let commands = std::iter::once(Command::Raise { ruleset: RULESET }).chain(commands).collect();
    let envelope = Envelope {
        format: FORMAT,
        at: LedgerTime(1),
        wall: WallTime(5),
        by: MemberId(1),
        commands,
    };
    ledger.apply(1, 1, &envelope.encode());
    let mut view = view(4, true).as_ref().clone();
    view.ledger = Arc::new(ledger);
    Arc::new(view)
}

#[tokio::test]
async fn tokens_in_the_log_let_in_until_they_expire_or_are_revoked() {
    let node = Node::with_table(4, "east");
    node.show(view_with_tokens());
    let server = start(&node, Limits::default()).await;
    let ask = async |token: &str| {
        bare_request(server.address, "GET", "/v1/routes", &[&with_token(token)], b"").await
    };
    assert_eq!(ask("op-secret").await.status, 200);
    for (token, why) in [
        ("old-secret", "has expired"),
        ("gone-secret", "was revoked"),
        ("viewer-token", "`viewer` was revoked"),
        ("nobody", "not known"),
        ("", "no bearer token"),
    ] {
        let problem = ask(token).await.problem(401);
        assert!(problem.contains(why), "{token}: {problem}");
    }
}

#[tokio::test]
async fn failed_logins_are_limited_and_a_good_token_is_let_in_all_the_same() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let ask = async |token: &str| {
        bare_request(server.address, "GET", "/v1/routes", &[&with_token(token)], b"").await
    };
    for _ in 0..Limits::default().failed_logins {
        assert_eq!(ask("guess").await.status, 401);
    }
    let answer = ask("guess").await;
    answer.problem(429);
    assert_eq!(answer.header("retry-after"), Some("60"));
    assert_eq!(ask(TOKEN).await.status, 200);
}

#[tokio::test]
async fn a_new_token_reaches_the_kernel_as_its_hash() {
    let node = Node::with_table(4, "east");
    let server = start(&node, Limits::default()).await;
    let hash = "0f".repeat(32);
    let body = format!(
        r#"{{"name":"ci","role":"operator","groups":["shop"],"hash":"{hash}","expires":9}}"#
    );
    assert_eq!(post(server.address, "/v1/tokens", &body).await.status, 204);
    assert_eq!(request(server.address, "DELETE", "/v1/tokens/ci", &[], b"").await.status, 204);
    let asked: Vec<Action> = node.asked.lock().unwrap().iter().map(|(_, a)| a.clone()).collect();
    let name = PrincipalName::new("ci").unwrap();
    let groups = [GroupName::new("shop").unwrap()].into();
    let role = AccessRole::Operator;
    let change =
        TokenChange::Create { role, groups, hash: hash.clone(), expires: Some(WallTime(9)) };
    let expected = [
        Action::Token { name: name.clone(), change },
        Action::Token { name, change: TokenChange::Revoke {} },
    ];
    assert_eq!(asked, expected);
    for bad in [hash.to_uppercase(), hash[1..].to_owned(), "x".repeat(64)] {
        let body = format!(r#"{{"name":"ci","role":"operator","hash":"{bad}"}}"#);
        post(server.address, "/v1/tokens", &body).await.problem(422);
    }
    post(server.address, "/v1/tokens", r#"{"name":"ci","role":"king","hash":""}"#)
        .await
        .problem(422);
    request(server.address, "DELETE", "/v1/tokens/Not%20a%20name", &[], b"").await.problem(404);
}
