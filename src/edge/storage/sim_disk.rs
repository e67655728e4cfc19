//! A disk for the simulator, below the real store: it loses, keeps and tears what was not synced, fails, lies,
//! and rots, all from one seed.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// What a crash may tear apart: nothing smaller than this is written in part.
const SECTOR: usize = 512;

/// What a disk does wrong, in parts of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Syncs that fail.
    pub failed_syncs: u32,
    /// Syncs that say "done" and do nothing. Beyond the model that must be survived.
    pub lying_syncs: u32,
    /// Writes that fail.
    pub failed_writes: u32,
}

/// What a disk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounts {
    /// Syncs that were kept.
    pub syncs: u64,
    /// Unsynced writes that a crash lost whole.
    pub lost_tails: u64,
    /// Unsynced writes that a crash wrote in part.
    pub torn_pages: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Syncs that lied.
    pub lying_syncs: u64,
    /// Crashes.
    pub crashes: u64,
}

#[derive(Debug)]
enum Unsynced {
    Write { at: usize, data: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug)]
struct Platter {
    /// What survives a crash.
    durable: Vec<u8>,
    /// What reads see.
    live: Vec<u8>,
    unsynced: Vec<Unsynced>,
    random: u64,
    faults: DiskFaults,
    /// Reads that fail, in a thousand.
    failed_reads: u32,
    counts: DiskCounts,
    operations: u64,
    crash_at: Option<u64>,
    off: bool,
}

/// The disk. Clones are the same disk: one goes into a store, one stays with the simulator.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<Platter>>);

impl SimDisk {
    /// An empty disk whose misfortunes follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            durable: Vec::new(),
            live: Vec::new(),
            unsynced: Vec::new(),
            random: seed,
            faults: DiskFaults::default(),
            failed_reads: 0,
            counts: DiskCounts::default(),
            operations: 0,
            crash_at: None,
            off: false,
        })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it does this wrong.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.platter().faults = faults;
    }

    /// The power goes off after this many more operations.
    pub fn crash_after(&self, operations: u64) {
        let mut platter = self.platter();
        platter.crash_at = Some(platter.operations + operations);
    }

    /// Power off and on: what was synced is there; of the rest all, nothing, some writes, or some sectors.
    pub fn power_cycle(&self) {
        let mut platter = self.platter();
        let platter = &mut *platter;
        platter.counts.crashes += 1;
        let mood = platter.draw(4);
        for unsynced in std::mem::take(&mut platter.unsynced) {
            match unsynced {
                Unsynced::SetLen(len) => {
                    if mood != 0 && (mood == 3 || platter.draw(2) == 0) {
                        platter.durable.resize(len, 0);
                    }
                }
                Unsynced::Write { at, data } => platter.survive(mood, at, &data),
            }
        }
        platter.live = platter.durable.clone();
        platter.off = false;
        platter.crash_at = None;
    }

    /// From now on, of a thousand reads so many fail.
    pub fn fail_reads(&self, in_a_thousand: u32) {
        self.platter().failed_reads = in_a_thousand;
    }

    /// One bit of what is durable changes.
    pub fn rot(&self) {
        let mut platter = self.platter();
        let bits = platter.durable.len() * 8;
        if bits > 0 {
            let bit = usize::try_from(platter.draw(bits as u64)).unwrap_or(0);
            platter.flip(bit);
        }
    }

    /// This bit of what is durable changes, counted from the file's beginning; none beyond its end.
    pub fn rot_at(&self, bit: usize) {
        self.platter().flip(bit);
    }

    /// What it did so far.
    pub fn counts(&self) -> DiskCounts {
        self.platter().counts
    }

    /// How many operations it has carried out.
    pub fn operations(&self) -> u64 {
        self.platter().operations
    }
}

impl Platter {
    /// A number below `bound` (SplitMix64).
    fn draw(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn happens(&mut self, in_a_thousand: u32) -> bool {
        in_a_thousand > 0 && self.draw(1000) < u64::from(in_a_thousand)
    }

    fn flip(&mut self, bit: usize) {
        for side in [&mut self.durable, &mut self.live] {
            if let Some(byte) = side.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    fn survive(&mut self, mood: u64, at: usize, data: &[u8]) {
        let keep = match mood {
            0 => false,
            1 => self.draw(2) == 0,
            3 => true,
            _ => return self.tear(at, data),
        };
        if keep {
            overwrite(&mut self.durable, at, data);
        } else {
            self.counts.lost_tails += 1;
        }
    }

    fn tear(&mut self, at: usize, data: &[u8]) {
        self.counts.torn_pages += 1;
        let mut from = 0;
        while from < data.len() {
            let len = (SECTOR - (at + from) % SECTOR).min(data.len() - from);
            if self.draw(2) == 0 {
                overwrite(&mut self.durable, at + from, &data[from..from + len]);
            }
            from += len;
        }
    }

    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.off || self.crash_at.is_some_and(|at| self.operations > at) {
            self.off = true;
            return Err(io::Error::other("simulated loss of power"));
        }
        Ok(())
    }
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl StorageBackend for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platter = self.platter();
        let failed_reads = platter.failed_reads;
        if platter.happens(failed_reads) {
            return Err(io::Error::other("simulated failure of a read"));
        }
        let at = place(offset)?;
        let found = platter.live.get(at..at + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.platter();
        platter.operate()?;
        let len = place(len)?;
        platter.live.resize(len, 0);
        platter.unsynced.push(Unsynced::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter();
        platter.operate()?;
        let faults = platter.faults;
        if platter.happens(faults.failed_syncs) {
            platter.counts.failed_syncs += 1;
            return Err(io::Error::other("simulated failure of a sync"));
        }
        if platter.happens(faults.lying_syncs) {
            platter.counts.lying_syncs += 1;
            return Ok(());
        }
        platter.counts.syncs += 1;
        let platter = &mut *platter;
        for unsynced in platter.unsynced.drain(..) {
            match unsynced {
                Unsynced::SetLen(len) => platter.durable.resize(len, 0),
                Unsynced::Write { at, data } => overwrite(&mut platter.durable, at, &data),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.platter();
        platter.operate()?;
        let faults = platter.faults;
        if platter.happens(faults.failed_writes) {
            return Err(io::Error::other("simulated failure of a write"));
        }
        let at = place(offset)?;
        overwrite(&mut platter.live, at, data);
        platter.unsynced.push(Unsynced::Write { at, data: data.to_vec() });
        Ok(())
    }
}
