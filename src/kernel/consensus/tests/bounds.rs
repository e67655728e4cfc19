//! Each bound, and one beyond it.

use protobuf::Message as _;
use raft::eraftpb as pb;
use raft::eraftpb::MessageType as Kind;

use super::super::codec::{decode, encode};
use super::wire::{append, snapshot};
use super::*;

/// As raft counts an entry: the bytes of its protobuf.
fn weight(entry: &pb::Entry) -> u64 {
    u64::from(entry.compute_size())
}

/// Data with which an entry of this term and index weighs so much.
fn data(term: u64, index: u64, wanted: u64) -> Vec<u8> {
    let whole = |len: u64| {
        let data = vec![b'x'; usize::try_from(len).expect("a few megabytes")];
        pb::Entry { term, index, data: data.into(), ..pb::Entry::default() }
    };
    // What stands beside the data takes a few bytes; how many depends on how long it is.
    let fits = (wanted - 64..wanted).find(|len| weight(&whole(*len)) == wanted);
    whole(fits.expect("one of these lengths")).data.to_vec()
}

fn step(trio: &mut Trio, mut message: pb::Message, from: u64, to: u64) -> Result<(), WireError> {
    (message.from, message.to) = (from, to);
    trio.node(to).consensus.step(MemberId(from), &encode(&message), |_| Ok(()))
}

/// Two entries of these weights, for a follower that has neither: how many its first append holds.
fn travel_together(first: u64, second: u64) -> usize {
    let (mut trio, leader) = Trio::led(5);
    let behind = trio.others(leader)[0];
    trio.cut.insert(behind);
    let term = trio.nodes[&leader].consensus.term();
    for wanted in [first, second] {
        let index = trio.nodes[&leader].consensus.last_index() + 1;
        let taken = trio.node(leader).consensus.propose(data(term, index, wanted));
        assert_eq!(taken, Ok(()));
        trio.pump(leader);
        trio.run(3);
    }
    trio.cut.clear();
    loop {
        for id in 1..=3 {
            trio.node(id).consensus.tick();
            trio.pump(id);
        }
        while let Some(message) = trio.net.pop_front() {
            let (from, to, bytes, _) = &message;
            if *to == behind {
                let append = decode(bytes, MemberId(*from), MemberId(*to)).expect("a message");
                if !append.entries.is_empty() {
                    return append.entries.len();
                }
            }
            trio.deliver_one(message);
        }
    }
}

#[test]
fn an_append_holds_so_many_bytes_and_a_larger_entry_travels_alone() {
    let (large, small) = (limits::MESSAGE_BYTES - 1_000, 1_000);
    assert_eq!(travel_together(large, small), 2);
    assert_eq!(travel_together(large + 1, small), 1);
    assert_eq!(travel_together(2 * limits::MESSAGE_BYTES, small), 1);
}

#[test]
fn so_many_appends_to_a_follower_are_under_way_and_one_more_waits() {
    let (mut trio, leader) = Trio::led(6);
    let follower = trio.others(leader)[0];
    trio.net.clear();
    for _ in 0..limits::INFLIGHT_MESSAGES + 5 {
        trio.propose(leader, "x");
    }
    let to_follower = |trio: &Trio| {
        let entries = |(from, to, bytes, _): &UnderWay| {
            *to == follower
                && !decode(bytes, MemberId(*from), MemberId(*to))
                    .expect("a message")
                    .entries
                    .is_empty()
        };
        trio.net.iter().filter(|message| entries(message)).count()
    };
    assert_eq!(to_follower(&trio), limits::INFLIGHT_MESSAGES);
    trio.deliver();
    assert_eq!(trio.words(follower).len(), limits::INFLIGHT_MESSAGES + 5, "what waited went later");
}

/// What is handed out at once, for entries of these weights that a disk held as committed.
fn handed_out(weights: &[u64]) -> Vec<usize> {
    let mut disk = Recovered::default();
    for (index, wanted) in (1..).zip(weights) {
        let data = Bytes::from(data(1, index, *wanted));
        disk.entries.push(LogEntry { index, term: 1, kind: 0, data, context: Bytes::new() });
    }
    disk.hard_state = HardState { term: 1, vote: 0, commit: weights.len() as u64 };
    let mut consensus = Consensus::start(settings(1, 1), &disk).expect("a sound disk");
    let mut handed = Vec::new();
    while let Some(output) = consensus.poll() {
        if let ConsensusOutput::Apply(entries) = output {
            handed.push(entries.len());
        }
    }
    handed
}

#[test]
fn so_many_bytes_are_handed_out_for_apply_at_once() {
    let quarter = limits::COMMITTED_BYTES / 4;
    assert_eq!(handed_out(&[quarter; 4]), [4]);
    assert_eq!(handed_out(&[quarter, quarter, quarter, quarter + 1]), [3, 1]);
    assert_eq!(handed_out(&[2 * limits::COMMITTED_BYTES, quarter]), [1, 1], "a larger one alone");
}

/// A follower that leads nobody, whose disk takes nothing after one entry.
fn stalled() -> (Trio, u64, u64) {
    let (mut trio, leader) = Trio::led(7);
    let follower = trio.others(leader)[0];
    trio.node(follower).slow_disk = true;
    let consensus = &trio.nodes[&follower].consensus;
    let (term, last) = (consensus.term(), consensus.last_index());
    assert_eq!(step(&mut trio, append(term, last, vec![vec![1]]), leader, follower), Ok(()));
    trio.pump(follower);
    trio.net.clear();
    (trio, leader, follower)
}

