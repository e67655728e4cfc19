//! The driver of raft's asynchronous ready loop.
//!
//! Grammar: call any of the `&mut self` methods, then [`Consensus::poll`] until it returns `None`.
//!
//! A ready leaves in two halves. At once: a leader's messages, confirmed reads, and one [`PersistBatch`]. After
//! the receipt of that batch ([`Consensus::persisted`]): the messages that promise durability, the committed
//! entries (their commit index is durable then), a leader's snapshot. Halves are released in order.

mod saved;
mod shown;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;
use raft::eraftpb as pb;
use raft::{RawNode, Ready, SnapshotStatus};

use super::log::{MemoryLog, from_entry, from_snapshot};
use super::record::{HardState, PersistBatch, Recovered, SnapshotRecord};
use super::{
    ConsensusError, ConsensusOutput, ConsensusSettings, NotProposed, ReadContext, WireError, admit,
    codec, election, limits,
};
use crate::kernel::domain::{Incarnation, MemberId};
use crate::kernel::mutants::{self, Mutant};

/// The second half of a ready: what waits for the disk.
struct Half {
    /// The batch it waits for; none when there was nothing to write.
    batch: Option<u64>,
    ready: u64,
    messages: Vec<pb::Message>,
    committed: Vec<pb::Entry>,
    snapshot: Option<SnapshotRecord>,
}

/// Consensus of one member.
pub struct Consensus {
    raw: RawNode<MemoryLog>,
    settings: ConsensusSettings,
    incarnation: Incarnation,
    halves: VecDeque<Half>,
    batches: u64,
    durable: u64,
    applied: u64,
    /// Term, leader (0 for none), whether this member leads: as last told.
    role: (u64, u64, bool),
    ticks: u64,
    /// When, in ticks, each peer was last heard.
    heard: BTreeMap<u64, u64>,
    outputs: VecDeque<ConsensusOutput>,
}

impl fmt::Debug for Consensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus")
            .field("id", &self.settings.id)
            .field("term", &self.term())
            .field("leader", &self.leader())
            .field("commit", &self.commit())
            .finish_non_exhaustive()
    }
}

impl Consensus {
    /// Starts from what the disk held. Entries above the snapshot are applied anew.
    pub fn start(
        settings: ConsensusSettings,
        recovered: &Recovered,
    ) -> Result<Self, ConsensusError> {
        let silent = slog::Logger::root(slog::Discard, slog::o!());
        Self::start_logged(settings, recovered, &silent)
    }

    /// The same, with a logger for raft's own words. They name numbers that raft draws and nothing reads, so they
    /// are no part of what a replay repeats.
    pub fn start_logged(
        settings: ConsensusSettings,
        recovered: &Recovered,
        logger: &slog::Logger,
    ) -> Result<Self, ConsensusError> {
        let applied = recovered.floor().0;
        let from_zero = mutants::active(Mutant::M8AppliedFromZero);
        let config = settings.raft_config(if from_zero { 0 } else { applied })?;
        let log = MemoryLog::recover(recovered, &settings.voters).map_err(ConsensusError::Store)?;
        if !log.membership().voters.contains(&settings.id.0) {
            let why = format!("member {} is not among those who vote", settings.id);
            return Err(ConsensusError::Settings(why));
        }
        let raw = RawNode::new(&config, log, logger)
            .map_err(|error| ConsensusError::Settings(error.to_string()))?;
        let role = (raw.raft.term, 0, false);
        Ok(Self {
            raw,
            settings,
            incarnation: recovered.incarnation,
            halves: VecDeque::new(),
            batches: 0,
            durable: 0,
            applied,
            role,
            ticks: 0,
            heard: BTreeMap::new(),
            outputs: VecDeque::new(),
        })
    }

    /// Counts time. The election timeout is set before every tick: raft's own draw is never read.
    pub fn tick(&mut self) {
        self.ticks += 1;
        // While a leader's snapshot is on its way to the disk, the log below it is gone and the applied state has
        // not got there: raft would panic if it campaigned.
        if self.restoring() {
            return;
        }
        let range = (self.settings.election_min_ticks, self.settings.election_max_ticks);
        let ticks = election::timeout(
            self.settings.seed,
            self.settings.id.0,
            self.raw.raft.term,
            self.incarnation.0,
            range,
        );
        self.raw.raft.set_randomized_election_timeout(ticks);
        self.raw.tick();
    }

    fn restoring(&self) -> bool {
        self.raw.snap().is_some() || self.halves.iter().any(|half| half.snapshot.is_some())
    }

