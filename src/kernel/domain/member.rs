//! Members of the control cluster and what a majority of them is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A member's number: its Raft id, which belongs to one disk for ever. Never zero.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A counter that a data directory raises durably at every start of its process.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// The arithmetic of majorities over a fixed, configured number of voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    configured: usize,
}

impl Quorum {
    /// A quorum over `configured` voters: all that are configured, never just those that answer.
    pub const fn of(configured: usize) -> Self {
        Self { configured }
    }

    /// The number of configured voters, n.
    pub const fn configured(self) -> usize {
        self.configured
    }

    /// The fewest voters of which any two sets share one: n / 2 + 1.
    pub fn majority(self) -> usize {
        if crate::kernel::mutants::active(crate::kernel::mutants::Mutant::M39HalfIsAMajority) {
            return self.configured / 2;
        }
        self.configured / 2 + 1
    }

    /// Whether `votes` are enough.
    pub fn reached(self, votes: usize) -> bool {
        votes >= self.majority()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_majorities_always_meet() {
        for n in 1..20 {
            assert!(2 * Quorum::of(n).majority() > n, "{n}");
            assert!(Quorum::of(n).majority() <= n, "{n}");
        }
    }
}
