//! What the API needs of the node around it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::kernel::controller::{
    Action, DataPlaneHint, Explanation, GatewayReport, Response, RouteTable, Status,
    SwitchoverRecord, View,
};
use crate::kernel::domain::{GroupName, Moment, WallTime};
use crate::kernel::ledger::AuditPage;

/// The node behind the API. The runtime implements it with channels to the kernel's thread.
pub trait Backend: Send + Sync + 'static {
    /// Hands a request to the kernel and waits for its reply. A reply that does not come in time is
    /// [`Response::Unknown`].
    fn ask(&self, principal: String, action: Action) -> BoxFuture<'static, Response>;

    /// The last published view; `None` until the kernel has published its first.
    fn view(&self) -> watch::Receiver<Option<Arc<View>>>;

    /// The wall clock: tokens end by it.
    fn wall(&self) -> WallTime;

    /// This process's monotonic clock.
    fn now(&self) -> Moment;

    /// Hands on a gateway's report. False when the queue is full: nothing was taken.
    fn gateway(&self, report: GatewayReport) -> bool;

    /// Hands on a hint. False when the queue is full: nothing was taken.
    fn hint(&self, hint: DataPlaneHint) -> bool;

    /// Lines of this node's audit trail from an entry on, or why it cannot be read.
    fn audit(&self, _from: u64) -> BoxFuture<'static, Result<AuditPage, String>> {
        Box::pin(async { Err("this node keeps none".to_owned()) })
    }

    /// Notes that somebody was not let in.
    fn login_failed(&self, _from: std::net::IpAddr) {}

    /// The metrics in the Prometheus text format.
    fn metrics(&self) -> String;

    /// Whether this node can serve, or why not, in words.
    fn ready(&self) -> Result<(), String>;

    /// What a view shows. Only tests have reason to show something else.
    fn shows(&self, view: Arc<View>) -> Arc<dyn Shows> {
        view
    }
}

/// Records that are made one after the other: all of ten thousand at once would be tens of mebibytes.
pub type Records<'a> = Box<dyn Iterator<Item = SwitchoverRecord> + 'a>;

/// What can be shown of a state: see the methods of [`View`].
pub trait Shows: Send + Sync {
    /// [`View::status`].
    fn status(&self, now: Moment) -> Status;
    /// [`View::explain`].
    fn explain(&self, now: Moment, group: &GroupName) -> Option<Explanation>;
    /// [`View::switchovers`].
    fn switchovers(&self) -> Records<'_>;
    /// [`View::switchover`].
    fn switchover(&self, id: &str) -> Option<SwitchoverRecord>;
    /// [`View::route_table`].
    fn route_table(&self) -> RouteTable;
    /// [`RouteTable::revision`], without making the table.
    fn revision(&self) -> u64;
}

impl Shows for View {
    fn status(&self, now: Moment) -> Status {
        Self::status(self, now)
    }

    fn explain(&self, now: Moment, group: &GroupName) -> Option<Explanation> {
        Self::explain(self, now, group)
    }

    fn switchovers(&self) -> Records<'_> {
        Box::new(Self::switchovers(self))
    }

    fn switchover(&self, id: &str) -> Option<SwitchoverRecord> {
        Self::switchover(self, id)
    }

    fn route_table(&self) -> RouteTable {
        Self::route_table(self)
    }

    fn revision(&self) -> u64 {
        self.ledger.revision()
    }
}