    /// Takes a message of a peer. `readable` looks at a leader's snapshot before anything is kept of it: once
    /// it is durable there is no way back to a log that can be read. After [`WireError::Forgotten`] and
    /// [`WireError::Contradicts`] this member must leave consensus.
    pub fn step(
        &mut self,
        from: MemberId,
        message: &Bytes,
        readable: impl FnOnce(&SnapshotRecord) -> Result<(), String>,
    ) -> Result<(), WireError> {
        let message = codec::decode(message, from, self.settings.id)?;
        admit::consistent(&message, &self.raw.raft)?;
        if let Some(snapshot) = message.snapshot.as_ref() {
            readable(&from_snapshot(snapshot)).map_err(WireError::Snapshot)?;
        }
        self.heard.insert(from.0, self.ticks);
        if !self.has_room_for(&message) {
            return Ok(());
        }
        // What raft refuses (a stale or foreign response) is nobody's fault and needs no answer.
        let _ = self.raw.step(message);
        Ok(())
    }

    /// Whether a message fits; else it is dropped as a network would drop it, and raft's peers try again.
    fn has_room_for(&self, message: &pb::Message) -> bool {
        match message.get_msg_type() {
            pb::MessageType::MsgTimeoutNow if self.restoring() => return false,
            pb::MessageType::MsgReadIndex if !self.has_room_for_reads() => return false,
            _ => {}
        }
        let raft = &self.raw.raft;
        !self.disk_is_behind()
            || (raft.msgs.len() < limits::HELD_MESSAGES
                && raft.raft_log.unstable().entries_size < limits::HELD_BYTES)
    }

    /// Whether as much waits for the disk as may: writes, or readies that wait behind a write.
    fn disk_is_behind(&self) -> bool {
        let writes = self.halves.iter().filter(|half| half.batch.is_some()).count();
        writes >= limits::PERSISTS || self.halves.len() >= limits::READIES
    }

    fn has_room_for_reads(&self) -> bool {
        self.reads_under_way() < limits::READS
    }

    /// Appends bytes to the log, if this member leads. Taken does not mean committed.
    pub fn propose(&mut self, data: Vec<u8>) -> Result<(), NotProposed> {
        if !self.is_leader() {
            return Err(NotProposed::NotLeader(self.leader()));
        }
        if data.len() > limits::PROPOSAL_BYTES {
            return Err(NotProposed::TooLarge(data.len()));
        }
        if self.raw.raft.lead_transferee.is_some() {
            return Err(NotProposed::Busy);
        }
        self.raw.propose(Vec::new(), data).map_err(|_| NotProposed::Busy)
    }

    /// Begins a read round. It may be lost silently: time out, and begin another under a new context.
    pub fn read_index(&mut self, context: ReadContext) {
        if self.has_room_for_reads() {
            self.raw.read_index(context.to_bytes());
        }
    }

    /// Hands leadership to the most advanced follower that was heard of late. False when there is none, or
    /// this member does not lead.
    pub fn transfer_leadership(&mut self) -> bool {
        if !self.is_leader() || self.raw.raft.lead_transferee.is_some() {
            return false;
        }
        let me = self.settings.id.0;
        let prs = self.raw.raft.prs();
        let best = prs
            .iter()
            .filter(|(id, _)| **id != me && prs.conf().voters().contains(**id))
            .filter(|(id, _)| self.heard_lately(**id))
            .map(|(id, progress)| (progress.matched, std::cmp::Reverse(*id)))
            .max();
        let Some((_, std::cmp::Reverse(to))) = best else { return false };
        self.raw.transfer_leader(to);
        true
    }

    /// A message to this member was lost.
    pub fn unreachable(&mut self, to: MemberId) {
        self.raw.report_unreachable(to.0);
    }

    /// A snapshot to this member arrived, or was lost.
    pub fn snapshot_sent(&mut self, to: MemberId, delivered: bool) {
        let status = if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(to.0, status);
    }

    /// This batch, and every one before it, is durable.
    pub fn persisted(&mut self, number: u64) {
        assert!(number <= self.batches, "a receipt for a batch that was never ordered");
        self.durable = self.durable.max(number);
        self.release();
    }

    /// The applied state at `index` takes the place of the log below it, but for the last `tail` entries, or fewer
    /// where they are large. Nothing happens where a snapshot is already that far.
    pub fn compact(&mut self, index: u64, data: Bytes, tail: u64) {
        let store = self.raw.store();
        if index <= store.snapshot_index() {
            return;
        }
        let Some(term) = store.term_at(index) else { return };
        let membership = store.membership().clone();
        let snapshot = SnapshotRecord { index, term, membership, data };
        let mut keep_from = store.keep_from(index, tail);
        if mutants::active(Mutant::M18CompactedTooFar) {
            keep_from = self.commit() + 1;
        }
        self.raw.mut_store().compact(snapshot.clone(), keep_from);
        self.batches += 1;
        self.outputs.push_back(ConsensusOutput::Persist(PersistBatch {
            number: self.batches,
            snapshot: Some(snapshot),
            first_index: Some(keep_from),
            ..PersistBatch::default()
        }));
    }

