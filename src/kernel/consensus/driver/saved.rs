//! Consensus as plain data in mid-life, and back: what a segment of the journal starts with.
//!
//! Raft's own state has private parts. Each is either the same in every node of these settings, or settled while
//! nothing of raft's is under way, or can be brought to its value from outside:
//!
//! | private in raft 0.7.0 | how it comes back |
//! |---|---|
//! | `promotable`, timeouts, limits | from the settings |
//! | `randomized_election_timeout` | set before every tick |
//! | `heartbeat_elapsed` | ticks of a leader, before the other fields are set |
//! | `uncommitted_size` | counted up once |
//! | `last_log_tail_index` | means nothing once a leader has committed an entry of its own term |
//! | `RawNode`'s `prev_ss`, `prev_hs` | one empty ready |
//! | `commit_since_index` | what is applied: quiet means that nothing was handed out beyond it |
//! | `records`, `max_number` | empty when quiet; numbers only tell the readies of one process apart |
//! | what is in flight to a follower | the numbers that `free_to` lets go of one after the other |

use std::collections::{BTreeMap, VecDeque};

use raft::eraftpb as pb;
use raft::{Inflights, Progress, ProgressState, Raft, RawNode, StateRole};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Consensus;
use crate::kernel::consensus::ConsensusSettings;
use crate::kernel::consensus::limits::INFLIGHT_MESSAGES;
use crate::kernel::consensus::log::{MemoryLog, SavedLog, from_entry, to_entry};
use crate::kernel::consensus::record::LogEntry;
use crate::kernel::domain::{Incarnation, packed};

/// All of it.
#[derive(Serialize, Deserialize)]
struct Saved {
    settings: ConsensusSettings,
    incarnation: Incarnation,
    batches: u64,
    durable: u64,
    applied: u64,
    role: (u64, u64, bool),
    ticks: u64,
    heard: BTreeMap<u64, u64>,
    log: SavedLog,
    raft: SavedRaft,
}

/// What raft holds beside its log.
#[derive(Serialize, Deserialize)]
struct SavedRaft {
    term: u64,
    vote: u64,
    state: u8,
    leader: u64,
    transferee: Option<u64>,
    committed: u64,
    persisted: u64,
    applied: u64,
    unstable_offset: u64,
    uncommitted: usize,
    pending_conf_index: u64,
    pending_request_snapshot: u64,
    election_elapsed: usize,
    heartbeat_elapsed: usize,
    votes: BTreeMap<u64, bool>,
    progress: BTreeMap<u64, SavedProgress>,
    reads: Vec<SavedRead>,
}

#[derive(Serialize, Deserialize)]
struct SavedProgress {
    matched: u64,
    next: u64,
    state: u8,
    paused: bool,
    pending_snapshot: u64,
    pending_request_snapshot: u64,
    recent_active: bool,
    in_flight: Vec<u64>,
    commit_group: u64,
    committed: u64,
}

/// A read round that waits for a quorum.
#[derive(Serialize, Deserialize)]
struct SavedRead {
    from: u64,
    entries: Vec<LogEntry>,
    index: u64,
    acks: Vec<u64>,
}

const STATES: [StateRole; 4] =
    [StateRole::Follower, StateRole::PreCandidate, StateRole::Candidate, StateRole::Leader];
const PROGRESS: [ProgressState; 3] =
    [ProgressState::Probe, ProgressState::Replicate, ProgressState::Snapshot];

fn number_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let place = all.iter().position(|each| each == one);
    place.and_then(|place| u8::try_from(place).ok()).expect("the tables hold every state")
}

fn nth<T: Copy>(all: &[T], number: u8) -> Result<T, String> {
    let state = all.get(usize::from(number)).copied();
    state.ok_or_else(|| format!("a state {number} that raft does not have"))
}

impl Consensus {
    /// Whether nothing is under way inside: no step that waits for the disk, nothing to be handed out. Only then can
    /// it be saved. It is so after most turns, and many times a second.
    pub fn is_quiet(&self) -> bool {
        let raft = &self.raw.raft;
        let committed = raft.raft_log.committed;
        // A leader that has committed nothing of its own term still counts from where its term began.
        let settled = raft.state != StateRole::Leader
            || self.raw.store().term_at(committed) == Some(raft.term);
        settled
            && self.halves.is_empty()
            && self.outputs.is_empty()
            && !self.raw.has_ready()
            && self.applied == committed
    }

