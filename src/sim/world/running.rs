//! Events happen.

use std::sync::Arc;

use super::{Event, World};
use crate::kernel::controller::View;
use crate::sim::action::Outsider;
use crate::sim::queue::Micros;

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        let quorums = matches!(
            event,
            Event::Act(_) | Event::Lift(_) | Event::Start { .. } | Event::Resume { .. }
        );
        self.carry_on(event);
        if quorums {
            self.note_quorums();
        }
    }

    fn carry_on(&mut self, event: Event) {
        match event {
            Event::Wake { node, life } if self.runs(node, life) => match self.nth_beside(node) {
                Some(nth) => self.woken_beside(nth),
                None => self.woken(node),
            },
            Event::Deliver { from, to, frame } => self.deliver(from, to, frame),
            Event::Local { node, life, input } if self.runs(node, life) => self.feed(node, *input),
            Event::Stored { node, life } if self.runs(node, life) => self.stored(node),
            Event::Probed { node, life, probe } if self.runs(node, life) => {
                self.probed(node, probe);
            }
            Event::DnsAsked { from, life, to, effect, name } => {
                self.dns_asked(from, life, to, effect, &name);
            }
            Event::Resume { node, life } if self.runs(node, life) => self.resume(node),
            Event::Ends { node, life, down } if self.runs(node, life) => self.crash_for(node, down),
            Event::Start { node, life } if self.life_at(node) == life => self.start_at(node),
            Event::WallClock { node, life } if self.runs(node, life) => {
                match self.nth_beside(node) {
                    Some(nth) => self.tell_wall_beside(nth),
                    None => self.tell_wall(node),
                }
            }
            Event::GatewayTick { which } => self.gateway_tick(which),
            Event::UsersTick => self.users_tick(),
            Event::GatewayTake { which, from, view } => self.gateway_take(which, from, &view),
            Event::ClientAsks { op, node } => self.client_asks(op, node),
            // An answer that is on its way when the way is shut does not arrive.
            Event::ClientHears { node, .. } if self.ways.is_shut(node, Outsider::Clients) => {}
            Event::ClientHears { op, heard, .. } => self.client_hears(op, heard),
            Event::ClientGivesUp { op, tries } => self.client_gives_up(op, tries),
            Event::Act(action) => self.act(action),
            Event::Lift(cut) => self.lift(cut),
            // For a process that is no more.
            Event::Wake { .. }
            | Event::Local { .. }
            | Event::Stored { .. }
            | Event::Probed { .. }
            | Event::Resume { .. }
            | Event::Start { .. }
            | Event::Ends { .. }
            | Event::WallClock { .. } => {}
        }
    }

    fn runs(&self, place: usize, life: u32) -> bool {
        self.life_at(place) == life && self.lives_at(place)
    }

    /// Starts the process at a place.
    pub(super) fn start_at(&mut self, place: usize) {
        match self.nth_beside(place) {
            Some(nth) => self.start_beside(nth),
            None => self.start(place),
        }
    }

    /// Who leads, by the highest term.
    pub fn leader(&self) -> Option<usize> {
        let leads = |place: &usize| {
            let controller = self.nodes[*place].controller.as_ref()?;
            controller.is_leader().then(|| (controller.term(), *place))
        };
        (0..self.nodes.len()).filter_map(|place| leads(&place)).max().map(|(_, place)| place)
    }

    /// What a node shows, if it lives.
    pub fn view(&self, node: usize) -> Option<&Arc<View>> {
        self.nodes[node].view.as_ref()
    }

    /// Whether a node's process lives.
    pub fn lives(&self, node: usize) -> bool {
        self.nodes[node].lives()
    }

    /// The views of nodes that live and reach another one that does, both ways; of these only, where some have come to rest.
    pub(super) fn healthy(&self, of: Option<&[usize]>) -> Vec<Arc<View>> {
        let well = |node: usize| {
            let node = &self.nodes[node];
            node.lives() && node.pause.is_none() && !node.disk_failed
        };
        let linked = |a: usize, b: usize| {
            a != b && well(b) && !self.network.is_cut(a, b) && !self.network.is_cut(b, a)
        };
        (0..self.nodes.len())
            .filter(|a| of.is_none_or(|of| of.contains(a)))
            .filter(|a| well(*a) && (0..self.nodes.len()).any(|b| linked(*a, b)))
            .filter_map(|a| self.nodes[a].view.clone())
            .collect()
    }

    /// Since when what has been bad, as the oracles may know.
    pub(super) fn note_truth(&mut self) {
        let now: Micros = self.now;
        for group in self.in_force.1.groups.keys() {
            for plane in 0..2 {
                for (service, bad) in self.planes.bad(group, plane) {
                    let key = (group.clone(), plane, service);
                    if bad {
                        self.book.bad_since.entry(key).or_insert(now);
                    } else {
                        self.book.bad_since.remove(&key);
                    }
                }
            }
        }
        if !self.planes.all_well() {
            self.book.well_since = None;
        } else if self.book.well_since.is_none() {
            self.book.well_since = Some(now);
        }
    }
}
