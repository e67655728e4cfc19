//! Who takes part in consensus, and the rhythm.

use raft::{Config, ReadOnlyOption};
use serde::{Deserialize, Serialize};

use super::limits;
use crate::kernel::domain::MemberId;
use crate::kernel::mutants::{self, Mutant};

/// Who takes part, and the rhythm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsensusSettings {
    /// This member.
    pub id: MemberId,
    /// Who votes while there is no snapshot that says so.
    pub voters: Vec<u64>,
    /// Spreads election timeouts.
    pub seed: u64,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_ticks: usize,
    /// Shortest election timeout in ticks.
    pub election_min_ticks: usize,
    /// Longest, exclusive.
    pub election_max_ticks: usize,
}

/// Why consensus cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsensusError {
    /// The store contradicts itself.
    #[error(
        "the store contradicts itself: {0}. Leave this member stopped and keep its data directory for an \
             inquiry; the other two go on without it"
    )]
    Store(String),
    /// The settings do.
    #[error("consensus refuses its settings: {0}")]
    Settings(String),
}

impl ConsensusSettings {
    /// Raft's configuration. Safe reads always: the other kind served stale ones to cut off clients.
    pub(super) fn raft_config(&self, applied: u64) -> Result<Config, ConsensusError> {
        let mut distinct = self.voters.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != self.voters.len() || distinct.len() > limits::MEMBERS {
            let why = format!("the voters {:?} must be distinct and few", self.voters);
            return Err(ConsensusError::Settings(why));
        }
        let config = Config {
            id: self.id.0,
            election_tick: self.election_min_ticks,
            heartbeat_tick: self.heartbeat_ticks,
            min_election_tick: self.election_min_ticks,
            max_election_tick: self.election_max_ticks,
            applied,
            max_size_per_msg: limits::MESSAGE_BYTES,
            max_inflight_msgs: limits::INFLIGHT_MESSAGES,
            max_uncommitted_size: limits::UNCOMMITTED_BYTES,
            max_committed_size_per_ready: limits::COMMITTED_BYTES,
            check_quorum: true,
            pre_vote: true,
            priority: 0,
            read_only_option: if mutants::active(Mutant::M11LeaseReads) {
                ReadOnlyOption::LeaseBased
            } else {
                ReadOnlyOption::Safe
            },
            ..Config::default()
        };
        config.validate().map_err(|error| ConsensusError::Settings(error.to_string()))?;
        Ok(config)
    }
}
