//! The audit trail is one hash chain: the same link at the same index on every node and in every life of its process, each
//! from the one before, nothing skipped, and one for every entry that was applied.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Book, Committed, Finding, Oracle};
use crate::kernel::consensus::PersistBatch;
use crate::kernel::controller::View;
use crate::kernel::ledger::AuditRecord;
use crate::sim::queue::Micros;

/// The chain as nodes gave it out.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// By index; with how many there are up to this one.
    links: BTreeMap<u64, (AuditRecord, u64)>,
    /// Up to which index each node gave out its links.
    last: BTreeMap<usize, u64>,
    /// Up to which indexes the snapshots that it wrote have them. What stood in the log before one is applied first, and
    /// the next one may be written meanwhile.
    taken: BTreeMap<usize, BTreeSet<u64>>,
}

/// The head after an entry: SHA-256 of the head before, index, term and bytes, in hexadecimal digits.
fn head(record: &AuditRecord) -> String {
    let mut hash = Sha256::new();
    hash.update(record.before.as_bytes());
    hash.update(record.index.to_be_bytes());
    hash.update(record.term.to_be_bytes());
    hash.update(&record.data);
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('?');
    hash.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Audit {
    /// The head, and how many links there are, up to an index.
    fn stands(&self, index: u64) -> (String, u64) {
        let last = self.links.range(..=index).next_back();
        last.map_or_else(|| ("0".repeat(64), 0), |(_, (link, count))| (link.head.clone(), *count))
    }

    /// A link that nobody gave out before.
    fn grow(&mut self, node: usize, record: &AuditRecord) -> Finding {
        let (node, index) = (node + 1, record.index);
        if let Some((later, _)) = self.links.range(index..).next() {
            return Err(format!(
                "node {node} chains the entry {index}, but others went on to {later} without it"
            ));
        }
        let (before, count) = self.stands(index);
        if record.before != before {
            return Err(format!(
                "node {node} chains the entry {index} to another head than that of the entry before"
            ));
        }
        if record.head != head(record) {
            return Err(format!("the head of node {node} at {index} is not that of its bytes"));
        }
        self.links.insert(index, (record.clone(), count + 1));
        Ok(())
    }
}

impl Oracle for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn started(&mut self, book: &Book, node: usize) -> Finding {
        self.last.insert(node, book.nodes[node].ordered.begins());
        self.taken.remove(&node);
        Ok(())
    }

    fn ordered(&mut self, _book: &Book, node: usize, batch: &PersistBatch) -> Finding {
        if let Some(snapshot) = &batch.snapshot {
            self.taken.entry(node).or_default().insert(snapshot.index);
        }
        Ok(())
    }

    fn audited(&mut self, node: usize, record: &AuditRecord) -> Finding {
        match self.links.get(&record.index) {
            Some((known, _)) if known == record => {}
            Some(_) => {
                return Err(format!(
                    "node {} has another link at {} than others",
                    node + 1,
                    record.index
                ));
            }
            None => self.grow(node, record)?,
        }
        let last = self.last.insert(node, record.index).unwrap_or_default();
        if last >= record.index {
            return Err(format!("node {} chains {} after {last}", node + 1, record.index));
        }
        let taken = self.taken.get(&node).and_then(|all| all.range(..record.index).next_back());
        let last = taken.copied().unwrap_or_default().max(last);
        match self.links.range(last + 1..record.index).next() {
            Some((skipped, _)) => Err(format!("node {} skips the link {skipped}", node + 1)),
            None => Ok(()),
        }
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        match self.links.get(&entry.index) {
            Some((link, _)) if entry.term != 0 && entry.term != link.term => Err(format!(
                "the link at {} is of term {}, the entry of term {}",
                entry.index, link.term, entry.term
            )),
            None if entry.envelope.is_some() => {
                Err(format!("the entry {} was applied, and no audit trail has it", entry.index))
            }
            _ => Ok(()),
        }
    }

    fn published(&mut self, _book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        let (head, count) = self.stands(view.applied);
        let shown = view.ledger.audit();
        if shown.head == head && shown.count == count {
            return Ok(());
        }
        Err(format!(
            "node {} shows a trail of {} links at index {}, and it has {count}, or another head",
            node + 1,
            shown.count,
            view.applied
        ))
    }
}
