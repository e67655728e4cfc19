//! What people ask in a drawn run, and where. Drawn beforehand, so that each request is a line of the schedule and can
//! be left out of it.

use super::{HEALED_AT, Plan};
use crate::kernel::domain::GroupName;
use crate::kernel::ledger::{Cluster, Mode};
use crate::sim::action::{Action, Who};
use crate::sim::client::Wish;
use crate::sim::cluster::{EXTRA, OTHERS, group};
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::rng::Rng;

/// The first request.
const FROM: u64 = SECOND;

impl Plan {
    /// Draws requests until a quorum is healed. `operator`: they also switch, freeze, drain and configure.
    pub(super) fn draw_requests(&mut self, rng: &mut Rng, operator: bool) {
        let every = rng.between(100 * MS, 800 * MS);
        let cluster = std::sync::Arc::clone(&self.cluster);
        let groups: Vec<&GroupName> = cluster.groups.keys().collect();
        let asks = cluster.groups.values().any(|group| group.policy.mode == Mode::Ask);
        let mut at = FROM;
        while at < HEALED_AT {
            let who = Who::Node(rng.place(self.nodes()));
            let wish = wish(rng, &cluster, &groups, operator, asks);
            self.put(at, Action::Ask { who, wish });
            at += every / 2 + rng.below(every);
        }
    }

    /// A group that there always is.
    fn one_group(&self) -> GroupName {
        let last = self.cluster.groups.keys().next_back();
        last.expect("a cluster file without a group is refused").clone()
    }

    /// A few switches that are on their way when their answers will be lost: whoever asked asks again elsewhere, and they
    /// must not be done twice.
    pub(super) fn ask_before_silence(&mut self, rng: &mut Rng, until: Micros, who: Who) {
        for _ in 0..2 {
            let wish = Wish::Switch { group: self.one_group(), to: None, forced: rng.chance(700) };
            self.put(until - rng.between(3 * MS, 60 * MS), Action::Ask { who, wish });
        }
    }

    /// Asks a leader that was just cut off: it must not answer, nor move anything. Then, when others may have elected
    /// another one and the old one does not know yet, asks all: what the new one was told, the old one must not deny.
    pub(super) fn ask_the_cut_off(&mut self, rng: &mut Rng, from: Micros, end: Micros) {
        let group = self.one_group();
        let wish = *rng.pick(&[None, Some(false), Some(true)]);
        let wish = wish.map_or(Wish::Read, |forced| Wish::Switch { group, to: None, forced });
        self.put(from + rng.between(MS, 50 * MS), Action::Ask { who: Who::Leader, wish });
        let election =
            u64::try_from(self.cluster.timing.election_max.as_micros()).unwrap_or(SECOND);
        for _ in 0..3 {
            let at = from + rng.between(election * 3 / 4, election * 2);
            if at > end {
                continue;
            }
            let plane = self.cluster.planes[rng.place(2)].name.clone();
            let lift = Wish::Drain { plane, on: false };
            self.put(at, Action::Ask { who: Who::All, wish: lift });
            let at = at + rng.between(50 * MS, 200 * MS);
            self.put(at, Action::Ask { who: Who::All, wish: Wish::Read });
        }
    }
}

fn wish(
    rng: &mut Rng,
    cluster: &Cluster,
    groups: &[&GroupName],
    operator: bool,
    asks: bool,
) -> Wish {
    let draw = if operator { rng.below(100) } else { 0 };
    // Where people decide, somebody also answers.
    if asks && (50..70).contains(&draw) {
        return Wish::Answer { approve: rng.chance(700) };
    }
    // One that there is with a certain configuration only.
    let extra = operator && rng.chance(60);
    let group = if extra { group(EXTRA) } else { groups[rng.place(groups.len())].clone() };
    let plane = cluster.planes[rng.place(2)].name.clone();
    let on = rng.chance(400);
    match draw {
        0..70 => Wish::Read,
        70..86 => {
            let to = rng.chance(500).then_some(plane);
            Wish::Switch { group, to, forced: rng.chance(250) }
        }
        86..94 => Wish::Freeze { groups: vec![group], on },
        94..96 => Wish::Drain { plane, on },
        96..98 => Wish::Answer { approve: !on },
        _ => Wish::Configure(rng.below(OTHERS)),
    }
}
