//! What each guard said of a group at one moment, as values: kept in the record of a switchover that was decided then.

use serde::{Deserialize, Serialize};

/// The guards of a group. Spans are milliseconds of ledger time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// The rules that were in force.
    pub ruleset: u32,
    /// The number of the configuration that was.
    pub config: u64,
    /// Who decides: `ask`, `auto`, `observe`.
    pub mode: String,
    /// Whether a person was asked and had approved.
    pub approved: bool,
    /// The group's critical services on the plane that served it, in words.
    pub source: String,
    /// Whether that plane counted as out.
    pub source_out: bool,
    /// The same services on the other plane, in words.
    pub target: String,
    /// Whether every one of them was up there.
    pub target_good: bool,
    /// Why the other plane was drained, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<String>,
    /// Whether it had flapped too often.
    pub unstable: bool,
    /// Why the group was frozen, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// The dwell of the policy.
    pub dwell_ms: u64,
    /// What was left of it.
    pub dwell_left_ms: u64,
    /// How many automatic switchovers the budget allows in its window; absent without a budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u32>,
    /// That window.
    pub budget_window_ms: u64,
    /// How many were used in it.
    pub budget_used: u32,
    /// Until one was free again; zero while one was.
    pub budget_left_ms: u64,
    /// Whether another switchover of the group was under way.
    pub in_flight: bool,
    /// At how many sites observers stood.
    pub sites: u64,
    /// Whether the words against the source came from two sites, one of them not the target's.
    pub two_sites_voted: bool,
}
