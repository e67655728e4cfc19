//! A gateway as the controllers see it: follows the route table of one node with some lag, goes to another when
//! that one falls silent, never takes an older epoch, and says what it follows.

use std::collections::BTreeMap;

use super::queue::Micros;
use crate::kernel::controller::{GatewayReport, View};
use crate::kernel::domain::{Epoch, GatewayName, GroupName, Incarnation, PlaneName};

/// Their names.
pub const NAMES: [&str; 2] = ["front", "back"];

/// One gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    name: GatewayName,
    /// The node that it follows.
    pub follows: usize,
    incarnation: Incarnation,
    routes: BTreeMap<GroupName, (Epoch, PlaneName)>,
    epochs: BTreeMap<GroupName, Epoch>,
    /// Whether its process runs.
    pub up: bool,
    /// When the last table arrives that was sent to it.
    pub shown: Micros,
}

impl Gateway {
    /// The gateway at this place, of a cluster of so many nodes; it has followed nothing yet.
    pub fn new(place: usize, nodes: usize) -> Self {
        let name = NAMES.get(place).copied().unwrap_or("further");
        Self {
            name: GatewayName::new(name).expect("the simulator's own names are names"),
            follows: place % nodes,
            incarnation: Incarnation(1),
            routes: BTreeMap::new(),
            epochs: BTreeMap::new(),
            up: true,
            shown: 0,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &GatewayName {
        &self.name
    }

    /// Which epochs it follows.
    pub const fn epochs(&self) -> &BTreeMap<GroupName, Epoch> {
        &self.epochs
    }

    /// Where it sends a group's traffic.
    pub fn plane(&self, group: &GroupName) -> Option<&PlaneName> {
        self.routes.get(group).map(|(_, plane)| plane)
    }

    /// Takes a node's table, as far as it is newer. True when something changed.
    pub fn take(&mut self, view: &View) -> bool {
        let mut changed = false;
        for (group, route) in view.routes.iter() {
            if self.epochs.get(group).is_none_or(|known| *known < route.epoch) {
                self.epochs.insert(group.clone(), route.epoch);
                self.routes.insert(group.clone(), (route.epoch, route.plane.clone()));
                changed = true;
            }
        }
        changed
    }

    /// Its process starts anew. The table that it kept on disk stays.
    pub const fn restart(&mut self) {
        self.incarnation = Incarnation(self.incarnation.0 + 1);
        self.up = true;
    }

    /// What it tells its node.
    pub fn report(&self) -> GatewayReport {
        GatewayReport {
            gateway: self.name.clone(),
            incarnation: self.incarnation,
            groups: self.epochs.clone(),
            connections_failed: 0,
        }
    }
}
