//! What the oracles see: logs and disks as they were written, entries with their true times, the committed
//! chain, every probe. Kept from observable things only; no decision of the kernel is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Settings;
use crate::kernel::consensus::{PersistBatch, Recovered};
use crate::kernel::domain::{GroupName, Incarnation, MemberId};
use crate::kernel::ledger::{Cluster, Command, Envelope};
use crate::kernel::switchover::Switchover;
use crate::sim::queue::Micros;

/// One entry that some node wrote.
#[derive(Clone, Debug)]
pub struct Known {
    /// Term of the entry before it.
    pub before: u64,
    /// When some node first ordered its write.
    pub born: Micros,
    /// Its bytes.
    pub data: bytes::Bytes,
}

/// The terms of a log: (index, term) names an entry.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The entry before the first.
    base: (u64, u64),
    terms: VecDeque<u64>,
    /// What compactions took away and nobody has shown as applied yet.
    compacted: BTreeMap<u64, u64>,
}

impl Terms {
    /// The term at an index, if the log holds it (or its snapshot ends there).
    pub fn at(&self, index: u64) -> Option<u64> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        let place = usize::try_from(index.checked_sub(self.base.0 + 1)?).ok()?;
        self.terms.get(place).copied()
    }

    /// Whether everything up to the index is there, in the log or in the snapshot below it.
    pub fn reaches(&self, index: u64, term: u64) -> bool {
        index < self.base.0 || self.at(index) == Some(term)
    }

    /// The last index that is not in the log, but in the snapshot below it.
    pub const fn begins(&self) -> u64 {
        self.base.0
    }

    fn write(&mut self, batch: &PersistBatch) {
        if let Some(snapshot) = &batch.snapshot
            && (batch.reset_log || snapshot.index > self.last())
        {
            self.terms.clear();
            self.base = (snapshot.index, snapshot.term);
        }
        if let Some(first) = batch.first_index {
            while self.base.0 + 1 < first {
                let Some(term) = self.terms.pop_front() else { break };
                self.base = (self.base.0 + 1, term);
                self.compacted.insert(self.base.0, term);
            }
        }
        for entry in &batch.entries {
            while self.last() >= entry.index && self.terms.pop_back().is_some() {}
            if self.last() + 1 == entry.index {
                self.terms.push_back(entry.term);
            }
        }
    }

    fn last(&self) -> u64 {
        self.base.0 + self.terms.len() as u64
    }

    fn recover(recovered: &Recovered) -> Self {
        let mut terms = Self::default();
        if let Some(snapshot) = &recovered.snapshot {
            terms.base = (snapshot.index, snapshot.term);
        }
        for entry in &recovered.entries {
            if entry.index > terms.last() {
                terms.terms.push_back(entry.term);
            }
        }
        terms
    }
}

/// A committed entry.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its index.
    pub index: u64,
    /// Its term; 0 where no log shows it any more.
    pub term: u64,
    /// When its write was first ordered.
    pub born: Micros,
    /// Its commands; none in a leader's empty entry.
    pub envelope: Option<Envelope>,
}

/// One probe of a service that ended.
#[derive(Clone, Copy, Debug)]
pub struct ProbeSeen {
    /// True time at which it began.
    pub began: Micros,
    /// True time at which it ended.
    pub ended: Micros,
    /// Whether it passed.
    pub passed: bool,
}

/// Probes of one endpoint of a service that are remembered.
const PROBES_KEPT: usize = 400;

/// A (observer, its process, service, plane).
pub type Watched = (MemberId, Incarnation, usize, usize);

/// One node's log as ordered, its disk as written, and how far it showed.
#[derive(Clone, Debug, Default)]
pub struct NodeBook {
    /// Everything ordered so far, done or not.
    pub ordered: Terms,
    /// What is durable.
    pub durable: Terms,
    /// The highest index that its disk knows to be committed: what a start would show at once.
    pub commit: u64,
    /// The last applied index that it published in this life.
    pub applied: u64,
}

