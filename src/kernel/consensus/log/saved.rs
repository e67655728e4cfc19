//! The log in memory as plain data, and back.

use serde::{Deserialize, Serialize};

use super::{MemoryLog, from_entry, to_entry};
use crate::kernel::consensus::record::{HardState, LogEntry, Membership, SnapshotRecord};

/// Everything that a [`MemoryLog`] holds.
#[derive(Serialize, Deserialize)]
pub(in crate::kernel::consensus) struct SavedLog {
    hard_state: HardState,
    membership: Membership,
    snapshot: Option<SnapshotRecord>,
    before: (u64, u64),
    entries: Vec<LogEntry>,
}

impl MemoryLog {
    pub(in crate::kernel::consensus) fn save(&self) -> SavedLog {
        let Self { hard_state, membership, snapshot, before, entries, bytes: _ } = self;
        SavedLog {
            hard_state: *hard_state,
            membership: membership.clone(),
            snapshot: snapshot.clone(),
            before: *before,
            entries: entries.iter().map(from_entry).collect(),
        }
    }

    pub(in crate::kernel::consensus) fn resume(saved: SavedLog) -> Result<Self, String> {
        let SavedLog { hard_state, membership, snapshot, before, entries } = saved;
        let mut log = Self {
            hard_state,
            membership,
            snapshot,
            before,
            entries: std::collections::VecDeque::with_capacity(entries.len()),
            bytes: 0,
        };
        for entry in &entries {
            if entry.index != log.last().0 + 1 {
                return Err(format!("the log has a gap before entry {}", entry.index));
            }
            log.push(to_entry(entry)?);
        }
        Ok(log)
    }
}
