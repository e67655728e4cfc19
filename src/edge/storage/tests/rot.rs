//! Bits change on a disk that lies idle: the store says so, or holds what it held.

use redb::StorageBackend as _;

use super::super::*;
use super::workload::{Draws, after, identity, next_batch, same};

/// A written disk, and what it holds.
fn written(seed: u64, closed: bool) -> (SimDisk, Recovered) {
    let disk = SimDisk::new(seed);
    let mut store = RedbStore::open_backend(disk.clone(), &identity()).unwrap();
    let mut held = store.recover().unwrap();
    let mut draws = Draws(seed);
    for number in 1..20 {
        let batch = next_batch(&mut draws, &held, number);
        store.persist(&batch).unwrap();
        held = after(&held, &batch);
    }
    if !closed {
        disk.crash_after(0);
    }
    drop(store);
    disk.power_cycle();
    (disk, held)
}

fn read(disk: SimDisk) -> Result<Recovered, StoreError> {
    RedbStore::open_backend(disk, &identity()).and_then(|mut store| store.recover())
}

#[test]
fn a_changed_bit_of_a_closed_file_is_harmless_or_refused_and_never_silent() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in 0..300 {
        let (disk, held) = written(seed % 10, true);
        if seed % 3 == 0 {
            disk.rot_at(usize::try_from(seed).unwrap() * 13);
        } else {
            (0..=seed).for_each(|_| disk.rot());
        }
        match read(disk) {
            Ok(found) => {
                assert!(same(&found, &held), "seed {seed}: wrong data without a word");
                harmless += 1;
            }
            Err(StoreError::Corrupt(_) | StoreError::Failed(_) | StoreError::Newer(_)) => {
                refused += 1
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(refused > 50 && harmless > 5, "{refused} {harmless}");
}

/// The head of a page says how many rows it holds: a bit there makes rows vanish without garbling any.
#[test]
fn a_page_that_lost_count_of_its_rows_is_refused() {
    let page = 4_096;
    let (disk, _) = written(4, true);
    let pages = usize::try_from(disk.len().unwrap()).unwrap() / page;
    let mut refused = 0;
    for number in 1..pages {
        let (disk, held) = written(4, true);
        let mut kind = [0; 2];
        disk.read((number * page) as u64, &mut kind).unwrap();
        if kind == [0; 2] {
            continue;
        }
        disk.rot_at((number * page + 2) * 8);
        match read(disk) {
            Ok(found) => assert!(same(&found, &held), "page {number}: rows vanished"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 3, "{refused} of {pages}");
}

/// Rot in the newest write is not taken for a write that was torn as power went: what was promised with it, a vote
/// perhaps, would be forgotten.
#[test]
fn a_changed_bit_of_a_file_that_lost_power_is_harmless_or_refused_and_undoes_nothing() {
    let mut refused = 0;
    for seed in 0..200 {
        let (disk, held) = written(seed % 10, false);
        (0..=seed % 20).for_each(|_| disk.rot());
        match read(disk) {
            Ok(found) => assert!(same(&found, &held), "seed {seed}: wrong data without a word"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20, "{refused}");
}

/// Of the file's head one bit alone can undo the newest write unnoticed: the one that says which of its two places holds
/// it. With the other place chosen the file is as it was when power goes between the phases of that write.
#[test]
fn of_the_head_one_bit_alone_undoes_the_newest_write_of_a_file_that_lost_power() {
    let which_place = 9 * 8;
    let head = (which_place..which_place + 8).chain((0..320 * 8).step_by(19));
    let mut silent: Vec<usize> = Vec::new();
    for bit in head {
        for closed in [true, false] {
            let (disk, held) = written(4, closed);
            disk.rot_at(bit);
            silent.extend(read(disk).is_ok_and(|found| !same(&found, &held)).then_some(bit));
        }
    }
    assert_eq!(silent, [which_place]);
}
