//! Actions are carried out on the world.

use super::{Event, World};
use crate::kernel::controller::Input;
use crate::sim::action::{Action, Who};
use crate::sim::counts::Class;
use crate::sim::network::Weather;
use crate::sim::plane::ServiceState;
use crate::sim::queue::{MS, Micros};
use crate::sim::trace::Note;
use crate::sim::world::node::Pause;

/// A process that was asked to stop ends after so long.
const STOPS_WITHIN: Micros = 300 * MS;

impl World {
    /// Whom an action strikes now.
    pub fn who(&self, who: Who) -> Vec<usize> {
        let leader = self.leader();
        match who {
            Who::Node(node) => vec![node.min(self.nodes.len() - 1)],
            Who::Observer(nth) => {
                (self.nodes.len()..self.nodes.len() + self.beside.len()).skip(nth).take(1).collect()
            }
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
        if let Some(why) = self.idles(&action) {
            self.in_vain.push((action.clone(), why));
        }
        let calm = action == Action::Calm;
        match action {
            Action::Plane { plane, service, state } => self.set_plane(plane, service, state),
            Action::CutOff { .. }
            | Action::Cut { .. }
            | Action::Heal
            | Action::Blind { .. }
            | Action::CutApi { .. } => self.act_on_ways(action),
            Action::RoughSight { who, plane, lost, late } => {
                if lost > 0 || late > 0 {
                    self.see(Class::RoughSight);
                }
                self.each(who, |w, place| w.planes.roughen(place, plane, lost, late));
                self.note_truth();
            }
            Action::Room { plane, groups } => {
                self.planes.set_room(plane, groups);
                self.carry_traffic();
                self.note_truth();
            }
            Action::RoughApi { who, from, rough } => {
                self.each_node(who, |w, node| w.ways.roughen(node, from, rough));
            }
            Action::Hold { frames, by } => {
                self.kinds.0.extend((by > 0).then_some(Action::Hold { frames, by }));
                self.network.hold(frames, by);
            }
            Action::Lose { frames, lost } => {
                self.kinds.0.extend((lost > 0).then_some(Action::Lose { frames, lost }));
                self.network.lose(frames, lost);
            }
            Action::Double { frames, twice, within } => {
                let doubled = Action::Double { frames, twice, within };
                self.kinds.0.extend((twice > 0).then_some(doubled));
                self.network.double(frames, twice, within);
            }
            Action::Gateway { which, up } => {
                if let Some(gateway) = self.gateways.get_mut(which) {
                    if up && !gateway.up {
                        gateway.restart();
                    }
                    gateway.up = up;
                }
            }
            Action::Ask { who, wish } => self.each_node(who, |w, node| w.wish(node, wish.clone())),
            Action::Calm => self.calm(),
            on_a_node => self.act_on_node(on_a_node),
        }
        self.draw_truth(calm);
    }

    fn act_on_node(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Crash { who, down } => self.each(who, |w, place| w.kill(place, down)),
            Action::Start(who) => self.each(who, Self::start_at),
            Action::Doom { who, doom, down } => {
                self.each_node(who, |w, node| w.nodes[node].doom = Some((doom, down)));
            }
            Action::Pause { who, span, after_read } => {
                self.each_node(who, |w, node| w.pause(node, span, after_read));
            }
            Action::Suspend { who, span } => self.each_node(who, |w, node| w.suspend(node, span)),
            Action::Retire { who, down } => self.each_node(who, |w, node| w.retire(node, down)),
            Action::ClockRate { who, ppm } => {
                self.book.worst_ppm = self.book.worst_ppm.max(ppm.unsigned_abs());
                self.each(who, |w, place| match w.nth_beside(place) {
                    Some(nth) => w.beside[nth].clock.set_rate(now, ppm),
                    None => w.nodes[place].set_rate(now, ppm),
                })
            }
            Action::WallStep { who, by_ms } => {
                self.see(Class::WallStep);
                self.each(who, |w, place| match w.nth_beside(place) {
                    Some(nth) => w.beside[nth].clock.step_wall(by_ms),
                    None => w.nodes[place].clock.step_wall(by_ms),
                });
            }
            Action::DiskStall { who, span } => {
                self.each_node(who, |w, node| w.nodes[node].disk.stall(now, span));
            }
            Action::DiskFail { who, mended } => self.each_node(who, |w, node| {
                w.nodes[node].disk.fail();
                w.ends(node, mended, mended);
            }),
            Action::DiskFull { who, mended } => self.each_node(who, |w, node| {
                w.see(Class::FullDisk);
                w.nodes[node].disk.fill();
                w.ends(node, mended, mended);
            }),
            Action::DiskRots(who) => self.each_node(who, |w, node| {
                if w.nodes[node].disk.rot() {
                    w.nodes[node].rotten = true;
                    w.see(Class::RottenDisk);
                }
            }),
            Action::DiskLie { who, syncs } => {
                self.each_node(who, |w, node| w.nodes[node].disk.lie(syncs));
            }
            _ => {}
        }
    }

