//! A node's disk: writes under way, what is durable, and what a crash leaves.
//!
//! A batch's transaction runs when its write completes. A crash in between keeps the first few of the writes
//! under way, or none: writes are done in order and each is atomic, which is what a store promises. Two stores
//! stand behind it: the model log, and the store of production over a disk that loses, tears, fails and lies.
//! What the latter holds after a start is compared with the model each time.

use std::collections::VecDeque;

use redb::StorageBackend as _;

use super::queue::{MS, Micros, SECOND};
use super::rng::Rng;
use crate::edge::storage::{
    DiskCounts, DiskFaults, Identity, ModelStore, RedbStore, SimDisk, Store,
};
use crate::kernel::consensus::{PersistBatch, Recovered};
use crate::kernel::domain::MemberId;

/// How slow a disk is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Shortest time of a write.
    pub min: Micros,
    /// What is added, mostly less than this.
    pub spread: Micros,
    /// Writes in a thousand that stall.
    pub stalls: u32,
    /// For up to this long.
    pub stall: Micros,
}

impl Pace {
    /// A good disk.
    pub const FAIR: Self = Self { min: 300, spread: 2 * MS, stalls: 0, stall: 0 };

    /// Draws a disk.
    pub fn draw(rng: &mut Rng, stalling: bool) -> Self {
        Self {
            min: rng.between(50, 2 * MS),
            spread: rng.between(100, 20 * MS),
            stalls: if stalling { u32::try_from(rng.between(1, 20)).unwrap_or(1) } else { 0 },
            stall: rng.between(50 * MS, 2 * SECOND),
        }
    }
}

/// What a crash did to the writes under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Written, though nobody was told.
    pub kept: usize,
    /// Lost.
    pub lost: usize,
}

/// Which store a disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The model log.
    Model,
    /// redb over a simulated disk, whose misfortunes follow from this seed.
    Redb(u64),
}

/// The store of production and the disk below it.
#[derive(Debug)]
struct Real {
    disk: SimDisk,
    store: Option<RedbStore>,
    identity: Identity,
    /// The batch whose fate a crash left open.
    open: Option<PersistBatch>,
}

/// Bits that change at once: most of a file is room that nothing lies in.
const ROTTEN_BITS: usize = 24;

/// Why a process does not start on a disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The store says that it is damaged, and gives nothing.
    #[error("{0}")]
    Refused(String),
    /// The store gives something else than what must be durable.
    #[error("{0}")]
    Lost(String),
}

/// The longest that a write waits.
const QUEUE_MAX: Micros = 6 * SECOND;
/// Operations of a disk in one transaction, about: crashes are drawn among them.
const OPERATIONS: u64 = 24;

/// One node's disk.
#[derive(Debug)]
pub struct Disk {
    /// How slow it is now.
    pub pace: Pace,
    /// What must be durable; the store itself, when there is no real one.
    model: ModelStore,
    real: Option<Real>,
    under_way: VecDeque<PersistBatch>,
    busy_until: Micros,
    /// Writes fail from now on.
    failing: bool,
    /// Because there is no room.
    full: bool,
    /// The next syncs only pretend; nothing is lost unless power fails before an honest one.
    lies: u32,
    unsynced_lie: bool,
}

impl Disk {
    /// An empty disk.
    pub fn new(pace: Pace, storage: Storage, member: MemberId) -> Self {
        let real = match storage {
            Storage::Model => None,
            Storage::Redb(seed) => Some(Real {
                disk: SimDisk::new(seed),
                store: None,
                identity: Identity {
                    cluster: "simulated".to_owned(),
                    member,
                    members: vec![member],
                },
                open: None,
            }),
        };
        Self {
            pace,
            model: ModelStore::new(),
            real,
            under_way: VecDeque::new(),
            busy_until: 0,
            failing: false,
            full: false,
            lies: 0,
            unsynced_lie: false,
        }
    }

    /// Takes a write; says when it completes. Writes complete in order.
    pub fn order(&mut self, now: Micros, batch: PersistBatch, rng: &mut Rng) -> Micros {
        let mut takes = self.pace.min + rng.small(self.pace.spread);
        if rng.chance(self.pace.stalls) {
            takes += rng.below(self.pace.stall);
        }
        // A queue of writes is not longer than this: a disk that is worse has failed.
        let at = (self.busy_until.max(now) + takes).min(self.busy_until.max(now + QUEUE_MAX));
        self.busy_until = at;
        self.under_way.push_back(batch);
        at
    }

