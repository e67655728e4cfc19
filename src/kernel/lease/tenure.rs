//! What the log says of an exclusive group's lease: who may act, who might still, and what is accounted for. Part of the ledger's
//! state: a fold of commands, each total, each refused with a reason that changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::REGISTERED;
use super::renewal::{Holder, Refusal, Renewal};
use super::terms::Terms;
use crate::kernel::domain::{Epoch, HolderName, HostName, PlaneName, pairs};

/// Whether a registered process may still be granted anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It may.
    Live {},
    /// Not since the entry at this index, and what it was granted before may not have ended: it is waited for all the same.
    Tombstone {
        /// The entry that removed it, or that brought another process of its name.
        since: u64,
    },
}

/// One process that may act for the group, or might.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Registration {
    /// On which plane.
    pub plane: PlaneName,
    /// On which host: what a fencing device confirms.
    pub host: HostName,
    /// The entry that registered it.
    pub at: u64,
    /// Whether it is one still.
    pub standing: Standing,
}

/// A fence under way, or done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The entry that fenced: everything that ends it names it.
    pub index: u64,
    /// The plane that may act no more.
    pub plane: PlaneName,
    /// Up to this epoch.
    pub epoch: Epoch,
    /// Whether there was anybody to be accounted for. Of nobody nothing is known: then only time will do.
    pub anybody: bool,
    /// How it was ended; while it is under way, nothing.
    pub done: Option<Proof>,
}

/// Why nobody acts on a fenced plane any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Whoever says so has waited W since it applied the fence.
    Waited,
    /// Everybody of the wait set has returned, or its host is confirmed to be fenced.
    Accounted,
}

/// A command that does nothing, and why.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error,
)]
pub enum TenureError {
    /// A fence stands.
    #[error("plane {plane} is being fenced: nobody may register there before a plane is activated")]
    Fencing {
        /// Which plane.
        plane: PlaneName,
    },
    /// None does.
    #[error("no fence of this group stands")]
    NotFenced {},
    /// Another one does.
    #[error("that is about the fence of entry {named}, and the one of entry {stands} stands")]
    OtherFence {
        /// The one that was named.
        named: u64,
        /// The one that stands.
        stands: u64,
    },
    /// It is done already.
    #[error("that fence is done already")]
    Done {},
    /// It is not done.
    #[error("that fence is not done: its holders may still act")]
    NotDone {},
    /// There are those who may still act.
    #[error("{left} processes are not accounted for")]
    Unaccounted {
        /// How many; none when nobody was there to be accounted for.
        left: usize,
    },
    /// An epoch that is not the next.
    #[error("epoch {epoch} is not newer than {last}")]
    OldEpoch {
        /// The one that was given.
        epoch: Epoch,
        /// The newest that there was.
        last: Epoch,
    },
    /// Nobody of that kind.
    #[error("the log knows no such process")]
    Unknown {},
    /// A process that was registered before, for another plane, or that another one of its name has followed.
    #[error("this very process was registered before: start it again, then register")]
    Again {},
    /// Too many.
    #[error("{REGISTERED} processes are registered, or were and are waited for")]
    Full {},
}

type Outcome = Result<(), TenureError>;

/// The lease of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tenure {
    /// Which plane may act, and at which epoch.
    active: Option<(PlaneName, Epoch)>,
    /// The newest epoch that any plane was given, or that was fenced.
    last: Epoch,
    fence: Option<Fence>,
    #[serde(with = "pairs")]
    holders: BTreeMap<Holder, Registration>,
    terms: Terms,
    /// The longest of each that a holder may still go by: since the last fence that is done.
    longest: Terms,
}

impl Tenure {
    /// A group begins: this plane may act, at this epoch.
    pub const fn new(plane: PlaneName, epoch: Epoch, terms: Terms) -> Self {
        let active = Some((plane, epoch));
        let holders = BTreeMap::new();
        Self { active, last: epoch, fence: None, holders, terms, longest: terms }
    }