    fn save(&self) -> Option<Saved> {
        if !self.is_quiet() {
            return None;
        }
        let Self {
            raw,
            settings,
            incarnation,
            halves: _,
            batches,
            durable,
            applied,
            role,
            ticks,
            heard,
            outputs: _,
        } = self;
        Some(Saved {
            settings: settings.clone(),
            incarnation: *incarnation,
            batches: *batches,
            durable: *durable,
            applied: *applied,
            role: *role,
            ticks: *ticks,
            heard: heard.clone(),
            log: raw.store().save(),
            raft: save_raft(raw)?,
        })
    }

    fn resume(saved: Saved) -> Result<Self, String> {
        let Saved { settings, incarnation, batches, durable, applied, .. } = saved;
        let config = settings.raft_config(applied).map_err(|error| error.to_string())?;
        let log = MemoryLog::resume(saved.log)?;
        let silent = slog::Logger::root(slog::Discard, slog::o!());
        let mut raw = RawNode::new(&config, log, &silent).map_err(|error| error.to_string())?;
        resume_raft(&mut raw, saved.raft)?;
        Ok(Self {
            raw,
            settings,
            incarnation,
            halves: VecDeque::new(),
            batches,
            durable,
            applied,
            role: saved.role,
            ticks: saved.ticks,
            heard: saved.heard,
            outputs: VecDeque::new(),
        })
    }
}

#[cfg(test)]
impl Consensus {
    /// Messages in flight, uncommitted bytes, reads, votes, and ticks since a leader's heartbeat; nothing while it is
    /// not quiet.
    pub(in crate::kernel::consensus) fn under_way(&self) -> Option<[usize; 5]> {
        let SavedRaft { progress, uncommitted, reads, votes, heartbeat_elapsed, .. } =
            self.save()?.raft;
        let in_flight = progress.values().map(|each| each.in_flight.len()).sum();
        Some([in_flight, uncommitted, reads.len(), votes.len(), heartbeat_elapsed])
    }
}

fn save_raft(raw: &RawNode<MemoryLog>) -> Option<SavedRaft> {
    let raft = &raw.raft;
    let log = &raft.raft_log;
    let mut progress = BTreeMap::new();
    for (id, each) in raft.prs().iter() {
        progress.insert(*id, save_progress(each)?);
    }
    Some(SavedRaft {
        term: raft.term,
        vote: raft.vote,
        state: number_of(&STATES, &raft.state),
        leader: raft.leader_id,
        transferee: raft.lead_transferee,
        committed: log.committed,
        persisted: log.persisted,
        applied: log.applied,
        unstable_offset: log.unstable.offset,
        uncommitted: raft.uncommitted_size(),
        pending_conf_index: raft.pending_conf_index,
        pending_request_snapshot: raft.pending_request_snapshot,
        election_elapsed: raft.election_elapsed,
        heartbeat_elapsed: raft.heartbeat_elapsed(),
        votes: raft.prs().votes().iter().map(|(id, vote)| (*id, *vote)).collect(),
        progress,
        reads: save_reads(raw),
    })
}

fn save_reads(raw: &RawNode<MemoryLog>) -> Vec<SavedRead> {
    let reads = &raw.raft.read_only;
    let waiting = reads.read_index_queue.iter().filter_map(|key| reads.pending_read_index.get(key));
    let save = waiting.map(|read| {
        let mut acks: Vec<u64> = read.acks.iter().copied().collect();
        acks.sort_unstable();
        let entries = read.req.entries.iter().map(from_entry).collect();
        SavedRead { from: read.req.from, entries, index: read.index, acks }
    });
    save.collect()
}

fn save_progress(progress: &Progress) -> Option<SavedProgress> {
    Some(SavedProgress {
        matched: progress.matched,
        next: progress.next_idx,
        state: number_of(&PROGRESS, &progress.state),
        paused: progress.paused,
        pending_snapshot: progress.pending_snapshot,
        pending_request_snapshot: progress.pending_request_snapshot,
        recent_active: progress.recent_active,
        in_flight: in_flight(progress)?,
        commit_group: progress.commit_group_id,
        committed: progress.committed_index,
    })
}

/// The last entries of messages that are under way, oldest first: they lie above what is matched, each above the
/// one before.
fn in_flight(progress: &Progress) -> Option<Vec<u64>> {
    let mut left = progress.ins.clone();
    let mut found = Vec::with_capacity(left.count());
    for index in progress.matched..=progress.next_idx {
        let before = left.count();
        if before == 0 {
            break;
        }
        left.free_to(index);
        if left.count() < before {
            found.push(index);
        }
    }
    (left.count() == 0 && found.len() == progress.ins.count()).then_some(found)
}

