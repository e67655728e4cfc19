//! One route that this gateway carries, as its connections see it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::kernel::controller::RouteEntry;
use crate::kernel::domain::{PlaneName, ServiceName};

/// The entry to follow, and how many connections are open where.
#[derive(Debug)]
pub(super) struct CarriedRoute {
    pub(super) name: ServiceName,
    /// Nothing before the first table.
    pub(super) entry: watch::Sender<Option<Arc<RouteEntry>>>,
    open: Mutex<BTreeMap<PlaneName, usize>>,
}

impl CarriedRoute {
    pub(super) fn new(name: ServiceName) -> Self {
        Self { name, entry: watch::Sender::new(None), open: Mutex::default() }
    }

    /// Open connections by plane.
    pub(super) fn open(&self) -> BTreeMap<PlaneName, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a connection as open until the guard is dropped.
    pub(super) fn opened(self: &Arc<Self>, plane: &PlaneName) -> OpenGuard {
        self.count(plane, |open| open.saturating_add(1));
        OpenGuard { route: Arc::clone(self), plane: plane.clone() }
    }

    fn count(&self, plane: &PlaneName, change: impl FnOnce(usize) -> usize) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.entry(plane.clone()).or_insert(0);
        *number = change(*number);
        let labels = [("route", self.name.to_string()), ("plane", plane.to_string())];
        let number = u32::try_from(*number).unwrap_or(u32::MAX);
        metrics::gauge!("biplane_gateway_open_connections", &labels).set(f64::from(number));
    }

    /// Counts how a connection ended, or that it did not begin.
    pub(super) fn ended(&self, plane: &PlaneName, result: &'static str) {
        let labels = [
            ("route", self.name.to_string()),
            ("plane", plane.to_string()),
            ("result", result.to_owned()),
        ];
        metrics::counter!("biplane_gateway_connections_total", &labels).increment(1);
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct OpenGuard {
    route: Arc<CarriedRoute>,
    plane: PlaneName,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.route.count(&self.plane, |open| open.saturating_sub(1));
    }
}
