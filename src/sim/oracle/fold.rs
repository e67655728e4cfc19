//! Freezes and drains as the log has them: a fold of the oracles' own, for all who judge by them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::kernel::domain::{GroupName, PlaneName};
use crate::kernel::ledger::{Cluster, Command, RequestKey};

/// What is frozen, and what is drained.
pub(super) type Guarded = (BTreeSet<GroupName>, BTreeSet<PlaneName>);

/// The fold.
#[derive(Debug)]
pub(super) struct Fold {
    cluster: Arc<Cluster>,
    configured: bool,
    /// As of the last command.
    pub(super) now: Guarded,
    /// Requests that were carried out: the same one may be logged again, and then does nothing.
    done: BTreeSet<RequestKey>,
}

impl Fold {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            configured: false,
            now: Guarded::default(),
            done: BTreeSet::new(),
        }
    }

    fn freeze(&mut self, named: &BTreeSet<GroupName>, on: bool) {
        for group in self.cluster.groups.keys() {
            if named.is_empty() || named.contains(group) {
                if on {
                    self.now.0.insert(group.clone());
                } else {
                    self.now.0.remove(group);
                }
            }
        }
    }

    /// The next command of the log.
    pub(super) fn take(&mut self, command: &Command) {
        match command {
            Command::Configure(_) => self.configured = true,
            Command::Freeze { request, groups, on, .. } => {
                let there = |group: &GroupName| self.cluster.groups.contains_key(group);
                // One that names a group which is not there does nothing at all.
                let acts = self.configured && groups.iter().all(there);
                if self.done.insert(*request) && acts {
                    self.freeze(groups, *on);
                }
            }
            Command::Drain { request, plane, on, .. } if self.done.insert(*request) => {
                if *on && self.configured {
                    self.now.1.insert(plane.clone());
                } else {
                    self.now.1.remove(plane);
                }
            }
            _ => {}
        }
    }
}