/// The book.
#[derive(Debug, Default)]
pub struct Book {
    /// By (index, term).
    pub entries: BTreeMap<(u64, u64), Known>,
    /// By node.
    pub nodes: Vec<NodeBook>,
    /// The committed chain: entry `i` stands at place `i - 1`.
    pub chain: Vec<Committed>,
    /// The configurations of the chain.
    pub settings: Settings,
    /// Probes by who, what and where.
    pub probes: BTreeMap<Watched, VecDeque<ProbeSeen>>,
    /// Since when a critical service of a group has truly been bad on a plane: by group, plane, service.
    pub bad_since: BTreeMap<(GroupName, usize, usize), Micros>,
    /// Since when nothing at all speaks against any plane: no sick service, no cut way, no lost probe.
    pub well_since: Option<Micros>,
    /// No clock of a member ran faster or slower by more, in millionths.
    pub worst_ppm: u64,
    /// When machines of members slept, their clocks with them, or processes stood still between their clock and what they do.
    pub sleeps: Vec<(Micros, Micros)>,
}

impl Book {
    /// An empty book.
    pub fn new(nodes: usize) -> Self {
        Self { nodes: vec![NodeBook::default(); nodes], ..Self::default() }
    }

    /// A node ordered a write.
    pub fn ordered(&mut self, at: Micros, node: usize, batch: &PersistBatch) {
        let log = &mut self.nodes[node].ordered;
        log.write(batch);
        for entry in &batch.entries {
            self.entries.entry((entry.index, entry.term)).or_insert_with(|| Known {
                before: log.at(entry.index - 1).unwrap_or_default(),
                born: at,
                data: entry.data.clone(),
            });
        }
    }

    /// A write became durable.
    pub fn stored(&mut self, node: usize, batch: &PersistBatch) {
        let node = &mut self.nodes[node];
        node.durable.write(batch);
        let commit = batch.hard_state.map_or(0, |state| state.commit);
        let snapshot = batch.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        node.commit = node.commit.max(commit).max(snapshot);
    }

    /// A node started from this.
    pub fn started(&mut self, node: usize, recovered: &Recovered) {
        let terms = Terms::recover(recovered);
        let snapshot = recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        let commit = recovered.hard_state.commit.max(snapshot);
        self.nodes[node] = NodeBook { ordered: terms.clone(), durable: terms, commit, applied: 0 };
    }

    /// The term of an entry that a node applied: by its own log, or, where that is compacted, by another one that agrees with it
    /// where it begins. Whoever was deposed may hold something else in its place.
    fn term_of(&self, node: usize, index: u64) -> Option<u64> {
        let own = &self.nodes[node].ordered;
        let (base, term) = own.base;
        let mut alike = self.nodes.iter().filter(|n| n.ordered.at(base) == Some(term));
        let compacted = || own.compacted.get(&index).copied();
        own.at(index).or_else(compacted).or_else(|| alike.find_map(|n| n.ordered.at(index)))
    }

    /// A node showed that it has applied up to an index: the places of what is new in the chain.
    pub fn applied(&mut self, node: usize, applied: u64) -> std::ops::Range<usize> {
        let from = self.chain.len();
        for index in from as u64 + 1..=applied {
            let term = self.term_of(node, index).unwrap_or_default();
            let known = self.entries.get(&(index, term));
            let envelope = known
                .filter(|known| !known.data.is_empty())
                .and_then(|known| Envelope::decode(&known.data).ok())
                .map(|(envelope, _)| envelope);
            let born = known.map_or(0, |known| known.born);
            let entry = Committed { index, term, born, envelope };
            self.settings.offer(&entry);
            self.chain.push(entry);
        }
        self.nodes[node].applied = self.nodes[node].applied.max(applied);
        let shown = self.chain.len() as u64;
        for log in self.nodes.iter_mut().flat_map(|node| [&mut node.ordered, &mut node.durable]) {
            log.compacted = log.compacted.split_off(&(shown + 1));
        }
        from..self.chain.len()
    }

