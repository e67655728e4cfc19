//! What was done and struck nobody: whoever wrote it meant something else.

use super::World;
use crate::sim::action::{Action, Rough, Who};

impl World {
    /// Why an action that is about to be done changes nothing; nothing when it does change something.
    pub(super) fn idles(&self, action: &Action) -> Option<&'static str> {
        let all = |who: Who, is: &dyn Fn(usize) -> bool| self.who(who).into_iter().all(is);
        let dead = |place: usize| !self.lives_at(place);
        let stands = |place: usize| {
            self.nodes.get(place).is_some_and(|node| !node.lives() || node.pause.is_some())
        };
        match action {
            Action::Crash { who, .. }
            | Action::Doom { who, .. }
            | Action::DiskFail { who, .. }
            | Action::DiskFull { who, .. }
                if all(*who, &dead) =>
            {
                Some("it was dead")
            }
            Action::Pause { who, .. }
            | Action::Suspend { who, .. }
            | Action::Retire { who, .. }
                if all(*who, &stands) =>
            {
                Some("it was dead, or stood still")
            }
            Action::Start(who) if all(*who, &|place| self.lives_at(place)) => Some("it ran"),
            Action::Heal
                if !self.network.any_cut() && !self.planes.any_cut() && !self.ways.any_shut() =>
            {
                Some("nothing was cut")
            }
            Action::Blind { who, plane, on: false, .. }
                if all(*who, &|place| !self.planes.is_cut(place, *plane)) =>
            {
                Some("that way was open")
            }
            Action::CutApi { who, from, on: false, .. }
                if all(*who, &|node| !self.ways.is_shut(node, *from)) =>
            {
                Some("that way was open")
            }
            Action::RoughSight { who, plane, lost: 0, late: 0 }
                if all(*who, &|place| self.planes.roughness(place, *plane) == (0, 0)) =>
            {
                Some("that way was smooth")
            }
            Action::RoughApi { who, from, rough }
                if *rough == Rough::default()
                    && all(*who, &|node| !self.ways.is_rough(node, *from)) =>
            {
                Some("that way was smooth")
            }
            Action::Gateway { which, up } => {
                let same = self.gateways.get(*which).is_some_and(|gateway| gateway.up == *up);
                same.then_some(if *up { "it was up" } else { "it was down" })
            }
            _ => None,
        }
    }

    /// What was done in vain, each with the reason.
    pub fn in_vain(&self) -> &[(Action, &'static str)] {
        &self.in_vain
    }

    /// Nobody is doomed any more: whoever still was has outlived it.
    pub(super) fn spare(&mut self) {
        for place in 0..self.nodes.len() {
            if let Some((doom, down)) = self.nodes[place].doom.take() {
                let action = Action::Doom { who: Who::Node(place), doom, down };
                self.in_vain.push((action, "that moment never came"));
            }
        }
    }

    /// The run is over: moments that never came, and kinds of frame that never travelled.
    pub(super) fn tell_in_vain(&mut self) {
        self.spare();
        let (asked, befallen) = std::mem::take(&mut self.kinds);
        let idle = asked.into_iter().filter(|action| match action {
            Action::Hold { frames, .. }
            | Action::Lose { frames, .. }
            | Action::Double { frames, .. } => !befallen.contains(frames),
            _ => false,
        });
        self.in_vain.extend(idle.map(|action| (action, "no such frame travelled")));
    }
}
