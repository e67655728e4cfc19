//! A member that sends whatever it likes: nobody panics, and nobody's memory grows.

use proptest::prelude::*;
use raft::eraftpb as pb;
use raft::eraftpb::MessageType as Kind;

use super::super::codec::encode;
use super::wire::{append, possible, snapshot};
use super::*;

/// Three members, one of which, the victim, leads, follows, stands for election, or waits for a snapshot's disk.
fn scene(kind: u64) -> (Trio, u64) {
    let (mut trio, leader) = Trio::led(kind);
    for word in ["a", "b", "c", "d", "e", "f"] {
        trio.propose(leader, word);
    }
    trio.run(5);
    let follower = trio.others(leader)[0];
    match kind {
        0 => return (trio, leader),
        1 => drop(trio.compact(follower, 3)),
        2 => {
            trio.cut.insert(follower);
            trio.until("it stands for election", |trio| {
                trio.nodes[&follower].consensus.leader().is_none()
            });
        }
        _ => {
            trio.node(follower).slow_disk = true;
            let term = trio.nodes[&follower].consensus.term();
            let message = snapshot(term, 1_000, vec![1, 2, 3], vec![7; 100]);
            assert_eq!(step(&mut trio, message, leader, follower), Ok(()));
            trio.pump(follower);
        }
    }
    (trio, follower)
}

fn step(trio: &mut Trio, mut message: pb::Message, from: u64, to: u64) -> Result<(), WireError> {
    (message.from, message.to) = (from, to);
    trio.node(to).consensus.step(MemberId(from), &encode(&message), |_| Ok(()))
}

