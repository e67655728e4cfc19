//! P3, never older, never empty: no node and no gateway goes back to an older epoch, restarts included; no
//! record set is empty; one serial is one content, and serials do not go back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Book, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{Epoch, GroupName, PlaneName, Route};
use crate::kernel::ledger::Cluster;
use crate::kernel::zone::Zone;
use crate::sim::gateway::Gateway;
use crate::sim::queue::Micros;

/// The newest that each actuator showed.
#[derive(Debug, Default)]
pub(super) struct NeverOlder {
    nodes: BTreeMap<(usize, GroupName), Epoch>,
    gateways: BTreeMap<(String, GroupName), Epoch>,
    /// The last zone of each node, so that what did not change is not looked at again.
    zones: BTreeMap<(usize, String), Arc<Zone>>,
    /// Where an epoch leads, wherever it is shown.
    planes: BTreeMap<(GroupName, Epoch), PlaneName>,
    contents: BTreeMap<(String, u32), Arc<Zone>>,
    /// What each node showed last: what it shows again was looked at.
    shown: BTreeMap<usize, Shown>,
}

/// The parts of a view that are looked at.
type Shown =
    (Arc<BTreeMap<GroupName, Route>>, Arc<BTreeMap<String, Arc<Zone>>>, Option<Arc<Cluster>>);

/// Whether it is the very same, by its place in memory.
fn is_the_same(one: &Shown, other: &Shown) -> bool {
    let cluster = match (&one.2, &other.2) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    cluster && Arc::ptr_eq(&one.0, &other.0) && Arc::ptr_eq(&one.1, &other.1)
}

impl NeverOlder {
    fn zone(&mut self, node: usize, origin: &str, zone: &Arc<Zone>) -> Finding {
        let key = (node, origin.to_owned());
        if let Some(before) = self.zones.get(&key) {
            if Arc::ptr_eq(before, zone) {
                return Ok(());
            }
            if before.serial > zone.serial {
                return Err(format!(
                    "node {} went back from serial {} to {} of {origin}",
                    node + 1,
                    before.serial,
                    zone.serial
                ));
            }
        }
        let content = (origin.to_owned(), zone.serial);
        let first = self.contents.entry(content).or_insert_with(|| Arc::clone(zone));
        if !Arc::ptr_eq(first, zone) && first != zone {
            return Err(format!("serial {} of {origin} has two contents", zone.serial));
        }
        // A name with an epoch record has addresses: otherwise its route would lead nowhere.
        for name in zone.names.keys() {
            let Some(host) = name.strip_prefix("_biplane.") else { continue };
            let set = zone.names.get(host);
            if set.is_none_or(|set| set.a.is_empty() && set.aaaa.is_empty()) {
                return Err(format!("node {} answers {host} with nothing", node + 1));
            }
        }
        self.zones.insert(key, Arc::clone(zone));
        Ok(())
    }
}

/// Every name of a group that has a route is there, with the addresses of that plane and no other.
fn leads_where_the_routes_do(node: usize, view: &View) -> Finding {
    let zones = view.cluster.iter().flat_map(|cluster| &cluster.zones);
    for (origin, settings) in zones {
        for name in &settings.names {
            let Some(route) = view.routes.get(&name.group) else { continue };
            let zone = view.zones.get(origin);
            let set = zone.and_then(|zone| zone.names.get(&name.name));
            let wanted = name.addresses.get(&route.plane).map_or(&[][..], Vec::as_slice);
            let shown = set.map(|set| {
                let four = set.a.iter().copied().map(IpAddr::V4);
                four.chain(set.aaaa.iter().copied().map(IpAddr::V6)).collect::<BTreeSet<_>>()
            });
            if shown.as_ref().is_none_or(|shown| {
                !shown.iter().eq(&wanted.iter().copied().collect::<BTreeSet<_>>())
            }) {
                return Err(format!(
                    "node {} answers {} with {shown:?}, and its route of {} leads to {}",
                    node + 1,
                    name.name,
                    name.group,
                    route.plane
                ));
            }
        }
    }
    Ok(())
}

impl Oracle for NeverOlder {
    fn name(&self) -> &'static str {
        "never_older"
    }

    fn published(&mut self, _book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        let shown = (Arc::clone(&view.routes), Arc::clone(&view.zones), view.cluster.clone());
        if self.shown.get(&node).is_some_and(|before| is_the_same(before, &shown)) {
            return Ok(());
        }
        self.shown.insert(node, shown);
        for (group, route) in view.routes.iter() {
            let key = (node, group.clone());
            let before = self.nodes.get(&key).copied();
            if let Some(before) = before.filter(|before| *before > route.epoch) {
                return Err(format!(
                    "node {} went back from epoch {before} to {} of {group}",
                    node + 1,
                    route.epoch
                ));
            }
            self.nodes.insert(key, route.epoch);
            let there = (group.clone(), route.epoch);
            let plane = self.planes.entry(there).or_insert_with(|| route.plane.clone());
            if *plane != route.plane {
                return Err(format!("epoch {} of {group} leads to two planes", route.epoch));
            }
        }
        let settings = view.cluster.as_ref().map(|cluster| &cluster.groups);
        let there = |group: &GroupName| settings.is_none_or(|groups| groups.contains_key(group));
        let lost = self
            .nodes
            .keys()
            .find(|(n, group)| *n == node && there(group) && !view.routes.contains_key(group));
        if let Some((_, group)) = lost {
            return Err(format!("node {} lost the route of {group}", node + 1));
        }
        for (origin, zone) in view.zones.iter() {
            self.zone(node, origin, zone)?;
        }
        leads_where_the_routes_do(node, view)
    }

    fn gateway(&mut self, gateway: &Gateway) -> Finding {
        for (group, epoch) in gateway.epochs() {
            let key = (gateway.name().to_string(), group.clone());
            let before = self.gateways.get(&key).copied();
            if let Some(before) = before.filter(|before| before > epoch) {
                return Err(format!(
                    "gateway {} went back from epoch {before} to {epoch} of {group}",
                    gateway.name()
                ));
            }
            self.gateways.insert(key, *epoch);
        }
        Ok(())
    }
}
