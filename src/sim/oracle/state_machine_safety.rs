//! Raft, state machine safety: no two nodes apply different entries at one index (Raft paper, figure 3), and
//! what they show for an index is the same: routes always, the whole state now and then.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Book, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{GroupName, Route};
use crate::sim::queue::Micros;
use crate::sim::trace::Digest;

/// What was shown for each applied index.
#[derive(Debug)]
pub(super) struct StateMachineSafety {
    /// The whole state is compared at every index that this divides.
    compared: u64,
    applied: BTreeMap<usize, u64>,
    routes: BTreeMap<u64, Arc<BTreeMap<GroupName, Route>>>,
    digests: BTreeMap<u64, Digest>,
}

impl StateMachineSafety {
    pub(super) const fn new(compared: u64) -> Self {
        Self {
            compared,
            applied: BTreeMap::new(),
            routes: BTreeMap::new(),
            digests: BTreeMap::new(),
        }
    }
}

impl Oracle for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state_machine_safety"
    }

    fn started(&mut self, _book: &Book, node: usize) -> Finding {
        self.applied.remove(&node);
        Ok(())
    }

    fn published(&mut self, book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        let before = self.applied.get(&node).copied().unwrap_or_default();
        let log = &book.nodes[node].ordered;
        for index in before + 1..=view.applied {
            let Some(entry) = book.committed(index) else { continue };
            if let Some(term) = log.at(index)
                && entry.term != 0
                && term != entry.term
            {
                return Err(format!(
                    "node {} applied the entry of term {term} at index {index}, another that of term {}",
                    node + 1,
                    entry.term
                ));
            }
        }
        if view.applied < before {
            return Err(format!(
                "node {} went back from applied {before} to {}",
                node + 1,
                view.applied
            ));
        }
        self.applied.insert(node, view.applied);
        let routes = self.routes.entry(view.applied).or_insert_with(|| Arc::clone(&view.routes));
        if !Arc::ptr_eq(routes, &view.routes) && *routes != view.routes {
            return Err(format!(
                "at index {} node {} shows the routes {:?}, another {routes:?}",
                view.applied,
                node + 1,
                view.routes
            ));
        }
        if view.applied > before && view.applied.is_multiple_of(self.compared) {
            let mut digest = Digest::default();
            digest.value_of(&view.ledger);
            let first = self.digests.entry(view.applied).or_insert(digest);
            if *first != digest {
                return Err(format!(
                    "at index {} the state of node {} differs from another's",
                    view.applied,
                    node + 1
                ));
            }
        }
        Ok(())
    }
}
