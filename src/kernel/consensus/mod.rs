//! Consensus (F1): orders opaque bytes, knows nothing of failover.
//!
//! A thin, deterministic driver around the `raft` crate (tikv/raft-rs 0.7.0). `driver` holds the grammar, `log`
//! the log in memory, `codec` the bytes between members, `admit` what is let through to raft, `record` what a disk
//! is asked to keep.

mod admit;
mod codec;
mod driver;
mod election;
mod log;
mod output;
mod record;
mod settings;

#[cfg(test)]
mod tests;

pub use codec::{FORGOTTEN, WireError};
pub use driver::Consensus;
pub use output::{ConsensusOutput, NotProposed, ReadContext};
pub use record::{HardState, LogEntry, Membership, PersistBatch, Recovered, SnapshotRecord};
pub use settings::{ConsensusError, ConsensusSettings};

/// Limits of consensus.
pub mod limits {
    /// Bytes of entries in one append message; an entry that is larger travels alone.
    pub const MESSAGE_BYTES: u64 = 1 << 20;
    /// Append messages to one follower that are under way.
    pub const INFLIGHT_MESSAGES: usize = 256;
    /// Bytes of one proposal. An entry must fit a frame between members, or no follower would ever have it.
    pub const PROPOSAL_BYTES: usize = 24 << 20;
    /// Bytes of entries that a leader holds uncommitted; above it proposals are refused.
    pub const UNCOMMITTED_BYTES: u64 = 32 << 20;
    /// Bytes of entries handed out for apply at once.
    pub const COMMITTED_BYTES: u64 = 8 << 20;
    /// Persists of raft under way; above it nothing new is taken from raft until a receipt comes. Each may have one beside it
    /// that compacts the log.
    pub const PERSISTS: usize = 16;
    /// Steps that wait behind a persist, most of them without a write of their own; above it likewise.
    pub const READIES: usize = 1_024;
    /// While that many persists are under way: messages that raft may hold back before peers' are dropped.
    pub const HELD_MESSAGES: usize = 4_096;
    /// While that many persists are under way: bytes of entries that raft may hold back before peers' are dropped.
    pub const HELD_BYTES: usize = 64 << 20;
    /// Read rounds under way at a leader; above it new ones are dropped.
    pub const READS: usize = 4_096;
    /// Entries that stay in the log below a snapshot, at the most, for followers that are a little behind.
    pub const TAIL: u64 = 512;
    /// And the most bytes of them.
    pub const TAIL_BYTES: usize = 4 << 20;
    /// Entries in one message from a peer. A leader of this version puts fewer into [`MESSAGE_BYTES`].
    pub const MESSAGE_ENTRIES: usize = 1 << 18;
    /// Members that a snapshot may name, of each kind.
    pub const MEMBERS: usize = 64;
    /// Bytes of raft's context in a message.
    pub const CONTEXT_BYTES: usize = 64;
    /// Above every index and term of a real log; a peer that names a greater one is refused.
    pub const NUMBER: u64 = 1 << 62;
}
