//! Elections, replication, reads and durability among three members.

use super::*;

#[test]
fn a_leader_is_elected_and_everybody_applies_the_same_log() {
    let (mut trio, leader) = Trio::led(1);
    for word in ["a", "b", "c"] {
        trio.propose(leader, word);
    }
    trio.run(10);
    for id in 1..=3 {
        assert_eq!(trio.words(id), ["a", "b", "c"], "{id}");
    }
    let term = trio.nodes[&leader].consensus.term();
    trio.run(200);
    assert_eq!(trio.leader(), Some(leader), "a healthy leader stays");
    assert_eq!(trio.nodes[&leader].consensus.term(), term);
}

#[test]
fn only_the_leader_takes_proposals() {
    let (mut trio, leader) = Trio::led(1);
    for id in trio.others(leader) {
        let refused = trio.node(id).consensus.propose(b"x".to_vec());
        assert_eq!(refused, Err(NotProposed::NotLeader(Some(MemberId(leader)))));
    }
}

#[test]
fn equal_seeds_give_equal_traces_and_other_seeds_others() {
    let trace = |seed| {
        let (mut trio, leader) = Trio::led(seed);
        trio.propose(leader, "a");
        trio.cut.insert(leader);
        trio.run(60);
        trio.cut.clear();
        trio.run(60);
        trio.trace
    };
    assert_eq!(trace(7), trace(7));
    let first = trace(1);
    assert!((2..8).any(|seed| trace(seed) != first));
}

#[test]
fn a_cut_leader_commits_nothing_and_gives_way_when_it_is_back() {
    let (mut trio, old) = Trio::led(3);
    trio.cut.insert(old);
    trio.propose(old, "lost");
    let new = trio.elect();
    assert_ne!(new, old);
    trio.run(10);
    trio.propose(new, "kept");
    trio.run(10);
    assert!(trio.words(old).is_empty());
    assert!(!trio.nodes[&old].consensus.quorum_recently_active());
    trio.cut.clear();
    trio.run(60);
    for id in 1..=3 {
        assert_eq!(trio.words(id), ["kept"], "{id}");
    }
}

#[test]
fn a_read_at_a_cut_leader_is_never_confirmed_and_one_afterwards_is_fresh() {
    for seed in 0..20 {
        let (mut trio, old) = Trio::led(seed);
        trio.cut.insert(old);
        let stale = trio.read(old);
        let new = trio.elect();
        trio.run(10);
        trio.propose(new, "written");
        trio.run(10);
        let written = trio.nodes[&new].applied.last().expect("an entry").index;
        let later = trio.read(old);
        trio.run(60);
        trio.cut.clear();
        trio.run(60);
        let fresh = trio.read(old);
        trio.run(10);
        for (context, index) in &trio.nodes[&old].readable {
            assert!(*context != stale && *context != later, "{context:?} at {index}");
            assert!(*index >= written, "seed {seed}: {index} < {written}");
        }
        assert!(trio.nodes[&old].readable.iter().any(|(context, _)| *context == fresh));
    }
}

#[test]
fn a_read_at_a_follower_is_confirmed_by_the_leader() {
    let (mut trio, leader) = Trio::led(5);
    trio.propose(leader, "written");
    trio.deliver();
    let written = trio.nodes[&leader].applied.last().expect("an entry").index;
    for id in 1..=3 {
        let context = trio.read(id);
        trio.run(5);
        let confirmed = trio.nodes[&id].readable.iter().find(|(found, _)| *found == context);
        assert!(confirmed.is_some_and(|(_, index)| *index >= written), "{id}");
    }
}

#[test]
fn followers_promise_nothing_before_their_receipt() {
    let (mut trio, leader) = Trio::led(2);
    let followers = trio.others(leader);
    for id in &followers {
        trio.node(*id).slow_disk = true;
    }
    trio.propose(leader, "a");
    trio.deliver();
    assert!(trio.words(leader).is_empty(), "no follower has it on disk");
    for id in &followers {
        assert_eq!(trio.nodes[id].writes.len(), 1);
    }
    trio.write(followers[0]);
    trio.pump(followers[0]);
    trio.deliver();
    assert_eq!(trio.words(leader), ["a"], "a majority has it on disk");
    assert!(trio.words(followers[1]).is_empty());
}

