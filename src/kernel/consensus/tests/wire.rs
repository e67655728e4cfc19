//! Messages as bytes: what goes in comes out, and everything else is refused without a panic.

use proptest::prelude::*;
use raft::eraftpb as pb;
use raft::eraftpb::MessageType as Kind;

use super::super::codec::encode;
use super::*;

const FROM: MemberId = MemberId(2);
const ME: MemberId = MemberId(1);

/// The kinds that carry neither entries nor a snapshot.
const BARE: [Kind; 8] = [
    Kind::MsgAppendResponse,
    Kind::MsgRequestVote,
    Kind::MsgRequestVoteResponse,
    Kind::MsgHeartbeat,
    Kind::MsgHeartbeatResponse,
    Kind::MsgTimeoutNow,
    Kind::MsgRequestPreVote,
    Kind::MsgRequestPreVoteResponse,
];

fn bare(kind: Kind, numbers: [u64; 5], reject: bool, context: Vec<u8>) -> pb::Message {
    let [term, log_term, index, commit, reject_hint] = numbers;
    pb::Message {
        msg_type: kind,
        from: FROM.0,
        to: ME.0,
        term,
        log_term,
        index,
        commit,
        commit_term: log_term,
        reject_hint,
        reject,
        context: context.into(),
        ..pb::Message::default()
    }
}

pub(super) fn append(term: u64, index: u64, entries: Vec<Vec<u8>>) -> pb::Message {
    let mut message = bare(Kind::MsgAppend, [term, term, index, index, 0], false, Vec::new());
    let entry = |(at, data): (u64, Vec<u8>)| pb::Entry {
        index: index + at,
        term,
        data: data.into(),
        ..pb::Entry::default()
    };
    message.set_entries((1..).zip(entries).map(entry).collect::<Vec<_>>().into());
    message
}

fn read(kind: Kind, term: u64, context: Vec<u8>) -> pb::Message {
    let mut message = bare(kind, [term, 0, 7, 0, 0], false, Vec::new());
    let entry = pb::Entry { data: context.into(), ..pb::Entry::default() };
    message.set_entries(vec![entry].into());
    message
}

pub(super) fn snapshot(term: u64, index: u64, voters: Vec<u64>, data: Vec<u8>) -> pb::Message {
    let mut message = bare(Kind::MsgSnapshot, [term, 0, 0, 0, 0], false, Vec::new());
    let mut snapshot = pb::Snapshot { data: data.into(), ..pb::Snapshot::default() };
    let metadata = snapshot.mut_metadata();
    metadata.index = index;
    metadata.term = term;
    metadata.mut_conf_state().voters = voters;
    message.set_snapshot(snapshot);
    message
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..12_u64, 0..limits::NUMBER]
}

/// Messages that a correct raft could send.
pub(super) fn possible() -> impl Strategy<Value = pb::Message> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let term = || prop_oneof![1..6_u64, 1..limits::NUMBER];
    prop_oneof![
        3 => (prop::sample::select(&BARE[..]), term(), [number(), number(), number(), number()], any::<bool>(), bytes(64))
            .prop_map(|(kind, term, [a, b, c, d], reject, context)| bare(kind, [term, a, b, c, d], reject, context)),
        2 => (term(), 0..limits::NUMBER / 2, prop::collection::vec(bytes(40), 0..6))
            .prop_map(|(term, index, entries)| append(term, index, entries)),
        2 => (term(), 0..12_u64, prop::collection::vec(bytes(40), 0..6))
            .prop_map(|(term, index, entries)| append(term, index, entries)),
        1 => bytes(64).prop_map(|context| read(Kind::MsgReadIndex, 0, context)),
        1 => (term(), bytes(64)).prop_map(|(term, context)| read(Kind::MsgReadIndexResp, term, context)),
        1 => (term(), prop_oneof![1..20_u64, 1..limits::NUMBER], bytes(500))
            .prop_map(|(term, index, data)| snapshot(term, index, vec![3, 1, 2], data)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out(message in possible()) {
        let bytes = encode(&message);
        prop_assert_eq!(decode(&bytes, FROM, ME), Ok(message));
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), format: bool) {
        if let (true, Some(first)) = (format, bytes.first_mut()) {
            *first = 1;
        }
        // A few bytes of zeros and small numbers may happen to be a message; a panic may never happen.
        let _ = decode(&Bytes::from(bytes), FROM, ME);
    }

    #[test]
    fn a_message_cut_or_made_longer_is_refused(message in possible(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&message);
        let cut = bytes.slice(..at.index(bytes.len()));
        prop_assert!(decode(&cut, FROM, ME).is_err());
        let mut longer = bytes.to_vec();
        longer.push(0);
        prop_assert!(decode(&longer.into(), FROM, ME).is_err());
    }
}

