//! What consensus wants, and what it refuses.

use bytes::Bytes;

use super::record::{LogEntry, PersistBatch, SnapshotRecord};
use serde::{Deserialize, Serialize};

use crate::kernel::domain::{Incarnation, MemberId};

/// Names one round of reads for ever: an answer to another round, or to another process, is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReadContext {
    /// The member that asks.
    pub member: MemberId,
    /// Of its process.
    pub incarnation: Incarnation,
    /// Counts that process's rounds.
    pub counter: u64,
}

impl ReadContext {
    /// Length in bytes: three numbers, big end first.
    const LEN: usize = 24;

    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.member.0, self.incarnation.0, self.counter]
            .into_iter()
            .flat_map(u64::to_be_bytes)
            .collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LEN {
            return None;
        }
        let word = |at: usize| {
            let bytes = bytes.get(at * 8..at * 8 + 8)?;
            Some(u64::from_be_bytes(bytes.try_into().ok()?))
        };
        Some(Self {
            member: MemberId(word(0)?),
            incarnation: Incarnation(word(1)?),
            counter: word(2)?,
        })
    }
}

/// What consensus wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsensusOutput {
    /// Send a message; `bulk` when it carries a snapshot.
    Send {
        /// The receiver.
        to: MemberId,
        /// The bytes.
        message: Bytes,
        /// Whether it is large.
        bulk: bool,
    },
    /// Write, then call [`super::Consensus::persisted`].
    Persist(PersistBatch),
    /// A leader's snapshot, durable here: it replaces the applied state.
    Restore(SnapshotRecord),
    /// Committed entries, in order and without gaps; they and their commit index are durable here. A new
    /// leader's empty entry is among them.
    Apply(Vec<LogEntry>),
    /// A read round is confirmed: the state at `applied >= index` is fresh enough.
    Readable {
        /// Which round.
        context: ReadContext,
        /// The index.
        index: u64,
    },
    /// Who leads, as far as this member knows, has changed.
    Role {
        /// Raft term.
        term: u64,
        /// The leader, if one is known.
        leader: Option<MemberId>,
        /// Whether it is this member.
        is_leader: bool,
    },
}

/// Why a proposal was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProposed {
    /// This member does not lead.
    #[error("not the leader")]
    NotLeader(Option<MemberId>),
    /// Too much is uncommitted, or leadership is being handed over: try again later.
    #[error("busy: too much is uncommitted, or leadership is being handed over")]
    Busy,
    /// It would never fit a frame between members: split it.
    #[error("{0} bytes are more than the {max} of an entry", max = super::limits::PROPOSAL_BYTES)]
    TooLarge(usize),
}
