//! The plain paths: elections, replication, restarts, snapshots, reads, handing over, limits.

use super::super::*;
use super::cluster::Cluster;
use crate::kernel::domain::{Incarnation, MemberId};

fn context(member: u64, counter: u64) -> ReadContext {
    ReadContext { member: MemberId(member), incarnation: Incarnation(1), counter }
}

fn texts(cluster: &Cluster, place: usize) -> Vec<String> {
    let entries = cluster.nodes[place].applied.iter().filter(|(_, _, data)| !data.is_empty());
    entries.map(|(_, _, data)| String::from_utf8_lossy(data).into_owned()).collect()
}

#[test]
fn three_members_elect_one_leader_and_apply_the_same_log() {
    let mut cluster = Cluster::new(1);
    let leader = cluster.elect();
    let first = cluster.nodes[leader].applied.first().cloned();
    assert!(first.is_some_and(|(_, _, data)| data.is_empty()), "a leader's empty entry is applied");
    for text in ["a", "b", "c"] {
        cluster.propose(leader, text.as_bytes());
    }
    cluster.ticks(3);
    for place in 0..3 {
        assert_eq!(texts(&cluster, place), ["a", "b", "c"]);
        let node = cluster.nodes[place].live();
        assert_eq!(node.is_leader(), place == leader);
        assert_eq!(node.leader(), Some(MemberId(u64::try_from(leader).unwrap() + 1)));
        assert!(node.quorum_recently_active());
        assert_eq!(node.pending_persists(), 0);
        assert_eq!(node.commit(), node.last_index());
    }
    let follower = (leader + 1) % 3;
    let refused = cluster.nodes[follower].live().propose(b"x".to_vec()).unwrap_err();
    assert!(matches!(refused, NotProposed::NotLeader(Some(_))), "{refused}");
}

#[test]
fn a_restart_continues_from_what_the_disk_held() {
    let mut cluster = Cluster::new(2);
    let leader = cluster.elect();
    cluster.propose(leader, b"kept");
    cluster.ticks(3);
    let terms: Vec<u64> = cluster.nodes.iter_mut().map(|node| node.live().term()).collect();
    for place in 0..3 {
        cluster.crash(place);
    }
    for (place, term) in terms.into_iter().enumerate() {
        cluster.start(place);
        assert!(cluster.nodes[place].live().term() >= term, "a term is never forgotten");
    }
    let leader = cluster.elect();
    cluster.propose(leader, b"after");
    cluster.ticks(3);
    for place in 0..3 {
        assert_eq!(texts(&cluster, place), ["kept", "after"]);
    }
}

#[test]
fn nothing_is_applied_and_no_promise_leaves_before_the_disk_has_it() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.elect();
    cluster.ticks(3);
    for node in &mut cluster.nodes {
        node.stalled = true;
    }
    let before = cluster.nodes[leader].applied.len();
    cluster.nodes[leader].live().propose(b"held".to_vec()).unwrap();
    cluster.sent.clear();
    cluster.settle();
    let from_followers = cluster.sent.iter().filter(|(from, _, _)| *from != leader as u64 + 1);
    assert_eq!(from_followers.count(), 0, "an answer is a promise");
    assert!(cluster.sent.iter().any(|(from, _, _)| *from == leader as u64 + 1), "entries may go");
    assert!(cluster.nodes.iter().all(|node| node.applied.len() == before));
    for node in &mut cluster.nodes {
        node.stalled = false;
    }
    cluster.ticks(3);
    assert!((0..3).all(|place| texts(&cluster, place) == ["held"]));
}

#[test]
fn a_follower_far_behind_gets_a_snapshot_and_then_the_rest() {
    let mut cluster = Cluster::new(4);
    let leader = cluster.elect();
    cluster.ticks(3);
    let behind = (leader + 1) % 3;
    cluster.isolate(behind);
    for n in 0..limits::TAIL + 100 {
        cluster.propose(leader, n.to_string().as_bytes());
    }
    cluster.ticks(2);
    cluster.nodes[leader].compact();
    cluster.settle();
    cluster.propose(leader, b"on top");
    cluster.cut.clear();
    cluster.until("the follower has caught up", |cluster| {
        let last = cluster.nodes[behind].applied.last();
        last.is_some_and(|(_, _, data)| data == b"on top")
    });
    assert_eq!(cluster.nodes[behind].restores, 1);
    cluster.check_agreement();
    // And it starts again from that snapshot.
    cluster.crash(behind);
    cluster.start(behind);
    cluster.until("it is back", |cluster| texts(cluster, behind).last().unwrap() == "on top");
    cluster.check_agreement();
}

