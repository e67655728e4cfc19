//! The verdict of the quorum on one service on one plane.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernel::domain::{HealthState, Quorum};
use crate::kernel::mutants::{self, Mutant};

/// What the quorum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Fewer than a majority say anything that counts.
    NoData,
    /// They disagree: a path is broken.
    Partial,
    /// A majority say up.
    Up,
    /// A majority say down or degraded, and not a majority down.
    Degraded,
    /// A majority say down.
    Down,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoData => "no-data",
            Self::Partial => "partial",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        })
    }
}

/// Counts the votes of usable observers; `unknown` is no vote. The majority is that of all who are
/// configured, not of those who answered.
pub fn verdict(quorum: Quorum, votes: impl IntoIterator<Item = HealthState>) -> Verdict {
    let (mut up, mut degraded, mut down) = (0, 0, 0);
    for vote in votes {
        match vote {
            HealthState::Unknown => {}
            HealthState::Up => up += 1,
            HealthState::Degraded => degraded += 1,
            HealthState::Down => down += 1,
        }
    }
    let usable = up + degraded + down;
    let quorum = if mutants::active(Mutant::M32QuorumOfReachable) && usable > 0 {
        Quorum::of(usable)
    } else {
        quorum
    };
    if !quorum.reached(usable) {
        Verdict::NoData
    } else if quorum.reached(down) {
        Verdict::Down
    } else if quorum.reached(up) {
        Verdict::Up
    } else if degraded > 0 && quorum.reached(down + degraded) {
        Verdict::Degraded
    } else {
        Verdict::Partial
    }
}
