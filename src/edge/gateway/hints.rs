//! Hints to the controllers: few, and never waited for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use super::limits;
use crate::kernel::controller::DataPlaneHint;
use crate::kernel::domain::{GatewayName, PlaneName, ServiceName};

/// Sends at most one hint per route and plane in [`limits::HINT_EVERY`]; what the queue does not take is lost.
#[derive(Debug)]
pub(super) struct Hints {
    gateway: GatewayName,
    queue: mpsc::Sender<DataPlaneHint>,
    /// When the last one left; as many as there are routes and planes.
    last: Mutex<BTreeMap<(ServiceName, PlaneName), Instant>>,
}

impl Hints {
    pub(super) fn new(gateway: GatewayName, queue: mpsc::Sender<DataPlaneHint>) -> Self {
        Self { gateway, queue, last: Mutex::default() }
    }

    /// Says that something speaks against a plane on the way to a route.
    pub(super) fn send(&self, route: &ServiceName, plane: &PlaneName) {
        let now = Instant::now();
        let key = (route.clone(), plane.clone());
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let recent = |at: &Instant| now.saturating_duration_since(*at) < limits::HINT_EVERY;
            if last.get(&key).is_some_and(recent) {
                return;
            }
            last.insert(key, now);
        }
        let hint = DataPlaneHint {
            gateway: self.gateway.clone(),
            route: route.clone(),
            plane: plane.clone(),
        };
        // Full: the controllers have enough to think about. Closed: nobody listens.
        let _ = self.queue.try_send(hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_that_finds_no_room_is_lost_and_nobody_waits() {
        let gateway = GatewayName::new("edge-1").expect("a good name");
        let (queue, mut taken) = mpsc::channel(2);
        let hints = Hints::new(gateway, queue);
        let plane = PlaneName::new("east").expect("a good name");
        let routes = ["a", "b", "c"].map(|name| ServiceName::new(name).expect("a good name"));
        for route in &routes {
            hints.send(route, &plane);
        }
        let mut next = || taken.try_recv().ok().map(|hint| hint.route);
        assert_eq!(
            [next(), next(), next()],
            [Some(routes[0].clone()), Some(routes[1].clone()), None]
        );
    }
}
