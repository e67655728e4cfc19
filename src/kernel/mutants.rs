//! Faults planted on purpose, one at a time, to measure whether the simulator finds them.
//!
//! Without the Cargo feature `mutants` [`active`] is constantly false and nothing of this is compiled in.
//! The numbers are those of the mutant table in `docs/mutants.md`.

/// A planted fault. Each is named after what the broken code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// The vote is not written to disk.
    M1VoteNotPersisted = 1,
    /// Messages that promise durability leave before the disk's receipt.
    M3SentBeforePersisted = 3,
    /// Commands are applied before the entries that carry them are durable.
    M7AppliedBeforePersisted = 7,
    /// Reads are answered from local state, without a ReadIndex round.
    M12ReadWithoutIndex = 12,
    /// A snapshot claims the commit index, though it holds the applied state.
    M17SnapshotAtCommit = 17,
    /// One observer's ballot is enough for a switch.
    M26OneBallotSwitches = 26,
    /// The leader publishes a route that is not committed.
    M29ActsUncommitted = 29,
    /// The quorum is counted over the observers that answer, not over those configured.
    M32QuorumOfReachable = 32,
    /// Half of the observers count as a majority.
    M39HalfIsAMajority = 39,
    /// A ballot of an earlier question is counted.
    M46OldBallotCounted = 46,
}

impl Mutant {
    /// Every mutant, in order.
    pub const ALL: [Self; 10] = [
        Self::M1VoteNotPersisted,
        Self::M3SentBeforePersisted,
        Self::M7AppliedBeforePersisted,
        Self::M12ReadWithoutIndex,
        Self::M17SnapshotAtCommit,
        Self::M26OneBallotSwitches,
        Self::M29ActsUncommitted,
        Self::M32QuorumOfReachable,
        Self::M39HalfIsAMajority,
        Self::M46OldBallotCounted,
    ];

    /// The mutant called `M26` and so on.
    pub fn named(text: &str) -> Option<Self> {
        let number: u8 = text.strip_prefix('M')?.parse().ok()?;
        Self::ALL.into_iter().find(|mutant| *mutant as u8 == number)
    }
}

#[cfg(feature = "mutants")]
mod chosen {
    use std::sync::atomic::{AtomicU8, Ordering};

    static CHOSEN: AtomicU8 = AtomicU8::new(0);

    /// Plants a mutant for the rest of this process, or until another is planted.
    pub fn plant(mutant: super::Mutant) {
        CHOSEN.store(mutant as u8, Ordering::Relaxed);
    }

    /// The kernel is whole again.
    pub fn uproot() {
        CHOSEN.store(0, Ordering::Relaxed);
    }

    /// Whether this mutant was planted.
    pub fn active(mutant: super::Mutant) -> bool {
        CHOSEN.load(Ordering::Relaxed) == mutant as u8
    }
}

#[cfg(feature = "mutants")]
pub use chosen::{active, plant, uproot};

/// Whether this mutant was planted: never, in a build without the feature.
#[cfg(not(feature = "mutants"))]
pub const fn active(_: Mutant) -> bool {
    false
}
