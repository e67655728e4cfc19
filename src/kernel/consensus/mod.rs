//! Consensus (F1): orders opaque bytes, knows nothing of failover.
//!
//! A thin, deterministic driver around the `raft` crate; see `driver` for the grammar.

mod record;

pub use record::{HardState, LogEntry, Membership, PersistBatch, Recovered, SnapshotRecord};
