//! Raft, leader completeness: a leader's log holds every entry committed in earlier terms (Raft paper, figure 3).

use super::{Book, Finding, Oracle};

/// The newest term whose leader was looked at.
#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    seen: u64,
}

impl Oracle for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader_completeness"
    }

    fn led(&mut self, book: &Book, node: usize, term: u64) -> Finding {
        if term <= self.seen {
            return Ok(());
        }
        self.seen = term;
        let log = &book.nodes[node].ordered;
        for entry in &book.chain {
            if entry.term == 0 || entry.term >= term || log.reaches(entry.index, entry.term) {
                continue;
            }
            return Err(format!(
                "node {} leads term {term} without the committed entry {} of term {}",
                node + 1,
                entry.index,
                entry.term
            ));
        }
        Ok(())
    }
}
