//! The hard guards: what must hold for an automatic switch, from replicated state alone. Every node checks
//! them when it applies a decision; the leader checks them before it proposes one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::{Budget, Mode, OutWhen, Policy};
use super::sum::PlaneSum;
use crate::kernel::domain::{LedgerTime, PlaneName};
use crate::kernel::mutants::{self, Mutant};

/// What is known of a group when a decision is due.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The group's policy.
    pub policy: &'a Policy,
    /// When its source counts as out.
    pub out_when: OutWhen,
    /// The plane that serves it.
    pub source: PlaneSum,
    /// The other plane.
    pub target: PlaneSum,
    /// Its name.
    pub target_name: PlaneName,
    /// Ledger time.
    pub now: LedgerTime,
    /// When the route last changed; absent while it never has.
    pub changed_at: Option<LedgerTime>,
    /// When automatic switchovers of this group were decided, oldest first.
    pub automatic: &'a [LedgerTime],
    /// Why the group is frozen, if it is.
    pub frozen: Option<&'a str>,
    /// Why the target is drained, if it is.
    pub target_drained: Option<&'a str>,
    /// Whether the target flapped too often.
    pub target_unstable: bool,
    /// Whether a switchover of the group is under way.
    pub in_flight: bool,
    /// At how many sites observers stand, members among them.
    pub member_sites: usize,
    /// Whether the ballots against the source come from two sites, one of them not the target's.
    pub two_sites_voted: bool,
    /// Whether a person was asked and approved, before the question whose ballots these are.
    pub approved: bool,
}

impl Facts<'_> {
    /// Whether a person stands for the move: what only bars Biplane from moving by itself does not bar it.
    const fn by_a_person(&self) -> bool {
        matches!(self.policy.mode, Mode::Ask) && self.approved
    }
}

/// Why an automatic switch is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// A switchover of the group is under way.
    InFlight,
    /// Too few observers can say anything of the source.
    NoData,
    /// Observers see the source differently: a path is broken, not the plane.
    Partial,
    /// The source is degraded, and the policy does not count that as out.
    Degraded,
    /// Fewer critical services are down than the group demands.
    NotEnoughDown,
    /// Both planes are bad: switching would not help.
    BothDown,
    /// The target is not known to be good; the text says what is missing.
    TargetNotGood(String),
    /// The target is drained; the text says why.
    TargetDrained(String),
    /// The target flapped too often.
    TargetUnstable,
    /// The group is frozen; the text says why.
    Frozen(String),
    /// The last change of the route was too short a time ago.
    Dwell {
        /// Milliseconds of ledger time that are left.
        left_ms: u64,
    },
    /// The budget of automatic switchovers is used up.
    Budget {
        /// How many there were in the window.
        used: u32,
        /// Milliseconds of ledger time until the oldest of them leaves it.
        left_ms: u64,
    },
    /// The members stand at fewer than three sites: automation is off.
    TooFewSites,
    /// The ballots against the source come from one site, or from the target's only.
    OneSiteVoted,
    /// The group is only observed.
    Observed,
    /// The group asks a person first.
    Asks,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight => f.write_str("a switchover of this group is under way"),
            Self::NoData => f.write_str("too few observers can see the active plane"),
            Self::Partial => {
                f.write_str("observers disagree about the active plane: a path is broken")
            }
            Self::Degraded => f.write_str("the active plane is degraded, not out"),
            Self::NotEnoughDown => {
                f.write_str("fewer critical services are down than the group demands")
            }
            Self::BothDown => f.write_str("both planes are bad: switching cannot help"),
            Self::TargetNotGood(what) => write!(f, "the target is not known to be good: {what}"),
            Self::TargetDrained(why) => write!(f, "the target is drained: {why}"),
            Self::TargetUnstable => f.write_str("the target flapped too often: unstable"),
            Self::Frozen(why) => write!(f, "the group is frozen: {why}"),
            Self::Dwell { left_ms } => {
                write!(f, "dwell: {} left since the last change", Span(*left_ms))
            }
            Self::Budget { used, left_ms } => {
                let left = Span(*left_ms);
                write!(f, "budget: {used} automatic switchovers used, {left} until one is free")
            }
            Self::TooFewSites => {
                f.write_str("automation is off: observers stand at fewer than three sites")
            }
            Self::OneSiteVoted => {
                f.write_str("the ballots against the active plane do not come from two sites")
            }
            Self::Observed => f.write_str("the group is only observed"),
            Self::Asks => f.write_str("the group asks a person first"),
        }
    }
}

/// Milliseconds in the largest unit that still tells ten of them apart.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms @ 0..10_000 => write!(f, "{ms} ms"),
            ms @ 10_000..600_000 => write!(f, "{} s", ms.div_ceil(1_000)),
            ms => write!(f, "{} min", ms.div_ceil(60_000)),
        }
    }
}

