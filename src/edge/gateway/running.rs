//! The gateway's life: start, follow, report, end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::address::Addresses;
use super::follow::Followed;
use super::hints::Hints;
use super::route::CarriedRoute;
use super::settings::{GatewayError, GatewaySettings};
use super::{admin, listener};
use crate::kernel::controller::{DataPlaneHint, GatewayReport, RouteTable};
use crate::kernel::domain::{Epoch, GroupName, ServiceName};

/// What the tasks of one gateway share.
pub(super) struct Shared {
    pub(super) settings: GatewaySettings,
    pub(super) routes: BTreeMap<ServiceName, Arc<CarriedRoute>>,
    pub(super) hints: Hints,
    pub(super) addresses: Arc<Addresses>,
    pub(super) room: Arc<Semaphore>,
    pub(super) connections: TaskTracker,
    /// No further connection is accepted.
    pub(super) closing: CancellationToken,
    /// Every connection is cut.
    pub(super) stop: CancellationToken,
    /// Text for `/metrics`.
    pub(super) metrics: Box<dyn Fn() -> String + Send + Sync>,
    carried: Mutex<BTreeMap<GroupName, Epoch>>,
    changes: watch::Sender<u64>,
    failed: AtomicU64,
}

impl Shared {
    pub(super) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// A running gateway. Dropping it cuts every connection.
pub struct Gateway {
    shared: Arc<Shared>,
    listening: Vec<(SocketAddr, ServiceName)>,
    admin: Option<SocketAddr>,
    _stop_on_drop: DropGuard,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("listening", &self.listening).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Takes its ports and carries connections by `table`, until dropped. Hints go to `hints` and are lost
    /// when it is full; `metrics` gives the text for `/metrics`. When `table`'s sender goes away, the last
    /// table holds.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        settings: GatewaySettings,
        table: watch::Receiver<Arc<RouteTable>>,
        hints: mpsc::Sender<DataPlaneHint>,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self, GatewayError> {
        let mut bound = Vec::new();
        for (address, route) in &settings.listeners {
            let key = format!("`address` beside route = \"{route}\"");
            bound.push((listener::bind(*address, route.as_str(), key)?, route.clone()));
        }
        let admin = |address| listener::bind(address, "its admin page", "`admin`".to_owned());
        let admin = settings.admin.map(admin).transpose()?;
        let routes = settings.listeners.iter().map(|(_, name)| name.clone());
        let routes = routes.map(|name| (name.clone(), Arc::new(CarriedRoute::new(name)))).collect();
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            routes,
            hints: Hints::new(settings.name.clone(), hints),
            addresses: Arc::new(Addresses::new()),
            room: Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS))),
            connections: TaskTracker::new(),
            closing: stop.child_token(),
            stop: stop.clone(),
            metrics: Box::new(metrics),
            carried: Mutex::default(),
            changes: watch::Sender::new(0),
            failed: AtomicU64::new(0),
            settings,
        });
        tokio::spawn(follow(Arc::clone(&shared), table));
        let mut listening = Vec::new();
        for (socket, name) in bound {
            listening.extend(socket.local_addr().map(|address| (address, name.clone())));
            let Some(route) = shared.routes.get(&name) else { continue };
            tokio::spawn(listener::accept(Arc::clone(&shared), Arc::clone(route), socket));
        }
        let admin_address = admin.as_ref().and_then(|socket| socket.local_addr().ok());
        if let Some(socket) = admin {
            tokio::spawn(admin::serve(Arc::clone(&shared), socket));
        }
        Ok(Self { shared, listening, admin: admin_address, _stop_on_drop: stop.drop_guard() })
    }

    /// Where it listens, for which route.
    pub fn listening(&self) -> &[(SocketAddr, ServiceName)] {
        &self.listening
    }

    /// Where its admin port is.
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Which epoch of each group it has carried out: new connections go by it, and where the change said
    /// so, old ones have been told to end.
    pub fn report(&self) -> GatewayReport {
        let carried = self.shared.carried.lock().unwrap_or_else(PoisonError::into_inner);
        GatewayReport {
            gateway: self.shared.settings.name.clone(),
            incarnation: self.shared.settings.incarnation,
            groups: carried.clone(),
            connections_failed: self.shared.failed.load(Ordering::Relaxed),
        }
    }

    /// What it says when it leaves: it carries nothing.
    pub fn farewell(&self) -> GatewayReport {
        GatewayReport { groups: BTreeMap::new(), ..self.report() }
    }

    /// Changes whenever the epoch of a group in the report has risen: report at once.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Accepts nothing more, gives connections `grace` to end, and cuts the rest.
    pub async fn shut_down(self, grace: Duration) {
        self.shared.closing.cancel();
        self.shared.connections.close();
        // Those that are still open after it are cut.
        let _ = tokio::time::timeout(grace, self.shared.connections.wait()).await;
        self.shared.stop.cancel();
        self.shared.connections.wait().await;
    }
}

/// Carries out each table as it comes.
async fn follow(shared: Arc<Shared>, mut table: watch::Receiver<Arc<RouteTable>>) {
    let mut followed = Followed::new(shared.routes.keys().cloned().collect());
    loop {
        let now = Arc::clone(&table.borrow_and_update());
        let news = followed.take(&now);
        if news.older > 0 {
            let (entries, revision) = (news.older, now.revision);
            tracing::info!(entries, revision, "ignored routes older than those followed");
        }
        for route in &news.lacking {
            tracing::warn!(%route, "the configuration in force has no such route: what this gateway listens for it goes where it last went, or nowhere; see `route` in gateway.toml and `biplane config show`");
        }
        for (name, entry) in news.names.iter().zip(news.entries) {
            let Some(route) = shared.routes.get(name) else { continue };
            tracing::info!(route = %name, plane = %entry.plane, epoch = %entry.epoch, "follows");
            route.entry.send_replace(Some(entry));
        }
        if news.epochs || !news.names.is_empty() {
            let mut carried = shared.carried.lock().unwrap_or_else(PoisonError::into_inner);
            *carried = followed.carried();
            drop(carried);
            shared.changes.send_modify(|number| *number += 1);
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            changed = table.changed() => if changed.is_err() {
                // The tasks that follow controllers have ended: this gateway is leaving.
                return;
            },
        }
    }
}
