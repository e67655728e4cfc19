//! The door: who may come in, how many at once, and what every answer carries.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;

use super::ApiState;
use super::knock::Knock;
use super::leave::Leave;
use super::problem::{Problem, ProblemKind};
use super::roles;
use crate::kernel::controller::View;
use crate::kernel::domain::{Principal, PrincipalName, WallTime};

/// Which node answered.
pub(super) const NODE: &str = "biplane-node";
/// The Raft index that the answer is as of.
pub(super) const APPLIED: &str = "biplane-applied";

/// Stands for a path that the router does not know.
const NO_ROUTE: &str = "none";

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// From where.
    pub(super) address: IpAddr,
    /// Who its certificate says it is, and until when that is good.
    pub(super) certified: Option<(Principal, Option<WallTime>)>,
}

/// Wraps every route and the fallbacks.
pub(super) async fn admit(
    State(state): State<Arc<ApiState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let mut response = match enter(&state, &mut request, &route) {
        Err(problem) => problem.into_response(),
        Ok(entered) => {
            let leave = Leave::of(&state, &request);
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| fault(&method, &route));
            match (entered, leave) {
                (Some(_), Some(leave)) if is_event_stream(&answer) => leave.watch_over(answer),
                (permit, _) => state.under_way.send(answer, permit).await,
            }
        }
    };
    let view = state.backend.view().borrow().clone();
    if let Some(view) = view {
        sign(response.headers_mut(), &view);
    }
    let status = response.status().as_u16().to_string();
    metrics::counter!("biplane_api_requests_total",
        "method" => method_label(&method), "route" => route, "status" => status)
    .increment(1);
    metrics::histogram!("biplane_api_request_seconds").record(began.elapsed().as_secs_f64());
    response
}

/// Checks who asks, whether it may, then room. The permit is there unless the path is open.
fn enter(
    state: &ApiState,
    request: &mut Request,
    route: &str,
) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    if roles::is_open(request.uri().path()) {
        return Ok(None);
    }
    let peer = request.extensions().get::<Peer>().cloned();
    let principal = authenticate(state, request.headers(), peer.as_ref())
        .map_err(|why| turned_away(state, peer.as_ref(), why))?;
    authorize(&principal, request.method(), route)?;
    let permit = Arc::clone(&state.requests).try_acquire_owned().map_err(|_| {
        let limit = state.limits.requests;
        Problem::new(
            ProblemKind::Busy,
            format!("{limit} requests are being answered already"),
            "try again in a second, or ask another node",
        )
    })?;
    request.extensions_mut().insert(principal);
    Ok(Some(permit))
}

/// Whether the role may ask this. A path or method that the router does not know is told to everybody who is known.
fn authorize(
    principal: &Principal,
    method: &axum::http::Method,
    route: &str,
) -> Result<(), Problem> {
    let Some(row) = roles::row_of(method, route) else {
        // What the router does not know, it says itself; what only the table does not know, nobody may.
        if route == NO_ROUTE || roles::knows(route) {
            return Ok(());
        }
        let why = format!("nobody was given leave to ask {method} {route}");
        return Err(Problem::new(ProblemKind::Forbidden, why, "this is a bug: report it"));
    };
    if row.roles.contains(&principal.role) {
        return Ok(());
    }
    let may: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
    Err(Problem::new(
        ProblemKind::Forbidden,
        format!(
            "`{}` has the role {}, and {} {} is for {}",
            principal.name,
            principal.role,
            row.method,
            row.path,
            may.join(", ")
        ),
        "ask with a token of such a role; an admin makes one with `biplane token create`",
    ))
}

