//! A member that sends whatever it likes: nobody panics, and nobody's memory grows.

use bytes::Bytes;
use proptest::prelude::*;
use raft::eraftpb as pb;
use raft::eraftpb::MessageType as Kind;

use super::super::codec::encode;
use super::super::*;
use super::cluster::Cluster;
use super::wire::{append, possible, snapshot};
use crate::kernel::domain::MemberId;

/// A cluster in which the victim leads, follows, stands for election, or waits for a snapshot's disk.
fn scene(kind: usize) -> (Cluster, usize) {
    let mut cluster = Cluster::new(kind as u64);
    let leader = cluster.elect();
    for n in 0..6_u8 {
        cluster.propose(leader, &[n]);
    }
    cluster.ticks(2);
    let follower = (leader + 1) % 3;
    match kind {
        0 => (cluster, leader),
        1 => {
            cluster.nodes[follower].compact();
            (cluster, follower)
        }
        2 => {
            cluster.isolate(follower);
            cluster.until("it stands for election", |cluster| {
                cluster.nodes[follower].live().leader().is_none()
            });
            (cluster, follower)
        }
        _ => {
            cluster.nodes[follower].stalled = true;
            let term = cluster.nodes[follower].live().term();
            let message = snapshot(term, 1_000, vec![1, 2, 3], vec![7; 100]);
            let bytes = readdress(message, leader, follower);
            let from = MemberId(leader as u64 + 1);
            cluster.nodes[follower].live().step(from, &bytes).unwrap();
            cluster.poll(follower);
            (cluster, follower)
        }
    }
}

fn readdress(mut message: pb::Message, from: usize, to: usize) -> Bytes {
    message.from = from as u64 + 1;
    message.to = to as u64 + 1;
    encode(&message)
}

/// Lets the victim's own life go on.
fn live_on(cluster: &mut Cluster, victim: usize) {
    let node = &mut cluster.nodes[victim];
    node.live().tick();
    while let Some(output) = node.live().poll() {
        if let ConsensusOutput::Persist(batch) = output {
            node.under_way.push_back(batch);
        }
    }
    if !node.stalled
        && let Some(batch) = node.under_way.pop_front()
    {
        node.live().persisted(batch.number);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_lies_make_nobody_panic(
        kind in 0..4_usize,
        lies in prop::collection::vec((possible(), 0..3_u64, any::<bool>()), 1..30),
    ) {
        let (mut cluster, victim) = scene(kind);
        for (mut lie, term, near) in lies {
            if near && lie.term > 0 {
                lie.term = (cluster.nodes[victim].live().term() + term).saturating_sub(1).max(1);
            }
            let from = (victim + 1) % 3;
            let bytes = readdress(lie, from, victim);
            let _ = cluster.nodes[victim].live().step(MemberId(from as u64 + 1), &bytes);
            live_on(&mut cluster, victim);
        }
        cluster.nodes[victim].stalled = false;
        for _ in 0..40 {
            live_on(&mut cluster, victim);
        }
    }

    #[test]
    fn real_messages_with_changed_bytes_make_nobody_panic(
        kind in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        let (mut cluster, victim) = scene(kind);
        let real: Vec<_> =
            cluster.sent.iter().filter(|(_, to, _)| *to == victim as u64 + 1).cloned().collect();
        for (which, at, byte) in changes {
            let (from, _, bytes) = &real[which.index(real.len())];
            let mut changed = bytes.to_vec();
            let at = at.index(changed.len());
            changed[at] = byte;
            let _ = cluster.nodes[victim].live().step(MemberId(*from), &changed.into());
            live_on(&mut cluster, victim);
        }
        for _ in 0..40 {
            live_on(&mut cluster, victim);
        }
    }
}

fn heartbeat(term: u64, commit: u64) -> pb::Message {
    pb::Message { msg_type: Kind::MsgHeartbeat, term, commit, ..pb::Message::default() }
}

#[test]
fn a_leader_that_counts_on_what_is_not_here_is_told_that_the_disk_forgot() {
    let (mut cluster, follower) = scene(1);
    let leader = cluster.leader().unwrap();
    let from = MemberId(leader as u64 + 1);
    let node = cluster.nodes[follower].live();
    let (term, last) = (node.term(), node.last_index());
    let bytes = readdress(heartbeat(term, last), leader, follower);
    assert_eq!(node.step(from, &bytes), Ok(()));
    let bytes = readdress(heartbeat(term, last + 3), leader, follower);
    let refused = node.step(from, &bytes).unwrap_err();
    assert_eq!(refused, WireError::Forgotten { acknowledged: last + 3, last });
    assert!(refused.to_string().contains("disk has lost"), "{refused}");
    let bytes = readdress(heartbeat(term + 1, last), leader, follower);
    assert_eq!(node.step(from, &bytes), Ok(()));
    let bytes = readdress(heartbeat(term, last + 3), leader, follower);
    assert_eq!(node.step(from, &bytes), Ok(()), "of an earlier term: raft ignores it");
}

#[test]
fn a_disk_that_lost_its_tail_is_found_out_by_the_leader() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    for n in 0..6_u8 {
        cluster.propose(leader, &[n]);
    }
    cluster.ticks(5);
    let victim = (leader + 1) % 3;
    let other = (leader + 2) % 3;
    cluster.isolate(other);
    cluster.crash(victim);
    let disk = &mut cluster.nodes[victim].disk;
    disk.entries.truncate(3);
    disk.hard_state.commit = 3;
    cluster.start(victim);
    let mut found = None;
    for _ in 0..5 {
        cluster.nodes[leader].live().tick();
        cluster.poll(leader);
        while let Some(message) = cluster.network.pop_front() {
            if message.to == victim as u64 + 1 {
                let from = MemberId(message.from);
                let refused = cluster.nodes[victim].live().step(from, &message.bytes).err();
                found = found.or(refused);
            }
        }
    }
    assert!(matches!(found, Some(WireError::Forgotten { last: 3, .. })), "{found:?}");
}