    /// The oldest write completes, or fails: then its fate is open until the next start.
    ///
    /// # Errors
    /// What the disk says.
    pub fn complete(&mut self) -> Result<Option<PersistBatch>, String> {
        if self.real.as_ref().is_some_and(|real| real.open.is_some()) {
            return Err("the store takes nothing after an error".to_owned());
        }
        let Some(batch) = self.under_way.front().cloned() else { return Ok(None) };
        let lies = !self.failing && self.lies > 0;
        if let Some(real) = &mut self.real {
            let fault = |on: bool| if on { 1000 } else { 0 };
            real.disk.set_faults(DiskFaults {
                failed_syncs: fault(self.failing && !self.full),
                lying_syncs: fault(lies),
                failed_writes: fault(self.full),
            });
            if let Err(why) = real.persist(&batch) {
                real.open = self.under_way.pop_front();
                return Err(why);
            }
        } else if self.failing {
            let why = if self.full { "no space left on device" } else { "input/output error" };
            return Err(why.to_owned());
        }
        self.under_way.pop_front();
        self.keep(&batch);
        self.lies = self.lies.saturating_sub(1);
        self.unsynced_lie = lies;
        Ok(Some(batch))
    }

    fn keep(&mut self, batch: &PersistBatch) {
        self.model.persist(batch).expect("the model takes every batch");
    }

    /// Whether the last sync told the truth.
    pub const fn honest(&self) -> bool {
        !self.unsynced_lie
    }

    /// The disk takes no more writes until the next start.
    pub const fn fail(&mut self) {
        self.failing = true;
    }

    /// The disk is full until the next start.
    pub const fn fill(&mut self) {
        self.failing = true;
        self.full = true;
    }

    /// Some bits of what is durable change; whether there are bits.
    pub fn rot(&self) -> bool {
        if let Some(real) = &self.real {
            (0..ROTTEN_BITS).for_each(|_| real.disk.rot());
        }
        self.real.is_some()
    }

    /// The next syncs lie.
    pub const fn lie(&mut self, syncs: u32) {
        self.lies = syncs;
    }

    /// Everything waits for this long.
    pub fn stall(&mut self, now: Micros, span: Micros) {
        self.busy_until = self.busy_until.max(now) + span;
    }

    /// The process dies: some of the writes under way were done, in order.
    pub fn crash(&mut self, rng: &mut Rng) -> Left {
        let under_way = self.under_way.len();
        let mut kept = rng.place(under_way + 1);
        if let Some(real) = &mut self.real {
            // After a lie only the process may die: the machine goes on, and writes back what it holds. A loss
            // of power here is beyond what a cluster can survive.
            if self.unsynced_lie {
                real.disk.set_faults(DiskFaults::default());
                real.disk.sync_data().expect("the machine goes on, and its disk is well again");
            }
            if self.failing || real.open.is_some() {
                kept = 0;
            }
        }
        for batch in self.under_way.drain(..kept).collect::<Vec<_>>() {
            if let Some(real) = &mut self.real {
                real.disk.set_faults(DiskFaults::default());
                let _ = real.persist(&batch);
            }
            self.keep(&batch);
        }
        let next = self.under_way.pop_front();
        self.under_way.clear();
        if let Some(real) = &mut self.real {
            real.lose_power(next, rng);
        }
        self.busy_until = 0;
        Left { kept, lost: under_way - kept }
    }

    /// The process starts: what the disk holds, the incarnation raised durably.
    ///
    /// # Errors
    /// When the store cannot be opened, or holds something else than what must be durable.
    pub fn open(&mut self) -> Result<Recovered, OpenError> {
        self.failing = false;
        self.full = false;
        self.lies = 0;
        self.unsynced_lie = false;
        let mut wanted =
            self.model.recover().map_err(|error| OpenError::Lost(error.to_string()))?;
        let Some(real) = &mut self.real else { return Ok(wanted) };
        let found = real.open().map_err(OpenError::Refused)?;
        if !same(&found, &wanted)
            && let Some(batch) = real.open.take()
        {
            // Its fate was open: done is as good as not done.
            self.model.persist(&batch).map_err(|error| OpenError::Lost(error.to_string()))?;
            wanted = self.model.durable();
        }
        if let Some(real) = &mut self.real {
            real.open = None;
        }
        if same(&found, &wanted) {
            return Ok(found);
        }
        let (last, want) = (found.entries.last(), wanted.entries.last());
        Err(OpenError::Lost(format!(
            "the store lost what it had promised to keep: it holds entries up to {:?} and {:?}, and must \
             hold {:?} and {:?}",
            last.map(|entry| entry.index),
            found.hard_state,
            want.map(|entry| entry.index),
            wanted.hard_state
        )))
    }

    /// What the disk below a real store did.
    pub fn counts(&self) -> DiskCounts {
        self.real.as_ref().map(|real| real.disk.counts()).unwrap_or_default()
    }
}

fn same(a: &Recovered, b: &Recovered) -> bool {
    a.hard_state == b.hard_state && a.snapshot == b.snapshot && a.entries == b.entries
}

impl Real {
    fn persist(&mut self, batch: &PersistBatch) -> Result<(), String> {
        let store = self.store.as_mut().ok_or("the store is closed")?;
        store.persist(batch).map_err(|error| error.to_string())
    }