    /// Which plane may act, and at which epoch; none while a fence stands.
    pub fn active(&self) -> Option<(&PlaneName, Epoch)> {
        self.active.as_ref().map(|(plane, epoch)| (plane, *epoch))
    }

    /// The fence that stands.
    pub const fn fence_standing(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// The terms in force.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// W: how long the end of every lease is waited for, under the longest terms that anybody may still go by.
    pub fn wait(&self) -> Duration {
        self.longest.wait()
    }

    /// Everybody who is registered, or was and is waited for.
    pub const fn holders(&self) -> &BTreeMap<Holder, Registration> {
        &self.holders
    }

    /// Whether a renewal may be granted, as of this state.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, renewal: &Renewal) -> Result<(), Refusal> {
        let Some((plane, epoch)) = &self.active else { return Err(Refusal::Fenced {}) };
        if renewal.plane != *plane || renewal.epoch != *epoch {
            return Err(Refusal::NotActive { plane: plane.clone(), epoch: *epoch });
        }
        let registered = self.holders.get(&renewal.holder);
        let live =
            |known: &Registration| known.plane == *plane && known.standing == Standing::Live {};
        if !registered.is_some_and(live) {
            return Err(Refusal::NotRegistered {});
        }
        let due = self.terms.lease;
        if renewal.lease == due { Ok(()) } else { Err(Refusal::OtherLease { due }) }
    }

    /// A process registers for a plane. Another one of its name is granted nothing from now on.
    ///
    /// # Errors
    /// While that plane is being fenced, for a process that was registered otherwise before, or when there are too many.
    pub fn register(&mut self, holder: Holder, on: Registration) -> Outcome {
        if let Some(fence) = self.fence.as_ref().filter(|fence| fence.plane == on.plane) {
            return Err(TenureError::Fencing { plane: fence.plane.clone() });
        }
        if let Some(known) = self.holders.get(&holder) {
            let same = known.plane == on.plane && known.standing == Standing::Live {};
            return if same { Ok(()) } else { Err(TenureError::Again {}) };
        }
        if self.holders.len() >= REGISTERED {
            return Err(TenureError::Full {});
        }
        self.bury(&holder.name, on.at);
        self.holders.insert(holder, on);
        Ok(())
    }

    /// Whoever is called so is granted nothing from now on.
    ///
    /// # Errors
    /// When nobody live is.
    pub fn remove(&mut self, name: &HolderName, index: u64) -> Outcome {
        if self.bury(name, index) { Ok(()) } else { Err(TenureError::Unknown {}) }
    }

    fn bury(&mut self, name: &HolderName, since: u64) -> bool {
        let live = self
            .holders
            .iter_mut()
            .filter(|(holder, known)| holder.name == *name && known.standing == Standing::Live {});
        let mut any = false;
        for (_, known) in live {
            known.standing = Standing::Tombstone { since };
            any = true;
        }
        any
    }

    /// A tombstone's last lease has ended: whoever says so has waited W since it applied the entry that made it one.
    ///
    /// # Errors
    /// When it is none of that entry.
    pub fn forget(&mut self, holder: &Holder, since: u64) -> Outcome {
        let known = self.holders.get(holder).map(|known| known.standing);
        if known != Some(Standing::Tombstone { since }) {
            return Err(TenureError::Unknown {});
        }
        self.holders.remove(holder);
        Ok(())
    }

    /// From this entry on nobody is granted anything: the plane that could act is fenced, at its epoch.
    ///
    /// # Errors
    /// When a fence stands.
    pub fn fence(&mut self, index: u64) -> Outcome {
        let Some((plane, epoch)) = self.active.take() else {
            let plane = self.fence.as_ref().map(|fence| fence.plane.clone());
            return Err(
                plane.map_or(TenureError::Unknown {}, |plane| TenureError::Fencing { plane })
            );
        };
        let anybody = self.wait_set(&plane).next().is_some();
        self.fence = Some(Fence { index, plane, epoch, anybody, done: None });
        Ok(())
    }

