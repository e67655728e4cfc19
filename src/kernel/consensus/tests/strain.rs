//! Slow disks, large entries, members that are behind.

use super::*;

#[test]
fn a_follower_a_little_behind_needs_no_snapshot() {
    let (mut trio, leader) = Trio::led(5);
    let behind = trio.others(leader)[0];
    trio.cut.insert(behind);
    for _ in 0..limits::TAIL / 2 {
        trio.propose(leader, "x");
        trio.deliver();
    }
    let last = trio.compact(leader, limits::TAIL);
    trio.cut.clear();
    trio.until("it has caught up", |trio| trio.nodes[&behind].next > last);
    assert_eq!(trio.restores, 0);
}

#[test]
fn a_follower_outlives_elections_while_its_disk_takes_a_snapshot() {
    let (mut trio, leader) = Trio::led(6);
    let [behind, third] = trio.others(leader)[..] else { panic!("three members") };
    trio.cut.insert(behind);
    for _ in 0..20 {
        trio.propose(leader, "x");
        trio.deliver();
    }
    trio.run(5);
    trio.compact(leader, 0);
    trio.compact(third, 0);
    trio.cut.clear();
    trio.node(behind).slow_disk = true;
    trio.until("the snapshot is on its way to the disk", |trio| {
        trio.nodes[&behind].writes.iter().any(|batch| batch.reset_log)
    });
    let disk = trio.kill(leader);
    trio.run(100);
    assert_eq!(trio.leader(), None, "two disks are needed, and one is busy");
    trio.write_all(behind);
    let next = trio.elect();
    trio.propose(next, "after");
    trio.run(5);
    assert_eq!(trio.words(behind).last().map(String::as_str), Some("after"));
    assert_eq!(trio.restores, 1);
    trio.start(leader, disk);
    trio.until("the old leader is back", |trio| trio.nodes[&leader].next == trio.nodes[&next].next);
}

#[test]
fn a_leader_hands_over_to_the_most_advanced_follower_it_hears() {
    let (mut trio, old) = Trio::led(8);
    let [silent, other] = trio.others(old)[..] else { panic!("three members") };
    trio.cut.insert(silent);
    trio.propose(old, "x");
    trio.run(25);
    assert!(trio.node(old).consensus.quorum_recently_active());
    assert!(trio.node(old).consensus.transfer_leadership());
    assert_eq!(trio.node(old).consensus.propose(b"y".to_vec()), Err(NotProposed::Busy));
    trio.pump(old);
    trio.deliver();
    assert!(trio.nodes[&other].consensus.is_leader(), "at once, without an election timeout");
}

#[test]
fn a_leader_that_hears_nobody_does_not_say_that_it_has_a_quorum() {
    let (mut trio, leader) = Trio::led(8);
    trio.cut.insert(leader);
    for _ in 0..100 {
        trio.run(1);
        let consensus = &trio.nodes[&leader].consensus;
        if consensus.is_leader() && !consensus.quorum_recently_active() {
            return;
        }
        assert!(consensus.is_leader(), "it stepped down before it noticed");
    }
    panic!("it never noticed");
}

#[test]
fn uncommitted_entries_are_bounded_and_an_entry_must_fit_a_frame() {
    let (mut trio, leader) = Trio::led(9);
    for id in 1..=3 {
        trio.node(id).slow_disk = true;
    }
    let mut taken = 0;
    let refused = loop {
        if let Err(refused) = trio.node(leader).consensus.propose(vec![b'x'; 1 << 20]) {
            break refused;
        }
        taken += 1;
        trio.pump(leader);
        assert!(trio.nodes[&leader].writes.len() <= limits::PERSISTS);
    };
    assert_eq!(refused, NotProposed::Busy);
    assert!((16..=33).contains(&taken), "{taken}");
    let large = vec![0; limits::PROPOSAL_BYTES + 1];
    let refused = trio.node(leader).consensus.propose(large);
    assert!(matches!(refused, Err(NotProposed::TooLarge(_))));
    for id in 1..=3 {
        trio.write_all(id);
    }
    trio.until("all is applied", |trio| (1..=3).all(|id| trio.words(id).len() == taken));
    let largest = vec![0; limits::PROPOSAL_BYTES];
    assert!(trio.node(leader).consensus.propose(largest).is_ok());
}

#[test]
fn a_stalled_disk_makes_raft_hold_back_only_so_much() {
    let (mut trio, leader) = Trio::led(10);
    let slow = trio.others(leader)[0];
    trio.node(slow).slow_disk = true;
    let large = "x".repeat(1 << 20);
    for _ in 0..120 {
        trio.propose(leader, &large);
        trio.run(1);
    }
    let last = trio.nodes[&slow].consensus.last_index();
    assert!(trio.nodes[&slow].writes.len() <= limits::PERSISTS && last < 110, "{last}");
    trio.write_all(slow);
    trio.until("it has caught up", |trio| trio.words(slow).len() == 120);
}

#[test]
fn a_snapshot_is_never_taken_twice_nor_of_what_is_not_there() {
    let (mut trio, leader) = Trio::led(12);
    trio.propose(leader, "x");
    trio.run(5);
    trio.node(leader).slow_disk = true;
    let index = trio.compact(leader, 0);
    trio.compact(leader, 0);
    assert_eq!(trio.nodes[&leader].writes.len(), 1, "there was nothing new");
    let consensus = &mut trio.node(leader).consensus;
    for wrong in [index - 1, index + 5] {
        consensus.compact(wrong, Bytes::new(), 0);
    }
    trio.pump(leader);
    assert_eq!(trio.nodes[&leader].writes.len(), 1);
    assert_eq!(trio.nodes[&leader].consensus.log_entries(), 0);
}
