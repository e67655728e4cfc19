//! Freezes and drains are what the log says, at every index: each request done once, in the log's order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fold::{Fold, Guarded};
use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::ledger::Cluster;
use crate::sim::queue::Micros;

/// What the log says, as of each index.
#[derive(Debug)]
pub(super) struct Guards {
    cluster: Arc<Cluster>,
    fold: Fold,
    /// An entry that no log shows any more was never seen here: nothing can be said from then on.
    blind: bool,
    /// As of each index that changed something.
    after: BTreeMap<u64, Guarded>,
    /// Up to which index each node was compared.
    compared: BTreeMap<usize, u64>,
}

impl Guards {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            fold: Fold::new(cluster),
            blind: false,
            after: BTreeMap::new(),
            compared: BTreeMap::new(),
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
        let before = self.fold.now.clone();
        envelope.commands.iter().for_each(|command| self.fold.take(command));
        if before != self.fold.now {
            self.after.insert(entry.index, self.fold.now.clone());
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