#[test]
fn a_follower_a_little_behind_needs_no_snapshot() {
    let mut cluster = Cluster::new(5);
    let leader = cluster.elect();
    cluster.ticks(3);
    let behind = (leader + 1) % 3;
    cluster.isolate(behind);
    for n in 0..limits::TAIL / 2 {
        cluster.propose(leader, n.to_string().as_bytes());
    }
    cluster.nodes[leader].compact();
    cluster.settle();
    cluster.cut.clear();
    cluster.until("the follower has caught up", |cluster| {
        cluster.nodes[behind].applied.len() == cluster.nodes[leader].applied.len()
    });
    assert_eq!(cluster.nodes[behind].restores, 0);
}

#[test]
fn a_follower_outlives_elections_while_its_disk_takes_a_snapshot() {
    let mut cluster = Cluster::new(6);
    let leader = cluster.elect();
    cluster.ticks(3);
    let (behind, third) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.isolate(behind);
    for n in 0..limits::TAIL + 10 {
        cluster.propose(leader, n.to_string().as_bytes());
    }
    for place in [leader, third] {
        cluster.nodes[place].compact();
    }
    cluster.settle();
    cluster.cut.clear();
    cluster.nodes[behind].stalled = true;
    cluster.until("the snapshot is on its way to the disk", |cluster| {
        cluster.nodes[behind].under_way.iter().any(|batch| batch.reset_log)
    });
    cluster.crash(leader);
    cluster.ticks(100);
    assert_eq!(cluster.leader(), None, "two disks are needed, and one is stalled");
    cluster.nodes[behind].stalled = false;
    let leader = cluster.elect();
    cluster.propose(leader, b"after");
    cluster.ticks(5);
    assert_eq!(texts(&cluster, behind).last().unwrap(), "after");
    assert_eq!(cluster.nodes[behind].restores, 1);
    cluster.check_agreement();
}

#[test]
fn a_read_is_confirmed_by_a_quorum_and_never_by_a_leader_that_is_cut_off() {
    let mut cluster = Cluster::new(7);
    let old = cluster.elect();
    cluster.propose(old, b"old");
    cluster.ticks(3);
    let follower = (old + 1) % 3;
    for place in [old, follower] {
        cluster.nodes[place].live().read_index(context(place as u64 + 1, 1));
    }
    cluster.until("both reads are confirmed", |cluster| {
        [old, follower].iter().all(|place| !cluster.nodes[*place].reads.is_empty())
    });
    let commit = cluster.nodes[old].live().commit();
    assert_eq!(cluster.nodes[follower].reads, [(context(follower as u64 + 1, 1), commit)]);

    cluster.isolate(old);
    cluster.nodes[old].reads.clear();
    assert!(cluster.nodes[old].live().is_leader());
    cluster.nodes[old].live().read_index(context(old as u64 + 1, 2));
    cluster.until("another leader", |cluster| cluster.leader() != Some(old));
    let new = cluster.leader().unwrap();
    cluster.propose(new, b"new");
    cluster.ticks(50);
    assert_eq!(cluster.nodes[old].reads, [], "it cannot know that nothing newer is committed");
    assert!(!cluster.nodes[old].live().quorum_recently_active());
    cluster.cut.clear();
    cluster.ticks(50);
    assert_eq!(cluster.nodes[old].reads, [], "a lost round stays lost");
    cluster.nodes[old].live().read_index(context(old as u64 + 1, 3));
    cluster.until("the new round is confirmed", |cluster| !cluster.nodes[old].reads.is_empty());
    let (_, index) = cluster.nodes[old].reads[0];
    let newest = cluster.nodes[new].applied.iter().find(|(_, _, data)| data == b"new").unwrap().0;
    assert!(index >= newest);
}