    /// The next thing that consensus wants.
    pub fn poll(&mut self) -> Option<ConsensusOutput> {
        while self.outputs.is_empty() {
            self.note_role();
            if self.disk_is_behind() || !self.raw.has_ready() {
                break;
            }
            self.take_ready();
        }
        self.outputs.pop_front()
    }

    fn take_ready(&mut self) {
        let mut ready = self.raw.ready();
        if mutants::active(Mutant::M10SteppedInReady) && ready.ss().is_some() && self.is_leader() {
            let _ = self.raw.propose(Vec::new(), Vec::new());
        }
        self.send(ready.take_messages());
        for state in ready.take_read_states() {
            if let Some(context) = ReadContext::from_bytes(&state.request_ctx) {
                self.outputs.push_back(ConsensusOutput::Readable { context, index: state.index });
            }
        }
        let (batch, snapshot) = self.store(&mut ready);
        let half = Half {
            batch: (!batch.is_empty()).then_some(batch.number),
            ready: ready.number(),
            messages: ready.take_persisted_messages(),
            committed: ready.take_committed_entries(),
            snapshot,
        };
        self.raw.advance_append_async(ready);
        self.halves.push_back(half);
        if mutants::active(Mutant::M3SentBeforePersisted) {
            let early = self.halves.back_mut().map(|half| std::mem::take(&mut half.messages));
            self.send(early.unwrap_or_default());
        }
        if mutants::active(Mutant::M7AppliedBeforePersisted) {
            let early = self.halves.back_mut().map(|half| std::mem::take(&mut half.committed));
            self.hand_out(&early.unwrap_or_default());
        }
        if !batch.is_empty() {
            self.outputs.push_back(ConsensusOutput::Persist(batch));
        }
        self.release();
    }

    /// Puts a ready into the log in memory and makes the batch for the disk: hard state and entries in one.
    fn store(&mut self, ready: &mut Ready) -> (PersistBatch, Option<SnapshotRecord>) {
        let mut batch = PersistBatch::default();
        let snapshot = ready.snapshot();
        let snapshot = (!snapshot.is_empty()).then(|| from_snapshot(snapshot));
        if let Some(snapshot) = &snapshot {
            self.raw.mut_store().restore(snapshot.clone());
            batch.snapshot = Some(snapshot.clone());
            batch.reset_log = true;
        }
        let entries = ready.take_entries();
        self.raw.mut_store().append(&entries);
        batch.entries = entries.iter().map(from_entry).collect();
        let unsaid = mutants::active(Mutant::M9CommitNotPersisted) && !ready.must_sync();
        if let Some(state) = ready.hs() {
            let mut state = HardState { term: state.term, vote: state.vote, commit: state.commit };
            self.raw.mut_store().set_hard_state(state);
            if mutants::active(Mutant::M1VoteNotPersisted) {
                state.vote = 0;
            }
            if mutants::active(Mutant::M2TermNotPersisted) {
                state.term = self.raw.store().last().1;
            }
            batch.hard_state = (!unsaid).then_some(state);
        }
        if !batch.is_empty() {
            self.batches += 1;
            batch.number = self.batches;
        }
        (batch, snapshot)
    }

    /// Lets go of every half whose batch is durable, in order.
    fn release(&mut self) {
        while self.halves.front().is_some_and(|half| half.batch.is_none_or(|b| b <= self.durable)) {
            let Some(half) = self.halves.pop_front() else { return };
            self.raw.on_persist_ready(half.ready);
            self.send(half.messages);
            if let Some(snapshot) = half.snapshot {
                self.applied = self.applied.max(snapshot.index);
                self.raw.advance_apply_to(self.applied);
                self.outputs.push_back(ConsensusOutput::Restore(snapshot));
            }
            self.hand_out(&half.committed);
        }
    }

    fn hand_out(&mut self, committed: &[pb::Entry]) {
        let Some(last) = committed.last() else { return };
        self.applied = last.index;
        let entries = committed.iter().map(from_entry).collect();
        self.outputs.push_back(ConsensusOutput::Apply(entries));
        self.raw.advance_apply_to(last.index);
    }

    /// Messages in a fixed order of receivers: raft's own order is that of a hash map.
    fn send(&mut self, mut messages: Vec<pb::Message>) {
        messages.sort_by_key(|message| message.to);
        // A read that a member forwards for another one would arrive under a false name: it is lost, as reads may.
        messages.retain(|message| message.from == self.settings.id.0);
        for message in messages {
            let bulk = message.get_msg_type() == pb::MessageType::MsgSnapshot;
            let to = MemberId(message.to);
            self.outputs.push_back(ConsensusOutput::Send {
                to,
                message: codec::encode(&message),
                bulk,
            });
        }
    }

    fn note_role(&mut self) {
        let raft = &self.raw.raft;
        let role = (raft.term, raft.leader_id, self.is_leader());
        if role != self.role {
            self.role = role;
            self.outputs.push_back(ConsensusOutput::Role {
                term: role.0,
                leader: self.leader(),
                is_leader: role.2,
            });
        }
    }
}
