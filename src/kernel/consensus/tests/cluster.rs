//! Three members, their disks, and the network between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use raft::eraftpb::MessageType;

use super::super::codec::decode;
use super::super::*;
use crate::kernel::domain::{Incarnation, MemberId};

/// What was applied: index, term, bytes.
pub(super) type Applied = Vec<(u64, u64, Vec<u8>)>;

pub(super) fn settings(id: u64, seed: u64) -> ConsensusSettings {
    ConsensusSettings {
        id: MemberId(id),
        voters: vec![1, 2, 3],
        seed,
        heartbeat_ticks: 2,
        election_min_ticks: 10,
        election_max_ticks: 20,
    }
}

/// Does to a disk what a batch orders.
pub(super) fn keep(disk: &mut Recovered, batch: &PersistBatch) {
    if let Some(snapshot) = &batch.snapshot {
        disk.snapshot = Some(snapshot.clone());
    }
    if batch.reset_log {
        disk.entries.clear();
    }
    if let Some(first) = batch.first_index {
        disk.entries.retain(|entry| entry.index >= first);
    }
    if let Some(first) = batch.entries.first() {
        disk.entries.retain(|entry| entry.index < first.index);
        disk.entries.extend(batch.entries.iter().cloned());
    }
    if let Some(state) = batch.hard_state {
        disk.hard_state = state;
    }
}

/// One member.
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) consensus: Option<Consensus>,
    pub(super) disk: Recovered,
    pub(super) under_way: VecDeque<PersistBatch>,
    /// The disk takes writes and completes none.
    pub(super) stalled: bool,
    pub(super) applied: Applied,
    pub(super) reads: Vec<(ReadContext, u64)>,
    pub(super) restores: usize,
}

impl Node {
    pub(super) fn live(&mut self) -> &mut Consensus {
        self.consensus.as_mut().expect("the test asks members that run")
    }

    fn start(&mut self, seed: u64) {
        self.disk.incarnation = Incarnation(self.disk.incarnation.0 + 1);
        self.applied = self.disk.snapshot.as_ref().map_or_else(Vec::new, from_snapshot);
        self.under_way.clear();
        let started = Consensus::start(settings(self.id, seed), &self.disk);
        self.consensus = Some(started.expect("a disk that only this loop wrote"));
    }

    /// A vote is on the disk before anybody is told of it.
    fn check_promise(&self, to: MemberId, message: &Bytes) {
        let message = decode(message, MemberId(self.id), to).expect("own messages are understood");
        if message.get_msg_type() == MessageType::MsgRequestVoteResponse && !message.reject {
            let HardState { term, vote, .. } = self.disk.hard_state;
            assert!(
                term > message.term || (term, vote) == (message.term, to.0),
                "a vote forgotten"
            );
        }
    }

    /// The oldest write completes.
    pub(super) fn complete(&mut self) -> bool {
        let Some(batch) = self.under_way.pop_front() else { return false };
        keep(&mut self.disk, &batch);
        self.live().persisted(batch.number);
        true
    }

    fn apply(&mut self, entries: Vec<LogEntry>) {
        for entry in entries {
            let expected = self.applied.last().map_or(1, |(index, _, _)| index + 1);
            assert_eq!(entry.index, expected, "in order and without gaps");
            assert!(entry.index <= self.disk.hard_state.commit, "its commit index is durable");
            let held = self.disk.entries.contains(&entry);
            assert!(held, "entry {} is durable before it is applied", entry.index);
            self.applied.push((entry.index, entry.term, entry.data.to_vec()));
        }
    }

    /// The applied state takes the place of the log.
    pub(super) fn compact(&mut self) {
        let index = self.applied.last().map_or(0, |(index, _, _)| *index);
        let data = postcard::to_stdvec(&self.applied).unwrap();
        self.live().compact(index, data.into());
    }
}

fn from_snapshot(snapshot: &SnapshotRecord) -> Applied {
    postcard::from_bytes(&snapshot.data).unwrap()
}

pub(super) struct Message {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) bytes: Bytes,
    pub(super) bulk: bool,
}

/// The three of them.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) network: VecDeque<Message>,
    /// Directions that lose everything.
    pub(super) cut: BTreeSet<(u64, u64)>,
    /// All small messages that were sent, for whoever wants real ones.
    pub(super) sent: Vec<(u64, u64, Bytes)>,
    /// Who led each term.
    leaders: BTreeMap<u64, u64>,
    /// A hash over every output of every member.
    pub(super) digest: u64,
    pub(super) seed: u64,
}

impl Cluster {
    pub(super) fn new(seed: u64) -> Self {
        let node = |id| Node {
            id,
            consensus: None,
            disk: Recovered::default(),
            under_way: VecDeque::new(),
            stalled: false,
            applied: Vec::new(),
            reads: Vec::new(),
            restores: 0,
        };
        let mut cluster = Self {
            nodes: (1..=3).map(node).collect(),
            network: VecDeque::new(),
            cut: BTreeSet::new(),
            sent: Vec::new(),
            leaders: BTreeMap::new(),
            digest: 0,
            seed,
        };
        for place in 0..3 {
            cluster.start(place);
        }
        cluster
    }

