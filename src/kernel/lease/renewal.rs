//! What a holder asks for, and what it is answered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::domain::{Epoch, GroupName, HolderName, PlaneName};

/// 128 random bits, drawn when a process starts: no two processes are one holder, whatever they are called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run(pub u128);

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One process of an agent or a gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// What it is called.
    pub name: HolderName,
    /// Which process of that name.
    pub run: Run,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {:.8})", self.name, format!("{:?}", self.run))
    }
}

/// A holder asks to go on. The grant echoes all of it, so that an answer to another question is never taken for this one's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Renewal {
    /// Who.
    pub holder: Holder,
    /// Which of its renewals; it keeps when it sent each.
    pub seq: u64,
    /// For which group.
    pub group: GroupName,
    /// On which plane.
    pub plane: PlaneName,
    /// At which epoch.
    pub epoch: Epoch,
    /// D, as the holder goes by it.
    pub lease: Duration,
}

/// Why a renewal is refused. The holder goes on for as long as it was granted before, and no longer.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error,
)]
pub enum Refusal {
    /// The group has no lease at all.
    #[error("there is no exclusive group of this name")]
    NoGroup {},
    /// A fence stands: nobody may act.
    #[error("the group is fenced")]
    Fenced {},
    /// Another plane may act, or this one at another epoch.
    #[error("plane {plane} may act, at epoch {epoch}")]
    NotActive {
        /// The plane that may.
        plane: PlaneName,
        /// At this epoch.
        epoch: Epoch,
    },
    /// The log does not know this process, or no longer.
    #[error("this process is not registered: fence, then register")]
    NotRegistered {},
    /// It goes by another D.
    #[error("the lease is {due:?}")]
    OtherLease {
        /// The one in force.
        due: Duration,
    },
}

/// What a controller answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// Granted: until D after this renewal was sent.
    Granted(Renewal),
    /// Not granted.
    Refused(Renewal, Refusal),
}
