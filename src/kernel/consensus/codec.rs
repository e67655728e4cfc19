//! Raft messages as bytes: own mirror records in postcard behind a format number. No protobuf is ever parsed
//! from a wire, so a hostile member meets a small, total decoder.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use raft::eraftpb as pb;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::log::{entry_type, from_conf_state, kind_of, to_conf_state};
use super::record::Membership;
use super::{admit, limits};
use crate::kernel::domain::MemberId;

/// The format that this version writes and reads.
const FORMAT: u8 = 1;

/// What to do when a leader lacks what was committed; the same words wherever it shows.
pub const FORGOTTEN: &str = "a majority of the members has forgotten what it had acknowledged (old copies of their \
    disks?), or this member's disk is of another past. Compare the switchovers in both logs before you trust either \
    side; to have three members again, make a new cluster with `biplane init`";

/// Why bytes are not a message from this peer to this member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Another format: another version.
    #[error("format {0}, this version reads {FORMAT}")]
    Format(u8),
    /// Not a message.
    #[error("not a message: {0}")]
    Garbled(String),
    /// A kind of message that no peer may send.
    #[error("a message of kind {0} is not taken from a peer")]
    Kind(u8),
    /// A snapshot that the state machine cannot take.
    #[error("the snapshot is not taken: {0}")]
    Snapshot(String),
    /// From or to somebody else.
    #[error("says it is from {from} to {to}")]
    Misaddressed {
        /// The sender it names.
        from: u64,
        /// The receiver it names.
        to: u64,
    },
    /// No correct peer sends it.
    #[error("no correct member sends it: {0}")]
    Impossible(&'static str),
    /// From somebody who is not in the log's membership.
    #[error("member {0} is not among those who vote")]
    Stranger(u64),
    /// The leader counts on entries that this member acknowledged and does not hold. Its disk lost what it had
    /// promised to keep, so it must leave consensus: it may have forgotten its votes too.
    #[error(
        "this member acknowledged entries up to {acknowledged}, and its log ends at {last}: its disk has lost \
         what it had promised to keep, or is an old copy. Leave this member stopped and keep its data directory: \
         it must not vote again"
    )]
    Forgotten {
        /// What the leader counts on.
        acknowledged: u64,
        /// Where the log ends.
        last: u64,
    },
    /// A member knows more to be committed than this leader's log holds: a majority lost what it had promised to keep,
    /// or that member's disk is of another past. That member is to be told, and leaves consensus.
    #[error(
        "it knows entries up to {committed} to be committed, and this leader's log ends at {last}; it is told to \
         leave consensus: {FORGOTTEN}"
    )]
    Ahead {
        /// What it knows to be committed.
        committed: u64,
        /// Where the leader's log ends.
        last: u64,
    },
    /// The leader's log contradicts what this member knows to be committed. A majority lost what it had promised to
    /// keep, or this member's disk is of another past; it cannot tell which, so it must leave consensus.
    #[error(
        "the leader's entry {index} is of term {theirs}, and here entry {committed} of term {ours} is committed: \
         {FORGOTTEN}"
    )]
    Contradicts {
        /// The leader's entry.
        index: u64,
        /// Its term.
        theirs: u64,
        /// What is committed here.
        committed: u64,
        /// The term of that.
        ours: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct EntryFrame<'a> {
    kind: u8,
    term: u64,
    index: u64,
    #[serde(borrow, with = "serde_bytes")]
    data: &'a [u8],
    #[serde(borrow, with = "serde_bytes")]
    context: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct MembershipFrame {
    #[serde(deserialize_with = "members")]
    voters: Vec<u64>,
    #[serde(deserialize_with = "members")]
    learners: Vec<u64>,
    #[serde(deserialize_with = "members")]
    voters_outgoing: Vec<u64>,
    #[serde(deserialize_with = "members")]
    learners_next: Vec<u64>,
    auto_leave: bool,
}

#[derive(Serialize, Deserialize)]
struct SnapshotFrame<'a> {
    index: u64,
    term: u64,
    membership: MembershipFrame,
    #[serde(borrow, with = "serde_bytes")]
    data: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct MessageFrame<'a> {
    kind: u8,
    to: u64,
    from: u64,
    term: u64,
    log_term: u64,
    index: u64,
    #[serde(borrow, deserialize_with = "entries")]
    entries: Vec<EntryFrame<'a>>,
    commit: u64,
    commit_term: u64,
    #[serde(borrow)]
    snapshot: Option<SnapshotFrame<'a>>,
    request_snapshot: u64,
    reject: bool,
    reject_hint: u64,
    #[serde(borrow, with = "serde_bytes")]
    context: &'a [u8],
    priority: i64,
}