impl Hold {
    /// What would have to be true for this hold to go.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::InFlight => "the switchover under way ends",
            Self::NoData | Self::Partial => "a majority of the configured observers agree",
            Self::Degraded => "a critical service is down, or the policy says degraded_is_out",
            Self::NotEnoughDown => "more critical services are down (out_when)",
            Self::BothDown | Self::TargetNotGood(_) => {
                "a majority of observers see every critical service up on the target"
            }
            Self::TargetDrained(_) => "the drain is lifted",
            Self::TargetUnstable => "the target is calm for the flap window",
            Self::Frozen(_) => "the group is thawed",
            Self::Dwell { .. } => "the dwell time passes, or an operator switches",
            Self::Budget { .. } => "the budget's window moves on, or an operator switches",
            Self::TooFewSites => "observers stand at three sites or more",
            Self::OneSiteVoted => "observers of a second site (not only the target's) see it too",
            Self::Observed => "the group's mode is ask or auto",
            Self::Asks => "a person approves (`biplane pending`), or the group's mode is auto",
        }
    }
}

/// Everything that speaks against moving the group now by itself; empty when nothing does. The order is that
/// of importance: people read the first.
pub fn holds(facts: &Facts<'_>) -> Vec<Hold> {
    let mut holds = Vec::new();
    holds.extend(source_holds(facts));
    holds.extend(target_holds(facts));
    if !facts.by_a_person() {
        holds.extend(own_holds(facts));
    }
    if facts.in_flight {
        holds.push(Hold::InFlight);
    }
    match facts.policy.mode {
        Mode::Auto => {}
        Mode::Ask if facts.approved => {}
        Mode::Ask => holds.push(Hold::Asks),
        Mode::Observe => holds.push(Hold::Observed),
    }
    holds
}

/// What bars Biplane from moving the group by itself, whatever the planes are like.
fn own_holds(facts: &Facts<'_>) -> Vec<Hold> {
    let mut holds = Vec::new();
    if let Some(why) = facts.frozen
        && !mutants::active(Mutant::M38FreezeIgnored)
    {
        holds.push(Hold::Frozen(why.to_owned()));
    }
    holds.extend(dwell(facts));
    holds.extend(budget(facts));
    if facts.member_sites < 3 {
        holds.push(Hold::TooFewSites);
    } else if !facts.two_sites_voted {
        holds.push(Hold::OneSiteVoted);
    }
    holds
}

/// Why the source does not count as out; nothing when it does.
pub(super) fn source_holds(facts: &Facts<'_>) -> Option<Hold> {
    let source = &facts.source;
    if source.out(facts.out_when, facts.policy.degraded_is_out) {
        return None;
    }
    Some(if source.partial > 0 {
        Hold::Partial
    } else if source.no_data > 0 || source.critical == 0 {
        Hold::NoData
    } else if source.degraded > 0 {
        Hold::Degraded
    } else {
        Hold::NotEnoughDown
    })
}

/// Why the target cannot be one; nothing when it can.
pub(super) fn target_holds(facts: &Facts<'_>) -> Vec<Hold> {
    let mut holds = Vec::new();
    let target = &facts.target;
    if !target.good() {
        if target.down > 0 {
            holds.push(Hold::BothDown);
        } else {
            holds.push(Hold::TargetNotGood(target.words()));
        }
    }
    if let Some(why) = facts.target_drained {
        holds.push(Hold::TargetDrained(why.to_owned()));
    }
    if facts.target_unstable {
        holds.push(Hold::TargetUnstable);
    }
    holds
}

fn dwell(facts: &Facts<'_>) -> Option<Hold> {
    if mutants::active(Mutant::M34NoDwell) {
        return None;
    }
    let left_ms = facts.dwell_left_ms();
    (left_ms > 0).then_some(Hold::Dwell { left_ms })
}

impl Facts<'_> {
    /// Milliseconds of ledger time that are left of the dwell.
    pub fn dwell_left_ms(&self) -> u64 {
        self.changed_at.map_or(0, |at| left_until(self.now, at, self.policy.dwell))
    }

    /// Milliseconds of ledger time until the budget has room; zero while it has, or when there is none.
    pub fn budget_left_ms(&self) -> u64 {
        let Some(budget) = self.policy.budget else { return 0 };
        if self.used(budget) < budget.switches {
            return 0;
        }
        let left = |at: &LedgerTime| left_until(self.now, *at, budget.window);
        self.automatic.iter().map(left).find(|left| *left > 0).unwrap_or(0)
    }

    /// How many automatic switchovers count against a budget now.
    pub fn used(&self, budget: Budget) -> u32 {
        let counts = |at: &&LedgerTime| left_until(self.now, **at, budget.window) > 0;
        u32::try_from(self.automatic.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }
}

fn budget(facts: &Facts<'_>) -> Option<Hold> {
    let budget = facts.policy.budget?;
    let used = facts.used(budget);
    (used >= budget.switches).then(|| Hold::Budget { used, left_ms: facts.budget_left_ms() })
}

fn left_until(now: LedgerTime, from: LedgerTime, span: Duration) -> u64 {
    (from + span).0.saturating_sub(now.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_a_unit_that_people_read() {
        let spans = [1, 9_999, 10_001, 57_626, 600_000, 86_400_000].map(|ms| Span(ms).to_string());
        assert_eq!(spans, ["1 ms", "9999 ms", "11 s", "58 s", "10 min", "1440 min"]);
    }
}
