//! Raft, election safety: at most one leader in a term (Raft paper, figure 3).

use std::collections::BTreeMap;

use super::{Book, Finding, Oracle};

/// Who led each term.
#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<u64, usize>,
}

impl Oracle for ElectionSafety {
    fn name(&self) -> &'static str {
        "election_safety"
    }

    fn led(&mut self, _book: &Book, node: usize, term: u64) -> Finding {
        let first = *self.leaders.entry(term).or_insert(node);
        if first == node {
            return Ok(());
        }
        Err(format!("term {term} has two leaders: nodes {} and {}", first + 1, node + 1))
    }
}
