//! Three members in one loop: a network and disks that answer when the test says so.

mod bounds;
mod hostile;
mod members;
mod recovery;
mod saved;
mod starting;
mod strain;
mod wild;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use raft::eraftpb::MessageType;

use super::codec::decode;
use super::*;
use crate::kernel::domain::{Incarnation, MemberId};

/// One member and its disk.
struct Node {
    consensus: Consensus,
    disk: Recovered,
    /// Ordered and not yet written.
    writes: VecDeque<PersistBatch>,
    /// Whether writes wait until the test lets them through.
    slow_disk: bool,
    /// Commands applied since the process started, after `restored`.
    applied: Vec<LogEntry>,
    restored: Option<SnapshotRecord>,
    /// The index that must be applied next.
    next: u64,
    readable: Vec<(ReadContext, u64)>,
}

impl Node {
    /// A vote is on the disk before anybody is told of it.
    fn check_promise(&self, id: u64, to: MemberId, message: &Bytes) {
        let message = decode(message, MemberId(id), to).expect("own messages are understood");
        if message.get_msg_type() == MessageType::MsgRequestVoteResponse && !message.reject {
            let HardState { term, vote, .. } = self.disk.hard_state;
            assert!(
                term > message.term || (term, vote) == (message.term, to.0),
                "a vote forgotten"
            );
        }
    }
}

/// A message under way: from, to, bytes, whether it is bulk.
type UnderWay = (u64, u64, Bytes, bool);

struct Trio {
    nodes: BTreeMap<u64, Node>,
    net: VecDeque<UnderWay>,
    /// Members that nobody reaches and that reach nobody.
    cut: BTreeSet<u64>,
    seed: u64,
    /// Every message of common size that left a member, in order.
    trace: Vec<(u64, u64, Bytes)>,
    reads: u64,
    /// What was applied anywhere, by index: nobody may ever apply something else there.
    chain: BTreeMap<u64, LogEntry>,
    /// Who led each term.
    leaders: BTreeMap<u64, u64>,
    /// Snapshots of leaders that were taken over.
    restores: usize,
}

impl Trio {
    fn new(seed: u64) -> Self {
        let mut trio = Self {
            nodes: BTreeMap::new(),
            net: VecDeque::new(),
            cut: BTreeSet::new(),
            seed,
            trace: Vec::new(),
            reads: 0,
            chain: BTreeMap::new(),
            leaders: BTreeMap::new(),
            restores: 0,
        };
        for id in 1..=3 {
            trio.start(id, Recovered::default());
        }
        trio
    }

    /// With a leader, and its first entry applied everywhere.
    fn led(seed: u64) -> (Self, u64) {
        let mut trio = Self::new(seed);
        let leader = trio.elect();
        trio.run(30);
        assert!(trio.nodes.values().all(|node| !node.applied.is_empty()));
        (trio, leader)
    }

    fn start(&mut self, id: u64, mut disk: Recovered) {
        disk.incarnation.0 += 1;
        let consensus = Consensus::start(settings(id, self.seed), &disk).expect("a sound disk");
        let node = Node {
            consensus,
            next: disk.floor().0 + 1,
            disk,
            writes: VecDeque::new(),
            slow_disk: false,
            applied: Vec::new(),
            restored: None,
            readable: Vec::new(),
        };
        self.nodes.insert(id, node);
        self.pump(id);
    }

    /// The process ends; what was not written is lost.
    fn kill(&mut self, id: u64) -> Recovered {
        self.net.retain(|(_, to, _, _)| *to != id);
        self.nodes.remove(&id).expect("it runs").disk
    }

    fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).expect("it runs")
    }

    fn pump(&mut self, id: u64) {
        while let Some(output) = self.node(id).consensus.poll() {
            let node = self.nodes.get_mut(&id).expect("it runs");
            match output {
                ConsensusOutput::Send { to, message, bulk } => {
                    node.check_promise(id, to, &message);
                    if message.len() < 1_000 {
                        self.trace.push((id, to.0, message.clone()));
                    }
                    self.net.push_back((id, to.0, message, bulk));
                }
                ConsensusOutput::Persist(batch) => {
                    assert!(!batch.is_empty(), "a write of nothing");
                    node.writes.push_back(batch);
                    if !node.slow_disk {
                        self.write(id);
                    }
                }
                ConsensusOutput::Restore(snapshot) => {
                    assert_eq!(node.disk.snapshot.as_ref(), Some(&snapshot), "durable before");
                    node.applied.clear();
                    node.next = snapshot.index + 1;
                    node.restored = Some(snapshot);
                    self.restores += 1;
                }
                ConsensusOutput::Apply(entries) => {
                    for entry in entries {
                        let durable = node.disk.entries.contains(&entry);
                        assert!(durable, "{} is applied before it is durable", entry.index);
                        assert!(node.disk.hard_state.commit >= entry.index, "so is its commit");
                        assert_eq!(entry.index, node.next, "in order and without gaps");
                        node.next += 1;
                        let agreed = self.chain.entry(entry.index).or_insert_with(|| entry.clone());
                        assert_eq!(*agreed, entry, "what one applied, all apply");
                        node.applied.push(entry);
                    }
                }
                ConsensusOutput::Readable { context, index } => {
                    node.readable.push((context, index));
                }
                ConsensusOutput::Role { term, is_leader: true, .. } => {
                    let first = *self.leaders.entry(term).or_insert(id);
                    assert_eq!(first, id, "two leaders in term {term}");
                }
                ConsensusOutput::Role { .. } => {}
            }
        }
    }

    /// Writes the oldest batch; its receipt comes at once.
    fn write(&mut self, id: u64) {
        let node = self.node(id);
        let Some(batch) = node.writes.pop_front() else { return };
        let number = batch.number;
        store(&mut node.disk, batch);
        node.consensus.persisted(number);
    }

    /// Delivers what is under way, and what comes of it.
    fn deliver(&mut self) {
        while let Some(message) = self.net.pop_front() {
            self.deliver_one(message);
        }
    }

    fn deliver_one(&mut self, (from, to, message, bulk): UnderWay) {
        let lost = self.cut.contains(&from) || self.cut.contains(&to);
        let arrives = !lost && self.nodes.contains_key(&to);
        if bulk && self.nodes.contains_key(&from) {
            self.node(from).consensus.snapshot_sent(MemberId(to), arrives);
            self.pump(from);
        }
        if arrives {
            let step = self.node(to).consensus.step(MemberId(from), &message, |_| Ok(()));
            assert_eq!(step, Ok(()));
            self.pump(to);
        }
    }

    /// Compacts a member's log at what it has applied.
    fn compact(&mut self, id: u64, tail: u64) -> u64 {
        let node = self.node(id);
        let index = node.next - 1;
        node.consensus.compact(index, Bytes::from(format!("state at {index}")), tail);
        self.pump(id);
        index
    }

    /// Runs until something holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            self.run(1);
        }
        panic!("never: {what}");
    }

    /// Lets a disk catch up.
    fn write_all(&mut self, id: u64) {
        self.node(id).slow_disk = false;
        while !self.nodes[&id].writes.is_empty() {
            self.write(id);
            self.pump(id);
        }
    }

    fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            let ids: Vec<u64> = self.nodes.keys().copied().collect();
            for id in ids {
                self.node(id).consensus.tick();
                self.pump(id);
            }
            self.deliver();
        }
    }

    /// The leader whom all members that are not cut off follow.
    fn leader(&self) -> Option<u64> {
        let mut leaders: BTreeSet<Option<MemberId>> = BTreeSet::new();
        for (_, node) in self.nodes.iter().filter(|(id, _)| !self.cut.contains(id)) {
            leaders.insert(node.consensus.leader());
        }
        let only = leaders.pop_first().flatten().filter(|_| leaders.is_empty())?;
        let leads = self.nodes.get(&only.0).is_some_and(|node| node.consensus.is_leader());
        (leads && !self.cut.contains(&only.0)).then_some(only.0)
    }

    fn elect(&mut self) -> u64 {
        for _ in 0..500 {
            self.run(1);
            if let Some(leader) = self.leader() {
                return leader;
            }
        }
        panic!("nobody leads after 500 ticks");
    }

    fn propose(&mut self, id: u64, text: &str) {
        let taken = self.node(id).consensus.propose(text.as_bytes().to_vec());
        assert_eq!(taken, Ok(()));
        self.pump(id);
    }

    fn read(&mut self, id: u64) -> ReadContext {
        self.reads += 1;
        let context =
            ReadContext { member: MemberId(id), incarnation: Incarnation(1), counter: self.reads };
        self.node(id).consensus.read_index(context);
        self.pump(id);
        context
    }

    fn others(&self, id: u64) -> Vec<u64> {
        self.nodes.keys().copied().filter(|other| *other != id).collect()
    }

    /// What a member has applied, without leaders' empty entries.
    fn words(&self, id: u64) -> Vec<String> {
        let text = |entry: &LogEntry| String::from_utf8(entry.data.to_vec()).expect("text");
        let entries = self.nodes[&id].applied.iter().filter(|entry| !entry.data.is_empty());
        entries.map(text).collect()
    }
}

fn settings(id: u64, seed: u64) -> ConsensusSettings {
    ConsensusSettings {
        id: MemberId(id),
        voters: vec![1, 2, 3],
        seed,
        heartbeat_ticks: 2,
        election_min_ticks: 10,
        election_max_ticks: 20,
    }
}

/// What a disk does with a batch, in order.
fn store(disk: &mut Recovered, batch: PersistBatch) {
    if let Some(snapshot) = batch.snapshot {
        disk.snapshot = Some(snapshot);
    }
    if batch.reset_log {
        disk.entries.clear();
    }
    if let Some(first) = batch.first_index {
        disk.entries.retain(|entry| entry.index >= first);
    }
    if let Some(first) = batch.entries.first() {
        disk.entries.retain(|entry| entry.index < first.index);
        disk.entries.extend(batch.entries);
    }
    if let Some(state) = batch.hard_state {
        disk.hard_state = state;
    }
}
