//! What people ask in a drawn run, and where. Drawn beforehand, so that each request is a line of the schedule and can
//! be left out of it.

use super::{HEALED_AT, Plan};
use crate::kernel::domain::GroupName;
use crate::kernel::ledger::{Cluster, Mode};
use crate::sim::action::{Action, Who};
use crate::sim::client::Wish;
use crate::sim::queue::{MS, SECOND};
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
    let group = groups[rng.place(groups.len())].clone();
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
        _ => Wish::Configure(rng.below(4)),
    }
}
