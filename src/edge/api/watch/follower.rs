//! Follows the published views and renders each change of the route table once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::super::backend::Backend;
use super::super::limits::{Limits, ROUTE_EVENTS};
use super::{Current, Frame, ROUTE, RouteChange, TABLE};
use crate::kernel::controller::{RouteTable, View};

/// After a rendering the hub rests this many times as long: a table of 10,000 routes that changes all
/// the time costs a quarter of a core at most. Tables that render in no time are told at once.
const RENDER_PAUSE: u32 = 3;
const SHORT_PAUSE: Duration = Duration::from_millis(1);

/// The task behind the hub.
pub(super) struct Follower {
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
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        limits: Limits,
        current: watch::Sender<Current>,
        serving: watch::Sender<bool>,
        frames: broadcast::Sender<Frame>,
    ) -> Self {
        let (last, number, cut_off_since) = (None, 0, None);
        Self { backend, limits, current, serving, frames, last, number, cut_off_since }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut views = self.backend.view();
        views.mark_changed();
        loop {
            let serving = *self.serving.borrow();
            let grace = self.cut_off_since.filter(|_| serving);
            let grace = grace.map(|since| since + self.limits.cut_off_grace);
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
            let began = Instant::now();
            self.follow(view).await;
            let pause = began.elapsed() * RENDER_PAUSE;
            if pause > SHORT_PAUSE {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }

    /// Renders a view apart from the threads that serve sockets, and tells what is new in it.
    async fn follow(&mut self, view: Arc<View>) {
        let shows = self.backend.shows(view);
        if self.last.as_ref().is_some_and(|last| last.revision == shows.revision()) {
            return;
        }
        let last = self.last.take();
        let rendered = tokio::task::spawn_blocking(move || {
            let table = shows.route_table();
            let news = last.as_ref().is_none_or(|last| *last != table).then(|| {
                let whole = event(TABLE, table.revision, &table);
                let change = last.as_ref().and_then(|last| changes(last, &table));
                (change.unwrap_or_else(|| whole.clone()), whole)
            });
            (table, news)
        });
        match rendered.await {
            Ok((table, news)) => {
                self.last = Some(table);
                if let Some((change, whole)) = news {
                    self.publish(change, whole);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the route table could not be rendered: this is a bug");
            }
        }
    }

    fn publish(&mut self, bytes: Bytes, whole: Bytes) {
        self.number += 1;
        self.current.send_replace(Current { number: self.number, table: Some(whole) });
        // An error only says that nobody watches now.
        let _ = self.frames.send(Frame { number: self.number, bytes });
    }

    fn note_quorum(&mut self, in_quorum: bool) {
        if in_quorum {
            self.cut_off_since = None;
            self.serving.send_if_modified(|serving| !std::mem::replace(serving, true));
        } else {
            self.cut_off_since.get_or_insert_with(Instant::now);
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
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
