//! Freezes and drains as the log has them: a fold of the oracles' own, for all who judge by them.

use std::collections::BTreeSet;

use super::{Book, Committed};
use crate::kernel::domain::{GroupName, PlaneName};
use crate::kernel::ledger::{Cluster, Command, RequestKey};

/// What is frozen, and what is drained.
pub(super) type Guarded = (BTreeSet<GroupName>, BTreeSet<PlaneName>);

/// The fold.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// As of the last command.
    pub(super) now: Guarded,
    /// Requests that were carried out: the same one may be logged again, and then does nothing.
    done: BTreeSet<RequestKey>,
}

impl Fold {
    /// The next entry of the log; `before` is told of what holds before each of its commands.
    pub(super) fn take(
        &mut self,
        book: &Book,
        entry: &Committed,
        mut before: impl FnMut(&Command, &Guarded),
    ) {
        let mut cluster = book.settings.at(entry.index.saturating_sub(1));
        for command in entry.envelope.iter().flat_map(|envelope| &envelope.commands) {
            if matches!(command, Command::Configure(_) | Command::Reconfigure(_)) {
                cluster = book.settings.at(entry.index);
                let there =
                    |group: &GroupName| cluster.is_some_and(|c| c.groups.contains_key(group));
                self.now.0.retain(there);
            }
            before(command, &self.now);
            self.carry_out(command, cluster.map(AsRef::as_ref));
        }
    }

    fn carry_out(&mut self, command: &Command, cluster: Option<&Cluster>) {
        match command {
            Command::Freeze { request, groups, on, .. } => {
                let there = |group: &GroupName| {
                    cluster.is_some_and(|cluster| cluster.groups.contains_key(group))
                };
                // One that names a group which is not there does nothing at all.
                let acts = groups.iter().all(there);
                let all = || cluster.into_iter().flat_map(|cluster| cluster.groups.keys());
                if self.done.insert(*request) && acts {
                    let named = all().filter(|group| groups.is_empty() || groups.contains(*group));
                    self.freeze(named, *on);
                }
            }
            Command::Drain { request, plane, on, .. } if self.done.insert(*request) => {
                if *on && cluster.is_some() {
                    self.now.1.insert(plane.clone());
                } else {
                    self.now.1.remove(plane);
                }
            }
            _ => {}
        }
    }

    fn freeze<'a>(&mut self, named: impl Iterator<Item = &'a GroupName>, on: bool) {
        for group in named {
            if on {
                self.now.0.insert(group.clone());
            } else {
                self.now.0.remove(group);
            }
        }
    }
}