    /// Everybody who may still act on a plane.
    pub fn wait_set<'a>(&'a self, plane: &'a PlaneName) -> impl Iterator<Item = &'a Holder> {
        let there = self.holders.iter().filter(move |(_, known)| known.plane == *plane);
        there.map(|(holder, _)| holder)
    }

    /// A process says that it has stopped, for this fence: nothing that it was granted counts any more.
    ///
    /// # Errors
    /// When that fence does not stand, or the process is not waited for.
    pub fn returned(&mut self, holder: &Holder, fence: u64) -> Outcome {
        let plane = self.under_way(fence)?.plane.clone();
        if self.holders.get(holder).is_none_or(|known| known.plane != plane) {
            return Err(TenureError::Unknown {});
        }
        self.holders.remove(holder);
        Ok(())
    }

    /// A device has cut off a host, asked after this fence: whoever runs there acts no more.
    ///
    /// # Errors
    /// When that fence does not stand, or nobody is waited for there.
    pub fn confirmed(&mut self, host: &HostName, fence: u64) -> Outcome {
        let plane = self.under_way(fence)?.plane.clone();
        let before = self.holders.len();
        self.holders.retain(|_, known| known.plane != plane || known.host != *host);
        if self.holders.len() < before { Ok(()) } else { Err(TenureError::Unknown {}) }
    }

    fn under_way(&self, named: u64) -> Result<&Fence, TenureError> {
        let fence = self.fence.as_ref().ok_or(TenureError::NotFenced {})?;
        if fence.index != named {
            return Err(TenureError::OtherFence { named, stands: fence.index });
        }
        if fence.done.is_some() { Err(TenureError::Done {}) } else { Ok(fence) }
    }

    /// Whether everybody of the wait set of the fence that stands is accounted for.
    ///
    /// # Errors
    /// How many are not.
    pub fn accounted(&self) -> Outcome {
        let fence = self.fence.as_ref().ok_or(TenureError::NotFenced {})?;
        let left = self.wait_set(&fence.plane).count();
        if fence.anybody && left == 0 { Ok(()) } else { Err(TenureError::Unaccounted { left }) }
    }

    /// The fence of this entry is done: nobody acts on its plane.
    ///
    /// # Errors
    /// When another one stands, or the proof does not hold.
    pub fn fence_done(&mut self, fence: u64, proof: Proof) -> Outcome {
        let plane = self.under_way(fence)?.plane.clone();
        match proof {
            Proof::Accounted => self.accounted()?,
            // Every lease has ended, and whoever had one must register anew.
            Proof::Waited => self.holders.retain(|_, known| known.plane != plane),
        }
        if let Some(fence) = &mut self.fence {
            fence.done = Some(proof);
        }
        self.longest = self.terms;
        Ok(())
    }

    /// A plane may act, at a new epoch.
    ///
    /// # Errors
    /// Before a fence is done, or at an epoch that is not new.
    pub fn activate(&mut self, plane: PlaneName, epoch: Epoch) -> Outcome {
        let fence = self.fence.as_ref().ok_or(TenureError::NotFenced {})?;
        if fence.done.is_none() {
            return Err(TenureError::NotDone {});
        }
        if epoch <= self.last {
            return Err(TenureError::OldEpoch { epoch, last: self.last });
        }
        (self.active, self.last, self.fence) = (Some((plane, epoch)), epoch, None);
        Ok(())
    }

    /// Other terms are in force from now on. Whoever goes by the old ones is refused its next renewal, and is waited for by the
    /// longer of both.
    pub fn set_terms(&mut self, terms: Terms) {
        self.longest = self.longest.longest(terms);
        self.terms = terms;
    }
}
