//! The same crash tests over both stores, and what the file store does with foreign and garbled files.

use std::fs;

use bytes::Bytes;

use super::*;
use crate::kernel::consensus::{HardState, LogEntry, Membership, SnapshotRecord};
use crate::kernel::domain::{Incarnation, MemberId};

fn identity() -> Identity {
    Identity { cluster: "test".to_owned(), member: MemberId(1) }
}

/// Deterministic draws for the workload.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A disk under test: it writes through a store, loses power, and is opened again.
trait Disk {
    fn open(&self) -> Result<Box<dyn Store>, StoreError>;
    /// Makes one of the next writes fail; false when this disk never does.
    fn crash_soon(&self, draws: &mut Draws);
    fn power_cycle(&self);
}

impl Disk for SimDisk {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(RedbStore::open_backend(self.clone(), &identity())?))
    }

    fn crash_soon(&self, draws: &mut Draws) {
        self.crash_after(5 + draws.below(150));
    }

    fn power_cycle(&self) {
        Self::power_cycle(self);
    }
}

impl Disk for ModelStore {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn crash_soon(&self, _: &mut Draws) {}

    fn power_cycle(&self) {}
}

fn next_batch(draws: &mut Draws, now: &Recovered, number: u64) -> PersistBatch {
    let last = now.entries.last().map_or_else(
        || now.snapshot.as_ref().map_or(0, |snapshot| snapshot.index),
        |entry| entry.index,
    );
    let commit = now.hard_state.commit;
    let mut batch = PersistBatch { number, ..PersistBatch::default() };
    if draws.below(8) == 0 && commit > 2 {
        let index = commit;
        batch.snapshot = Some(SnapshotRecord {
            index,
            term: 1,
            membership: Membership { voters: vec![1, 2, 3], ..Membership::default() },
            data: Bytes::from(vec![7; usize::try_from(draws.below(5000)).unwrap()]),
        });
        batch.first_index = Some(index.saturating_sub(2).max(1));
        return batch;
    }
    let back = draws.below(3).min(last.saturating_sub(commit));
    let first = last + 1 - back;
    batch.entries = (0..1 + draws.below(6))
        .map(|n| LogEntry {
            index: first + n,
            term: number,
            kind: 0,
            data: Bytes::from(vec![
                u8::try_from(number % 251).unwrap();
                usize::try_from(draws.below(3000)).unwrap()
            ]),
            context: Bytes::new(),
        })
        .collect();
    let commit = commit.max(first - 1);
    batch.hard_state = Some(HardState { term: number, vote: draws.below(4), commit });
    batch
}

fn after(now: &Recovered, batch: &PersistBatch) -> Recovered {
    let mut model = ModelStore::new();
    let whole = PersistBatch {
        number: 1,
        snapshot: now.snapshot.clone(),
        entries: now.entries.clone(),
        hard_state: Some(now.hard_state),
        ..PersistBatch::default()
    };
    model.persist(&whole).expect("the model never fails");
    model.persist(batch).expect("the model never fails");
    Recovered { incarnation: now.incarnation, ..model.durable() }
}

/// Writes until the power goes, many times over. What was acknowledged is there; the one write under way may be.
fn survive(disk: &dyn Disk, seed: u64, rounds: u64) -> Result<(), String> {
    let mut draws = Draws(seed);
    let mut held = Recovered::default();
    let mut number = 0;
    for round in 0..rounds {
        let mut store = disk.open().map_err(|e| format!("seed {seed} round {round}: {e}"))?;
        let found = store.recover().map_err(|e| format!("seed {seed} round {round}: {e}"))?;
        if found.incarnation <= held.incarnation {
            return Err(format!("seed {seed}: the incarnation did not grow"));
        }
        held.incarnation = found.incarnation;
        if found != held {
            return Err(format!(
                "seed {seed} round {round}: found {} entries",
                found.entries.len()
            ));
        }
        disk.crash_soon(&mut draws);
        for _ in 0..30 {
            number += 1;
            let batch = next_batch(&mut draws, &held, number);
            let next = after(&held, &batch);
            if store.persist(&batch).is_ok() {
                held = next;
                continue;
            }
            drop(store);
            disk.power_cycle();
            let mut store = disk.open().map_err(|e| format!("seed {seed} after a crash: {e}"))?;
            let found = store.recover().map_err(|e| format!("seed {seed} after a crash: {e}"))?;
            let same = |of: &Recovered| Recovered { incarnation: found.incarnation, ..of.clone() };
            if found == same(&next) {
                held = next;
            } else if found != same(&held) {
                return Err(format!("seed {seed}: an acknowledged write is gone or garbled"));
            }
            held.incarnation = Incarnation(found.incarnation.0);
            break;
        }
    }
    Ok(())
}

