//! The audit trail: a hash chain over the command bytes as logged.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::limits::AUDIT_LINKS;

/// One link: the entry's place and the chain's head after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLink {
    /// Raft index.
    pub index: u64,
    /// Hex of SHA-256(previous head ‖ index ‖ term ‖ bytes), numbers as 8 bytes big-endian.
    pub head: String,
}

/// The chain's head, its length and its last links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Entries chained so far.
    pub count: u64,
    /// The head; 64 zeros before the first entry.
    pub head: String,
    /// The last links, oldest first.
    pub recent: Vec<AuditLink>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { count: 0, head: "0".repeat(64), recent: Vec::new() }
    }
}

impl Audit {
    /// Chains one entry.
    pub(super) fn chain(&mut self, index: u64, term: u64, bytes: &[u8]) {
        let mut hash = Sha256::new();
        hash.update(self.head.as_bytes());
        hash.update(index.to_be_bytes());
        hash.update(term.to_be_bytes());
        hash.update(bytes);
        self.head = hex(&hash.finalize());
        self.count += 1;
        self.recent.push(AuditLink { index, head: self.head.clone() });
        if self.recent.len() > AUDIT_LINKS {
            self.recent.remove(0);
        }
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_byte_changes_every_later_head() {
        let (mut a, mut b) = (Audit::default(), Audit::default());
        a.chain(1, 1, b"{}");
        b.chain(1, 1, b"{ }");
        a.chain(2, 1, b"x");
        b.chain(2, 1, b"x");
        assert_ne!(a.head, b.head);
        assert_eq!(a.count, 2);
    }

    #[test]
    fn the_state_holds_only_the_last_links() {
        let mut audit = Audit::default();
        for index in 1..=40 {
            audit.chain(index, 1, b"x");
        }
        assert_eq!(audit.recent.len(), AUDIT_LINKS);
        assert_eq!(audit.recent.last().map(|link| link.index), Some(40));
    }
}