#[test]
fn a_leader_hands_over_to_the_most_advanced_follower_it_hears() {
    let mut cluster = Cluster::new(8);
    let old = cluster.elect();
    cluster.ticks(3);
    let (silent, other) = ((old + 1) % 3, (old + 2) % 3);
    cluster.isolate(silent);
    cluster.propose(old, b"x");
    cluster.ticks(25);
    assert!(!cluster.nodes[other].live().transfer_leadership(), "only a leader hands over");
    assert!(cluster.nodes[old].live().transfer_leadership());
    let refused = cluster.nodes[old].live().propose(b"y".to_vec());
    assert_eq!(refused, Err(NotProposed::Busy));
    cluster.settle();
    assert_eq!(cluster.leader(), Some(other), "at once, without an election timeout");
}

#[test]
fn equal_seeds_make_equal_runs() {
    let run = |seed| {
        let mut cluster = Cluster::new(seed);
        let leader = cluster.elect();
        for n in 0..20_u8 {
            cluster.propose(leader, &[n]);
        }
        cluster.crash(leader);
        let leader = cluster.elect();
        cluster.propose(leader, b"after");
        cluster.digest
    };
    assert_eq!(run(11), run(11));
    let distinct: std::collections::BTreeSet<u64> = (0..10).map(run).collect();
    assert!(distinct.len() > 1, "seeds matter");
}

#[test]
fn persists_under_way_are_bounded_and_a_stalled_disk_refuses_in_the_end() {
    let mut cluster = Cluster::new(9);
    let leader = cluster.elect();
    cluster.ticks(3);
    for node in &mut cluster.nodes {
        node.stalled = true;
    }
    let mut taken = 0;
    let refused = loop {
        let proposed = cluster.nodes[leader].live().propose(vec![7; 1 << 20]);
        if let Err(refused) = proposed {
            break refused;
        }
        taken += 1;
        cluster.poll(leader);
        assert!(cluster.nodes[leader].under_way.len() <= limits::PERSISTS);
    };
    assert_eq!(refused, NotProposed::Busy);
    assert!((16..=33).contains(&taken), "{taken}");
    let large = vec![0; limits::PROPOSAL_BYTES + 1];
    let refused = cluster.nodes[leader].live().propose(large).unwrap_err();
    assert!(matches!(refused, NotProposed::TooLarge(_)));
    for node in &mut cluster.nodes {
        node.stalled = false;
    }
    cluster.until("all is applied", |cluster| {
        (0..3).all(|place| texts(cluster, place).len() == taken)
    });
    cluster.check_agreement();
}

#[test]
fn a_stalled_disk_makes_raft_hold_back_only_so_much() {
    let mut cluster = Cluster::new(10);
    let leader = cluster.elect();
    cluster.ticks(3);
    let slow = (leader + 1) % 3;
    cluster.nodes[slow].stalled = true;
    for _ in 0..120 {
        cluster.propose(leader, &vec![1; 1 << 20]);
        cluster.tick();
    }
    let held: usize =
        cluster.nodes[slow].under_way.iter().map(PersistBatch::payload_bytes).sum::<usize>();
    assert!(cluster.nodes[slow].under_way.len() <= limits::PERSISTS);
    let last = cluster.nodes[slow].live().last_index();
    assert!(held < 40 << 20 && last < 110, "{held} {last}");
    cluster.nodes[slow].stalled = false;
    cluster.until("it caught up", |cluster| {
        cluster.nodes[slow].applied.len() == cluster.nodes[leader].applied.len()
    });
    cluster.check_agreement();
}

#[test]
fn a_snapshot_keeps_a_short_tail_and_is_never_taken_twice() {
    let mut cluster = Cluster::new(12);
    let leader = cluster.elect();
    for _ in 0..20 {
        cluster.propose(leader, &vec![1; 1 << 20]);
    }
    let node = &mut cluster.nodes[leader];
    assert!(node.live().log_bytes() > 16 << 20);
    node.compact();
    assert!(node.live().log_bytes() <= limits::TAIL_BYTES, "{}", node.live().log_bytes());
    node.compact();
    cluster.poll(leader);
    assert_eq!(cluster.nodes[leader].under_way.len(), 1, "there was nothing new to snapshot");
    cluster.settle();
    let entries = cluster.nodes[leader].live().log_entries();
    cluster.crash(leader);
    cluster.start(leader);
    assert!(cluster.nodes[leader].live().log_entries() + 1 >= entries);
}