/// A failed login: counted, noted in the log as far as the address has not failed too often, and answered.
pub(super) fn turned_away(state: &ApiState, peer: Option<&Peer>, why: String) -> Problem {
    let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address);
    metrics::counter!("biplane_api_logins_failed_total").increment(1);
    let next = "send `Authorization: Bearer TOKEN`; `biplane init` wrote the first token, and an admin makes others with `biplane \
                token create`";
    match state.knocks.failed(from, Instant::now()) {
        Knock::Answered => {
            state.backend.login_failed(from);
            tracing::warn!(%from, "somebody was not let in: {why}");
            Problem::new(ProblemKind::Unauthorized, why, next)
        }
        knock => {
            if knock == Knock::Last {
                tracing::warn!(%from, "failed logins go on and are not noted any more for a while");
            }
            let why = format!("too many failed logins from {from}; the last one: {why}");
            Problem::new(
                ProblemKind::TooManyFailures,
                why,
                "wait a minute; a good token is still let in",
            )
        }
    }
}

/// Who asks, or why that is nobody.
pub(super) fn authenticate(
    state: &ApiState,
    headers: &HeaderMap,
    peer: Option<&Peer>,
) -> Result<Principal, String> {
    let view = state.backend.view().borrow().clone();
    let tokens = view.as_ref().map(|view| view.ledger.tokens());
    let revoked = |name: &PrincipalName| {
        let known = tokens.and_then(|tokens| tokens.get(name));
        known.is_some_and(|token| token.revoked.is_some())
    };
    let standing = |principal: Principal| {
        if revoked(&principal.name) {
            Err(format!("`{}` was revoked", principal.name))
        } else {
            Ok(principal)
        }
    };
    let Some(token) = bearer(headers)? else {
        let certified = peer.and_then(|peer| peer.certified.clone());
        let (principal, until) = certified.ok_or("there is no Authorization header")?;
        if let Some(until) = until.filter(|until| *until <= state.backend.wall()) {
            return Err(format!("the certificate of `{}` has ended: {until}", principal.name));
        }
        return standing(principal);
    };
    let hash = (state.hash_token)(token);
    let logged = tokens.and_then(|tokens| {
        let mut found = None;
        for (name, token) in tokens.iter() {
            if same(&token.hash, &hash) {
                found = Some((name, token));
            }
        }
        found
    });
    let now = state.backend.wall();
    if let Some((name, token)) = logged {
        if token.revoked.is_some() {
            return Err(format!("the token of `{name}` was revoked"));
        }
        if let Some(until) = token.expires.filter(|until| *until <= now) {
            return Err(format!("the token of `{name}` has expired: it was good until {until}"));
        }
        let (name, role, groups) = (name.clone(), token.role, token.groups.clone());
        return Ok(Principal { name, role, groups });
    }
    standing((state.check_token)(token, now)?)
}

/// Whether two hashes are one, in a time that does not tell where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The bearer token, if the request has one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, String> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, second) = (values.next(), values.next());
    let Some(value) = value else { return Ok(None) };
    if second.is_some() {
        return Err("there is more than one Authorization header".to_owned());
    }
    let text = value.to_str().map_err(|_| "the Authorization header is not text")?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err("the Authorization header holds no bearer token".to_owned()),
    }
}

/// A panic costs one answer, not a connection or a node.
fn fault(method: &axum::http::Method, route: &str) -> Response {
    tracing::error!(%method, route, "a request ended in a panic: this is a bug, please report it");
    Problem::new(
        ProblemKind::Internal,
        "the request ended in a fault of this program",
        "report this with the node's log; another node may answer",
    )
    .into_response()
}

/// Names the node and the index, unless the answer did that itself.
pub(super) fn sign(headers: &mut HeaderMap, view: &View) {
    if headers.contains_key(NODE) {
        return;
    }
    let known = view.cluster.as_ref().and_then(|cluster| cluster.members.get(&view.member));
    let node = known.map_or_else(|| view.member.to_string(), |member| member.name.to_string());
    if let Ok(value) = HeaderValue::from_str(&node) {
        headers.insert(NODE, value);
    }
    headers.insert(APPLIED, HeaderValue::from(view.applied));
}

fn method_label(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "HEAD" => "HEAD",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

fn is_event_stream(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == super::watch::MEDIA_TYPE)
}
