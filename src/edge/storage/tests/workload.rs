//! Seeded batches such as consensus orders, and what a store must hold after them.

use bytes::Bytes;

use super::super::*;
use crate::kernel::consensus::{HardState, LogEntry, Membership, SnapshotRecord};
use crate::kernel::domain::MemberId;

pub(super) fn identity() -> Identity {
    Identity { cluster: "test".to_owned(), member: MemberId(1), members: members([1, 2, 3]) }
}

pub(super) fn members<const N: usize>(ids: [u64; N]) -> Vec<MemberId> {
    ids.into_iter().map(MemberId).collect()
}

/// Deterministic draws.
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn bytes(&mut self, most: u64) -> Bytes {
        let len = usize::try_from(self.below(most)).unwrap();
        let byte = u8::try_from(self.below(256)).unwrap();
        Bytes::from(vec![byte; len])
    }
}

/// A batch that may follow on `now`: appends (over a tail that was never committed, too), hard states, own
/// snapshots with compaction, a leader's snapshot that replaces the log.
pub(super) fn next_batch(draws: &mut Draws, now: &Recovered, number: u64) -> PersistBatch {
    let floor = now.floor();
    let last = now.entries.last().map_or(floor.0, |entry| entry.index).max(floor.0);
    let commit = now.hard_state.commit;
    let membership = Membership { voters: vec![1, 2, 3], ..Membership::default() };
    let batch = PersistBatch { number, ..PersistBatch::default() };
    let kind = draws.below(16);
    let here = now.entries.iter().find(|entry| entry.index == commit);
    if let (0 | 1, Some(here)) = (kind, here.filter(|here| here.index > floor.0)) {
        let data = draws.bytes(20_000);
        let snapshot = SnapshotRecord { index: commit, term: here.term, membership, data };
        let first_index = Some(commit.saturating_sub(draws.below(4)).max(1));
        return PersistBatch { snapshot: Some(snapshot), first_index, ..batch };
    }
    if kind == 2 {
        let index = last + 1 + draws.below(50);
        let data = draws.bytes(20_000);
        let snapshot = SnapshotRecord { index, term: number, membership, data };
        let entries = entries(draws, index + 1, number, number % 3);
        let hard_state = Some(HardState { term: number, vote: 0, commit: index });
        return PersistBatch {
            snapshot: Some(snapshot),
            reset_log: true,
            entries,
            hard_state,
            ..batch
        };
    }
    if kind == 3 {
        let hard_state = Some(HardState { term: number, vote: draws.below(4), commit: last });
        return PersistBatch { hard_state, ..batch };
    }
    let back = draws.below(3).min(last - commit);
    let first = last + 1 - back;
    let many = 1 + draws.below(6);
    let entries = entries(draws, first, number, many);
    let hard_state = Some(HardState { term: number, vote: draws.below(4), commit: first - 1 });
    PersistBatch { entries, hard_state, ..batch }
}

fn entries(draws: &mut Draws, first: u64, term: u64, many: u64) -> Vec<LogEntry> {
    let entry =
        |index| LogEntry { index, term, kind: 0, data: draws.bytes(3_000), context: Bytes::new() };
    (first..first + many).map(entry).collect()
}

/// What must be there after a batch; written apart from both stores.
pub(super) fn after(now: &Recovered, batch: &PersistBatch) -> Recovered {
    let mut next = now.clone();
    if let Some(snapshot) = &batch.snapshot {
        next.snapshot = Some(snapshot.clone());
    }
    let first = batch.first_index.unwrap_or(0);
    let overwritten = batch.entries.first().map_or(u64::MAX, |entry| entry.index);
    next.entries
        .retain(|entry| !batch.reset_log && entry.index >= first && entry.index < overwritten);
    next.entries.extend(batch.entries.iter().cloned());
    next.hard_state = batch.hard_state.unwrap_or(next.hard_state);
    next.check().expect("the workload orders what consensus might");
    next
}

/// Whether both hold the same, in whichever process.
pub(super) fn same(a: &Recovered, b: &Recovered) -> bool {
    Recovered { incarnation: b.incarnation, ..a.clone() } == *b
}
