//! Gateways, as those who follow routes: what each says that it follows, and what that means for a verification.
//!
//! A gateway's word is an outsider's: its token may be misused, names can be made up, a process can be broken. So it may
//! hold up `done` for a while and raise alarms, and it never moves users back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Controller, GatewayHeard, GatewayReport, limits};
use crate::kernel::domain::{Epoch, GatewayName, GroupName};

/// That a gateway follows older routes than those in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Behind {
    /// Of how many groups.
    groups: usize,
    /// The group whose route it is furthest behind.
    worst: GroupName,
    follows: Epoch,
    current: Epoch,
}

/// How gateways follow the route of one switchover.
#[derive(Default)]
pub(super) struct Followers<'a> {
    /// How many show the new epoch.
    pub(super) showing: usize,
    /// Who shows an older one and was heard in time: the name, and what it shows.
    pub(super) behind: Vec<(&'a GatewayName, Epoch)>,
    /// Who shows an older one and has fallen silent.
    pub(super) silent: Vec<&'a GatewayName>,
}

impl Followers<'_> {
    /// Who does not follow, in words, the first so many by name.
    pub(super) fn missing(&self) -> Vec<String> {
        let names = self.behind.iter().map(|(name, _)| *name).chain(self.silent.iter().copied());
        let mut missing: Vec<String> =
            names.take(limits::CONVERGING_NAMED).map(|name| format!("gateway {name}")).collect();
        let more = (self.behind.len() + self.silent.len()).saturating_sub(missing.len());
        if more > 0 {
            missing.push(format!("{more} more gateways"));
        }
        missing
    }

    /// How many are heard and behind, and who is furthest; empty when nobody is.
    pub(super) fn worst(&self) -> Option<String> {
        let (name, epoch) = self.behind.iter().min_by_key(|(_, epoch)| *epoch)?;
        Some(match self.behind.len() {
            1 => format!("gateway {name} stays behind, at epoch {epoch}"),
            count => format!("{count} gateways stay behind, furthest {name} at epoch {epoch}"),
        })
    }
}

impl Controller {
    /// How far a gateway is behind when it says this.
    pub(super) fn behind(&self, report: &GatewayReport) -> Option<Behind> {
        let mut found: Option<Behind> = None;
        for (group, follows) in &report.groups {
            let Some(route) = self.ledger.routes().get(group) else { continue };
            if *follows >= route.epoch {
                continue;
            }
            let (groups, worst) = found.map_or((0, None), |old| (old.groups, Some(old)));
            let (worst, follows, current) = match worst {
                Some(old) if lag(old.follows, old.current) >= lag(*follows, route.epoch) => {
                    (old.worst, old.follows, old.current)
                }
                _ => (group.clone(), *follows, route.epoch),
            };
            found = Some(Behind { groups: groups + 1, worst, follows, current });
        }
        found
    }

    /// That a gateway is heard and is behind, in words.
    pub(super) fn behind_in_words(
        &self,
        name: &GatewayName,
        heard: &GatewayHeard,
    ) -> Option<String> {
        let Behind { groups, worst, follows, current } = heard.behind.as_ref()?;
        let whose = if *groups == 1 { String::new() } else { format!(" of {groups} groups") };
        let silent = self.now.since(heard.at) > limits::GATEWAY_LOST;
        (!silent).then(|| {
            format!(
                "gateway {name} follows older routes{whose}, of {worst} that of epoch {follows} instead of {current}: \
                 its users may still be on the old plane; see its log, and start it again"
            )
        })
    }

    /// How gateways follow a group's route of this epoch; who carries nothing of the group is not asked.
    pub(super) fn followers(
        &self,
        group: &GroupName,
        epoch: Epoch,
        in_time: Duration,
    ) -> Followers<'_> {
        let mut followers = Followers::default();
        for (name, heard) in &self.gateways {
            match heard.report.groups.get(group) {
                None => {}
                Some(shown) if *shown >= epoch => followers.showing += 1,
                Some(_) if self.now.since(heard.at) >= in_time => followers.silent.push(name),
                Some(shown) => followers.behind.push((name, *shown)),
            }
        }
        followers
    }
}

/// By how much an epoch is older than another.
const fn lag(follows: Epoch, current: Epoch) -> (u32, u64) {
    let generations = current.generation.saturating_sub(follows.generation);
    (generations, current.counter.saturating_sub(follows.counter))
}
