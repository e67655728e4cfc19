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

    /// Bytes that entries take in memory.
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

    /// Whether this member was in touch with a quorum of late. A leader: it heard from a majority, itself
    /// included, within the shortest election timeout. Others: they know a leader.
    pub fn quorum_recently_active(&self) -> bool {
        if !self.is_leader() {
            return self.leader().is_some();
        }
        let voters = self.raw.raft.prs().conf().voters().ids();
        let (mut all, mut active) = (0, 0);
        for id in voters.iter() {
            all += 1;
            active += usize::from(id == self.settings.id.0 || self.heard_lately(id));
        }
        active > all / 2
    }

    /// Read rounds that wait for a quorum; a leader's only.
    pub fn reads_under_way(&self) -> usize {
        self.raw.raft.read_only.pending_read_count()
    }

    /// Steps that wait for the disk, and messages that raft holds back behind them.
    pub fn waiting(&self) -> (usize, usize) {
        (self.halves.len(), self.raw.raft.msgs.len())
    }

    /// Whether a message of this member came within the shortest election timeout.
    pub(super) fn heard_lately(&self, id: u64) -> bool {
        let span = u64::try_from(self.settings.election_min_ticks).unwrap_or(u64::MAX);
        self.heard.get(&id).is_some_and(|at| self.ticks - at <= span)
    }
}
