//! Actions are carried out on the world.

use std::collections::BTreeSet;

use super::{Event, World};
use crate::sim::action::{Action, Ways, Who};
use crate::sim::counts::Class;
use crate::sim::network::Weather;
use crate::sim::plane::ServiceState;
use crate::sim::queue::Micros;
use crate::sim::trace::Note;
use crate::sim::world::node::Pause;

impl World {
    /// Whom an action strikes now.
    pub fn who(&self, who: Who) -> Vec<usize> {
        let leader = self.leader();
        match who {
            Who::Node(node) => vec![node.min(self.nodes.len() - 1)],
            Who::Leader => vec![leader.unwrap_or(0)],
            Who::Follower => {
                (0..self.nodes.len()).filter(|node| Some(*node) != leader).take(1).collect()
            }
            Who::All => (0..self.nodes.len()).collect(),
        }
    }

    /// Does it now.
    pub fn act(&mut self, action: Action) {
        self.note(Note::Fault(format!("{action:?}")));
        self.draw_action(&action);
        let calm = action == Action::Calm;
        match action {
            Action::Plane { plane, service, state } => self.set_plane(plane, service, state),
            Action::CutOff { who, ways } => self.each(who, |w, node| w.cut_off(node, ways)),
            Action::Cut { from, to, one_way } => {
                self.network.cut(from, to, true);
                if one_way {
                    self.see(Class::OneWayCut);
                } else {
                    self.network.cut(to, from, true);
                    self.see(Class::Partition);
                }
            }
            Action::Heal => {
                self.network.heal();
                self.planes.open_all();
                self.shut.iter_mut().for_each(BTreeSet::clear);
                self.note_truth();
            }
            Action::Blind { who, plane, on } => {
                self.see(Class::BlindObserver);
                self.each(who, |w, node| w.planes.cut(node, plane, on));
                self.note_truth();
            }
            Action::Room { plane, groups } => {
                self.planes.set_room(plane, groups);
                self.carry_traffic();
                self.note_truth();
            }
            Action::CutApi { who, from, on } => {
                if on {
                    self.see(Class::OutsiderShutOut);
                }
                self.each(who, |w, node| {
                    if on {
                        w.shut[node].insert(from);
                    } else {
                        w.shut[node].remove(&from);
                    }
                });
            }
            Action::HoldVotes(by) => self.network.votes_held = by,
            Action::HoldAnswers(by) => self.network.answers_held = by,
            Action::Gateway(up) => {
                if up && !self.gateway.up {
                    self.gateway.restart();
                }
                self.gateway.up = up;
            }
            Action::Ask { who, wish } => self.each(who, |w, node| w.wish(node, wish.clone())),
            Action::Calm => self.calm(),
            on_a_node => self.act_on_node(on_a_node),
        }
        self.draw_truth(calm);
    }

    fn act_on_node(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Crash { who, down: Some(down) } => self.each(who, |w, n| w.crash_for(n, down)),
            Action::Crash { who, down: None } => self.each(who, Self::crash),
            Action::Start(who) => self.each(who, Self::start),
            Action::Doom { who, doom, down } => {
                self.each(who, |w, node| w.nodes[node].doom = Some((doom, down)));
            }
            Action::Pause { who, span, after_read } => {
                self.each(who, |w, node| w.pause(node, span, after_read));
            }
            Action::ClockRate { who, ppm } => {
                self.each(who, |w, node| w.nodes[node].clock.set_rate(now, ppm));
            }
            Action::WallStep { who, by_ms } => {
                self.see(Class::WallStep);
                self.each(who, |w, node| w.nodes[node].clock.step_wall(by_ms));
            }
            Action::DiskStall { who, span } => {
                self.each(who, |w, node| w.nodes[node].disk.stall(now, span));
            }
            Action::DiskFail { who, mended } => self.each(who, |w, node| {
                w.nodes[node].disk.fail();
                w.act_at(now + mended, Action::Crash { who: Who::Node(node), down: Some(mended) });
            }),
            Action::DiskFull { who, mended } => self.each(who, |w, node| {
                w.see(Class::FullDisk);
                w.nodes[node].disk.fill();
                w.act_at(now + mended, Action::Crash { who: Who::Node(node), down: Some(mended) });
            }),
            Action::DiskRots(who) => self.each(who, |w, node| {
                if w.nodes[node].disk.rot() {
                    w.nodes[node].rotten = true;
                    w.see(Class::RottenDisk);
                }
            }),
            Action::DiskLie { who, syncs } => {
                self.each(who, |w, node| w.nodes[node].disk.lie(syncs));
            }
            _ => {}
        }
    }

    fn each(&mut self, who: Who, mut act: impl FnMut(&mut Self, usize)) {
        for node in self.who(who) {
            act(self, node);
        }
    }

    fn set_plane(&mut self, plane: usize, service: Option<usize>, state: ServiceState) {
        self.planes.set(plane, service, state);
        if state == ServiceState::Lies {
            self.see(Class::LyingPlane);
        }
        if state != ServiceState::Up {
            self.see(if service.is_some() { Class::SickService } else { Class::SickPlane });
        }
        let sick =
            |plane| self.cluster.groups.keys().any(|group| !self.planes.serves(group, plane));
        if sick(0) && sick(1) {
            self.see(Class::BothPlanesSick);
        }
        self.note_truth();
    }

    fn cut_off(&mut self, node: usize, ways: Ways) {
        for other in 0..self.nodes.len() {
            if ways != Ways::In {
                self.network.cut(node, other, true);
            }
            if ways != Ways::Out {
                self.network.cut(other, node, true);
            }
        }
        self.see(if ways == Ways::Both { Class::Partition } else { Class::OneWayCut });
    }

    fn pause(&mut self, node: usize, span: Micros, after_read: bool) {
        let now = self.now;
        let place = &mut self.nodes[node];
        if !place.lives() || place.pause.is_some() {
            return;
        }
        let until = now + span;
        let waiting = std::collections::VecDeque::new();
        place.pause = Some(Pause { until, after_read, held: None, waiting });
        let life = place.life;
        self.see(Class::Pause);
        self.draw(|picture, at| picture.paused(at, node));
        self.queue.put(until, Event::Resume { node, life });
    }

    /// Faults end where they are not part of the world's state.
    fn calm(&mut self) {
        self.network.weather = Weather::FAIR;
        self.network.votes_held = 0;
        self.network.answers_held = 0;
        self.params.probe_loss = 0;
        for node in &mut self.nodes {
            node.disk.pace = crate::sim::disk::Pace::FAIR;
            node.doom = None;
        }
        self.note_truth();
    }
}
