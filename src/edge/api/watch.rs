//! `GET /v1/watch`: the route table and its changes as server-sent events (WHATWG HTML, section 9.2).
//!
//! One task renders each change once, whatever the number of watchers. A watcher first gets the whole
//! table, then what changed after it. One that lags behind is disconnected: it comes back and gets the
//! whole table again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::ApiState;
use super::backend::Backend;
use super::limits::{Limits, ROUTE_EVENTS};
use super::problem::{Problem, ProblemKind};
use crate::kernel::controller::{RouteEntry, RouteTable};
use crate::kernel::domain::ServiceName;

/// Of a watch's answer.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";
/// Name of the event that carries a [`RouteTable`].
pub(super) const TABLE: &str = "table";
/// Name of the event that carries a [`RouteChange`].
pub(super) const ROUTE: &str = "route";

const KEEP_ALIVE: Bytes = Bytes::from_static(b": alive\n\n");

/// One changed route, as an event carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteChange {
    /// The route's name.
    pub name: ServiceName,
    /// What it is now.
    pub entry: RouteEntry,
    /// The revision of the table that this change belongs to.
    pub revision: u64,
}

/// Renders the table's changes once for all watchers.
pub(super) struct Hub {
    current: watch::Receiver<Current>,
    serving: watch::Receiver<bool>,
    frames: broadcast::Sender<Frame>,
    watchers: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// The newest whole table, as an event. `number` counts the changes that this hub has rendered.
#[derive(Clone, Default)]
struct Current {
    number: u64,
    table: Option<Bytes>,
}

#[derive(Clone)]
struct Frame {
    number: u64,
    bytes: Bytes,
}

impl Hub {
    /// Starts the task that follows the published views; it ends at shutdown.
    pub(super) fn start(
        backend: Arc<dyn Backend>,
        limits: Limits,
        shutdown: CancellationToken,
    ) -> Self {
        let (current_tx, current) = watch::channel(Current::default());
        let (serving_tx, serving) = watch::channel(true);
        let (frames, _) = broadcast::channel(limits.watch_backlog.max(1));
        let follower = Follower {
            backend,
            limits,
            current: current_tx,
            serving: serving_tx,
            frames: frames.clone(),
            last: None,
            number: 0,
            cut_off_since: None,
        };
        tokio::spawn(follower.run(shutdown.clone()));
        let watchers = Arc::new(Semaphore::new(limits.watchers));
        Self { current, serving, frames, watchers, shutdown }
    }

    fn join(&self, limits: &Limits) -> Result<Watcher, Problem> {
        let permit = Arc::clone(&self.watchers).try_acquire_owned().map_err(|_| {
            let why = format!("{} watchers are here already", limits.watchers);
            Problem::new(ProblemKind::Busy, why, "watch another node")
        })?;
        if !*self.serving.borrow() {
            let next =
                "watch another node; GET /v1/routes?stale=true tells what this one knew last";
            let why = "this node has lost touch with the quorum";
            return Err(Problem::new(ProblemKind::Unavailable, why, next));
        }
        // First listen, then look: the table holds whatever was sent before we listened.
        let frames = self.frames.subscribe();
        let current = self.current.borrow().clone();
        let table = current.table.ok_or_else(|| {
            let why = "this node knows no routes yet";
            Problem::new(ProblemKind::Unavailable, why, "watch another node, or try again")
        })?;
        let mut keep_alive = tokio::time::interval(limits.keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep_alive.reset();
        Ok(Watcher {
            first: Some(table),
            number: current.number,
            frames,
            serving: self.serving.clone(),
            keep_alive,
            shutdown: self.shutdown.clone(),
            _permit: permit,
        })
    }
}

/// The task behind the hub.
struct Follower {
    backend: Arc<dyn Backend>,
    limits: Limits,
    current: watch::Sender<Current>,
    serving: watch::Sender<bool>,
    frames: broadcast::Sender<Frame>,
    last: Option<RouteTable>,
    number: u64,
    cut_off_since: Option<Instant>,
}

impl Follower {
    async fn run(mut self, shutdown: CancellationToken) {
        let mut views = self.backend.view();
        views.mark_changed();
        loop {
            let grace = self
                .cut_off_since
                .filter(|_| *self.serving.borrow())
                .map(|since| tokio::time::Instant::from_std(since + self.limits.cut_off_grace));
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = views.changed() => if changed.is_err() { return },
                () = until(grace) => {
                    self.serving.send_replace(false);
                    continue;
                }
            }
            let view = views.borrow_and_update().clone();
            let Some(view) = view else { continue };
            self.note_quorum(view.in_quorum);
            // A configuration must be in force before there are routes worth telling.
            if view.cluster.is_none() {
                continue;
            }
            let table = self.backend.shows(view).route_table();
            self.publish(table);
        }
    }