fn resume_raft(raw: &mut RawNode<MemoryLog>, saved: SavedRaft) -> Result<(), String> {
    let raft = &mut raw.raft;
    let state = nth(&STATES, saved.state)?;
    raft.term = saved.term;
    raft.vote = saved.vote;
    // The ticks of a leader, which counts them from its last heartbeat.
    if saved.heartbeat_elapsed > 0 {
        raft.state = StateRole::Leader;
        for _ in 0..saved.heartbeat_elapsed {
            raft.election_elapsed = 0;
            raft.tick();
        }
    }
    raft.state = state;
    raft.leader_id = saved.leader;
    raft.lead_transferee = saved.transferee;
    raft.raft_log.committed = saved.committed;
    raft.raft_log.persisted = saved.persisted;
    raft.raft_log.applied = saved.applied;
    raft.raft_log.unstable.offset = saved.unstable_offset;
    raft.pending_conf_index = saved.pending_conf_index;
    raft.pending_request_snapshot = saved.pending_request_snapshot;
    raft.election_elapsed = saved.election_elapsed;
    if saved.uncommitted > 0 {
        let data = vec![0; saved.uncommitted].into();
        raft.maybe_increase_uncommitted_size(&[pb::Entry { data, ..pb::Entry::default() }]);
    }
    raft.mut_prs().reset_votes();
    for (id, vote) in saved.votes {
        raft.mut_prs().record_vote(id, vote);
    }
    for (id, progress) in saved.progress {
        let at = raft.mut_prs().get_mut(id).ok_or_else(|| format!("member {id} is no voter"))?;
        *at = resume_progress(progress)?;
    }
    for read in saved.reads {
        resume_read(raft, read)?;
    }
    // Raft compares with what it told last: this tells it all, to nobody.
    let ready = raw.ready();
    if !ready.messages().is_empty() || !ready.persisted_messages().is_empty() {
        return Err("raft speaks before anything has happened".to_owned());
    }
    let number = ready.number();
    raw.advance_append_async(ready);
    raw.on_persist_ready(number);
    if raw.has_ready() { Err("raft is not at rest".to_owned()) } else { Ok(()) }
}

fn resume_read(raft: &mut Raft<MemoryLog>, saved: SavedRead) -> Result<(), String> {
    let entries: Result<Vec<pb::Entry>, String> = saved.entries.iter().map(to_entry).collect();
    let mut request = pb::Message { from: saved.from, ..pb::Message::default() };
    request.set_msg_type(pb::MessageType::MsgReadIndex);
    request.set_entries(entries?.into());
    let Some(key) = request.entries.first().map(|entry| entry.data.to_vec()) else {
        return Err("a read without a context".to_owned());
    };
    let mut acks = saved.acks.into_iter();
    let first = acks.next().ok_or("a read that its own leader did not take")?;
    raft.read_only.add_request(saved.index, request, first);
    for ack in acks {
        raft.read_only.recv_ack(ack, &key);
    }
    Ok(())
}

fn resume_progress(saved: SavedProgress) -> Result<Progress, String> {
    let mut ins = Inflights::new(INFLIGHT_MESSAGES);
    if saved.in_flight.len() > INFLIGHT_MESSAGES {
        return Err("more messages in flight than there may be".to_owned());
    }
    for index in saved.in_flight {
        ins.add(index);
    }
    Ok(Progress {
        matched: saved.matched,
        next_idx: saved.next,
        state: nth(&PROGRESS, saved.state)?,
        paused: saved.paused,
        pending_snapshot: saved.pending_snapshot,
        pending_request_snapshot: saved.pending_request_snapshot,
        recent_active: saved.recent_active,
        ins,
        commit_group_id: saved.commit_group,
        committed_index: saved.committed,
    })
}

/// # Panics
/// When something is under way: ask [`Consensus::is_quiet`] first.
impl Clone for Consensus {
    fn clone(&self) -> Self {
        let saved = self.save().expect("whoever copies a kernel asked whether it is quiet");
        Self::resume(saved).expect("what was just saved comes back")
    }
}

impl Serialize for Consensus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved =
            self.save().ok_or_else(|| S::Error::custom("something of raft's is under way"))?;
        packed::serialize(&saved, serializer)
    }
}

impl<'de> Deserialize<'de> for Consensus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::resume(packed::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