    /// Power goes, perhaps in the middle of a transaction.
    fn lose_power(&mut self, next: Option<PersistBatch>, rng: &mut Rng) {
        self.disk.set_faults(DiskFaults::default());
        if let Some(batch) = next
            && self.open.is_none()
        {
            self.disk.crash_after(rng.below(OPERATIONS));
            let _ = self.persist(&batch);
            self.open = Some(batch);
        }
        // Closing the store must not write anything either.
        self.disk.crash_after(0);
        self.store = None;
        self.disk.power_cycle();
    }

    fn open(&mut self) -> Result<Recovered, String> {
        let opened = RedbStore::open_backend(self.disk.clone(), &self.identity);
        let store = self.store.insert(opened.map_err(|error| error.to_string())?);
        store.recover().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::consensus::{HardState, LogEntry};
    use crate::sim::rng::Stream;

    fn batch(number: u64, index: u64, term: u64) -> PersistBatch {
        let entry = LogEntry {
            index,
            term,
            kind: 0,
            data: bytes::Bytes::from(number.to_string()),
            context: bytes::Bytes::new(),
        };
        PersistBatch {
            number,
            entries: vec![entry],
            hard_state: Some(HardState { term, vote: 1, commit: index - 1 }),
            ..PersistBatch::default()
        }
    }

    fn disk(storage: Storage) -> Disk {
        let mut disk = Disk::new(Pace::FAIR, storage, MemberId(1));
        assert!(disk.open().expect("an empty disk").entries.is_empty());
        disk
    }

    #[test]
    fn writes_complete_in_order_and_only_then_are_durable() {
        let mut rng = Rng::stream(1, Stream::Disk);
        let mut disk = disk(Storage::Model);
        disk.pace = Pace::draw(&mut rng, true);
        let times: Vec<Micros> = (1..20).map(|n| disk.order(n, batch(n, n, 1), &mut rng)).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(disk.open().expect("a good disk").entries.is_empty());
        let done = disk.complete().expect("a good disk").expect("a batch");
        assert_eq!(done.number, 1);
        assert_eq!(disk.open().expect("a good disk").entries.len(), 1);
    }

    /// The same crash test for both stores.
    fn crashes(storage: impl Fn(u64) -> Storage) -> std::collections::BTreeSet<usize> {
        let mut held = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let mut rng = Rng::stream(seed, Stream::Disk);
            let mut disk = disk(storage(seed));
            let mut last = 0;
            for _ in 0..4 {
                for n in last + 1..=last + 3 {
                    disk.order(0, batch(n, n, 1), &mut rng);
                }
                disk.complete().expect("a good disk");
                disk.crash(&mut rng);
                let found = disk.open().expect("what was acknowledged is there");
                let now = found.entries.last().map_or(0, |entry| entry.index);
                assert!((last + 1..=last + 3).contains(&now), "seed {seed}: {now} after {last}");
                held.insert(usize::try_from(now - last).unwrap());
                last = now;
            }
        }
        held
    }

    #[test]
    fn a_crash_keeps_a_prefix_of_the_writes_under_way_in_both_stores() {
        assert_eq!(crashes(|_| Storage::Model).len(), 3);
        assert_eq!(crashes(Storage::Redb).len(), 3);
    }

    #[test]
    fn a_failing_disk_takes_nothing_until_the_next_start() {
        for storage in [Storage::Model, Storage::Redb(5)] {
            let mut rng = Rng::stream(1, Stream::Disk);
            let mut disk = disk(storage);
            disk.order(0, batch(1, 1, 1), &mut rng);
            disk.order(0, batch(2, 2, 1), &mut rng);
            disk.fail();
            assert!(disk.complete().is_err(), "{storage:?}");
            assert!(disk.complete().is_err(), "{storage:?}");
            disk.crash(&mut rng);
            let before = disk.open().expect("a mended disk").incarnation;
            disk.order(0, batch(3, 1, 2), &mut rng);
            assert!(disk.complete().is_ok());
            disk.crash(&mut rng);
            assert_eq!(disk.open().expect("a good disk").incarnation.0, before.0 + 1);
        }
    }

    #[test]
    fn a_lie_about_a_sync_is_harmless_while_only_the_process_dies() {
        for seed in 0..20 {
            let mut rng = Rng::stream(seed, Stream::Disk);
            let mut disk = disk(Storage::Redb(seed));
            disk.lie(1);
            disk.order(0, batch(1, 1, 1), &mut rng);
            disk.complete().expect("it says so");
            assert!(!disk.honest());
            disk.crash(&mut rng);
            assert_eq!(disk.open().expect("nothing is lost").entries.len(), 1);
            assert!(disk.counts().lying_syncs > 0);
        }
    }

    #[test]
    fn a_loss_of_power_after_a_lie_is_noticed() {
        let noticed = (0..40).filter(|seed| {
            let mut rng = Rng::stream(*seed, Stream::Disk);
            let mut disk = disk(Storage::Redb(*seed));
            disk.lie(5);
            for n in 1..=3 {
                disk.order(0, batch(n, n, 1), &mut rng);
                disk.complete().expect("it says so");
            }
            disk.unsynced_lie = false;
            disk.crash(&mut rng);
            disk.open().is_err()
        });
        assert!(noticed.count() > 5);
    }
}