/// A list of at most `most` items: a few bytes on the wire must not become many in memory.
struct Few<T> {
    most: usize,
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {}", self.most)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        // The announced length is a claim: memory is taken as items arrive.
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == self.most {
                return Err(A::Error::custom("too many"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

fn members<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    from.deserialize_seq(Few { most: limits::MEMBERS, item: PhantomData })
}

fn entries<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<EntryFrame<'de>>, D::Error> {
    from.deserialize_seq(Few { most: limits::MESSAGE_ENTRIES, item: PhantomData })
}

/// The kinds that members exchange. Proposals travel in the controller's own frames, so that raft never sees
/// foreign membership changes; leadership is handed over by its leader only; local messages never travel.
const fn kind(kind: u8) -> Option<pb::MessageType> {
    use pb::MessageType as T;
    Some(match kind {
        3 => T::MsgAppend,
        4 => T::MsgAppendResponse,
        5 => T::MsgRequestVote,
        6 => T::MsgRequestVoteResponse,
        7 => T::MsgSnapshot,
        8 => T::MsgHeartbeat,
        9 => T::MsgHeartbeatResponse,
        14 => T::MsgTimeoutNow,
        15 => T::MsgReadIndex,
        16 => T::MsgReadIndexResp,
        17 => T::MsgRequestPreVote,
        18 => T::MsgRequestPreVoteResponse,
        _ => return None,
    })
}

fn kind_number(message_type: pb::MessageType) -> u8 {
    (0..=u8::MAX)
        .find(|number| kind(*number) == Some(message_type))
        .expect("raft's outgoing messages are of the kinds above: only a leader is asked for more")
}

/// A message as bytes.
pub(super) fn encode(message: &pb::Message) -> Bytes {
    // Destructured whole: a field that a later raft adds is a compile error here.
    let pb::Message {
        msg_type,
        to,
        from,
        term,
        log_term,
        index,
        entries,
        commit,
        commit_term,
        snapshot,
        request_snapshot,
        reject,
        reject_hint,
        context,
        deprecated_priority: _,
        priority,
        unknown_fields: _,
        cached_size: _,
    } = message;
    let frame = MessageFrame {
        kind: kind_number(*msg_type),
        to: *to,
        from: *from,
        term: *term,
        log_term: *log_term,
        index: *index,
        entries: entries.iter().map(entry_frame).collect(),
        commit: *commit,
        commit_term: *commit_term,
        snapshot: snapshot.as_ref().map(snapshot_frame),
        request_snapshot: *request_snapshot,
        reject: *reject,
        reject_hint: *reject_hint,
        context,
        priority: *priority,
    };
    let bytes = postcard::to_extend(&frame, vec![FORMAT])
        .expect("frames hold numbers and bytes of known length: postcard takes them all");
    Bytes::from(bytes)
}

fn entry_frame(entry: &pb::Entry) -> EntryFrame<'_> {
    EntryFrame {
        kind: kind_of(entry.entry_type),
        term: entry.term,
        index: entry.index,
        data: &entry.data,
        context: &entry.context,
    }
}

fn snapshot_frame(snapshot: &pb::Snapshot) -> SnapshotFrame<'_> {
    let metadata = snapshot.get_metadata();
    SnapshotFrame {
        index: metadata.index,
        term: metadata.term,
        membership: membership_frame(from_conf_state(metadata.get_conf_state())),
        data: &snapshot.data,
    }
}

fn membership_frame(membership: Membership) -> MembershipFrame {
    let Membership { voters, learners, voters_outgoing, learners_next, auto_leave } = membership;
    MembershipFrame { voters, learners, voters_outgoing, learners_next, auto_leave }
}

fn to_membership(frame: MembershipFrame) -> Membership {
    let MembershipFrame { voters, learners, voters_outgoing, learners_next, auto_leave } = frame;
    Membership { voters, learners, voters_outgoing, learners_next, auto_leave }
}

/// The message in `bytes`, which came from `from` and must be for `me`; only one that a correct raft could have
/// sent.
pub(super) fn decode(
    bytes: &Bytes,
    from: MemberId,
    me: MemberId,
) -> Result<pb::Message, WireError> {
    let (format, body) =
        bytes.split_first().ok_or_else(|| WireError::Garbled("no bytes".to_owned()))?;
    if *format != FORMAT {
        return Err(WireError::Format(*format));
    }
    let (frame, rest) = postcard::take_from_bytes::<MessageFrame<'_>>(body)
        .map_err(|error| WireError::Garbled(error.to_string()))?;
    if !rest.is_empty() {
        return Err(WireError::Garbled(format!("{} bytes too many", rest.len())));
    }
    if frame.from != from.0 || frame.to != me.0 {
        return Err(WireError::Misaddressed { from: frame.from, to: frame.to });
    }
    let message = to_message(bytes, frame)?;
    admit::possible(&message)?;
    Ok(message)
}

/// Payloads become slices of the received bytes: nothing is copied.
fn slice(bytes: &Bytes, part: &[u8]) -> Bytes {
    if part.is_empty() { Bytes::new() } else { bytes.slice_ref(part) }
}

fn to_message(bytes: &Bytes, frame: MessageFrame<'_>) -> Result<pb::Message, WireError> {
    let mut message = pb::Message {
        msg_type: kind(frame.kind).ok_or(WireError::Kind(frame.kind))?,
        to: frame.to,
        from: frame.from,
        term: frame.term,
        log_term: frame.log_term,
        index: frame.index,
        commit: frame.commit,
        commit_term: frame.commit_term,
        request_snapshot: frame.request_snapshot,
        reject: frame.reject,
        reject_hint: frame.reject_hint,
        context: slice(bytes, frame.context),
        priority: frame.priority,
        ..pb::Message::default()
    };
    let mut entries = Vec::with_capacity(frame.entries.len());
    for entry in frame.entries {
        let kind = entry_type(entry.kind)
            .ok_or_else(|| WireError::Garbled(format!("entry of kind {}", entry.kind)))?;
        entries.push(pb::Entry {
            entry_type: kind,
            term: entry.term,
            index: entry.index,
            data: slice(bytes, entry.data),
            context: slice(bytes, entry.context),
            ..pb::Entry::default()
        });
    }
    message.set_entries(entries.into());
    if let Some(frame) = frame.snapshot {
        let mut snapshot =
            pb::Snapshot { data: slice(bytes, frame.data), ..pb::Snapshot::default() };
        let metadata = snapshot.mut_metadata();
        metadata.index = frame.index;
        metadata.term = frame.term;
        metadata.set_conf_state(to_conf_state(&to_membership(frame.membership)));
        message.set_snapshot(snapshot);
    }
    Ok(message)
}