#[test]
fn both_stores_keep_what_they_acknowledged() {
    let mut counts = DiskCounts::default();
    for seed in 0..40 {
        survive(&ModelStore::new(), seed, 10).unwrap();
        let disk = SimDisk::new(seed);
        survive(&disk, seed, 10).unwrap();
        counts.torn_pages += disk.counts().torn_pages;
        counts.lost_tails += disk.counts().lost_tails;
    }
    assert!(counts.torn_pages > 0 && counts.lost_tails > 0, "{counts:?}");
}

#[test]
fn a_sync_that_lies_is_noticed_by_these_tests() {
    let caught = (0..20).filter(|seed| {
        let disk = SimDisk::new(*seed);
        disk.set_faults(DiskFaults { lying_syncs: 300, ..DiskFaults::default() });
        survive(&disk, *seed, 10).is_err()
    });
    assert!(caught.count() > 15);
}

#[test]
fn a_failed_sync_is_an_error_and_loses_nothing_acknowledged() {
    let mut failed = 0;
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let mut store = RedbStore::open_backend(disk.clone(), &identity()).unwrap();
        store.recover().unwrap();
        disk.set_faults(DiskFaults { failed_syncs: 100, ..DiskFaults::default() });
        let mut held = Recovered::default();
        for number in 1..50 {
            let batch = next_batch(&mut Draws(seed + number), &held, number);
            if store.persist(&batch).is_err() {
                break;
            }
            held = after(&held, &batch);
        }
        failed += disk.counts().failed_syncs;
        drop(store);
        disk.set_faults(DiskFaults::default());
        disk.power_cycle();
        let mut store = RedbStore::open_backend(disk, &identity()).unwrap();
        let found = store.recover().unwrap();
        assert!(found.entries.len() >= held.entries.len().saturating_sub(6), "seed {seed}");
        assert!(found.hard_state.term >= held.hard_state.term, "seed {seed}");
    }
    assert!(failed > 0);
}

#[test]
fn a_flipped_bit_is_harmless_or_refused_and_never_silent() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut refused = 0;
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let mut held = Recovered::default();
        let mut store = RedbStore::open_backend(disk.clone(), &identity()).unwrap();
        store.recover().unwrap();
        for number in 1..20 {
            let batch = next_batch(&mut Draws(number), &held, number);
            store.persist(&batch).unwrap();
            held = after(&held, &batch);
        }
        drop(store);
        disk.power_cycle();
        disk.rot();
        let found = RedbStore::open_backend(disk, &identity()).and_then(|mut s| s.recover());
        match found {
            Ok(found) => assert_eq!(
                Recovered { incarnation: held.incarnation, ..found },
                held,
                "seed {seed}: wrong data without a word"
            ),
            Err(_) => refused += 1,
        }
    }
    let _ = std::panic::take_hook();
    assert!(refused > 0);
}

#[test]
fn a_file_reopens_with_what_was_written_and_a_higher_incarnation() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(BIRTH_TOKEN_FILE), "token").unwrap();
    let mut store = open_dir(dir.path(), &identity()).unwrap();
    assert!(!dir.path().join(BIRTH_TOKEN_FILE).exists(), "the token is spent");
    let first = store.recover().unwrap();
    let batch = next_batch(&mut Draws(1), &first, 1);
    store.persist(&batch).unwrap();
    assert!(matches!(open_dir(dir.path(), &identity()), Err(StoreError::InUse)));
    drop(store);
    let found = open_dir(dir.path(), &identity()).unwrap().recover().unwrap();
    assert_eq!(found.entries, batch.entries);
    assert!(found.incarnation > first.incarnation);
}

#[test]
fn a_directory_without_store_and_token_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let refused = open_dir(dir.path(), &identity()).unwrap_err();
    assert!(matches!(refused, StoreError::NoBirth(_)));
    assert!(refused.to_string().contains("must not vote again"));
}

#[test]
fn a_foreign_a_garbled_and_a_cut_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(STORE_FILE);
    let mut store = RedbStore::open_file(&path, &identity()).unwrap();
    let recovered = store.recover().unwrap();
    store.persist(&next_batch(&mut Draws(1), &recovered, 1)).unwrap();
    drop(store);
    let other = Identity { member: MemberId(2), ..identity() };
    let refused = RedbStore::open_file(&path, &other).unwrap_err();
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
    std::panic::set_hook(Box::new(|_| {}));
    let bytes = fs::read(&path).unwrap();
    for len in [1, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..len]).unwrap();
        let found = RedbStore::open_file(&path, &identity()).and_then(|mut s| s.recover());
        assert!(found.is_err(), "cut to {len} bytes");
    }
    fs::write(&path, vec![0x5a; 20_000]).unwrap();
    let refused = RedbStore::open_file(&path, &identity()).unwrap_err();
    let _ = std::panic::take_hook();
    assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
}