#[test]
fn so_many_steps_wait_behind_a_write_so_many_messages_behind_them_and_more_are_dropped() {
    let (mut trio, leader, follower) = stalled();
    let term = trio.nodes[&follower].consensus.term();
    let heartbeat =
        pb::Message { msg_type: Kind::MsgHeartbeat, term, commit: 1, ..pb::Message::default() };
    // The write itself is the first of them.
    let room = limits::READIES - 1 + limits::HELD_MESSAGES;
    let answers = |beats: usize, trio: &mut Trio| {
        for _ in 0..beats {
            assert_eq!(step(trio, heartbeat.clone(), leader, follower), Ok(()));
            trio.pump(follower);
        }
        assert_eq!(trio.net.len(), 0, "nothing is said before the write is durable");
    };
    answers(limits::READIES - 1, &mut trio);
    assert_eq!(trio.nodes[&follower].consensus.waiting(), (limits::READIES, 0));
    answers(1, &mut trio);
    assert_eq!(trio.nodes[&follower].consensus.waiting(), (limits::READIES, 1));
    answers(limits::HELD_MESSAGES - 1, &mut trio);
    assert_eq!(trio.nodes[&follower].consensus.waiting(), (limits::READIES, limits::HELD_MESSAGES));
    answers(1, &mut trio);
    trio.write_all(follower);
    // And the answer to the append.
    assert_eq!(trio.net.len(), room + 1);
}

#[test]
fn a_context_is_as_long_as_it_may_be_and_not_longer() {
    let (mut trio, leader) = Trio::led(8);
    let follower = trio.others(leader)[0];
    let term = trio.nodes[&follower].consensus.term();
    for (len, taken) in [(limits::CONTEXT_BYTES, true), (limits::CONTEXT_BYTES + 1, false)] {
        let context = Bytes::from(vec![7; len]);
        let heartbeat = pb::Message {
            msg_type: Kind::MsgHeartbeat,
            term,
            context: context.clone(),
            ..pb::Message::default()
        };
        assert_eq!(step(&mut trio, heartbeat, leader, follower).is_ok(), taken, "{len}");
        let entry = pb::Entry { data: context, ..pb::Entry::default() };
        let read = pb::Message {
            msg_type: Kind::MsgReadIndex,
            entries: vec![entry].into(),
            ..pb::Message::default()
        };
        assert_eq!(step(&mut trio, read, follower, leader).is_ok(), taken, "{len}");
    }
}

#[test]
fn a_message_has_as_many_entries_and_a_snapshot_as_many_members_as_they_may() {
    let full = append(1, 1, vec![Vec::new(); limits::MESSAGE_ENTRIES]);
    let (from, to) = (MemberId(full.from), MemberId(full.to));
    assert!(decode(&encode(&full), from, to).is_ok());
    let beyond = append(1, 1, vec![Vec::new(); limits::MESSAGE_ENTRIES + 1]);
    assert!(matches!(decode(&encode(&beyond), from, to), Err(WireError::Garbled(_))));
    for (members, taken) in [(limits::MEMBERS, true), (limits::MEMBERS + 1, false)] {
        let many = snapshot(1, 1, (1..=members as u64).collect(), vec![]);
        assert_eq!(decode(&encode(&many), from, to).is_ok(), taken, "{members}");
    }
}

#[test]
fn a_leader_holds_so_many_bytes_uncommitted_and_takes_not_one_more() {
    let half = usize::try_from(limits::UNCOMMITTED_BYTES / 2).expect("a few megabytes");
    for (second, taken) in [(half, Ok(())), (half + 1, Err(NotProposed::Busy))] {
        let (mut trio, leader) = Trio::led(9);
        let consensus = &mut trio.node(leader).consensus;
        assert_eq!(consensus.propose(vec![0; half]), Ok(()));
        assert_eq!(consensus.propose(vec![0; second]), taken);
    }
}

#[test]
fn while_the_disk_stands_so_many_bytes_of_entries_are_held_and_no_more() {
    let (mut trio, leader, follower) = stalled();
    let term = trio.nodes[&follower].consensus.term();
    let one = |trio: &mut Trio, bytes: usize| {
        let before = trio.nodes[&follower].consensus.last_index();
        let message = append(term, before, vec![vec![1; bytes]]);
        assert_eq!(step(trio, message, leader, follower), Ok(()));
        trio.pump(follower);
        trio.nodes[&follower].consensus.last_index() - before
    };
    while trio.nodes[&follower].writes.len() < limits::PERSISTS {
        assert_eq!(one(&mut trio, 1), 1);
    }
    // Beyond the writes that are under way raft holds entries, and counts 12 bytes more for each; one is taken while
    // there is any room.
    let quarter = limits::HELD_BYTES / 4 - 12;
    let held = [quarter, quarter, quarter, quarter - 1, 1].map(|bytes| one(&mut trio, bytes));
    assert_eq!((held, one(&mut trio, 1)), ([1; 5], 0));
    trio.write_all(follower);
    assert_eq!(one(&mut trio, 1), 1, "there is room again");
}