    /// Kills a process, and has it started again after a time, if one is given.
    fn kill(&mut self, place: usize, down: Option<Micros>) {
        match (self.nth_beside(place), down) {
            (Some(nth), Some(down)) => self.crash_beside_for(nth, down),
            (Some(nth), None) => self.crash_beside(nth),
            (None, Some(down)) => self.crash_for(place, down),
            (None, None) => self.crash(place),
        }
    }

    pub(super) fn each_node(&mut self, who: Who, act: impl FnMut(&mut Self, usize)) {
        // An observer has no API and no log: what is about those is not for it.
        if !matches!(who, Who::Observer(_)) {
            self.each(who, act);
        }
    }

    pub(super) fn each(&mut self, who: Who, mut act: impl FnMut(&mut Self, usize)) {
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
            |plane| self.in_force.1.groups.keys().any(|group| !self.planes.serves(group, plane));
        if sick(0) && sick(1) {
            self.see(Class::BothPlanesSick);
        }
        self.note_truth();
    }

    fn pause(&mut self, node: usize, span: Micros, after_read: bool) {
        let now = self.now;
        let place = &mut self.nodes[node];
        if !place.lives() || place.pause.is_some() {
            return;
        }
        let until = now + span;
        if after_read {
            // What it does when it goes on it does by a clock that was read before.
            self.book.sleeps.push((now, until));
        }
        let waiting = std::collections::VecDeque::new();
        place.pause = Some(Pause { until, after_read, rate: None, held: None, waiting });
        let life = place.life;
        self.see(Class::Pause);
        self.draw(|picture, at| picture.paused(at, node));
        self.queue.put(until, Event::Resume { node, life });
    }

    /// A machine sleeps: its process stands still, and the clock that the process reads does too.
    fn suspend(&mut self, node: usize, span: Micros) {
        if self.nodes[node].lives() && self.nodes[node].pause.is_none() {
            self.pause(node, span, false);
            let now = self.now;
            let node = &mut self.nodes[node];
            if let Some(pause) = &mut node.pause {
                pause.rate = Some(node.clock.stop(now));
            }
            self.book.sleeps.push((now, now + span));
            self.see(Class::Suspend);
        }
    }

    /// A process is asked to stop: a leader hands over, and all end a little later.
    fn retire(&mut self, node: usize, down: Micros) {
        if self.nodes[node].lives() && self.nodes[node].pause.is_none() {
            self.see(Class::CleanStop);
            self.feed(node, Input::Stopping);
            self.ends(node, STOPS_WITHIN, down);
        }
    }

    /// This process ends after a time, if it is there then, and its machine starts another one later.
    fn ends(&mut self, node: usize, after: Micros, down: Micros) {
        let life = self.nodes[node].life;
        self.queue.put(self.now + after, Event::Ends { node, life, down });
    }

    /// Faults end where they are not part of the world's state.
    fn calm(&mut self) {
        self.network.weather = Weather::FAIR;
        self.network.spare_kinds();
        self.ways.smooth_all();
        self.planes.smooth_all();
        self.params.probe_loss = 0;
        for node in &mut self.nodes {
            node.disk.pace = crate::sim::disk::Pace::FAIR;
        }
        self.spare();
        self.note_truth();
    }
}