    fn note_quorum(&mut self, in_quorum: bool) {
        if in_quorum {
            self.cut_off_since = None;
            self.serving.send_if_modified(|serving| !std::mem::replace(serving, true));
        } else {
            self.cut_off_since.get_or_insert_with(Instant::now);
        }
    }

    fn publish(&mut self, table: RouteTable) {
        if self.last.as_ref().is_some_and(|last| *last == table) {
            return;
        }
        let whole = event(TABLE, table.revision, &table);
        let bytes = match &self.last {
            Some(last) => changes(last, &table).unwrap_or_else(|| whole.clone()),
            None => whole.clone(),
        };
        self.number += 1;
        self.current.send_replace(Current { number: self.number, table: Some(whole) });
        // An error only says that nobody watches now.
        let _ = self.frames.send(Frame { number: self.number, bytes });
        self.last = Some(table);
    }
}

async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// One event for each changed route; nothing when the whole table says it better.
fn changes(old: &RouteTable, new: &RouteTable) -> Option<Bytes> {
    let gone = |routes: &BTreeMap<_, _>| old.routes.keys().any(|name| !routes.contains_key(name));
    let changed: Vec<_> =
        new.routes.iter().filter(|(name, entry)| old.routes.get(*name) != Some(*entry)).collect();
    if changed.is_empty() || changed.len() > ROUTE_EVENTS || gone(&new.routes) {
        return None;
    }
    let revision = new.revision;
    let mut text = Vec::new();
    for (name, entry) in changed {
        let change = RouteChange { name: name.clone(), entry: entry.clone(), revision };
        text.extend_from_slice(&event(ROUTE, revision, &change));
    }
    Some(Bytes::from(text))
}

fn event<T: Serialize>(name: &str, id: u64, data: &T) -> Bytes {
    // JSON by serde_json holds no line break: one data line is enough.
    let data = serde_json::to_string(data).expect("maps with text keys always render as JSON");
    Bytes::from(format!("event: {name}\nid: {id}\ndata: {data}\n\n"))
}

struct Watcher {
    first: Option<Bytes>,
    number: u64,
    frames: broadcast::Receiver<Frame>,
    serving: watch::Receiver<bool>,
    keep_alive: Interval,
    shutdown: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next bytes; nothing when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                _ = self.serving.wait_for(|serving| !*serving) => return None,
                frame = self.frames.recv() => match frame {
                    Ok(frame) if frame.number <= self.number => {}
                    Ok(frame) => {
                        self.keep_alive.reset();
                        return Some(frame.bytes);
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        tracing::info!(missed, "a slow watcher is disconnected");
                        return None;
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                _ = self.keep_alive.tick() => return Some(KEEP_ALIVE),
            }
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            watcher.next().await.map(|bytes| (Ok(bytes), watcher))
        })
    }
}

/// The handler.
pub(super) async fn watch(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    let watcher = state.hub.join(&state.limits)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(watcher.stream())).into_response())
}
