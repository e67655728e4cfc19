//! What each guard says of a group now, as values.

use std::time::Duration;

use super::facts::Evidence;
use super::state::Ledger;
use crate::kernel::domain::GroupName;
use crate::kernel::switchover::Guards;

/// The ruleset from which on the record of a switchover says what each guard said when it was decided.
pub const GUARDS_SINCE: u32 = 3;

impl Ledger {
    /// The guards of a group, from replicated state alone; nothing for an unknown group.
    pub fn guards(&self, group: &GroupName, evidence: Evidence) -> Option<Guards> {
        let facts = self.facts(group, evidence)?;
        let policy = facts.policy;
        Some(Guards {
            ruleset: self.ruleset(),
            config: self.config_version(),
            mode: policy.mode.as_str().to_owned(),
            approved: facts.approved,
            source: facts.source.words(),
            source_out: facts.source.out(facts.out_when, policy.degraded_is_out),
            target: facts.target.words(),
            target_good: facts.target.good(),
            drained: facts.target_drained.map(str::to_owned),
            unstable: facts.target_unstable,
            frozen: facts.frozen.map(str::to_owned),
            dwell_ms: millis(policy.dwell),
            dwell_left_ms: facts.dwell_left_ms(),
            budget: policy.budget.map(|budget| budget.switches),
            budget_window_ms: policy.budget.map_or(0, |budget| millis(budget.window)),
            budget_used: policy.budget.map_or(0, |budget| facts.used(budget)),
            budget_left_ms: facts.budget_left_ms(),
            in_flight: facts.in_flight,
            sites: u64::try_from(facts.member_sites).unwrap_or(u64::MAX),
            two_sites_voted: facts.two_sites_voted,
        })
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
