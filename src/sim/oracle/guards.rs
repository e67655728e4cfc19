//! Freezes and drains are what the log says, at every index: each request done once, in the log's order.

use std::collections::BTreeMap;

use super::fold::{Fold, Guarded};
use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::sim::queue::Micros;

/// What the log says, as of each index.
#[derive(Debug, Default)]
pub(super) struct Guards {
    fold: Fold,
    /// An entry that no log shows any more was never seen here: nothing can be said from then on.
    blind: bool,
    /// As of each index that changed something.
    after: BTreeMap<u64, Guarded>,
    /// Up to which index each node was compared.
    compared: BTreeMap<usize, u64>,
}

impl Oracle for Guards {
    fn name(&self) -> &'static str {
        "guards"
    }

    fn started(&mut self, _book: &Book, node: usize) -> Finding {
        self.compared.remove(&node);
        Ok(())
    }

    fn committed(&mut self, book: &Book, entry: &Committed) -> Finding {
        self.blind |= entry.term == 0;
        if entry.envelope.is_none() {
            return Ok(());
        }
        let before = self.fold.now.clone();
        self.fold.take(book, entry, |_, _| {});
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
            if state.frozen.is_some() != said.0.contains(group) {
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
