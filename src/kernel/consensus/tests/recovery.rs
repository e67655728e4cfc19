//! Restarts, snapshots, and stores that contradict themselves.

use super::*;

#[test]
fn a_member_restarts_from_its_disk_and_applies_everything_anew() {
    let (mut trio, leader) = Trio::led(1);
    trio.propose(leader, "a");
    trio.run(10);
    for id in 1..=3 {
        let disk = trio.kill(id);
        trio.run(1);
        trio.start(id, disk);
        trio.run(60);
    }
    let leader = trio.elect();
    trio.propose(leader, "b");
    trio.run(10);
    for id in 1..=3 {
        assert_eq!(trio.words(id), ["a", "b"], "{id}");
    }
}

#[test]
fn all_members_restart_at_once_and_lose_nothing_that_was_applied() {
    for seed in 0..10 {
        let (mut trio, leader) = Trio::led(seed);
        for id in 1..=3 {
            trio.node(id).slow_disk = id == 3;
        }
        for word in ["a", "b", "c"] {
            trio.propose(leader, word);
            trio.deliver();
        }
        let applied = (1..=3).map(|id| trio.words(id).len()).max().expect("three members");
        let disks: Vec<Recovered> = (1..=3).map(|id| trio.kill(id)).collect();
        trio.net.clear();
        for (id, disk) in (1..=3).zip(disks) {
            trio.start(id, disk);
        }
        trio.elect();
        trio.run(20);
        for id in 1..=3 {
            assert!(trio.words(id).len() >= applied, "seed {seed}, member {id}");
        }
    }
}

#[test]
fn a_vote_is_remembered_over_a_restart() {
    let mut trio = Trio::new(1);
    trio.elect();
    for id in 1..=3 {
        let disk = &trio.nodes[&id].disk;
        let consensus = &trio.nodes[&id].consensus;
        assert_eq!(disk.hard_state.term, consensus.term(), "{id}");
        assert_ne!(disk.hard_state.vote, 0, "{id}");
    }
}

#[test]
fn a_follower_far_behind_gets_a_snapshot_which_is_durable_before_it_counts() {
    let (mut trio, leader) = Trio::led(1);
    let late = trio.others(leader)[0];
    trio.cut.insert(late);
    let many = usize::try_from(limits::TAIL).expect("a small tail") + 100;
    for number in 0..many {
        trio.propose(leader, &number.to_string());
        trio.deliver();
    }
    let index = trio.compact(leader, limits::TAIL);
    assert!(trio.nodes[&leader].consensus.log_entries() <= many);
    trio.cut.clear();
    trio.node(late).slow_disk = true;
    trio.run(10);
    let batch = trio.nodes[&late].writes.iter().find(|batch| batch.snapshot.is_some());
    let batch = batch.expect("a snapshot on its way to the disk");
    assert!(batch.reset_log && batch.hard_state.is_some_and(|state| state.commit >= index));
    assert!(trio.nodes[&late].restored.is_none(), "not before it is durable");
    trio.node(late).slow_disk = false;
    while !trio.nodes[&late].writes.is_empty() {
        trio.write(late);
        trio.pump(late);
    }
    let restored = trio.nodes[&late].restored.clone().expect("a snapshot");
    assert_eq!(restored.data, Bytes::from(format!("state at {index}")));
    assert_eq!(restored.membership.voters, [1, 2, 3]);
    trio.propose(leader, "after");
    trio.run(20);
    assert_eq!(trio.words(late).last().map(String::as_str), Some("after"));
    let disk = trio.kill(late);
    assert_eq!(disk.snapshot.as_ref().map(|snapshot| snapshot.index), Some(index));
    trio.start(late, disk);
    trio.run(60);
    assert_eq!(trio.words(late), ["after"], "what the snapshot holds is not applied again");
}

#[test]
fn a_snapshot_that_was_lost_is_sent_again() {
    let (mut trio, leader) = Trio::led(1);
    let late = trio.others(leader)[0];
    trio.cut.insert(late);
    for number in 0..limits::TAIL + 100 {
        trio.propose(leader, &number.to_string());
        trio.deliver();
    }
    trio.compact(leader, limits::TAIL);
    trio.cut.clear();
    let mut lost = 0;
    for _ in 0..100 {
        trio.node(leader).consensus.tick();
        trio.pump(leader);
        if lost < 3
            && let Some(at) = trio.net.iter().position(|(_, _, _, bulk)| *bulk)
        {
            let _ = trio.net.remove(at);
            trio.node(leader).consensus.snapshot_sent(MemberId(late), false);
            lost += 1;
        }
        trio.run(1);
        if trio.nodes[&late].restored.is_some() {
            return;
        }
    }
    panic!("no snapshot arrived after {lost} were lost");
}

#[test]
fn a_compacted_store_starts_again_with_the_tail_below_its_snapshot() {
    let (mut trio, leader) = Trio::led(1);
    for number in 0..limits::TAIL + 100 {
        trio.propose(leader, &number.to_string());
        trio.deliver();
    }
    trio.run(5);
    for id in 1..=3 {
        let index = trio.compact(id, limits::TAIL);
        let disk = trio.kill(id);
        let first = disk.entries.first().expect("a tail").index;
        assert_eq!(first, index - limits::TAIL + 1);
        trio.start(id, disk);
        trio.run(60);
    }
    let leader = trio.elect();
    trio.propose(leader, "after");
    trio.run(20);
    for id in 1..=3 {
        assert_eq!(trio.words(id).last().map(String::as_str), Some("after"), "{id}");
    }
}

#[test]
fn a_tail_of_large_entries_is_cut_at_its_bytes() {
    let (mut trio, leader) = Trio::led(1);
    let large = "x".repeat(limits::TAIL_BYTES / 8);
    for _ in 0..20 {
        trio.propose(leader, &large);
        trio.deliver();
    }
    trio.run(5);
    assert!(trio.nodes[&leader].consensus.log_bytes() > 2 * limits::TAIL_BYTES);
    let index = trio.nodes[&leader].applied.last().expect("something applied").index;
    let (_, freed) = trio.nodes[&leader].consensus.reclaimable(index, limits::TAIL);
    assert!(freed > 12 * large.len(), "an entry weighs a little more than its data");
    trio.compact(leader, limits::TAIL);
    let kept = trio.nodes[&leader].consensus.log_bytes();
    assert!((7 * large.len()..=limits::TAIL_BYTES).contains(&kept), "{kept}");
    assert_eq!(trio.nodes[&leader].consensus.reclaimable(index, limits::TAIL), (0, 0));
    let disk = trio.kill(leader);
    trio.start(leader, disk);
    trio.run(60);
    let leader = trio.elect();
    trio.propose(leader, "after");
    trio.run(20);
    assert!((1..=3).all(|id| trio.words(id).last().is_some_and(|word| word == "after")));
}
