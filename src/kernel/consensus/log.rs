//! The log since the last snapshot, in memory: raft reads it synchronously, the disk is read at boot only.

mod saved;

use std::collections::VecDeque;

use bytes::Bytes;
use raft::eraftpb as pb;
use raft::storage::{GetEntriesContext, RaftState, Storage};
use raft::{Error, StorageError};

use super::limits;
use super::record::{HardState, LogEntry, Membership, Recovered, SnapshotRecord};
pub(super) use saved::SavedLog;

/// Raft's storage.
pub(super) struct MemoryLog {
    hard_state: HardState,
    membership: Membership,
    /// The newest snapshot, for followers that need it.
    snapshot: Option<SnapshotRecord>,
    /// (index, term) of the last entry that is no longer here.
    before: (u64, u64),
    entries: VecDeque<pb::Entry>,
    bytes: usize,
}

impl MemoryLog {
    /// What the disk held. `voters` is used only where there is no snapshot yet.
    pub(super) fn recover(recovered: &Recovered, voters: &[u64]) -> Result<Self, String> {
        recovered.check()?;
        let membership = recovered.snapshot.as_ref().map_or_else(
            || Membership { voters: voters.to_vec(), ..Membership::default() },
            |snapshot| snapshot.membership.clone(),
        );
        let floor = recovered.floor();
        let mut log = Self {
            hard_state: recovered.hard_state,
            membership,
            snapshot: recovered.snapshot.clone(),
            before: floor,
            entries: VecDeque::new(),
            bytes: 0,
        };
        let mut entries = recovered.entries.iter();
        if recovered.entries.last().is_some_and(|last| last.index < floor.0) {
            return Ok(log);
        }
        // Entries kept below the snapshot: the first of them only tells the term before the second.
        if let Some(first) = recovered.entries.first().filter(|first| first.index <= floor.0) {
            log.before = (first.index, first.term);
            entries.next();
        }
        for entry in entries {
            log.push(to_entry(entry)?);
        }
        Ok(log)
    }

    fn push(&mut self, entry: pb::Entry) {
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
    }

    /// (index, term) of the last entry.
    pub(super) fn last(&self) -> (u64, u64) {
        self.entries.back().map_or(self.before, |entry| (entry.index, entry.term))
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    pub(super) const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Appends; what stood at or after the first of them is forgotten.
    pub(super) fn append(&mut self, entries: &[pb::Entry]) {
        let Some(first) = entries.first() else { return };
        assert!(first.index > self.before.0, "what a snapshot holds is never written again");
        assert!(first.index <= self.last().0 + 1, "the log has no gaps");
        while self.entries.back().is_some_and(|last| last.index >= first.index) {
            if let Some(gone) = self.entries.pop_back() {
                self.bytes -= weight(&gone);
            }
        }
        for entry in entries {
            self.push(entry.clone());
        }
    }

    /// A leader's snapshot takes the place of everything.
    pub(super) fn restore(&mut self, snapshot: SnapshotRecord) {
        self.before = (snapshot.index, snapshot.term);
        self.entries.clear();
        self.bytes = 0;
        self.membership = snapshot.membership.clone();
        self.hard_state.commit = self.hard_state.commit.max(snapshot.index);
        self.snapshot = Some(snapshot);
    }

    /// Index of the snapshot; 0 where there is none.
    pub(super) fn snapshot_index(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.index)
    }

    /// The first entry that stays when the log is compacted at `index`: a tail for followers that are a little
    /// behind, at most `tail` entries, bounded in bytes.
    pub(super) fn keep_from(&self, index: u64, tail: u64) -> u64 {
        let mut from = index + 1;
        let mut bytes = 0;
        let older = self.entries.iter().rev().skip_while(|entry| entry.index > index);
        for entry in older.take(usize::try_from(tail).unwrap_or(usize::MAX)) {
            bytes += weight(entry);
            if bytes > limits::TAIL_BYTES {
                break;
            }
            from = entry.index;
        }
        from
    }

    /// Entries below an index, and their bytes.
    pub(super) fn below(&self, index: u64) -> (usize, usize) {
        let older = self.entries.iter().take_while(|entry| entry.index < index);
        older.fold((0, 0), |(entries, bytes), entry| (entries + 1, bytes + weight(entry)))
    }

    /// An own snapshot; entries below `keep_from` are forgotten.
    pub(super) fn compact(&mut self, snapshot: SnapshotRecord, keep_from: u64) {
        while self.entries.front().is_some_and(|entry| entry.index < keep_from) {
            if let Some(gone) = self.entries.pop_front() {
                self.bytes -= weight(&gone);
                self.before = (gone.index, gone.term);
            }
        }
        self.snapshot = Some(snapshot);
    }

