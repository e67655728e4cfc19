//! Restarts, snapshots, and stores that contradict themselves.

use super::*;

/// Compacts a member's log at what it has applied.
fn compact(trio: &mut Trio, id: u64) -> u64 {
    let node = trio.node(id);
    let index = node.applied.last().expect("something applied").index;
    node.consensus.compact(index, Bytes::from(format!("state at {index}")));
    trio.pump(id);
    index
}

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
    let index = compact(&mut trio, leader);
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
    compact(&mut trio, leader);
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
        let index = compact(&mut trio, id);
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

fn entry(index: u64, term: u64) -> LogEntry {
    LogEntry { index, term, kind: 0, data: Bytes::new(), context: Bytes::new() }
}

fn snapshot(index: u64) -> SnapshotRecord {
    let membership = Membership { voters: vec![1, 2, 3], ..Membership::default() };
    SnapshotRecord { index, term: 1, membership, data: Bytes::new() }
}

#[test]
fn a_store_that_contradicts_itself_is_refused_in_words() {
    let state = |commit| HardState { term: 1, vote: 1, commit };
    let sound = Recovered {
        hard_state: state(6),
        snapshot: Some(snapshot(5)),
        entries: vec![entry(6, 1), entry(7, 1)],
        ..Recovered::default()
    };
    assert!(Consensus::start(settings(1, 1), &sound).is_ok());
    let faults = [
        ("a gap", Recovered { entries: vec![entry(7, 1)], ..sound.clone() }),
        ("a hole", Recovered { entries: vec![entry(6, 1), entry(8, 1)], ..sound.clone() }),
        ("commit beyond the end", Recovered { hard_state: state(8), ..sound.clone() }),
        ("commit below the snapshot", Recovered { hard_state: state(4), ..sound.clone() }),
        ("no hard state", Recovered { hard_state: HardState::default(), ..sound.clone() }),
        (
            "an unknown kind",
            Recovered { entries: vec![LogEntry { kind: 9, ..entry(6, 1) }], ..sound },
        ),
    ];
    for (what, recovered) in faults {
        let refused = Consensus::start(settings(1, 1), &recovered).err();
        assert!(matches!(refused, Some(ConsensusError::Store(_))), "{what}: {refused:?}");
    }
}
