//! Gateways follow the routes that nodes show them, and say what they follow.

use std::sync::Arc;

use super::{Event, World};
use crate::kernel::controller::{Input, View};
use crate::kernel::domain::PlaneName;
use crate::sim::action::Outsider;
use crate::sim::counts::Class;
use crate::sim::queue::{MS, Micros, SECOND};

/// How often a gateway says what it follows.
const REPORTS: Micros = SECOND;

impl World {
    /// A node's table sets out for a gateway that follows it, to arrive after a lag.
    pub(super) fn show_table(&mut self, which: usize, from: usize, lag: Micros) {
        if self.nodes[from].pause.is_some() {
            return;
        }
        let Some(view) = self.nodes[from].view.clone() else { return };
        let Some(passage) = self.passes(from, Outsider::Gateway) else { return };
        if let Some(late) = passage.again {
            // Overtaken by newer ones, perhaps: what is older must do nothing.
            self.see(Class::DoubledFromOutside);
            let view = Arc::clone(&view);
            self.queue.put(self.now + lag + late, Event::GatewayTake { which, from, view });
        }
        // What one node shows comes in order.
        let shown = &mut self.gateways[which].shown;
        *shown = (*shown).max(self.now + lag + passage.late);
        self.queue.put(*shown, Event::GatewayTake { which, from, view });
    }

    /// A table arrives at a gateway.
    pub(super) fn gateway_take(&mut self, which: usize, from: usize, view: &Arc<View>) {
        let shut = self.ways.is_shut(from, Outsider::Gateway);
        if !self.gateways[which].up || self.gateways[which].follows != from || shut {
            return;
        }
        self.goals_of_table(which, view);
        if !self.gateways[which].take(view) {
            return;
        }
        self.trace.digest.word(which as u64);
        for epoch in self.gateways[which].epochs().values() {
            self.trace.digest.word(epoch.counter);
        }
        self.carry_traffic();
        let gateway = self.gateways[which].clone();
        self.ask_oracles(|oracle, _| oracle.gateway(&gateway));
        for group in gateway.epochs().keys() {
            if let Some(plane) = gateway.plane(group) {
                self.watch.gateway(self.now, which, group, plane);
                self.draw(|picture, at| picture.followed(at, which, group, plane));
            }
        }
        self.tell_gateway(which, from);
    }

    /// Traffic goes where the gateways send it, and a plane may not be able to carry it.
    pub(super) fn carry_traffic(&mut self) {
        let mut load = [0; 2];
        let mut apart = false;
        for group in self.in_force.1.groups.keys() {
            let sent = |plane: &PlaneName| self.cluster.plane_index(plane);
            let to = self.gateways.iter().filter_map(|gateway| gateway.plane(group));
            let mut there = [false; 2];
            to.filter_map(sent).for_each(|plane| there[plane] = true);
            apart |= there == [true; 2];
            (0..2).for_each(|plane| load[plane] += usize::from(there[plane]));
        }
        if apart {
            self.see(Class::GatewaysApart);
        }
        if self.planes.carry(load) {
            if self.planes.overloaded(0) || self.planes.overloaded(1) {
                self.see(Class::OverloadedPlane);
            }
            self.note_truth();
        }
    }

    fn tell_gateway(&mut self, which: usize, node: usize) {
        if self.ways.is_shut(node, Outsider::Gateway) {
            return;
        }
        let Some(passage) = self.passes(node, Outsider::Gateway) else { return };
        let report = self.gateways[which].report();
        if let Some(late) = passage.again {
            self.see(Class::DoubledFromOutside);
            self.local(node, MS + late, Input::Gateway(report.clone()));
        }
        self.local(node, MS + passage.late, Input::Gateway(report));
    }

    /// Every second: report, take what was missed, go to another node if this one is silent.
    pub(super) fn gateway_tick(&mut self, which: usize) {
        self.queue.put(self.now + REPORTS, Event::GatewayTick { which });
        if !self.gateways[which].up {
            return;
        }
        let followed = &self.nodes[self.gateways[which].follows];
        let cut_off = followed.view.as_ref().is_none_or(|view| !view.in_quorum)
            || self.ways.is_shut(self.gateways[which].follows, Outsider::Gateway);
        if !followed.lives() || followed.pause.is_some() || cut_off {
            self.gateways[which].follows = (self.gateways[which].follows + 1) % self.nodes.len();
            self.see(Class::GatewayMoved);
        }
        let follows = self.gateways[which].follows;
        self.show_table(which, follows, 0);
        self.tell_gateway(which, follows);
    }
}
