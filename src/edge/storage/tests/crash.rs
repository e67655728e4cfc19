//! Power goes in the middle of a write: what was acknowledged is there, and nothing that was never ordered.

use super::super::*;
use super::workload::{Draws, after, identity, next_batch, same};

/// A disk under test: it writes through a store, loses power, and is opened again.
trait Disk {
    fn open(&self) -> Result<Box<dyn Store>, StoreError>;
    /// Makes one of the next writes fail.
    fn crash_soon(&self, draws: &mut Draws);
    fn power_cycle(&self);
}

impl Disk for SimDisk {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(RedbStore::open_backend(self.clone(), &identity())?))
    }

    fn crash_soon(&self, draws: &mut Draws) {
        self.crash_after(draws.below(100));
    }

    fn power_cycle(&self) {
        Self::power_cycle(self);
    }
}

impl Disk for ModelStore {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn crash_soon(&self, draws: &mut Draws) {
        self.crash_after(draws.below(10), draws.below(2) == 0);
    }

    fn power_cycle(&self) {}
}

/// What became of the writes at which power went.
#[derive(Debug, Default)]
struct Fates {
    kept: u64,
    lost: u64,
    /// Starts at which power went, too.
    starts: u64,
}

/// Opens and reads, however often power goes on the way.
fn start(
    disk: &dyn Disk,
    draws: &mut Draws,
    fates: &mut Fates,
) -> Result<(Box<dyn Store>, Recovered), String> {
    for attempt in 0..5 {
        if attempt < 4 && draws.below(3) == 0 {
            disk.crash_soon(draws);
        }
        let opened = disk.open().and_then(|mut store| {
            let found = store.recover()?;
            Ok((store, found))
        });
        match opened {
            Ok((store, found)) => return Ok((store, found)),
            Err(StoreError::Failed(_)) if attempt < 4 => {
                fates.starts += 1;
                disk.power_cycle();
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("it cannot be opened with the power on".to_owned())
}

/// Writes until the power goes, many times over. What was acknowledged is there; the one write under way may be.
fn survive(disk: &dyn Disk, seed: u64, rounds: u64) -> Result<Fates, String> {
    let mut draws = Draws(seed);
    let mut fates = Fates::default();
    let mut held = Recovered::default();
    let mut open: Option<Recovered> = None;
    let mut number = 0;
    for round in 0..rounds {
        let at = |why: String| format!("seed {seed} round {round}: {why}");
        if round == 0 {
            // A birth that is interrupted begins anew; the file under its own name is whole.
            disk.open().map_err(|error| at(error.to_string()))?;
        }
        let (mut store, found) = start(disk, &mut draws, &mut fates).map_err(at)?;
        if found.incarnation <= held.incarnation {
            return Err(at("the incarnation did not grow".to_owned()));
        }
        match open.take() {
            Some(next) if same(&next, &found) => fates.kept += 1,
            Some(_) if same(&held, &found) => fates.lost += 1,
            None if same(&held, &found) => {}
            _ => return Err(at("an acknowledged write is gone or garbled".to_owned())),
        }
        held = found;
        let stays_up = draws.below(8) == 0;
        if !stays_up {
            disk.crash_soon(&mut draws);
        }
        for _ in 0..20 {
            number += 1;
            let batch = next_batch(&mut draws, &held, number);
            let next = after(&held, &batch);
            if store.persist(&batch).is_err() {
                open = Some(next);
                if store.persist(&batch).is_ok() {
                    return Err(at("it went on writing after a failure".to_owned()));
                }
                break;
            }
            held = next;
        }
        drop(store);
        disk.power_cycle();
    }
    Ok(fates)
}

#[test]
fn both_stores_keep_what_they_acknowledged_and_nothing_that_was_not_ordered() {
    for real in [false, true] {
        let mut all = Fates::default();
        let mut counts = DiskCounts::default();
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let fates =
                if real { survive(&disk, seed, 8) } else { survive(&ModelStore::new(), seed, 8) };
            let fates = fates.unwrap();
            all.kept += fates.kept;
            all.lost += fates.lost;
            all.starts += fates.starts;
            counts.torn_pages += disk.counts().torn_pages;
            counts.lost_tails += disk.counts().lost_tails;
        }
        assert!(all.kept > 20 && all.lost > 50, "{all:?}");
        assert!(!real || (all.starts > 50 && counts.torn_pages > 500), "{all:?} {counts:?}");
        assert!(!real || counts.lost_tails > 500, "{counts:?}");
    }
}

#[test]
fn a_crash_run_repeats_itself() {
    let run = || {
        let disk = SimDisk::new(3);
        let fates = survive(&disk, 3, 8).unwrap();
        (format!("{fates:?}"), disk.counts(), disk.operations())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_sync_that_lies_is_noticed_by_these_tests() {
    let caught = (0..20).filter(|seed| {
        let disk = SimDisk::new(*seed);
        disk.set_faults(DiskFaults { lying_syncs: 600, ..DiskFaults::default() });
        survive(&disk, *seed, 10).is_err()
    });
    assert!(caught.count() > 15);
}

/// Writes while the disk fails now and then; the store is opened anew after each failure.
fn fail_now_and_then(seed: u64, break_disk: impl Fn(&SimDisk), mend: impl Fn(&SimDisk)) -> u64 {
    let disk = SimDisk::new(seed);
    let mut draws = Draws(seed);
    let mut held = Recovered::default();
    let mut open: Option<Recovered> = None;
    let (mut failures, mut number) = (0, 0);
    for round in 0..6 {
        mend(&disk);
        let mut store = RedbStore::open_backend(disk.clone(), &identity()).unwrap();
        let found = store.recover().unwrap();
        let kept = open.take().is_some_and(|next| same(&next, &found));
        assert!(kept || same(&held, &found), "seed {seed} round {round}");
        held = found;
        break_disk(&disk);
        for _ in 0..20 {
            number += 1;
            let batch = next_batch(&mut draws, &held, number);
            let next = after(&held, &batch);
            match store.persist(&batch) {
                Ok(()) => held = next,
                Err(error) => {
                    assert!(matches!(error, StoreError::Failed(_)), "seed {seed}: {error}");
                    failures += 1;
                    open = Some(next);
                    break;
                }
            }
        }
        drop(store);
        // Half of the time the process dies alone, and the machine's memory of the file goes on.
        if seed.is_multiple_of(2) {
            mend(&disk);
            disk.power_cycle();
        }
    }
    failures
}

#[test]
fn a_disk_that_fails_is_reported_and_loses_nothing_acknowledged() {
    let mend = |disk: &SimDisk| {
        disk.set_faults(DiskFaults::default());
        disk.fail_reads(0);
    };
    let ways: [fn(&SimDisk); 3] = [
        |disk| disk.set_faults(DiskFaults { failed_syncs: 100, ..DiskFaults::default() }),
        |disk| disk.set_faults(DiskFaults { failed_writes: 30, ..DiskFaults::default() }),
        |disk| disk.fail_reads(100),
    ];
    for (way, break_disk) in ways.into_iter().enumerate() {
        let failures: u64 = (0..30).map(|seed| fail_now_and_then(seed, break_disk, mend)).sum();
        // Reads come from memory as a rule, so only some of them meet the disk.
        assert!(failures > 60 || way == 2, "way {way}: {failures}");
    }
}
