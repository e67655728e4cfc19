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
    /// The term is not written to disk: after a start it is that of the last entry.
    M2TermNotPersisted = 2,
    /// Messages that promise durability leave before the disk's receipt.
    M3SentBeforePersisted = 3,
    /// Commands are applied before the entries that carry them are durable.
    M7AppliedBeforePersisted = 7,
    /// A start tells raft that nothing is applied, though the snapshot holds it: entries kept below it come twice.
    M8AppliedFromZero = 8,
    /// A commit index that comes without entries is not written, and what it commits is applied.
    M9CommitNotPersisted = 9,
    /// A new leader proposes between a ready and its advance.
    M10SteppedInReady = 10,
    /// Reads trust the leader's lease instead of asking a quorum.
    M11LeaseReads = 11,
    /// Reads are answered from local state, without a ReadIndex round.
    M12ReadWithoutIndex = 12,
    /// A confirmed read is answered before the state has reached its index.
    M13ReadBeforeApplied = 13,
    /// A read round that is tried again keeps its context, and so does a process that is started again.
    M14ReadContextReused = 14,
    /// A snapshot claims the commit index, though it holds the applied state.
    M17SnapshotAtCommit = 17,
    /// A compaction forgets entries that are committed and not applied.
    M18CompactedTooFar = 18,
    /// A group that goes back to a plane keeps its epoch.
    M24EpochNotRaised = 24,
    /// One observer's ballot is enough for a switch.
    M26OneBallotSwitches = 26,
    /// A probe that began before the question answers it.
    M27OldProbesCounted = 27,
    /// An observer counts twice: by its ballot and by its report.
    M28CountedTwice = 28,
    /// The leader publishes a route that is not committed.
    M29ActsUncommitted = 29,
    /// A command that a node sends again, since nothing was heard of it, is carried out again.
    M31RepeatedNotKnown = 31,
    /// The quorum is counted over the observers that answer, not over those configured.
    M32QuorumOfReachable = 32,
    /// A leader answers reads at once: it was the leader a moment ago.
    M33LeaderAnswersAlone = 33,
    /// A group may go back at once: nothing bars it for the time of its dwell.
    M34NoDwell = 34,
    /// Apply reads the clock of the node that applies.
    M35OwnClockInApply = 35,
    /// Apply goes through lists in an order that differs from node to node.
    M36OwnOrderInApply = 36,
    /// A client's retry under the same key is carried out again.
    M37RetryDoneAgain = 37,
    /// A frozen group is moved.
    M38FreezeIgnored = 38,
    /// Half of the observers count as a majority.
    M39HalfIsAMajority = 39,
    /// A ballot of an earlier question is counted.
    M46OldBallotCounted = 46,
}

impl Mutant {
    /// Every mutant, in order.
    pub const ALL: [Self; 28] = [
        Self::M1VoteNotPersisted,
        Self::M2TermNotPersisted,
        Self::M3SentBeforePersisted,
        Self::M7AppliedBeforePersisted,
        Self::M8AppliedFromZero,
        Self::M9CommitNotPersisted,
        Self::M10SteppedInReady,
        Self::M11LeaseReads,
        Self::M12ReadWithoutIndex,
        Self::M13ReadBeforeApplied,
        Self::M14ReadContextReused,
        Self::M17SnapshotAtCommit,
        Self::M18CompactedTooFar,
        Self::M24EpochNotRaised,
        Self::M26OneBallotSwitches,
        Self::M27OldProbesCounted,
        Self::M28CountedTwice,
        Self::M29ActsUncommitted,
        Self::M31RepeatedNotKnown,
        Self::M32QuorumOfReachable,
        Self::M33LeaderAnswersAlone,
        Self::M34NoDwell,
        Self::M35OwnClockInApply,
        Self::M36OwnOrderInApply,
        Self::M37RetryDoneAgain,
        Self::M38FreezeIgnored,
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
