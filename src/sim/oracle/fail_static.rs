//! P6, fail static: what leads users changes by what a controller shows and by nothing else. A gateway follows what some node
//! showed, and stays there when it hears nobody; a DNS server says what its node shows. (That nodes without a quorum show
//! nothing new is for `durable`: what is shown is on the disks of a majority.)

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Book, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{Epoch, GroupName, PlaneName, Route};
use crate::sim::gateway::Gateway;
use crate::sim::queue::Micros;

/// What a node showed last.
#[derive(Debug)]
struct Shown {
    routes: Arc<BTreeMap<GroupName, Route>>,
    /// The planes of its configuration, in order.
    planes: Vec<PlaneName>,
}

/// What was shown.
#[derive(Debug, Default)]
pub(super) struct FailStatic {
    /// Where each epoch of a group leads.
    leads: BTreeMap<(GroupName, Epoch), PlaneName>,
    nodes: BTreeMap<usize, Shown>,
}

impl Oracle for FailStatic {
    fn name(&self) -> &'static str {
        "fail_static"
    }

    fn started(&mut self, _book: &Book, node: usize) -> Finding {
        self.nodes.remove(&node);
        Ok(())
    }

    fn published(&mut self, _book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        let before = self.nodes.get(&node);
        if before.is_none_or(|shown| !Arc::ptr_eq(&shown.routes, &view.routes)) {
            for (group, route) in view.routes.iter() {
                let key = (group.clone(), route.epoch);
                self.leads.entry(key).or_insert_with(|| route.plane.clone());
            }
        }
        let planes = view.cluster.iter().flat_map(|cluster| &cluster.planes);
        let shown = Shown {
            routes: Arc::clone(&view.routes),
            planes: planes.map(|plane| plane.name.clone()).collect(),
        };
        self.nodes.insert(node, shown);
        Ok(())
    }

    fn answered(&mut self, node: usize, group: &GroupName, plane: Option<usize>) -> Finding {
        let Some(last) = self.nodes.get(&node) else { return Ok(()) };
        let Some(shown) = last.routes.get(group).map(|route| &route.plane) else { return Ok(()) };
        match plane.and_then(|place| last.planes.get(place)) {
            Some(said) if said != shown => Err(format!(
                "the DNS server of node {} sends {group} to {said}, and its node shows {shown}",
                node + 1
            )),
            _ => Ok(()),
        }
    }

    fn gateway(&mut self, gateway: &Gateway) -> Finding {
        for (group, epoch) in gateway.epochs() {
            let shown = self.leads.get(&(group.clone(), *epoch));
            if shown != gateway.plane(group) {
                return Err(format!(
                    "gateway {} sends {group} to {:?}, and of epoch {epoch} nobody showed anything but {shown:?}",
                    gateway.name(),
                    gateway.plane(group)
                ));
            }
        }
        Ok(())
    }
}
