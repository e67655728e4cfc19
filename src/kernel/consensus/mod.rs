//! Consensus (F1): orders opaque bytes, knows nothing of failover.
//!
//! A thin, deterministic driver around the `raft` crate (tikv/raft-rs 0.7.0). `driver` holds the grammar, `log`
//! the log in memory, `codec` the bytes between members, `record` what a disk is asked to keep.

mod codec;
mod driver;
mod election;
mod log;
mod record;

#[cfg(test)]
mod tests;

pub use codec::WireError;
pub use driver::{
    Consensus, ConsensusError, ConsensusOutput, ConsensusSettings, NotProposed, ReadContext,
};
pub use record::{HardState, LogEntry, Membership, PersistBatch, Recovered, SnapshotRecord};

/// Limits of consensus.
pub mod limits {
    /// Bytes of entries in one append message.
    pub const MESSAGE_BYTES: u64 = 1 << 20;
    /// Append messages to one follower that are under way.
    pub const INFLIGHT_MESSAGES: usize = 256;
    /// Bytes of entries that a leader holds uncommitted; above it proposals are refused.
    pub const UNCOMMITTED_BYTES: u64 = 32 << 20;
    /// Bytes of entries handed out for apply at once.
    pub const COMMITTED_BYTES: u64 = 8 << 20;
    /// Persists under way; above it nothing new is taken from raft until a receipt comes.
    pub const PERSISTS: usize = 16;
    /// Entries that stay in the log below a snapshot, for followers that are a little behind.
    pub const TAIL: u64 = 512;
    /// Bytes of entries that stay there at the most.
    pub const TAIL_BYTES: usize = 4 << 20;
}
