//! Trials of somebody's own cluster: what can go wrong with its timers and policies in ordinary weather, though every
//! promise is kept. A trial is a short run with one everyday trouble; a complaint says what its users would; a cure is
//! a setting with which the same seeds have nothing to complain of.

mod complaint;
mod cure;
mod exam;
mod run;
mod setting;
mod weather;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use complaint::Complaint;
pub use exam::{Advice, Exam, Examiner, Finding, Rerun};
pub use setting::{Change, Setting, changes};
pub use weather::ordinary;

use super::queue::{Micros, SECOND};
use super::world::{Params, Violation, World};
use crate::kernel::ledger::{Cluster, Mode};
use run::{Run, struck};

/// The everyday troubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trial {
    /// Nothing but the weather.
    Calm,
    /// A service says nothing for a moment, now and then.
    Hiccup,
    /// A fault follows the traffic from plane to plane.
    Flapping,
    /// A plane dies, is well again, and later the other one dies.
    Outage,
    /// A plane dies, and a person who is asked takes some time.
    Approval,
}

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What went wrong, each once.
    pub complaints: BTreeSet<Complaint>,
    /// What an oracle found, if one did.
    pub violation: Option<Violation>,
    /// What happened, in a few words and in order.
    pub story: Vec<String>,
}

/// Who needs no more than to see a complaint looks this often.
const LOOK: Micros = 5 * SECOND;

impl Trial {
    /// Every trial.
    pub const ALL: [Self; 5] =
        [Self::Calm, Self::Hiccup, Self::Flapping, Self::Outage, Self::Approval];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Hiccup => "hiccup",
            Self::Flapping => "flapping",
            Self::Outage => "outage",
            Self::Approval => "approval",
        }
    }

    /// Why it cannot say anything of a cluster, if that is so.
    pub fn pointless(self, cluster: &Cluster) -> Option<&'static str> {
        let any = |mode| cluster.groups.values().any(|group| group.policy.mode == mode);
        let moves = matches!(self, Self::Flapping | Self::Outage);
        if self == Self::Hiccup && struck(cluster).is_empty() {
            return Some("no group is moved by itself or asks a person to be");
        }
        if moves && !any(Mode::Auto) {
            return Some("no group has mode = \"auto\": none is moved by itself");
        }
        if self == Self::Approval && !any(Mode::Ask) {
            return Some("no group has mode = \"ask\": nobody is asked");
        }
        if moves && cluster.sites().len() < 3 {
            return Some("the members stand at fewer than three sites: none is moved by itself");
        }
        None
    }

    /// Runs it: the same cluster and seed, the same run.
    pub fn run(self, cluster: &Arc<Cluster>, seed: u64) -> Ran {
        self.run_until(cluster, seed, |_| false)
    }

    /// Whether a run has this complaint. It ends as soon as that is certain.
    fn has(self, complaint: &Complaint, cluster: &Arc<Cluster>, seed: u64) -> bool {
        let certain = |now: &BTreeSet<Complaint>| complaint.stays() && now.contains(complaint);
        self.run_until(cluster, seed, certain).complaints.contains(complaint)
    }

    fn run_until(
        self,
        cluster: &Arc<Cluster>,
        seed: u64,
        enough: impl Fn(&BTreeSet<Complaint>) -> bool,
    ) -> Ran {
        let run = Run::new(self, cluster, seed);
        let mut world = World::new(Params {
            cluster: Some(Arc::clone(cluster)),
            weather: weather::NETWORK,
            pace: weather::DISK,
            probe_loss: weather::PROBE_LOSS,
            probe_spread: weather::PROBE_SPREAD,
            replay: false,
            ..Params::fair(seed)
        });
        for (at, action) in &run.actions {
            world.act_at(*at, action.clone());
        }
        while world.now() < run.end && world.violation().is_none() && !enough(&run.judge(&world)) {
            world.run_until(run.end.min(world.now() + LOOK), |_| {});
        }
        world.end(None);
        let mut complaints = run.judge(&world);
        let violation = world.violation().cloned();
        complaints.extend(violation.as_ref().map(|violation| Complaint::Broken(violation.oracle)));
        Ran { complaints, violation, story: world.watch().story(world.cluster()) }
    }
}