#[test]
fn a_leader_applies_nothing_before_its_own_receipt() {
    let (mut trio, leader) = Trio::led(2);
    trio.node(leader).slow_disk = true;
    trio.propose(leader, "a");
    trio.deliver();
    // Both followers have it on disk: it is committed, and the leader's disk is behind.
    assert!(trio.words(leader).is_empty());
    while !trio.nodes[&leader].writes.is_empty() {
        trio.write(leader);
        trio.pump(leader);
    }
    trio.run(5);
    assert_eq!(trio.words(leader), ["a"]);
}

#[test]
fn several_writes_under_way_are_let_go_of_in_order() {
    let (mut trio, leader) = Trio::led(4);
    let follower = trio.others(leader)[0];
    trio.node(follower).slow_disk = true;
    for word in ["a", "b", "c"] {
        trio.propose(leader, word);
        trio.deliver();
    }
    assert!(trio.nodes[&follower].writes.len() >= 3);
    let mut seen = trio.words(follower).len();
    while !trio.nodes[&follower].writes.is_empty() {
        trio.write(follower);
        trio.pump(follower);
        trio.deliver();
        let words = trio.words(follower);
        assert_eq!(words, ["a", "b", "c"][..words.len()]);
        assert!(words.len() >= seen);
        seen = words.len();
    }
    assert_eq!(seen, 3);
}

#[test]
fn one_receipt_stands_for_all_writes_before_it() {
    let (mut trio, leader) = Trio::led(4);
    let follower = trio.others(leader)[0];
    trio.node(follower).slow_disk = true;
    for word in ["a", "b"] {
        trio.propose(leader, word);
        trio.deliver();
    }
    let node = trio.node(follower);
    let last = node.writes.back().map(|batch| batch.number).expect("a write under way");
    while let Some(batch) = node.writes.pop_front() {
        store(&mut node.disk, batch);
    }
    node.consensus.persisted(last);
    assert_eq!(node.consensus.pending_persists(), 0);
    trio.pump(follower);
    trio.node(follower).slow_disk = false;
    trio.run(10);
    assert_eq!(trio.words(follower), ["a", "b"]);
}

#[test]
fn writes_under_way_are_bounded() {
    let (mut trio, leader) = Trio::led(4);
    trio.node(leader).slow_disk = true;
    for proposed in 1..=100 {
        trio.propose(leader, "x");
        assert_eq!(trio.nodes[&leader].writes.len(), proposed.min(limits::PERSISTS));
    }
    trio.node(leader).slow_disk = false;
    while !trio.nodes[&leader].writes.is_empty() {
        trio.write(leader);
        trio.pump(leader);
    }
    trio.run(10);
    assert_eq!(trio.words(leader).len(), 100);
}

#[test]
fn leadership_is_handed_over_when_asked() {
    let (mut trio, leader) = Trio::led(6);
    assert!(trio.node(leader).consensus.transfer_leadership());
    trio.pump(leader);
    trio.run(5);
    let new = trio.leader().expect("a leader");
    assert_ne!(new, leader);
    for id in trio.others(new) {
        assert!(!trio.node(id).consensus.transfer_leadership(), "only a leader can");
    }
}

#[test]
fn a_former_processs_read_context_is_told_apart() {
    let context = |incarnation, counter| ReadContext {
        member: MemberId(1),
        incarnation: Incarnation(incarnation),
        counter,
    };
    assert_ne!(context(1, 1), context(2, 1));
    let (mut trio, leader) = Trio::led(1);
    let asked = trio.read(leader);
    trio.run(5);
    assert_eq!(trio.nodes[&leader].readable.first().map(|(found, _)| *found), Some(asked));
}