    pub(super) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.before.0 {
            return Some(self.before.1);
        }
        let offset = index.checked_sub(self.before.0 + 1)?;
        self.entries.get(usize::try_from(offset).ok()?).map(|entry| entry.term)
    }
}

/// Bytes that an entry takes in memory.
fn weight(entry: &pb::Entry) -> usize {
    size_of::<pb::Entry>() + entry.data.len() + entry.context.len()
}

impl Storage for MemoryLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(to_hard_state(self.hard_state), to_conf_state(&self.membership)))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<pb::Entry>> {
        if low <= self.before.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        if high > self.last().0 + 1 {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let at = |index: u64| usize::try_from(index - self.before.0 - 1).unwrap_or(usize::MAX);
        let mut entries: Vec<pb::Entry> = self.entries.range(at(low)..at(high)).cloned().collect();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.before.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        self.term_at(index).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.before.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().0)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<pb::Snapshot> {
        match &self.snapshot {
            Some(snapshot) if snapshot.index >= request_index => Ok(to_snapshot(snapshot)),
            _ => Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable)),
        }
    }
}

pub(super) fn to_hard_state(state: HardState) -> pb::HardState {
    let HardState { term, vote, commit } = state;
    pb::HardState { term, vote, commit, ..pb::HardState::default() }
}

pub(super) fn to_conf_state(membership: &Membership) -> pb::ConfState {
    let Membership { voters, learners, voters_outgoing, learners_next, auto_leave } = membership;
    pb::ConfState {
        voters: voters.clone(),
        learners: learners.clone(),
        voters_outgoing: voters_outgoing.clone(),
        learners_next: learners_next.clone(),
        auto_leave: *auto_leave,
        ..pb::ConfState::default()
    }
}

pub(super) fn from_conf_state(state: &pb::ConfState) -> Membership {
    let pb::ConfState {
        voters,
        learners,
        voters_outgoing,
        learners_next,
        auto_leave,
        unknown_fields: _,
        cached_size: _,
    } = state;
    Membership {
        voters: voters.clone(),
        learners: learners.clone(),
        voters_outgoing: voters_outgoing.clone(),
        learners_next: learners_next.clone(),
        auto_leave: *auto_leave,
    }
}

pub(super) fn to_snapshot(record: &SnapshotRecord) -> pb::Snapshot {
    let mut snapshot = pb::Snapshot { data: record.data.clone(), ..pb::Snapshot::default() };
    let metadata = snapshot.mut_metadata();
    metadata.index = record.index;
    metadata.term = record.term;
    metadata.set_conf_state(to_conf_state(&record.membership));
    snapshot
}

pub(super) fn from_snapshot(snapshot: &pb::Snapshot) -> SnapshotRecord {
    let metadata = snapshot.get_metadata();
    SnapshotRecord {
        index: metadata.index,
        term: metadata.term,
        membership: from_conf_state(metadata.get_conf_state()),
        data: snapshot.data.clone(),
    }
}

/// Raft's kinds of entries, as numbers.
pub(super) const fn entry_type(kind: u8) -> Option<pb::EntryType> {
    match kind {
        0 => Some(pb::EntryType::EntryNormal),
        1 => Some(pb::EntryType::EntryConfChange),
        2 => Some(pb::EntryType::EntryConfChangeV2),
        _ => None,
    }
}

pub(super) const fn kind_of(entry_type: pb::EntryType) -> u8 {
    match entry_type {
        pb::EntryType::EntryNormal => 0,
        pb::EntryType::EntryConfChange => 1,
        pb::EntryType::EntryConfChangeV2 => 2,
    }
}

pub(super) fn to_entry(entry: &LogEntry) -> Result<pb::Entry, String> {
    let LogEntry { index, term, kind, data, context } = entry;
    let entry_type =
        entry_type(*kind).ok_or_else(|| format!("entry {index} is of unknown kind {kind}"))?;
    Ok(pb::Entry {
        entry_type,
        term: *term,
        index: *index,
        data: data.clone(),
        context: context.clone(),
        ..pb::Entry::default()
    })
}

pub(super) fn from_entry(entry: &pb::Entry) -> LogEntry {
    let pb::Entry {
        entry_type,
        term,
        index,
        data,
        context,
        sync_log: _,
        unknown_fields: _,
        cached_size: _,
    } = entry;
    LogEntry {
        index: *index,
        term: *term,
        kind: kind_of(*entry_type),
        data: Bytes::clone(data),
        context: Bytes::clone(context),
    }
}
