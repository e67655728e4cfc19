//! What others may see of consensus: reads, no steps.

use raft::StateRole;

use super::Consensus;
use crate::kernel::domain::MemberId;

impl Consensus {
    /// Whether this member leads.
    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// The leader, if one is known.
    pub fn leader(&self) -> Option<MemberId> {
        Some(self.raw.raft.leader_id).filter(|id| *id != 0).map(MemberId)
    }

    /// Raft term.
    pub fn term(&self) -> u64 {
        self.raw.raft.term
    }

    /// Index of the last entry.
    pub fn last_index(&self) -> u64 {
        self.raw.raft.raft_log.last_index()
    }

    /// The commit index.
    pub fn commit(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    /// Bytes of entries in memory.
    pub fn log_bytes(&self) -> usize {
        self.raw.store().bytes()
    }

    /// Entries, and bytes of them, that compacting at `index` would let go of while `tail` entries stay.
    pub fn reclaimable(&self, index: u64, tail: u64) -> (usize, usize) {
        self.raw.store().below(self.raw.store().keep_from(index, tail))
    }

    /// Entries in memory.
    pub fn log_entries(&self) -> usize {
        self.raw.store().len()
    }

    /// Batches that were ordered and are not durable.
    pub const fn pending_persists(&self) -> u64 {
        self.batches - self.durable
    }

    /// Whether this member was in touch with a quorum of late: it leads (raft's quorum check makes a leader
    /// that is cut off step down), or it knows a leader.
    pub fn quorum_recently_active(&self) -> bool {
        self.leader().is_some()
    }
}