/// Lets the victim's own life go on; what lies made of its log is not compared with anything.
fn live_on(trio: &mut Trio, victim: u64) {
    let node = trio.node(victim);
    node.consensus.tick();
    while let Some(output) = node.consensus.poll() {
        if let ConsensusOutput::Persist(batch) = output {
            node.writes.push_back(batch);
        }
    }
    if !node.slow_disk
        && let Some(batch) = node.writes.pop_front()
    {
        node.consensus.persisted(batch.number);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_lies_make_nobody_panic(
        kind in 0..4_u64,
        lies in prop::collection::vec((possible(), 0..3_u64, any::<bool>()), 1..30),
    ) {
        let (mut trio, victim) = scene(kind);
        let liar = trio.others(victim)[0];
        for (mut lie, term, near) in lies {
            if near && lie.term > 0 {
                lie.term = (trio.nodes[&victim].consensus.term() + term).saturating_sub(1).max(1);
            }
            let _ = step(&mut trio, lie, liar, victim);
            live_on(&mut trio, victim);
        }
        trio.node(victim).slow_disk = false;
        for _ in 0..40 {
            live_on(&mut trio, victim);
        }
    }

    #[test]
    fn real_messages_with_changed_bytes_make_nobody_panic(
        kind in 0..4_u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        let (mut trio, victim) = scene(kind);
        let real: Vec<_> = trio.trace.iter().filter(|(_, to, _)| *to == victim).cloned().collect();
        for (which, at, byte) in changes {
            let (from, _, bytes) = &real[which.index(real.len())];
            let mut changed = bytes.to_vec();
            let at = at.index(changed.len());
            changed[at] = byte;
            let _ = trio.node(victim).consensus.step(MemberId(*from), &changed.into(), |_| Ok(()));
            live_on(&mut trio, victim);
        }
        for _ in 0..40 {
            live_on(&mut trio, victim);
        }
    }
}

fn heartbeat(term: u64, commit: u64) -> pb::Message {
    pb::Message { msg_type: Kind::MsgHeartbeat, term, commit, ..pb::Message::default() }
}

#[test]
fn a_leader_that_counts_on_what_is_not_here_is_told_that_the_disk_forgot() {
    let (mut trio, follower) = scene(1);
    let leader = trio.leader().expect("a leader");
    let consensus = &trio.nodes[&follower].consensus;
    let (term, last) = (consensus.term(), consensus.last_index());
    assert_eq!(step(&mut trio, heartbeat(term, last), leader, follower), Ok(()));
    let refused = step(&mut trio, heartbeat(term, last + 3), leader, follower);
    assert_eq!(refused, Err(WireError::Forgotten { acknowledged: last + 3, last }));
    assert!(refused.is_err_and(|error| error.to_string().contains("disk has lost")));
    assert_eq!(step(&mut trio, heartbeat(term + 1, last), leader, follower), Ok(()));
    let stale = step(&mut trio, heartbeat(term, last + 3), leader, follower);
    assert_eq!(stale, Ok(()), "of an earlier term: raft ignores it");
}

#[test]
fn a_disk_that_lost_its_tail_is_found_out_by_the_leader() {
    let (mut trio, leader) = Trio::led(3);
    for word in ["a", "b", "c", "d", "e"] {
        trio.propose(leader, word);
    }
    trio.run(5);
    let victim = trio.others(leader)[0];
    let mut disk = trio.kill(victim);
    disk.entries.truncate(3);
    disk.hard_state.commit = 3;
    trio.start(victim, disk);
    let mut found = None;
    for _ in 0..5 {
        trio.node(leader).consensus.tick();
        trio.pump(leader);
        while let Some((from, to, bytes, _)) = trio.net.pop_front() {
            if to == victim {
                let refused = trio.node(to).consensus.step(MemberId(from), &bytes, |_| Ok(()));
                found = found.or_else(|| refused.err());
            }
        }
    }
    assert!(matches!(found, Some(WireError::Forgotten { last: 3, .. })), "{found:?}");
}

#[test]
fn a_leader_whose_log_contradicts_what_is_committed_is_told_so() {
    let (mut trio, follower) = scene(1);
    let leader = trio.leader().expect("a leader");
    let consensus = &trio.nodes[&follower].consensus;
    let (term, last) = (consensus.term(), consensus.last_index());
    // Before and after what the follower has compacted away: the first entry of a new leader that has forgotten.
    for index in [2, last] {
        let mut forgetful = append(term + 1, index - 1, vec![b"x".to_vec()]);
        (forgetful.log_term, forgetful.commit) = (term, index - 1);
        let refused = step(&mut trio, forgetful, leader, follower);
        assert!(
            matches!(refused, Err(WireError::Contradicts { index: found, .. }) if found == index),
            "{refused:?}"
        );
    }
    // A true leader goes on after what is committed.
    let mut repeated = append(term + 1, last, vec![b"x".to_vec()]);
    repeated.log_term = term;
    assert_eq!(step(&mut trio, repeated, leader, follower), Ok(()));
}

/// Two of three members are put back to old copies of their disks.
#[test]
fn a_majority_that_forgot_is_found_out_by_the_third_member_at_once() {
    let (mut trio, leader) = Trio::led(5);
    let disks: Vec<(u64, Recovered)> =
        trio.others(leader).into_iter().map(|id| (id, trio.kill(id))).collect();
    for (id, disk) in &disks {
        trio.start(*id, disk.clone());
    }
    trio.run(20);
    let leader = trio.leader().expect("a leader");
    for word in ["a", "b", "c"] {
        trio.propose(leader, word);
    }
    trio.run(20);
    let keeper = trio.nodes.keys().copied().find(|id| disks.iter().all(|(old, _)| old != id));
    let keeper = keeper.expect("one was not put back");
    trio.cut.insert(keeper);
    for (id, disk) in disks {
        trio.kill(id);
        trio.start(id, disk);
    }
    // Beyond what Raft survives: two pasts are agreed on from here.
    trio.chain.clear();
    trio.leaders.clear();
    trio.until("they elect a leader without the third", |trio| {
        trio.nodes.iter().any(|(id, node)| *id != keeper && node.consensus.is_leader())
    });
    trio.cut.remove(&keeper);
    let mut found = None;
    for _ in 0..60 {
        for id in trio.nodes.keys().copied().collect::<Vec<_>>() {
            trio.node(id).consensus.tick();
            trio.pump(id);
        }
        while let Some((from, to, bytes, _)) = trio.net.pop_front() {
            let refused = trio.node(to).consensus.step(MemberId(from), &bytes, |_| Ok(()));
            found = found.or_else(|| refused.err().filter(|_| to == keeper || from == keeper));
        }
    }
    let told = matches!(found, Some(WireError::Contradicts { .. } | WireError::Ahead { .. }));
    assert!(told, "{found:?}");
}

#[test]
fn strangers_and_answers_to_what_was_never_asked_are_refused() {
    let (mut trio, leader) = scene(0);
    let consensus = &trio.nodes[&leader].consensus;
    let (term, last) = (consensus.term(), consensus.last_index());
    let stranger = step(&mut trio, heartbeat(term, 0), 4, leader);
    assert_eq!(stranger, Err(WireError::Stranger(4)));
    let answer = pb::Message {
        msg_type: Kind::MsgAppendResponse,
        term,
        index: last + 1,
        ..pb::Message::default()
    };
    let peer = trio.others(leader)[0];
    let refused = step(&mut trio, answer, peer, leader);
    assert!(matches!(refused, Err(WireError::Impossible(_))), "{refused:?}");
    for msg_type in [Kind::MsgAppendResponse, Kind::MsgHeartbeatResponse] {
        let ahead =
            pb::Message { msg_type, term, commit: last + 1, index: last, ..pb::Message::default() };
        let refused = step(&mut trio, ahead, peer, leader);
        assert_eq!(refused, Err(WireError::Ahead { committed: last + 1, last }));
    }
}

#[test]
fn a_snapshot_of_another_membership_is_refused() {
    let (mut trio, follower) = scene(1);
    let leader = trio.leader().expect("a leader");
    let term = trio.nodes[&follower].consensus.term();
    for voters in [vec![1, 2], vec![1, 2, 3, 4], vec![1, 2, 2], vec![]] {
        let message = snapshot(term, 1_000, voters.clone(), vec![]);
        let refused = step(&mut trio, message, leader, follower);
        assert!(matches!(refused, Err(WireError::Impossible(_))), "{voters:?}: {refused:?}");
    }
}

#[test]
fn a_snapshot_that_the_state_machine_cannot_read_is_refused_before_it_is_kept() {
    let (mut trio, follower) = scene(1);
    let leader = trio.leader().expect("a leader");
    let mut sent = snapshot(99, 1_000, vec![1, 2, 3], b"from a newer version".to_vec());
    (sent.from, sent.to) = (leader, follower);
    let refuse = |snapshot: &SnapshotRecord| {
        assert_eq!((snapshot.index, &snapshot.data[..]), (1_000, &b"from a newer version"[..]));
        Err("too new".to_owned())
    };
    let node = trio.node(follower);
    let refused = node.consensus.step(MemberId(leader), &encode(&sent), refuse);
    assert_eq!(refused, Err(WireError::Snapshot("too new".to_owned())));
    assert_eq!(node.consensus.poll(), None);
    assert!(node.consensus.term() < 99);
}

#[test]
fn a_flood_of_reads_and_of_messages_to_a_stalled_disk_is_dropped() {
    let (mut trio, leader) = scene(0);
    trio.cut.insert(leader);
    for _ in 0..2 * limits::READS {
        trio.read(leader);
        trio.net.clear();
        trio.trace.clear();
    }
    assert_eq!(trio.nodes[&leader].consensus.reads_under_way(), limits::READS);

    let (mut trio, follower) = scene(1);
    let leader = trio.leader().expect("a leader");
    trio.node(follower).slow_disk = true;
    let consensus = &trio.nodes[&follower].consensus;
    let (term, last) = (consensus.term(), consensus.last_index());
    for at in 0..3 * limits::HELD_MESSAGES as u64 {
        assert_eq!(
            step(&mut trio, append(term, last + at, vec![vec![1]]), leader, follower),
            Ok(())
        );
        trio.pump(follower);
    }
    let held = trio.nodes[&follower].consensus.last_index() - last;
    assert!(held <= (limits::HELD_MESSAGES + limits::PERSISTS) as u64, "{held}");
}
