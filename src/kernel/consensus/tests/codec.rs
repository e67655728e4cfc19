//! Messages between members as bytes.

use proptest::prelude::*;
use raft::eraftpb as pb;

use super::super::codec::{decode, encode};
use super::*;

const KINDS: [pb::MessageType; 13] = {
    use pb::MessageType as T;
    [
        T::MsgAppend,
        T::MsgAppendResponse,
        T::MsgRequestVote,
        T::MsgRequestVoteResponse,
        T::MsgSnapshot,
        T::MsgHeartbeat,
        T::MsgHeartbeatResponse,
        T::MsgTransferLeader,
        T::MsgTimeoutNow,
        T::MsgReadIndex,
        T::MsgReadIndexResp,
        T::MsgRequestPreVote,
        T::MsgRequestPreVoteResponse,
    ]
};

/// A message with every field set to something of its own.
fn message(msg_type: pb::MessageType, data: &[u8]) -> pb::Message {
    let mut message = pb::Message {
        msg_type,
        to: 2,
        from: 1,
        term: u64::MAX,
        log_term: 4,
        index: 5,
        commit: 6,
        commit_term: 7,
        request_snapshot: 8,
        reject: true,
        reject_hint: 9,
        context: Bytes::copy_from_slice(data),
        priority: -10,
        ..pb::Message::default()
    };
    let entry = pb::Entry {
        entry_type: pb::EntryType::EntryConfChangeV2,
        term: 11,
        index: 12,
        data: Bytes::copy_from_slice(data),
        context: Bytes::from_static(b"c"),
        ..pb::Entry::default()
    };
    message.set_entries(vec![entry].into());
    if msg_type == pb::MessageType::MsgSnapshot {
        let mut snapshot =
            pb::Snapshot { data: Bytes::copy_from_slice(data), ..pb::Snapshot::default() };
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = (13, 14);
        let state = metadata.mut_conf_state();
        state.voters = vec![1, 2, 3];
        state.learners = vec![4];
        state.voters_outgoing = vec![5];
        state.learners_next = vec![6];
        state.auto_leave = true;
        message.set_snapshot(snapshot);
    }
    message
}

fn read(bytes: &Bytes) -> Result<pb::Message, WireError> {
    decode(bytes, MemberId(1), MemberId(2))
}

#[test]
fn every_kind_of_message_reads_back_as_written() {
    for kind in KINDS {
        for data in [&b""[..], b"x", &[7; 5000]] {
            let message = message(kind, data);
            assert_eq!(read(&encode(&message)), Ok(message), "{kind:?}");
        }
    }
}

#[test]
fn a_message_from_or_to_somebody_else_is_refused() {
    let bytes = encode(&message(pb::MessageType::MsgHeartbeat, b""));
    let misaddressed = Err(WireError::Misaddressed { from: 1, to: 2 });
    assert_eq!(decode(&bytes, MemberId(3), MemberId(2)), misaddressed);
    assert_eq!(decode(&bytes, MemberId(1), MemberId(3)), misaddressed);
}

#[test]
fn kinds_that_no_peer_may_send_are_refused() {
    let mut bytes = encode(&message(pb::MessageType::MsgHeartbeat, b"")).to_vec();
    let taken: BTreeSet<u8> = [3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18].into();
    for kind in 0..=127 {
        bytes[1] = kind;
        let found = read(&Bytes::from(bytes.clone()));
        if taken.contains(&kind) {
            assert!(found.is_ok(), "{kind}");
        } else {
            assert_eq!(found, Err(WireError::Kind(kind)));
        }
    }
}

#[test]
fn another_format_no_bytes_and_bytes_left_over_are_refused() {
    let bytes = encode(&message(pb::MessageType::MsgHeartbeat, b"x")).to_vec();
    let mut other = bytes.clone();
    other[0] = 2;
    assert_eq!(read(&Bytes::from(other)), Err(WireError::Format(2)));
    assert!(matches!(read(&Bytes::new()), Err(WireError::Garbled(_))));
    let longer = [&bytes[..], b"!"].concat();
    assert!(matches!(read(&Bytes::from(longer)), Err(WireError::Garbled(_))));
}

#[test]
fn a_huge_length_allocates_nothing_and_is_refused() {
    let bytes = encode(&message(pb::MessageType::MsgHeartbeat, b"")).to_vec();
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for at in 2..bytes.len() {
        let mutated = [&bytes[..at], &huge[..], &bytes[at..]].concat();
        let _ = read(&Bytes::from(mutated));
        let cut = [&bytes[..at], &huge[..]].concat();
        assert!(read(&Bytes::from(cut)).is_err(), "{at}");
    }
}

#[test]
fn a_read_round_without_its_context_is_refused_before_a_leader_looks_at_it() {
    let (mut trio, leader) = Trio::led(1);
    let from = trio.others(leader)[0];
    let bare = pb::Message {
        msg_type: pb::MessageType::MsgReadIndex,
        from,
        to: leader,
        ..pb::Message::default()
    };
    let step = trio.node(leader).consensus.step(MemberId(from), &encode(&bare));
    assert!(matches!(step, Err(WireError::Garbled(_))), "{step:?}");
}

proptest! {
    #[test]
    fn mutated_bytes_never_panic(
        kind in prop::sample::select(&KINDS[..]),
        data in prop::collection::vec(any::<u8>(), 0..40),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = encode(&message(kind, &data)).to_vec();
        let mut mutated = whole.clone();
        for (at, byte) in flips {
            let at = at.index(mutated.len());
            mutated[at] = byte;
        }
        let _ = read(&Bytes::from(mutated));
        let cut = cut.index(whole.len());
        prop_assert!(read(&Bytes::from(whole[..cut].to_vec())).is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&Bytes::from(bytes.clone()));
        let _ = read(&Bytes::from([&[1][..], &bytes].concat()));
    }
}
