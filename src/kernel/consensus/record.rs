//! What consensus asks of a disk: own records, with no protobuf in them.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::kernel::domain::Incarnation;

/// Raft's term, vote and commit index (Raft paper, figure 2: persistent state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    /// The latest term this member has seen.
    pub term: u64,
    /// Whom it voted for in that term; 0 for nobody.
    pub vote: u64,
    /// Highest index known to be committed.
    pub commit: u64,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Position, from 1.
    pub index: u64,
    /// Term of the leader that made it.
    pub term: u64,
    /// 0 for commands; 1 and 2 for Raft's own membership changes.
    pub kind: u8,
    /// The command bytes; empty in a new leader's first entry.
    pub data: Bytes,
    /// Raft's context field; empty in this version.
    pub context: Bytes,
}

/// Who votes, as of a snapshot. Compared by meaning, never by bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Voters.
    pub voters: Vec<u64>,
    /// Members that receive the log and do not vote.
    pub learners: Vec<u64>,
    /// Voters of the outgoing configuration while a joint one is in force.
    pub voters_outgoing: Vec<u64>,
    /// Voters that become learners when the joint configuration ends.
    pub learners_next: Vec<u64>,
    /// Whether the joint configuration ends by itself.
    pub auto_leave: bool,
}

impl Membership {
    /// Whether both mean the same: raft keeps members in sets, whose order means nothing.
    pub fn same_as(&self, other: &Self) -> bool {
        let Self { voters, learners, voters_outgoing, learners_next, auto_leave } = other;
        let same = |mine: &[u64], theirs: &[u64]| {
            mine.iter().collect::<BTreeSet<_>>() == theirs.iter().collect::<BTreeSet<_>>()
        };
        same(&self.voters, voters)
            && same(&self.learners, learners)
            && same(&self.voters_outgoing, voters_outgoing)
            && same(&self.learners_next, learners_next)
            && self.auto_leave == *auto_leave
    }
}

/// The applied state at an index: what a log below it may be forgotten for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Index of the last entry in the state.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// Who voted then.
    pub membership: Membership,
    /// The state, opaque here.
    pub data: Bytes,
}

/// One atomic, durable write. A store carries out the fields in the order in which they stand here, in one
/// transaction, and answers with `number` once it is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistBatch {
    /// Echoed by the receipt; grows by one with each batch of a process.
    pub number: u64,
    /// Replaces the stored snapshot.
    pub snapshot: Option<SnapshotRecord>,
    /// Forget the whole log first (a snapshot from the leader replaces it).
    pub reset_log: bool,
    /// Forget entries below this index.
    pub first_index: Option<u64>,
    /// Entries to append; what is stored at or after the first of them is forgotten.
    pub entries: Vec<LogEntry>,
    /// Replaces the stored hard state.
    pub hard_state: Option<HardState>,
}

impl PersistBatch {
    /// Whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.snapshot.is_none()
            && !self.reset_log
            && self.first_index.is_none()
            && self.entries.is_empty()
            && self.hard_state.is_none()
    }

    /// Bytes of payload, for limits and metrics.
    pub fn payload_bytes(&self) -> usize {
        let entries: usize = self.entries.iter().map(|entry| entry.data.len()).sum();
        entries + self.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len())
    }
}

/// What a store holds when a process starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Of this start: already raised, durably.
    pub incarnation: Incarnation,
    /// The last hard state; default in a fresh store.
    pub hard_state: HardState,
    /// The last snapshot.
    pub snapshot: Option<SnapshotRecord>,
    /// The log above the snapshot, without gaps.
    pub entries: Vec<LogEntry>,
}

impl Recovered {
    /// Index and term at which the snapshot ends; zeros where there is none.
    pub fn floor(&self) -> (u64, u64) {
        self.snapshot.as_ref().map_or((0, 0), |snapshot| (snapshot.index, snapshot.term))
    }

    /// Checks what raft takes for granted of a log: no gap, terms that never fall, a commit index within it. The
    /// error says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let floor = self.floor();
        let first = self.entries.first().map_or(floor.0 + 1, |entry| entry.index);
        if first == 0 {
            return Err("the log has an entry 0".to_owned());
        }
        if first > floor.0 + 1 {
            return Err(format!("entries {} to {} are missing", floor.0 + 1, first - 1));
        }
        let mut last = (first - 1, 0);
        for entry in &self.entries {
            if entry.index != last.0 + 1 {
                return Err(format!("the log has a gap before entry {}", entry.index));
            }
            if entry.term < last.1 || entry.term == 0 {
                return Err(format!("the term falls at entry {}", entry.index));
            }
            if entry.kind != 0 {
                return Err(format!(
                    "entry {} changes the membership, which this version cannot follow",
                    entry.index
                ));
            }
            if entry.index == floor.0 && entry.term != floor.1 {
                return Err(format!("snapshot and log differ at entry {}", entry.index));
            }
            last = (entry.index, entry.term);
        }
        let end = if last.0 < floor.0 { floor } else { last };
        self.check_hard_state(floor.0, end)
    }

    fn check_hard_state(&self, floor: u64, end: (u64, u64)) -> Result<(), String> {
        let HardState { term, vote: _, commit } = self.hard_state;
        if commit > end.0 {
            return Err(format!("entry {commit} was committed, and the log ends at {}", end.0));
        }
        if commit < floor {
            return Err(format!("the snapshot ends at {floor}, and only {commit} was committed"));
        }
        if term < end.1 {
            return Err(format!("the term is {term}, and the log has reached {}", end.1));
        }
        Ok(())
    }
}