#[test]
fn strangers_and_answers_to_what_was_never_asked_are_refused() {
    let (mut cluster, leader) = scene(0);
    let node = cluster.nodes[leader].live();
    let (term, last) = (node.term(), node.last_index());
    let stranger = readdress(heartbeat(term, 0), 3, leader);
    assert_eq!(node.step(MemberId(4), &stranger), Err(WireError::Stranger(4)));
    let answer = pb::Message {
        msg_type: Kind::MsgAppendResponse,
        term,
        index: last + 1,
        ..pb::Message::default()
    };
    let peer = (leader + 1) % 3;
    let bytes = readdress(answer, peer, leader);
    let refused = node.step(MemberId(peer as u64 + 1), &bytes);
    assert!(matches!(refused, Err(WireError::Impossible(_))), "{refused:?}");
}

#[test]
fn a_snapshot_of_another_membership_is_refused() {
    let (mut cluster, follower) = scene(1);
    let leader = cluster.leader().unwrap();
    let node = cluster.nodes[follower].live();
    for voters in [vec![1, 2], vec![1, 2, 3, 4], vec![1, 2, 2], vec![]] {
        let message = snapshot(node.term(), 1_000, voters.clone(), vec![]);
        let bytes = readdress(message, leader, follower);
        let refused = node.step(MemberId(leader as u64 + 1), &bytes);
        assert!(matches!(refused, Err(WireError::Impossible(_))), "{voters:?}: {refused:?}");
    }
}

#[test]
fn a_flood_of_reads_and_of_messages_to_a_stalled_disk_is_dropped() {
    let (mut cluster, leader) = scene(0);
    cluster.isolate(leader);
    let node = &mut cluster.nodes[leader];
    for counter in 0..2 * limits::READS as u64 {
        let incarnation = crate::kernel::domain::Incarnation(1);
        let member = MemberId(leader as u64 + 1);
        node.live().read_index(ReadContext { member, incarnation, counter });
        while node.live().poll().is_some() {}
    }
    assert_eq!(node.live().reads_under_way(), limits::READS);

    let (mut cluster, follower) = scene(1);
    let leader = cluster.leader().unwrap();
    cluster.nodes[follower].stalled = true;
    let from = MemberId(leader as u64 + 1);
    let node = cluster.nodes[follower].live();
    let (term, last) = (node.term(), node.last_index());
    for at in 0..3 * limits::HELD_MESSAGES as u64 {
        let bytes = readdress(append(term, last + at, vec![vec![1]]), leader, follower);
        node.step(from, &bytes).unwrap();
        while node.poll().is_some() {}
    }
    let held = node.last_index() - last;
    assert!(held <= (limits::HELD_MESSAGES + limits::PERSISTS) as u64, "{held}");
}
