//! Reads. Linearizable, unless `?stale=true` asks for what this node published last.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer as _};

use super::ApiState;
use super::admit::sign;
use super::backend::Shows;
use super::extract::Named;
use super::problem::{Problem, ProblemKind};
use crate::kernel::controller::{
    Action, Explanation, Response as Reply, ServiceStatus, SwitchoverRecord, View,
};
use crate::kernel::domain::{GroupName, Moment, Principal};

/// The word that stands for the newest switchover.
const LAST: &str = "last";
/// Says that the answer may be old.
const STALE: HeaderName = HeaderName::from_static("biplane-stale");

/// A service, and the group it moves with: `GET /v1/services`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceInGroup {
    /// The group.
    pub group: GroupName,
    /// The service.
    #[serde(flatten)]
    pub service: ServiceStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadQuery {
    #[serde(default)]
    stale: bool,
    /// Known to the events only.
    since: Option<String>,
}

/// The state that a read is answered from.
pub(super) struct Seen {
    view: Arc<View>,
    shows: Arc<dyn Shows>,
    now: Moment,
    stale: bool,
}

impl FromRequestParts<Arc<ApiState>> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        let Query(query) =
            Query::<ReadQuery>::from_request_parts(parts, state).await.map_err(|error| {
                let next = "the one parameter of a read is stale=true";
                Problem::new(ProblemKind::Malformed, error.body_text(), next)
            })?;
        if query.since.is_some() && !parts.uri.path().starts_with("/v1/events") {
            let why = "there is no parameter `since` here: only events are numbered";
            return Err(Problem::new(
                ProblemKind::Malformed,
                why,
                "the one parameter of a read is stale=true",
            ));
        }
        let view = if query.stale {
            let principal = parts.extensions.get::<Principal>().cloned();
            looked(state, principal.map_or_else(String::new, |p| p.name.to_string())).await?
        } else {
            let principal = parts.extensions.get::<Principal>().cloned();
            let principal = principal.map_or_else(String::new, |p| p.name.to_string());
            confirmed(state, principal, explained(parts.uri.path(), state)).await?
        };
        let shows = state.backend.shows(Arc::clone(&view));
        Ok(Self { view, shows, now: state.backend.now(), stale: query.stale })
    }
}

/// What this node knows: as of now, or if its kernel does not answer, what it published last.
async fn looked(state: &ApiState, principal: String) -> Result<Arc<View>, Problem> {
    let asked = state.backend.ask(principal, Action::Look);
    if let Ok(Reply::Read(view)) = tokio::time::timeout(state.limits.look, asked).await {
        return Ok(view);
    }
    let last = state.backend.view().borrow().clone();
    last.ok_or_else(|| {
        let why = "this node has not published anything since it started";
        Problem::new(ProblemKind::Unavailable, why, "ask another node, or try again")
    })
}

/// A state that holds everything acknowledged before the request arrived.
async fn confirmed(
    state: &ApiState,
    principal: String,
    action: Action,
) -> Result<Arc<View>, Problem> {
    let next = "ask another node, or add ?stale=true for what this node knew last";
    let asked = state.backend.ask(principal, action);
    match tokio::time::timeout(state.limits.ask, asked).await {
        Ok(Reply::Read(view)) => Ok(view),
        Ok(Reply::Refused(refusal)) => Err(refusal.into()),
        Ok(Reply::Unknown { .. }) | Err(_) => Err(Problem::new(
            ProblemKind::Unavailable,
            "no majority confirmed this read in time",
            next,
        )),
        Ok(other) => {
            tracing::error!(?other, "a read was answered by something else: this is a bug");
            Err(Problem::new(ProblemKind::Internal, "the kernel answered another question", next))
        }
    }
}

/// What is asked of the kernel for a path: an explanation wants to hear every observer.
fn explained(path: &str, state: &ApiState) -> Action {
    let Some(name) = path.strip_prefix("/v1/explain/") else { return Action::Read };
    let group = if name == LAST {
        let view = state.backend.view().borrow().clone();
        view.and_then(|view| Some(view.ledger.switchovers().values().next_back()?.group.clone()))
    } else {
        GroupName::new(name).ok()
    };
    group.map_or(Action::Read, Action::Explain)
}

impl Seen {
    /// The state itself.
    pub(super) const fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Renders apart from the threads that serve sockets: ten thousand groups take their time.
    pub(super) async fn answer<T, F>(self, make: F) -> Result<Response, Problem>
    where
        T: Serialize,
        F: FnOnce(&dyn Shows, Moment) -> Result<T, Problem> + Send + 'static,
    {
        self.answer_tagged(move |shows, now| make(shows, now).map(|value| (value, None))).await
    }

    /// The same, with an entity tag.
    pub(super) async fn answer_tagged<T, F>(self, make: F) -> Result<Response, Problem>
    where
        T: Serialize,
        F: FnOnce(&dyn Shows, Moment) -> Result<(T, Option<String>), Problem> + Send + 'static,
    {
        self.render(move |shows, now| {
            let (value, tag) = make(shows, now)?;
            Ok((serde_json::to_vec(&value).map_err(unwritten)?, tag))
        })
        .await
    }

