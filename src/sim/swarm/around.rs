//! Faults of what is around the members: planes that mislead, outsiders, kinds of frame, observers, sites, settings.

use std::sync::Arc;

use super::{Fault, Plan};
use crate::sim::action::{Action, Frames, Outsider, Rough, Ways, Who};
use crate::sim::client::Wish;
use crate::sim::cluster::OTHERS;
use crate::sim::frame::Kind;
use crate::sim::plane::ServiceState;
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::rng::Rng;
use crate::sim::scenario::Trigger;

/// Longer than any run.
const FOR_GOOD: Micros = 3_600 * SECOND;

/// Whoever is slower than this for good and leads is heard in time to stay the leader, and hears too late to decide anything.
const SLOW_FOR_GOOD: Micros = 400 * MS;

/// What befalls some frames from now on, and what ends it.
fn blow(rng: &mut Rng, frames: Frames, least: u64, latest: Micros) -> (Action, Action) {
    let some = |rng: &mut Rng| u32::try_from(rng.between(least, 1000)).unwrap_or(1000);
    match rng.below(5) {
        0 | 1 => (Action::Lose { frames, lost: some(rng) }, Action::Lose { frames, lost: 0 }),
        2 => {
            let (twice, within) = (some(rng), rng.between(MS, 2 * SECOND));
            let strike = Action::Double { frames, twice, within };
            (strike, Action::Double { frames, twice: 0, within: 0 })
        }
        _ => {
            let by = rng.between(20 * MS, latest);
            (Action::Hold { frames, by }, Action::Hold { frames, by: 0 })
        }
    }
}

impl Plan {
    /// Planes that mislead, and who talks to nodes from outside.
    pub(super) fn strike_outside(
        &mut self,
        rng: &mut Rng,
        kind: Fault,
        (at, end): (Micros, Micros),
        who: Who,
    ) {
        match kind {
            Fault::Lie => {
                let (plane, state) = (rng.place(2), ServiceState::Lies);
                self.put(at, Action::Plane { plane, service: None, state });
                self.put(end, Action::Plane { plane, service: None, state: ServiceState::Up });
            }
            Fault::Overload => {
                let plane = rng.place(2);
                self.put(at, Action::Room { plane, groups: Some(rng.place(2)) });
                self.put(end, Action::Room { plane, groups: None });
            }
            Fault::ShutOut => {
                let from = *rng.pick(&Outsider::ALL);
                if from == Outsider::Clients {
                    self.ask_before_silence(rng, at, who);
                }
                let span = self.until(rng, (at, end));
                self.put(at, Action::CutApi { who, from, on: true, span });
            }
            Fault::Rough => {
                let from = *rng.pick(&Outsider::ALL);
                let some = |rng: &mut Rng| u32::try_from(rng.between(0, 700)).unwrap_or(0);
                let (lost, twice) = (some(rng), if rng.chance(500) { some(rng) } else { 0 });
                let late = rng.small(3 * SECOND);
                let who = if rng.chance(400) { Who::All } else { who };
                self.put(at, Action::RoughApi { who, from, rough: Rough { lost, twice, late } });
                let (who, rough) = (Who::All, Rough::default());
                self.put(end, Action::RoughApi { who, from, rough });
            }
            Fault::Gateway => {
                let which = rng.place(self.params.gateways);
                self.put(at, Action::Gateway { which, up: false });
                self.put(end, Action::Gateway { which, up: true });
            }
            _ => {}
        }
    }

    /// A plane's site is cut off: nobody outside of it sees the plane or hears its members, and they see no other plane.
    pub(super) fn strike_site(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        let cluster = Arc::clone(&self.cluster);
        let plane = rng.place(2);
        let site = &cluster.planes[plane].site;
        let sites = cluster.members.values().map(|member| &member.site);
        let places = sites.chain(cluster.observers.values().map(|observer| &observer.site));
        let inside: Vec<bool> = places.map(|at| at == site).collect();
        let span = self.until(rng, (at, end));
        for (place, within) in inside.iter().enumerate() {
            let who = place.checked_sub(self.nodes()).map_or(Who::Node(place), Who::Observer);
            let blind = if *within { 1 - plane } else { plane };
            self.put(at, Action::Blind { who, plane: blind, on: true, span });
            for (other, _) in inside.iter().enumerate().filter(|(_, other)| *other != within) {
                self.put(at, Action::Cut { from: place, to: other, one_way: true, span });
            }
        }
    }

