//! The door: who may come in, how many at once, and what every answer carries.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::ApiState;
use super::problem::{Problem, ProblemKind};
use crate::kernel::controller::View;

/// Paths that need no token: what a load balancer and a scraper ask.
pub(super) const OPEN_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// Which node answered.
pub(super) const NODE: &str = "biplane-node";
/// The Raft index that the answer is as of.
pub(super) const APPLIED: &str = "biplane-applied";

/// Who asks: the name of a token.
#[derive(Clone, Debug)]
pub(super) struct Principal(pub(super) String);

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
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let mut response = match enter(&state, &mut request) {
        Err(problem) => problem.into_response(),
        Ok(permit) => {
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            hold(answer.unwrap_or_else(|_| fault(&method, &route)), permit)
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

/// Checks token, then room. The permit is there unless the path is open.
fn enter(state: &ApiState, request: &mut Request) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    if OPEN_PATHS.contains(&request.uri().path()) {
        return Ok(None);
    }
    let principal = authenticate(state, request.headers())?;
    let permit = Arc::clone(&state.requests).try_acquire_owned().map_err(|_| {
        let limit = state.limits.requests;
        Problem::new(
            ProblemKind::Busy,
            format!("{limit} requests are being answered already"),
            "try again in a second, or ask another node",
        )
    })?;
    request.extensions_mut().insert(Principal(principal));
    Ok(Some(permit))
}

fn authenticate(state: &ApiState, headers: &HeaderMap) -> Result<String, Problem> {
    let next = "send `Authorization: Bearer TOKEN`; `biplane init` wrote the first token";
    let missing = |what| Problem::new(ProblemKind::Unauthorized, what, next);
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, second) = (values.next(), values.next());
    let Some(value) = value else { return Err(missing("there is no Authorization header")) };
    if second.is_some() {
        return Err(missing("there is more than one Authorization header"));
    }
    let text = value.to_str().map_err(|_| missing("the Authorization header is not text"))?;
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(missing("the Authorization header holds no bearer token")),
    };
    (state.check_token)(token).ok_or_else(|| missing("the token is not known here"))
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
        _ => "other",
    }
}

/// Keeps the permit until the answer is written: large answers count as long as they are in memory.
/// A watch holds a permit of its own kind instead.
fn hold(response: Response, permit: Option<OwnedSemaphorePermit>) -> Response {
    let (Some(permit), false) = (permit, is_event_stream(&response)) else { return response };
    response.map(|inner| Body::new(Held { inner, _permit: permit }))
}

fn is_event_stream(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == super::watch::MEDIA_TYPE)
}

struct Held {
    inner: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
