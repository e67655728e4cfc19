//! Raft, one vote a term: a member votes for one candidate in a term, whatever happens to its process (Raft
//! paper, figure 2: `votedFor` is persistent), and nobody leads without the votes of a majority. Read from the frames
//! between members, by a reader of its own: what left a process was promised, and nothing of the kernel is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Book, Finding, Oracle, majority};
use crate::kernel::ledger::Cluster;

/// A vote that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The place of the one who votes.
    pub voter: usize,
    /// The raft id of the candidate.
    pub candidate: u64,
    /// In which term.
    pub term: u64,
}

/// A frame's first fields: format, kind of frame, length; then raft's format, kind, receiver, sender, term.
type Head = (u8, u32, u64, u8, u8, u64, u64, u64);
/// What follows in an answer: log term, index, entries, commit, its term, no snapshot, requested one, refusal.
type Answer = (u64, u64, u64, u64, u64, u8, u64, bool);

/// A candidate asks for votes, so it has voted for itself.
const REQUEST: u8 = 5;
/// An answer to that.
const ANSWER: u8 = 6;

impl Vote {
    /// The vote in a frame that the node at place `from` sends, if there is one.
    pub fn read(from: usize, frame: &[u8]) -> Option<Self> {
        // Other frames are many and long: the ninth part of one is enough to tell.
        let (head, rest) = postcard::take_from_bytes::<Head>(frame).ok()?;
        let (_, 0, _, _, kind @ (REQUEST | ANSWER), to, sender, term) = head else { return None };
        if kind == REQUEST {
            return Some(Self { voter: from, candidate: sender, term });
        }
        let (answer, _) = postcard::take_from_bytes::<Answer>(rest).ok()?;
        let refused = answer.7;
        (!refused).then_some(Self { voter: from, candidate: to, term })
    }
}

/// Who voted for whom, by (term, voter).
#[derive(Debug)]
pub(super) struct OneVote {
    members: usize,
    votes: BTreeMap<(u64, usize), u64>,
    /// Whose votes were counted, and for which term.
    counted: BTreeSet<(u64, usize)>,
}

impl OneVote {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        let members = cluster.members.len();
        Self { members, votes: BTreeMap::new(), counted: BTreeSet::new() }
    }
}

impl Oracle for OneVote {
    fn name(&self) -> &'static str {
        "one_vote"
    }

    fn voted(&mut self, _book: &Book, vote: Vote) -> Finding {
        let Vote { voter, candidate, term } = vote;
        let first = *self.votes.entry((term, voter)).or_insert(candidate);
        if first == candidate {
            return Ok(());
        }
        Err(format!(
            "node {} voted twice in term {term}: for node {first}, and for node {candidate}",
            voter + 1
        ))
    }

    fn led(&mut self, _book: &Book, node: usize, term: u64) -> Finding {
        // Whoever is alone asks nobody.
        if self.members == 1 || !self.counted.insert((term, node)) {
            return Ok(());
        }
        let of_term = self.votes.range((term, 0)..=(term, usize::MAX));
        let votes = of_term.filter(|(_, candidate)| **candidate == node as u64 + 1).count();
        if votes >= majority(self.members) {
            return Ok(());
        }
        Err(format!(
            "node {} leads term {term} by {votes} votes of {} members",
            node + 1,
            self.members
        ))
    }
}