    /// The same, for what is made while it is written.
    async fn render<F>(self, write: F) -> Result<Response, Problem>
    where
        F: FnOnce(&dyn Shows, Moment) -> Result<(Vec<u8>, Option<String>), Problem>
            + Send
            + 'static,
    {
        let (shows, now) = (Arc::clone(&self.shows), self.now);
        let rendered = tokio::task::spawn_blocking(move || write(shows.as_ref(), now));
        let (json, tag) = rendered.await.map_err(|error| internal(&error.to_string()))??;
        Ok(self.with(json, tag))
    }

    /// An answer from this state of what was rendered already.
    pub(super) fn with(self, json: impl Into<Bytes>, tag: Option<String>) -> Response {
        let mut response = json_bytes(StatusCode::OK, json.into());
        let headers = response.headers_mut();
        sign(headers, &self.view);
        if self.stale {
            headers.insert(STALE, HeaderValue::from_static("true"));
        }
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&format!("\"{tag}\"")).ok()) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

/// A JSON answer from bytes.
pub(super) fn json_bytes(status: StatusCode, json: Bytes) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, [kind], json).into_response()
}

fn unwritten(error: serde_json::Error) -> Problem {
    internal(&error.to_string())
}

pub(super) fn internal(why: &str) -> Problem {
    tracing::error!(why, "an answer could not be rendered: this is a bug");
    Problem::new(ProblemKind::Internal, "the answer could not be made", "report this with the log")
}

/// "There is no KIND called NAME."
pub(super) fn no_such(kind: &str, name: &str, list: &str) -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        format!("there is no {kind} called `{name}`"),
        format!("GET {list} names them all"),
    )
}

pub(super) async fn status(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, now| Ok(shows.status(now))).await
}

pub(super) async fn groups(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, now| Ok(shows.status(now).groups)).await
}

pub(super) async fn planes(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, now| Ok(shows.status(now).planes)).await
}

pub(super) async fn members(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, now| Ok(shows.status(now).members)).await
}

pub(super) async fn gateways(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, now| Ok(shows.status(now).gateways)).await
}

pub(super) async fn routes(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, _| Ok(shows.route_table())).await
}

pub(super) async fn group(Named(name): Named, seen: Seen) -> Result<Response, Problem> {
    seen.answer_tagged(move |shows, now| {
        let group = explain_group(shows, now, &name)?.group;
        let tag = group.epoch.to_string();
        Ok((group, Some(tag)))
    })
    .await
}

pub(super) async fn services(seen: Seen) -> Result<Response, Problem> {
    seen.answer(|shows, now| Ok(all_services(shows, now).collect::<Vec<_>>())).await
}

pub(super) async fn service(Named(name): Named, seen: Seen) -> Result<Response, Problem> {
    seen.answer(move |shows, now| {
        let found = all_services(shows, now).find(|s| s.service.name.as_str() == name);
        found.ok_or_else(|| no_such("service", &name, "/v1/services"))
    })
    .await
}

pub(super) async fn switchovers(seen: Seen) -> Result<Response, Problem> {
    seen.render(|shows, _| {
        let mut json = Vec::new();
        serde_json::Serializer::new(&mut json)
            .collect_seq(shows.switchovers())
            .map_err(unwritten)?;
        Ok((json, None))
    })
    .await
}

pub(super) async fn switchover(Named(id): Named, seen: Seen) -> Result<Response, Problem> {
    seen.answer(move |shows, _| {
        if id == LAST {
            return last_switchover(shows);
        }
        shows.switchover(&id).ok_or_else(|| no_such("switchover", &id, "/v1/switchovers"))
    })
    .await
}

pub(super) async fn explain(Named(name): Named, seen: Seen) -> Result<Response, Problem> {
    seen.answer(move |shows, now| {
        if name == LAST {
            let group = last_switchover(shows)?.group;
            return explain_group(shows, now, group.as_str());
        }
        explain_group(shows, now, &name)
    })
    .await
}

/// `GET /healthz`: the process lives.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can serve.
pub(super) async fn readyz(State(state): State<Arc<ApiState>>) -> Response {
    match state.backend.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => {
            let next = "GET /v1/status?stale=true says more; another node may be ready";
            Problem::new(ProblemKind::Unavailable, format!("not ready: {why}"), next)
                .into_response()
        }
    }
}

/// `GET /metrics`: the Prometheus text format, version 0.0.4.
pub(super) async fn metrics(State(state): State<Arc<ApiState>>) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    ([kind], state.backend.metrics()).into_response()
}

fn explain_group(shows: &dyn Shows, now: Moment, name: &str) -> Result<Explanation, Problem> {
    let known = GroupName::new(name).ok().and_then(|group| shows.explain(now, &group));
    known.ok_or_else(|| no_such("group", name, "/v1/groups"))
}

fn last_switchover(shows: &dyn Shows) -> Result<SwitchoverRecord, Problem> {
    shows.switchovers().next().ok_or_else(|| {
        let next = "there will be one after the first switchover";
        Problem::new(ProblemKind::NotFound, "there was no switchover yet", next)
    })
}

fn all_services(shows: &dyn Shows, now: Moment) -> impl Iterator<Item = ServiceInGroup> {
    shows.status(now).groups.into_iter().flat_map(|group| {
        let name = group.name;
        group
            .services
            .into_iter()
            .map(move |service| ServiceInGroup { group: name.clone(), service })
    })
}
