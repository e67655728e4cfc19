//! `/v1/events`: what happened, as a list and as server-sent events. An event has one number and one text at every node, so
//! a watcher that moves to another node goes on where it was: no gap, no repeat.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::ApiState;
use super::extract::single;
use super::limits::Limits;
use super::problem::{Problem, ProblemKind};
use super::read::Seen;
use super::watch::{KEEP_ALIVE, MEDIA_TYPE, Place};
use crate::kernel::controller::{Action, Response as Reply, View};
use crate::kernel::domain::{EventId, Principal};
use crate::kernel::ledger::LoggedEvent;

/// The event that says that others are not kept any more.
pub(super) const GAP: &str = "gap";
/// Header of a watcher that goes on.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsBody {
    /// Oldest first.
    pub events: Vec<LoggedEvent>,
    /// The number to go on after.
    pub newest: EventId,
    /// Whether some after `since` are not kept any more.
    pub gap: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SinceQuery {
    since: Option<String>,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read where the state is chosen; known here, so that it is not refused"
    )]
    stale: bool,
}

/// The number after which events are wanted.
pub(super) struct Since(Option<EventId>);

impl FromRequestParts<Arc<ApiState>> for Since {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        let next = "the parameters are since=eINDEX-NTH and stale=true";
        let malformed = |why: String| Problem::new(ProblemKind::Malformed, why, next);
        let Query(query) = Query::<SinceQuery>::from_request_parts(parts, state)
            .await
            .map_err(|error| malformed(error.body_text()))?;
        let Some(since) = query.since else { return Ok(Self(None)) };
        since.parse().map(|since| Self(Some(since))).map_err(|error| malformed(format!("{error}")))
    }
}

/// `GET /v1/events`.
pub(super) async fn list(Since(since): Since, seen: Seen) -> Result<Response, Problem> {
    let events = Arc::clone(seen.view().ledger.events());
    seen.answer(move |_, _| {
        let since = since.unwrap_or_default();
        Ok(EventsBody {
            events: events.after(since).map(|event| event.as_ref().clone()).collect(),
            newest: events.newest(),
            gap: events.gap_after(since),
        })
    })
    .await
}

/// `GET /v1/events/watch`.
pub(super) async fn watch(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Since(since): Since,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = state.hub.place(&state.limits)?;
    let mut views = state.backend.view();
    let view = views.borrow_and_update().clone();
    let last = match single(&headers, LAST_EVENT_ID)? {
        Some(id) => Some(id.parse().map_err(|error| {
            let next = "send back the id of the last event, for example e120-0";
            Problem::new(ProblemKind::Malformed, format!("Last-Event-ID: {error}"), next)
        })?),
        None => since,
    };
    // Who names no number wants what happens from now on.
    let now = view.map_or_else(EventId::default, |view| view.ledger.events().newest());
    if let Some(last) = last.filter(|last| *last > now) {
        was_given(&state, &principal, last).await?;
    }
    let mut keep_alive = tokio::time::interval(state.limits.keep_alive);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    keep_alive.reset();
    views.mark_changed();
    let watcher = Watcher {
        views,
        last: last.unwrap_or(now),
        ready: VecDeque::new(),
        keep_alive,
        limits: state.limits,
        cut_off: None,
        shutdown: state.hub.shutdown(),
        _place: place,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    Ok((headers, Body::from_stream(watcher.stream())).into_response())
}

/// Whether an event of this number can have been told by any node. This one may be behind the one that told it: a
/// confirmed read is not. Where none comes in time, the watcher is believed: it hears on when this node has caught up.
async fn was_given(state: &ApiState, principal: &Principal, last: EventId) -> Result<(), Problem> {
    let asked = state.backend.ask(principal.name.to_string(), Action::Read);
    let Ok(Reply::Read(view)) = tokio::time::timeout(state.limits.look, asked).await else {
        return Ok(());
    };
    let newest = view.ledger.events().newest();
    if last <= newest {
        return Ok(());
    }
    Err(Problem::new(
        ProblemKind::Malformed,
        format!("no event {last} has happened yet: the newest is {newest}"),
        "it is of another cluster, or was made up: GET /v1/events lists what is kept; then go on after the newest, or \
         without Last-Event-ID for what happens from now on",
    ))
}

struct Watcher {
    views: watch::Receiver<Option<Arc<View>>>,
    /// The last event that was told.
    last: EventId,
    ready: VecDeque<Bytes>,
    keep_alive: Interval,
    limits: Limits,
    /// Since when the node has been without a quorum.
    cut_off: Option<Instant>,
    shutdown: CancellationToken,
    _place: Place,
}

impl Watcher {
    /// The next bytes; nothing when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.keep_alive.reset();
                return Some(bytes);
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                changed = self.views.changed() => {
                    changed.ok()?;
                    let view = self.views.borrow_and_update().clone();
                    if let Some(view) = view {
                        self.take(&view);
                    }
                }
                _ = self.keep_alive.tick() => {
                    // A node that is cut off has no news: its watchers go to another one.
                    if self.cut_off.is_some_and(|since| since.elapsed() > self.limits.cut_off_grace) {
                        return None;
                    }
                    return Some(KEEP_ALIVE);
                }
            }
        }
    }

    fn take(&mut self, view: &View) {
        self.cut_off =
            if view.in_quorum { None } else { self.cut_off.or_else(|| Some(Instant::now())) };
        let events = view.ledger.events();
        if let Some(lost) = events.lost.filter(|lost| *lost > self.last) {
            let data = serde_json::json!({ "after": self.last, "lost": lost });
            self.ready
                .push_back(Bytes::from(format!("event: {GAP}\nid: {lost}\ndata: {data}\n\n")));
            self.last = lost;
        }
        for event in events.after(self.last) {
            // JSON by serde_json holds no line break: one data line is enough.
            let data = serde_json::to_string(event.as_ref()).expect("texts and numbers render");
            let (kind, id) = (event.kind.as_str(), event.id);
            self.ready.push_back(Bytes::from(format!("event: {kind}\nid: {id}\ndata: {data}\n\n")));
            self.last = event.id;
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            watcher.next().await.map(|bytes| (Ok(bytes), watcher))
        })
    }
}
