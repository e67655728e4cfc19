//! Users resolve names and go where the answer says.

use super::{Event, World};
use crate::kernel::domain::GroupName;
use crate::sim::action::Outsider;
use crate::sim::counts::Class;
use crate::sim::queue::{MS, Micros};
use crate::sim::users::{Answer, RESOLVERS, answer};

/// A resolver waits so long for a server.
const PATIENCE: Micros = 800 * MS;
/// Users come this often, through each resolver, for each group.
const USERS_EVERY: Micros = 500 * MS;

impl World {
    /// Users come through every resolver.
    pub(super) fn users_tick(&mut self) {
        self.queue.put(self.now + USERS_EVERY, Event::UsersTick);
        let cluster = std::sync::Arc::clone(&self.in_force.1);
        for place in 0..RESOLVERS {
            for group in cluster.groups.keys() {
                if let Some(to) = self.resolve(place, group) {
                    self.arrive(group, to);
                }
            }
        }
    }

    /// Where a resolver sends users of a group.
    fn resolve(&mut self, place: usize, group: &GroupName) -> Option<usize> {
        if let Some(to) = self.resolvers[place].fresh(group, self.now) {
            return Some(to);
        }
        for _ in 0..self.nodes.len() {
            let server = self.resolvers[place].server;
            match self.dns_says(server, group) {
                Some(Answer::Plane(to, keeps)) => {
                    self.ask_oracles(|oracle, _| oracle.answered(server, group, Some(to)));
                    if self.resolvers[place].keep(group, to, self.now + keeps) {
                        self.trace.digest.word(((place as u64) << 8) | to as u64);
                        let plane = &self.cluster.planes[to].name;
                        self.watch.users(self.now, group, plane);
                    }
                    return Some(to);
                }
                Some(Answer::Empty) => {
                    self.ask_oracles(|oracle, _| oracle.answered(server, group, None));
                    return None;
                }
                Some(Answer::Unknown) | None => {
                    self.resolvers[place].server = (server + 1) % self.nodes.len();
                }
            }
        }
        let stale = self.resolvers[place].stale(group);
        if stale.is_some() {
            self.see(Class::StaleAnswer);
        }
        stale
    }

    fn dns_says(&mut self, server: usize, group: &GroupName) -> Option<Answer> {
        if self.nodes[server].pause.is_some() || self.ways.is_shut(server, Outsider::Resolvers) {
            return None;
        }
        // What comes later than a resolver waits is as good as lost.
        self.passes(server, Outsider::Resolvers).filter(|passage| passage.late < PATIENCE)?;
        let node = &self.nodes[server];
        node.view.as_ref().map(|view| answer(view, group))
    }

    /// A user arrives at a plane.
    fn arrive(&mut self, group: &GroupName, to: usize) {
        if !self.planes.serves(group, to) {
            self.see(Class::UserLost);
        }
        let mut moved = self.gateways.iter().filter_map(|gateway| gateway.plane(group));
        if moved.any(|plane| self.cluster.plane_index(plane) != Some(to)) {
            self.see(Class::ResidualTraffic);
        }
    }

    /// Where every resolver that asks one of these nodes sends users of a group, be its answer old, if it ever had one.
    pub fn sent(&self, group: &GroupName, servers: &[usize]) -> Vec<usize> {
        let asks = self.resolvers.iter().filter(|resolver| servers.contains(&resolver.server));
        asks.filter_map(|r| r.fresh(group, self.now).or_else(|| r.stale(group))).collect()
    }

    /// Where every resolver that asks one of these nodes sends users of a group, if it keeps an answer.
    pub fn users(&self, group: &GroupName, servers: &[usize]) -> Vec<usize> {
        let asks = self.resolvers.iter().filter(|resolver| servers.contains(&resolver.server));
        asks.filter_map(|resolver| resolver.fresh(group, self.now)).collect()
    }
}
