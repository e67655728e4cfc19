//! What the metrics say of a node's state.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::inbox::Inbox;
use super::limits::GAUGES_EVERY;
use crate::edge::telemetry::names::{
    ACTIVE_PLANE, APPLIED_INDEX, FRAMES_DROPPED, FRAMES_SENT, LEADER, MEMBERS_CONNECTED, QUORUM,
    ROUTE_EPOCH, TERM,
};
use crate::edge::telemetry::{
    LABELLED_GROUPS, Metrics, UPKEEP_INTERVAL, begin_counters, record_alarms, record_status,
};
use crate::edge::transport::Transport;
use crate::kernel::controller::View;

/// Where the gauges are read.
#[derive(Debug)]
pub struct Gauges {
    /// The last published view.
    pub view: watch::Receiver<Option<Arc<View>>>,
    /// Connections to the other members.
    pub transport: Arc<Transport>,
    /// The kernel's queue.
    pub inbox: Inbox,
    /// The process's metrics.
    pub metrics: Option<Metrics>,
}

impl Gauges {
    /// Writes every gauge now and then, until `stop`. Not at every publish: ten thousand groups may move at once.
    pub async fn run(mut self, stop: CancellationToken) {
        begin_counters();
        let mut turn = tokio::time::interval(GAUGES_EVERY);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turn.tick() => {}
                _ = upkeep.tick() => {
                    if let Some(metrics) = &self.metrics {
                        metrics.run_upkeep();
                    }
                    continue;
                }
            }
            self.write_links();
            self.inbox.write_gauges();
            let news = self.view.has_changed().unwrap_or(false);
            let view = self.view.borrow_and_update().clone();
            if let (true, Some(view)) = (news, view) {
                if view.routes.len() <= LABELLED_GROUPS {
                    record_status(&view.status(Clock.now()));
                } else {
                    // A status of thousands of groups is too dear to be made every second.
                    write_view(&view);
                }
            }
        }
    }

    fn write_links(&self) {
        let mut connected = 0_u32;
        for (peer, state) in self.transport.peers() {
            connected += u32::from(state.connected);
            let peer = peer.to_string();
            metrics::counter!(FRAMES_SENT, "peer" => peer.clone()).absolute(state.sent_frames);
            metrics::counter!(FRAMES_DROPPED, "peer" => peer).absolute(state.dropped_frames);
        }
        metrics::gauge!(MEMBERS_CONNECTED).set(connected);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floats; 2^53 terms and entries are enough"
)]
fn write_view(view: &View) {
    metrics::gauge!(APPLIED_INDEX).set(view.applied as f64);
    metrics::gauge!(TERM).set(view.term as f64);
    metrics::gauge!(LEADER).set(u32::from(view.leader == Some(view.member)));
    metrics::gauge!(QUORUM).set(u32::from(view.in_quorum));
    record_alarms(&view.alarms_by_kind());
    let Some(cluster) = &view.cluster else { return };
    for (group, route) in view.routes.iter().take(LABELLED_GROUPS) {
        metrics::gauge!(ROUTE_EPOCH, "group" => group.to_string()).set(route.epoch.counter as f64);
        for plane in &cluster.planes {
            let labels = [("group", group.to_string()), ("plane", plane.name.to_string())];
            let active = u32::from(plane.name == route.plane);
            metrics::gauge!(ACTIVE_PLANE, &labels).set(active);
        }
    }
}
