//! Raft, log matching: two logs that hold an entry of the same index and term are the same up to it (Raft
//! paper, figure 3). By induction it is enough that such entries are equal and follow entries of equal terms.

use super::{Book, Finding, Oracle};
use crate::kernel::consensus::PersistBatch;

/// Nothing to remember: the book holds every entry.
#[derive(Debug)]
pub(super) struct LogMatching;

impl Oracle for LogMatching {
    fn name(&self) -> &'static str {
        "log_matching"
    }

    fn ordered(&mut self, book: &Book, node: usize, batch: &PersistBatch) -> Finding {
        for entry in &batch.entries {
            let (index, term) = (entry.index, entry.term);
            let Some(known) = book.entries.get(&(index, term)) else { continue };
            let node_name = node + 1;
            if known.data != entry.data {
                return Err(format!(
                    "node {node_name} holds other bytes at index {index} of term {term} than another log"
                ));
            }
            let log = &book.nodes[node].ordered;
            let before = log.at(index - 1);
            // Batches truncate: an entry of this batch may already be overwritten by a later one of it.
            if log.at(index) == Some(term) && before.is_some_and(|before| before != known.before) {
                return Err(format!(
                    "at node {node_name} index {index} of term {term} follows term {}, elsewhere term {}",
                    before.unwrap_or_default(),
                    known.before
                ));
            }
        }
        Ok(())
    }
}
