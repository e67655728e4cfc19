//! Freezes and drains are what the log says, at every index: each request done once, in the log's order, by a fold of
//! this oracle's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{GroupName, PlaneName};
use crate::kernel::ledger::{Cluster, Command, RequestKey};
use crate::sim::queue::Micros;

/// What is frozen, and what is drained.
type Guarded = (BTreeSet<GroupName>, BTreeSet<PlaneName>);

/// The fold.
#[derive(Debug)]
pub(super) struct Guards {
    cluster: Arc<Cluster>,
    configured: bool,
    /// An entry that no log shows any more was never seen here: nothing can be said from then on.
    blind: bool,
    now: Guarded,
    /// As of each index that changed something.
    after: BTreeMap<u64, Guarded>,
    /// Requests that were carried out: the same one may be logged again, and then does nothing.
    done: BTreeSet<RequestKey>,
    /// Up to which index each node was compared.
    compared: BTreeMap<usize, u64>,
}

impl Guards {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            configured: false,
            blind: false,
            now: Guarded::default(),
            after: BTreeMap::new(),
            done: BTreeSet::new(),
            compared: BTreeMap::new(),
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

    fn take(&mut self, command: &Command) {
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

impl Oracle for Guards {
    fn name(&self) -> &'static str {
        "guards"
    }

    fn started(&mut self, _book: &Book, node: usize) -> Finding {
        self.compared.remove(&node);
        Ok(())
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        self.blind |= entry.term == 0;
        let Some(envelope) = &entry.envelope else { return Ok(()) };
        let before = self.now.clone();
        for command in &envelope.commands {
            self.take(command);
        }
        if before != self.now {
            self.after.insert(entry.index, self.now.clone());
        }
        Ok(())
    }

    fn published(&mut self, _book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        let before = self.compared.insert(node, view.applied);
        if self.blind || before.is_some_and(|before| before >= view.applied) {
            return Ok(());
        }
        let none = Guarded::default();
        let said = self.after.range(..=view.applied).next_back().map_or(&none, |(_, said)| said);
        for (group, state) in view.ledger.groups() {
            if self.cluster.groups.contains_key(group)
                && state.frozen.is_some() != said.0.contains(group)
            {
                return Err(format!(
                    "node {} shows {group} {} at index {}, and the log says otherwise",
                    node + 1,
                    if state.frozen.is_some() { "frozen" } else { "thawed" },
                    view.applied
                ));
            }
        }
        let drained = view.ledger.drained();
        if !drained.keys().eq(said.1.iter()) {
            return Err(format!(
                "node {} shows {:?} drained at index {}, and the log says {:?}",
                node + 1,
                drained.keys(),
                view.applied,
                said.1
            ));
        }
        Ok(())
    }
}
