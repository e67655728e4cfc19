//! What is let through to raft. Raft takes its peers' messages for those of a correct raft and panics, or silently
//! breaks, where they are not; what it takes for granted is checked here.

use raft::eraftpb as pb;
use raft::eraftpb::MessageType as Kind;
use raft::{Raft, StateRole};

use super::codec::WireError;
use super::limits;
use super::log::{MemoryLog, from_conf_state};

/// Whether a correct raft could have sent this message at all.
pub(super) fn possible(message: &pb::Message) -> Result<(), WireError> {
    let kind = message.get_msg_type();
    let numbers = [
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
    ];
    if numbers.into_iter().any(|number| number >= limits::NUMBER) {
        return Err(WireError::Impossible("a number out of range"));
    }
    // A term of 0 marks raft's local messages, which pass by every check of terms; and a read request that
    // carries one makes a follower panic when it forwards it.
    if (message.term == 0) != (kind == Kind::MsgReadIndex) {
        return Err(WireError::Impossible("a term that its kind cannot have"));
    }
    if message.request_snapshot != 0 || message.priority != 0 {
        return Err(WireError::Impossible("fields that this version never uses"));
    }
    if message.context.len() > limits::CONTEXT_BYTES {
        return Err(WireError::Impossible("a context that is too long"));
    }
    if message.has_snapshot() != (kind == Kind::MsgSnapshot) {
        return Err(WireError::Impossible("a snapshot where none belongs, or none where one does"));
    }
    match kind {
        Kind::MsgAppend => entries_follow(message),
        Kind::MsgReadIndex | Kind::MsgReadIndexResp => one_context(message),
        Kind::MsgSnapshot => whole_snapshot(message),
        _ if message.entries.is_empty() => Ok(()),
        _ => Err(WireError::Impossible("entries where none belong")),
    }
}

fn entries_follow(message: &pb::Message) -> Result<(), WireError> {
    let mut last = (message.index, message.log_term);
    for entry in &message.entries {
        if entry.entry_type != pb::EntryType::EntryNormal {
            return Err(WireError::Impossible(
                "a change of membership, which this version cannot follow",
            ));
        }
        if entry.index != last.0 + 1 || entry.term < last.1.max(1) || entry.term > message.term {
            return Err(WireError::Impossible("entries that do not follow each other"));
        }
        last = (entry.index, entry.term);
    }
    Ok(())
}

fn one_context(message: &pb::Message) -> Result<(), WireError> {
    match message.entries.as_ref() {
        [entry] if entry.data.len() <= limits::CONTEXT_BYTES => Ok(()),
        _ => Err(WireError::Impossible("a read without its context")),
    }
}

fn whole_snapshot(message: &pb::Message) -> Result<(), WireError> {
    let metadata = message.get_snapshot().get_metadata();
    let (index, term) = (metadata.index, metadata.term);
    if index == 0 || index >= limits::NUMBER || term == 0 || term > message.term {
        return Err(WireError::Impossible("a snapshot of nothing"));
    }
    if message.entries.is_empty() {
        Ok(())
    } else {
        Err(WireError::Impossible("entries beside a snapshot"))
    }
}

/// Whether this message can be true beside what this member knows.
pub(super) fn consistent(message: &pb::Message, raft: &Raft<MemoryLog>) -> Result<(), WireError> {
    if raft.prs().get(message.from).is_none() {
        return Err(WireError::Stranger(message.from));
    }
    if message.term < raft.term {
        return Ok(());
    }
    let last = raft.raft_log.last_index();
    match message.get_msg_type() {
        // The leader counts only what this member acknowledged in the leader's own term, so it is durable here
        // unless the disk lost it: raft would panic.
        Kind::MsgHeartbeat if message.commit > last => {
            Err(WireError::Forgotten { acknowledged: message.commit, last })
        }
        // Whatever was committed before its term a leader holds, and nothing of its term is committed elsewhere first.
        Kind::MsgAppendResponse | Kind::MsgHeartbeatResponse
            if raft.state == StateRole::Leader
                && message.term == raft.term
                && message.commit > last =>
        {
            Err(WireError::Ahead { committed: message.commit, last })
        }
        Kind::MsgAppendResponse
            if raft.state == StateRole::Leader
                && message.term == raft.term
                && message.index.max(message.reject_hint) > last =>
        {
            Err(WireError::Impossible("an answer about entries that were never sent"))
        }
        Kind::MsgAppend => agrees(message, raft),
        Kind::MsgSnapshot => {
            let theirs = from_conf_state(message.get_snapshot().get_metadata().get_conf_state());
            if theirs.same_as(raft.raft_log.store().membership()) {
                Ok(())
            } else {
                Err(WireError::Impossible(
                    "a snapshot of another membership, which this version cannot follow",
                ))
            }
        }
        _ => Ok(()),
    }
}

/// A leader holds everything that was ever committed (Raft's leader completeness), and the terms of a log never fall:
/// an entry within what is committed here can neither be of another term than it is here, nor of a newer one than
/// the last committed one. Raft would not even look at it, and go on with a log that others do not have.
fn agrees(message: &pb::Message, raft: &Raft<MemoryLog>) -> Result<(), WireError> {
    let log = &raft.raft_log;
    let committed = log.committed;
    let Ok(ours) = log.term(committed) else { return Ok(()) };
    let of_message = std::iter::once((message.index, message.log_term))
        .chain(message.entries.iter().map(|entry| (entry.index, entry.term)));
    for (index, theirs) in of_message.take_while(|(index, _)| *index <= committed) {
        // What was compacted away has a term of 0, or none.
        let here = log.term(index).unwrap_or_default();
        if theirs > ours || (here > 0 && theirs != here) {
            return Err(WireError::Contradicts { index, theirs, committed, ours });
        }
    }
    Ok(())
}