    /// How many members and observers there are.
    pub(super) fn places(&self) -> usize {
        self.nodes() + self.cluster.observers.len()
    }

    /// One kind of frame is lost, held up or doubled, everywhere or on some links, and all others travel well; or everything on
    /// the links of one.
    pub(super) fn strike_kinds(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        let (kind, _) = *rng.pick(&Kind::ALL);
        let places = self.places();
        let one = |rng: &mut Rng| rng.chance(400).then(|| rng.place(places));
        let frames = if rng.chance(700) {
            Frames { kind: Some(kind), from: one(rng), to: one(rng) }
        } else {
            Frames::of(rng.place(places), rng.chance(500))
        };
        let (strike, spare) = blow(rng, frames, 200, 2 * SECOND);
        self.put(at, strike);
        self.put(end, spare);
    }

    /// Somebody outside the healed quorum is there, and slow, lossy or late, for good.
    pub(super) fn leave_slow(&mut self, rng: &mut Rng, at: Micros, node: usize) {
        let who = Who::Node(node);
        match rng.below(4) {
            0 => self.put(at, Action::DiskStall { who, span: FOR_GOOD }),
            1 => {
                let after_read = rng.chance(500);
                self.put(at, Action::Pause { who, span: FOR_GOOD, after_read });
            }
            both => {
                let directions: &[bool] = if both == 2 { &[true, false] } else { &[true] };
                let first = rng.chance(500);
                for sent in directions {
                    let frames = Frames::of(node, *sent == first);
                    let (strike, _) = blow(rng, frames, 50, SLOW_FOR_GOOD);
                    self.put(at, strike);
                }
            }
        }
    }

    /// An observer beside the members, where there is one.
    pub(super) fn strike_observers(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        if self.cluster.observers.is_empty() {
            return;
        }
        let who = Who::Observer(rng.place(self.cluster.observers.len()));
        match rng.below(4) {
            0 => {
                let ways = *rng.pick(&[Ways::Both, Ways::In, Ways::Out]);
                let span = self.until(rng, (at, end));
                self.put(at, Action::CutOff { who, ways, span });
            }
            1 => {
                let plane = rng.place(2);
                self.strike_sight(rng, (at, end), (who, plane));
            }
            2 => {
                let ppm = i64::try_from(rng.between(0, 8_000)).unwrap_or(0) - 4_000;
                self.put(at, Action::ClockRate { who, ppm });
            }
            _ => self.put(at, Action::Crash { who, down: Some((end - at).max(MS)) }),
        }
    }

    /// A plane dies, and another configuration is applied while it is asked about, decided or moved.
    pub(super) fn strike_settings(&mut self, rng: &mut Rng, (at, end): (Micros, Micros)) {
        self.strike_planes(rng, Fault::Plane, at, end, Who::Leader);
        let ask = |rng: &mut Rng, nodes| {
            let who = Who::Node(rng.place(nodes));
            Action::Ask { who, wish: Wish::Configure(rng.below(OTHERS)) }
        };
        let nodes = self.nodes();
        if self.triggers.len() < 2 {
            let seen = *rng.pick(&[
                Trigger::Question,
                Trigger::Decided,
                Trigger::Decided,
                Trigger::Routed,
                Trigger::Crash,
            ]);
            let action = ask(rng, nodes);
            self.triggers.push((seen, action));
        }
        for _ in 0..2 {
            let action = ask(rng, nodes);
            self.put(at + rng.small(3 * SECOND), action);
        }
    }
}
