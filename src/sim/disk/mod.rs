//! A node's disk: writes under way, what is durable, and what a crash leaves.
//!
//! A batch's transaction runs when its write completes. A crash in between keeps the first few of the writes
//! under way, or none: writes are done in order and each is atomic, which is what a store promises.

mod model;

use std::collections::VecDeque;

pub use model::ModelStore;

use super::queue::{MS, Micros, SECOND};
use super::rng::Rng;
use crate::kernel::consensus::{PersistBatch, Recovered};

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

/// One node's disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// How slow it is now.
    pub pace: Pace,
    store: ModelStore,
    under_way: VecDeque<PersistBatch>,
    busy_until: Micros,
    /// Writes fail from now on.
    failing: bool,
    /// The next syncs only pretend; nothing is lost unless power fails before an honest one.
    lies: u32,
    unsynced_lie: bool,
}

impl Disk {
    /// An empty disk.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            store: ModelStore::default(),
            under_way: VecDeque::new(),
            busy_until: 0,
            failing: false,
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
        let at = self.busy_until.max(now) + takes;
        self.busy_until = at;
        self.under_way.push_back(batch);
        at
    }

    /// The oldest write completes, or fails: then its fate is open until the next start.
    ///
    /// # Errors
    /// What the disk says.
    pub fn complete(&mut self) -> Result<Option<PersistBatch>, String> {
        if self.failing {
            return Err("input/output error".to_owned());
        }
        let Some(batch) = self.under_way.pop_front() else { return Ok(None) };
        self.store.write(&batch);
        if self.lies > 0 {
            self.lies -= 1;
            self.unsynced_lie = true;
        } else {
            self.unsynced_lie = false;
        }
        Ok(Some(batch))
    }

    /// Whether power may fail without loss of what was acknowledged.
    pub const fn honest(&self) -> bool {
        !self.unsynced_lie
    }

    /// The disk takes no more writes until the next start.
    pub const fn fail(&mut self) {
        self.failing = true;
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
        let kept = rng.place(self.under_way.len() + 1);
        for batch in self.under_way.drain(..kept) {
            self.store.write(&batch);
        }
        let lost = self.under_way.len();
        self.under_way.clear();
        self.busy_until = 0;
        Left { kept, lost }
    }

    /// The process starts: what the disk holds, the incarnation raised durably.
    pub fn open(&mut self) -> Recovered {
        self.failing = false;
        self.lies = 0;
        self.store.open()
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

    #[test]
    fn writes_complete_in_order_and_only_then_are_durable() {
        let mut rng = Rng::stream(1, Stream::Disk);
        let mut disk = Disk::new(Pace::draw(&mut rng, true));
        let times: Vec<Micros> =
            (1..20).map(|n| disk.order(n, batch(n, n, 1), &mut rng)).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(disk.open().entries.is_empty());
        let done = disk.complete().expect("a good disk").expect("a batch");
        assert_eq!(done.number, 1);
        assert_eq!(disk.open().entries.len(), 1);
    }

    #[test]
    fn a_crash_keeps_a_prefix_of_the_writes_under_way() {
        let mut kept = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let mut rng = Rng::stream(seed, Stream::Disk);
            let mut disk = Disk::new(Pace::FAIR);
            for n in 1..=3 {
                disk.order(0, batch(n, n, 1), &mut rng);
            }
            let left = disk.crash(&mut rng);
            let recovered = disk.open();
            assert_eq!(recovered.entries.len(), left.kept);
            assert_eq!(left.kept + left.lost, 3);
            kept.insert(left.kept);
        }
        assert_eq!(kept.len(), 4, "{kept:?}");
    }

    #[test]
    fn a_failing_disk_takes_nothing_until_the_next_start() {
        let mut rng = Rng::stream(1, Stream::Disk);
        let mut disk = Disk::new(Pace::FAIR);
        disk.order(0, batch(1, 1, 1), &mut rng);
        disk.fail();
        assert!(disk.complete().is_err());
        let before = disk.open().incarnation;
        assert!(disk.complete().is_ok());
        assert_eq!(disk.open().incarnation.0, before.0 + 1);
    }
}
