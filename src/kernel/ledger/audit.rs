//! The audit trail: a hash chain over the command bytes as logged.

use bytes::Bytes;
use schemars::JsonSchema;
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
    pub fn chain(&mut self, index: u64, term: u64, bytes: &[u8]) {
        self.head = link(&self.head, index, term, bytes);
        self.count += 1;
        self.recent.push(AuditLink { index, head: self.head.clone() });
        if self.recent.len() > AUDIT_LINKS {
            self.recent.remove(0);
        }
    }
}

/// The chain's head after an entry.
fn link(before: &str, index: u64, term: u64, bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(before.as_bytes());
    hash.update(index.to_be_bytes());
    hash.update(term.to_be_bytes());
    hash.update(bytes);
    hex(&hash.finalize())
}

/// An entry as it was applied, with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Raft index.
    pub index: u64,
    /// Raft term.
    pub term: u64,
    /// The chain's head before it.
    pub before: String,
    /// And after it.
    pub head: String,
    /// Its bytes, as logged.
    pub data: Bytes,
}

impl AuditRecord {
    /// As it is kept and exported.
    pub fn line(&self) -> AuditLine {
        let text = std::str::from_utf8(&self.data).map(str::to_owned);
        let (entry, bytes) = match text {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(hex(&self.data))),
        };
        let (before, head) = (self.before.clone(), self.head.clone());
        AuditLine { index: self.index, term: self.term, before, head, entry, bytes }
    }
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditLine {
    /// Raft index of the entry.
    pub index: u64,
    /// Raft term of the entry.
    pub term: u64,
    /// The chain's head before it: 64 hexadecimal digits.
    pub before: String,
    /// And after it.
    pub head: String,
    /// The entry as it was logged: JSON, as text, so that no byte of it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The same in hexadecimal digits, where it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

impl AuditLine {
    /// Whether its head is that of its bytes.
    pub fn is_sound(&self) -> bool {
        let bytes = match (&self.entry, &self.bytes) {
            (Some(text), None) => Some(text.as_bytes().to_vec()),
            (None, Some(digits)) => unhex(digits),
            _ => None,
        };
        bytes.is_some_and(|bytes| link(&self.before, self.index, self.term, &bytes) == self.head)
    }
}

/// Lines of one node's archive: `GET /v1/audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// The first entry that this node still has, if it has any.
    pub oldest: Option<u64>,
    /// The lines, in order. One whose `before` is not the `head` before it follows a gap of this node.
    pub lines: Vec<AuditLine>,
    /// Whether there are more after them.
    pub more: bool,
}

/// Where the chain stands: `GET /v1/audit/head`. Who notes it down can see later whether anything up to here was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditHead {
    /// Entries chained so far.
    pub count: u64,
    /// The last entry's index; 0 before the first.
    pub index: u64,
    /// The head.
    pub head: String,
}

impl Audit {
    /// Where the chain stands.
    pub fn stands(&self) -> AuditHead {
        let index = self.recent.last().map_or(0, |link| link.index);
        AuditHead { count: self.count, index, head: self.head.clone() }
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    // Each applied entry needs two of these: the formatting machinery is too slow.
    let digit = |four: u8| DIGITS[usize::from(four & 15)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
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
    fn a_line_is_sound_until_one_byte_of_it_is_another() {
        for data in [&b"{\"format\":1}"[..], b"\xff\xfe\x00"] {
            let mut audit = Audit::default();
            let before = audit.head.clone();
            audit.chain(7, 2, data);
            let data = Bytes::copy_from_slice(data);
            let record = AuditRecord { index: 7, term: 2, before, head: audit.head, data };
            let line = record.line();
            assert!(line.is_sound());
            assert!(!AuditLine { index: 8, ..line.clone() }.is_sound());
            assert!(!AuditLine { term: 3, ..line.clone() }.is_sound());
            assert!(!AuditLine { before: "0".repeat(63) + "1", ..line.clone() }.is_sound());
            let changed =
                |text: &Option<String>| text.as_ref().map(|text| text.replacen('f', "e", 1));
            let (entry, bytes) = (changed(&line.entry), changed(&line.bytes));
            assert!(!AuditLine { entry, bytes, ..line }.is_sound());
        }
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
