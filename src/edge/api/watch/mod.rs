//! `GET /v1/watch`: the route table and its changes as server-sent events (WHATWG HTML, section 9.2).
//!
//! One task renders each change once, whatever the number of watchers. A watcher first gets the whole
//! table, then what changed after it. One that lags behind is disconnected: it comes back and gets the
//! whole table again.

mod follower;

use std::sync::Arc;
use std::time::Duration;

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
use super::limits::Limits;
use super::problem::{Problem, ProblemKind};
use crate::kernel::controller::RouteEntry;
use crate::kernel::domain::ServiceName;
use follower::Follower;

/// Of a watch's answer.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";
/// Name of the event that carries a [`RouteTable`].
pub(super) const TABLE: &str = "table";
/// Name of the event that carries a [`RouteChange`].
pub(super) const ROUTE: &str = "route";

/// How long a watcher waits for the first table after the start.
const FIRST_TABLE: Duration = Duration::from_secs(1);

pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b": alive\n\n");

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
        let follower = Follower::new(backend, limits, current_tx, serving_tx, frames.clone());
        tokio::spawn(follower.run(shutdown.clone()));
        let watchers = Arc::new(Semaphore::new(limits.watchers));
        Self { current, serving, frames, watchers, shutdown }
    }

    /// A place among the watchers, of whatever.
    pub(super) fn place(&self, limits: &Limits) -> Result<Place, Problem> {
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
        Ok(Place::take(permit))
    }

    /// Ends every watch.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    async fn join(&self, state: &ApiState) -> Result<Watcher, Problem> {
        let limits = &state.limits;
        let place = self.place(limits)?;
        // First listen, then look: the table holds whatever was sent before we listened.
        let frames = self.frames.subscribe();
        let (number, table) = self.table(state.backend.as_ref()).await?;
        let mut keep_alive = tokio::time::interval(limits.keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep_alive.reset();
        Ok(Watcher {
            first: Some(table),
            number,
            frames,
            serving: self.serving.clone(),
            keep_alive,
            shutdown: self.shutdown.clone(),
            _place: place,
        })
    }
}

impl Hub {
    /// The newest table. Just after the start it may still be in the making.
    async fn table(&self, backend: &dyn Backend) -> Result<(u64, Bytes), Problem> {
        let view = backend.view().borrow().clone();
        if view.is_some_and(|view| view.cluster.is_some()) {
            let mut current = self.current.clone();
            let made = current.wait_for(|current| current.table.is_some());
            // Late or gone: the look below finds nothing, and says so.
            let _ = tokio::time::timeout(FIRST_TABLE, made).await;
        }
        let Current { number, table } = self.current.borrow().clone();
        let table = table.ok_or_else(|| {
            let why = "this node knows no routes yet";
            Problem::new(ProblemKind::Unavailable, why, "watch another node, or try again")
        })?;
        Ok((number, table))
    }
}

struct Watcher {
    first: Option<Bytes>,
    number: u64,
    frames: broadcast::Receiver<Frame>,
    serving: watch::Receiver<bool>,
    keep_alive: Interval,
    shutdown: CancellationToken,
    _place: Place,
}

/// A watcher's place among the watchers, counted.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn take(permit: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("biplane_watchers").increment(1.0);
        Self { _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("biplane_watchers").decrement(1.0);
    }
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
    let watcher = state.hub.join(&state).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Nothing follows a watch: its place is free as soon as it ends.
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    Ok((headers, Body::from_stream(watcher.stream())).into_response())
}