    pub(super) fn start(&mut self, place: usize) {
        self.nodes[place].start(self.seed);
    }

    /// The process dies, and with it the writes under way.
    pub(super) fn crash(&mut self, place: usize) {
        self.nodes[place].consensus = None;
        self.nodes[place].under_way.clear();
    }

    /// Of large payloads only the size goes in.
    fn note(&mut self, place: usize, output: &ConsensusOutput) {
        let size = match output {
            ConsensusOutput::Send { message, .. } => message.len(),
            ConsensusOutput::Persist(batch) => batch.payload_bytes(),
            ConsensusOutput::Apply(entries) => entries.iter().map(|entry| entry.data.len()).sum(),
            ConsensusOutput::Restore(snapshot) => snapshot.data.len(),
            ConsensusOutput::Readable { .. } | ConsensusOutput::Role { .. } => 0,
        };
        let text = if size < 1_000 { format!("{place} {output:?}") } else { format!("{size}") };
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Takes a member's outputs until there are none.
    pub(super) fn poll(&mut self, place: usize) {
        while let Some(output) = self.nodes[place].consensus.as_mut().and_then(Consensus::poll) {
            self.note(place, &output);
            let node = &mut self.nodes[place];
            match output {
                ConsensusOutput::Send { to, message, bulk } => {
                    node.check_promise(to, &message);
                    if message.len() < 1_000 {
                        self.sent.push((node.id, to.0, message.clone()));
                    }
                    let message = Message { from: node.id, to: to.0, bytes: message, bulk };
                    self.network.push_back(message);
                }
                ConsensusOutput::Persist(batch) => {
                    assert!(!batch.is_empty(), "a write of nothing");
                    node.under_way.push_back(batch);
                }
                ConsensusOutput::Restore(snapshot) => {
                    assert_eq!(node.disk.snapshot.as_ref(), Some(&snapshot), "durable first");
                    node.applied = from_snapshot(&snapshot);
                    node.restores += 1;
                }
                ConsensusOutput::Apply(entries) => node.apply(entries),
                ConsensusOutput::Readable { context, index } => node.reads.push((context, index)),
                ConsensusOutput::Role { term, is_leader: true, .. } => {
                    let first = *self.leaders.entry(term).or_insert(node.id);
                    assert_eq!(first, node.id, "two leaders in term {term}");
                }
                ConsensusOutput::Role { .. } => {}
            }
        }
    }

    /// Brings a message to its receiver, or loses it.
    pub(super) fn deliver(&mut self, message: &Message) {
        let lost = self.cut.contains(&(message.from, message.to));
        let place = usize::try_from(message.to - 1).unwrap();
        let up = self.nodes[place].consensus.is_some();
        if up && !lost {
            let stepped = self.nodes[place].live().step(MemberId(message.from), &message.bytes);
            stepped.expect("honest members are understood");
        }
        let sender = usize::try_from(message.from - 1).unwrap();
        if message.bulk
            && let Some(sender) = &mut self.nodes[sender].consensus
        {
            sender.snapshot_sent(MemberId(message.to), up && !lost);
        }
    }

    /// Runs until nothing moves any more, without a tick.
    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for place in 0..self.nodes.len() {
                self.poll(place);
                let node = &mut self.nodes[place];
                while node.consensus.is_some() && !node.stalled && node.complete() {
                    moved = true;
                }
            }
            while let Some(message) = self.network.pop_front() {
                self.deliver(&message);
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    pub(super) fn tick(&mut self) {
        for node in &mut self.nodes {
            if let Some(consensus) = &mut node.consensus {
                consensus.tick();
            }
        }
        self.settle();
    }

    pub(super) fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            self.tick();
        }
    }

    /// Ticks until something holds.
    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            self.tick();
        }
        panic!("never: {what}");
    }

    /// Where the leader of the highest term is.
    pub(super) fn leader(&self) -> Option<usize> {
        let term = |place: &usize| self.nodes[*place].consensus.as_ref().map(Consensus::term);
        (0..self.nodes.len())
            .filter(|at| self.nodes[*at].consensus.as_ref().is_some_and(Consensus::is_leader))
            .max_by_key(term)
    }

    pub(super) fn elect(&mut self) -> usize {
        self.until("a leader", |cluster| cluster.leader().is_some());
        self.leader().unwrap()
    }

    pub(super) fn propose(&mut self, place: usize, data: &[u8]) {
        self.nodes[place].live().propose(data.to_vec()).unwrap();
        self.settle();
    }

    /// Cuts a member off from the others, both ways.
    pub(super) fn isolate(&mut self, place: usize) {
        let id = u64::try_from(place).unwrap() + 1;
        for other in (1..=3).filter(|other| *other != id) {
            self.cut.extend([(id, other), (other, id)]);
        }
    }

    /// What one applied, the others applied too, as far as they got.
    pub(super) fn check_agreement(&self) {
        for a in &self.nodes {
            for b in &self.nodes {
                let common = a.applied.len().min(b.applied.len());
                assert_eq!(a.applied[..common], b.applied[..common], "{} and {}", a.id, b.id);
            }
        }
    }
}