    /// The number of the configuration by which a switchover was decided, and itself: one entry may do both, and in it
    /// the order of its commands counts. Nothing where an entry was never seen that may have changed it.
    pub fn decided_by(&self, s: &Switchover) -> Option<(u64, &Arc<Cluster>)> {
        if self.settings.blind() {
            return None;
        }
        let envelope = self.committed(s.id.index).and_then(|entry| entry.envelope.as_ref());
        let commands = envelope.map_or(&[][..], |envelope| &envelope.commands);
        let decides = |command: &Command| match command {
            Command::Decide { moves, .. } => moves.iter().any(|moved| moved.group == s.group),
            // Others may have asked for the same in this entry, and were refused. Reasons name requests.
            Command::Switch(switch) => switch.moved.group == s.group && switch.reason == s.cause,
            _ => false,
        };
        let brings =
            |command: &Command| matches!(command, Command::Configure(_) | Command::Reconfigure(_));
        let first = commands.iter().find(|command| decides(command) || brings(command));
        let before = first.is_some_and(decides);
        let index = if before { s.id.index.saturating_sub(1) } else { s.id.index };
        Some((self.settings.number_at(index), self.settings.at(index)?))
    }

    /// How long most members slept at once: time that no clock of theirs can know of.
    pub fn slept(&self) -> Micros {
        let falls = self.sleeps.iter().map(|(from, _)| (*from, 1_i32));
        let wakes = self.sleeps.iter().map(|(_, until)| (*until, -1));
        let mut turns: Vec<(Micros, i32)> = falls.chain(wakes).collect();
        turns.sort_unstable();
        let (mut asleep, mut since, mut slept) = (0, 0, 0);
        for (at, change) in turns {
            if 2 * asleep > i32::try_from(self.nodes.len()).unwrap_or(i32::MAX) {
                slept += at - since;
            }
            (asleep, since) = (asleep + change, at);
        }
        slept
    }

    /// The committed entry at an index.
    pub fn committed(&self, index: u64) -> Option<&Committed> {
        self.chain.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// A probe ended.
    pub fn probed(&mut self, who: Watched, seen: ProbeSeen) {
        let seen_before = self.probes.entry(who).or_default();
        if seen_before.len() >= PROBES_KEPT {
            seen_before.pop_front();
        }
        seen_before.push_back(seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: (u64, u64), terms: &[u64]) -> NodeBook {
        let ordered = Terms { base, terms: terms.iter().copied().collect(), ..Terms::default() };
        NodeBook { ordered, ..NodeBook::default() }
    }

    #[test]
    fn whoever_was_deposed_is_not_asked_which_entry_a_compacted_log_held() {
        let mut book = Book::new(0);
        // The first has compacted what it applied; the second led before, and nobody took its last entries.
        book.nodes =
            vec![log((5, 2), &[]), log((0, 0), &[1, 1, 1, 1, 1]), log((0, 0), &[1, 1, 1, 2, 2])];
        book.applied(0, 5);
        let terms: Vec<u64> = book.chain.iter().map(|entry| entry.term).collect();
        assert_eq!(terms, [1, 1, 1, 2, 2]);
        // Nobody else holds what it took over: then nobody knows.
        book.nodes.pop();
        book.chain.clear();
        book.applied(0, 5);
        assert_eq!(book.chain.iter().map(|entry| entry.term).collect::<Vec<_>>(), [0, 0, 0, 0, 2]);
    }

    #[test]
    fn what_most_members_slept_at_once_no_clock_of_theirs_knows() {
        let mut book = Book::new(3);
        assert_eq!(book.slept(), 0);
        book.sleeps = vec![(10, 40), (60, 70)];
        assert_eq!(book.slept(), 0, "one is not most");
        book.sleeps.extend([(20, 30), (35, 65)]);
        assert_eq!(book.slept(), 10 + 5 + 5);
    }

    #[test]
    fn what_a_single_member_compacts_before_it_shows_it_is_remembered() {
        let mut book = Book::new(0);
        book.nodes = vec![log((0, 0), &[1, 1, 2, 2, 2])];
        let compaction = PersistBatch { first_index: Some(5), ..PersistBatch::default() };
        book.ordered(0, 0, &compaction);
        book.applied(0, 5);
        let terms: Vec<u64> = book.chain.iter().map(|entry| entry.term).collect();
        assert_eq!(terms, [1, 1, 2, 2, 2]);
        assert!(book.nodes[0].ordered.compacted.is_empty());
    }
}