#[test]
fn another_format_sender_or_receiver_is_refused_by_name() {
    let bytes = encode(&append(1, 0, vec![]));
    assert!(decode(&bytes, FROM, ME).is_ok());
    let refused = decode(&bytes, MemberId(3), ME);
    assert_eq!(refused, Err(WireError::Misaddressed { from: 2, to: 1 }));
    let refused = decode(&bytes, FROM, MemberId(3));
    assert_eq!(refused, Err(WireError::Misaddressed { from: 2, to: 1 }));
    let mut other = bytes.to_vec();
    other[0] = 2;
    assert_eq!(decode(&other.into(), FROM, ME), Err(WireError::Format(2)));
    assert!(matches!(decode(&Bytes::new(), FROM, ME), Err(WireError::Garbled(_))));
}

#[test]
fn local_messages_proposals_and_foreign_handovers_are_never_taken_from_a_peer() {
    let bytes = encode(&append(1, 0, vec![]));
    let taken: Vec<u8> = (0..=u8::MAX)
        .filter(|kind| {
            let mut bytes = bytes.to_vec();
            bytes[1] = *kind;
            !matches!(decode(&bytes.into(), FROM, ME), Err(WireError::Kind(_)))
        })
        .collect();
    // MsgHup 0, MsgBeat 1, MsgPropose 2, MsgUnreachable 10, MsgSnapStatus 11, MsgCheckQuorum 12 and
    // MsgTransferLeader 13 are missing.
    assert_eq!(taken, [3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18]);
}

#[test]
fn what_no_correct_raft_sends_is_refused() {
    let heartbeat = || bare(Kind::MsgHeartbeat, [1, 0, 0, 0, 0], false, Vec::new());
    let cases: [(&str, pb::Message); 16] = [
        ("term 0", append(0, 0, vec![])),
        ("term on a read", read(Kind::MsgReadIndex, 1, vec![])),
        ("number", bare(Kind::MsgHeartbeat, [1, 0, 0, limits::NUMBER, 0], false, vec![])),
        ("huge term", bare(Kind::MsgRequestVote, [u64::MAX, 0, 0, 0, 0], false, vec![])),
        ("priority", pb::Message { priority: 1, ..heartbeat() }),
        ("request", pb::Message { request_snapshot: 1, ..heartbeat() }),
        ("context", pb::Message { context: vec![0; 65].into(), ..heartbeat() }),
        ("no snapshot", pb::Message { msg_type: Kind::MsgSnapshot, ..heartbeat() }),
        ("snapshot", pb::Message { msg_type: Kind::MsgAppend, ..snapshot(1, 1, vec![1], vec![]) }),
        ("nothing", snapshot(1, 0, vec![1, 2, 3], vec![])),
        ("entries", pb::Message { msg_type: Kind::MsgHeartbeat, ..append(1, 0, vec![vec![]]) }),
        ("no read", pb::Message { msg_type: Kind::MsgReadIndexResp, ..append(1, 0, vec![]) }),
        ("gap", {
            let mut message = append(1, 3, vec![vec![1], vec![2]]);
            message.mut_entries()[1].index = 6;
            message
        }),
        ("falling term", {
            let mut message = append(3, 3, vec![vec![1], vec![2]]);
            message.mut_entries()[1].term = 2;
            message
        }),
        ("future term", {
            let mut message = append(3, 3, vec![vec![1]]);
            message.mut_entries()[0].term = 4;
            message
        }),
        ("membership", {
            let mut message = append(3, 3, vec![vec![1]]);
            message.mut_entries()[0].entry_type = pb::EntryType::EntryConfChangeV2;
            message
        }),
    ];
    for (what, message) in cases {
        let refused = decode(&encode(&message), FROM, ME);
        assert!(matches!(refused, Err(WireError::Impossible(_))), "{what}: {refused:?}");
    }
}

#[test]
fn lists_are_bounded_whatever_length_they_claim() {
    let many = snapshot(1, 1, (1..=limits::MEMBERS as u64 + 1).collect(), vec![]);
    assert!(matches!(decode(&encode(&many), FROM, ME), Err(WireError::Garbled(_))));
    // Kind, to, from, term, log term and index; then a list that claims 2^40 entries.
    let claim = [1, 3, 1, 2, 1, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    let refused = decode(&Bytes::copy_from_slice(&claim), FROM, ME);
    assert!(matches!(refused, Err(WireError::Garbled(_))), "{refused:?}");
    // As many empty entries as a frame has room for.
    let mut bytes = vec![1, 3, 1, 2, 1, 0, 0];
    bytes.extend([0x80, 0x80, 0x80, 0x01]);
    bytes.extend(std::iter::repeat_n([0, 1, 1, 0, 0], limits::MESSAGE_ENTRIES + 1).flatten());
    let refused = decode(&bytes.into(), FROM, ME);
    assert!(matches!(refused, Err(WireError::Garbled(_))), "{refused:?}");
}

#[test]
fn read_contexts_survive_their_bytes_and_others_are_none() {
    let context =
        ReadContext { member: MemberId(3), incarnation: Incarnation(u64::MAX), counter: 5 };
    assert_eq!(ReadContext::from_bytes(&context.to_bytes()), Some(context));
    assert_eq!(ReadContext::from_bytes(&[0; 23]), None);
    assert_eq!(ReadContext::from_bytes(&[0; 25]), None);
}
