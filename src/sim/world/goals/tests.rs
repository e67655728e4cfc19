//! Each goal is seen when it is reached, and not otherwise.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::kernel::consensus::LogEntry;
use crate::kernel::controller::Level;
use crate::kernel::domain::{LedgerTime, MemberId, WallTime};
use crate::kernel::ledger::FORMAT;
use crate::sim::action::{Action, Ways, Who};
use crate::sim::cluster::{group, plane};
use crate::sim::plane::ServiceState;
use crate::sim::queue::SECOND;
use crate::sim::world::Params;

fn switch() -> Wish {
    Wish::Switch { group: group("shop"), to: Some(plane("west")), forced: true }
}

fn seen(world: &World, class: Class) -> u64 {
    world.counts().of(class)
}

/// A world in which the leader is asked, and was cut off just before or not.
fn asked(cut: bool) -> World {
    let mut world = World::new(Params::fair(3));
    if cut {
        let (who, ways) = (Who::Leader, Ways::Both);
        world.act_at(6 * SECOND, Action::CutOff { who, ways, span: None });
    }
    for wish in [Wish::Read, switch()] {
        world.act_at(6 * SECOND + 1, Action::Ask { who: Who::Leader, wish });
    }
    world.run_until(12 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    world
}

#[test]
fn a_leader_without_a_quorum_that_refuses_is_seen() {
    let (alone, well) = (asked(true), asked(false));
    for class in [Class::StaleReadRefused, Class::MinorityRefused] {
        assert_eq!((seen(&alone, class), seen(&well, class)), (1, 0), "{class:?}");
    }
}

fn batch(index: u64, term: u64, command: Command) -> PersistBatch {
    let envelope = Envelope {
        format: FORMAT,
        at: LedgerTime(0),
        wall: WallTime::default(),
        by: MemberId(1),
        commands: vec![command],
    };
    let data = Bytes::from(envelope.encode());
    let entry = LogEntry { index, term, kind: 0, data, context: Bytes::new() };
    PersistBatch { entries: vec![entry], ..PersistBatch::default() }
}

/// What is counted when a leader of term 4 wrote a command at index 9, and one of this term was committed there.
fn tried(alone: bool, led: u64, command: Command, committed: u64) -> [u64; 2] {
    let (mut goals, mut counts) = (Goals::new(3), Counts::default());
    goals.alone_since[0] = alone.then_some(1);
    goals.wrote(0, 4, led, &batch(9, 4, command));
    let entry = Committed { index: 9, term: committed, born: 0, envelope: None };
    goals.committed(&entry, &mut counts);
    [Class::MinorityRefused, Class::OldLeaderFenced].map(|class| counts.of(class))
}

#[test]
fn what_a_leader_wrote_in_vain_is_seen_and_what_was_committed_is_not() {
    let route = || Command::Advance {
        switchover: SwitchoverId { index: 3, nth: 0 },
        event: Event::Route,
        question: None,
        converging: Vec::new(),
        note: String::new(),
    };
    assert_eq!(tried(true, 4, route(), 5), [1, 0]);
    assert_eq!(tried(false, 5, route(), 5), [0, 1]);
    assert_eq!(tried(true, 5, route(), 5), [1, 1]);
    assert_eq!(tried(true, 5, route(), 4), [0, 0], "it was committed");
    assert_eq!(tried(true, 5, route(), 0), [0, 0], "nobody knows whose it is");
    assert_eq!(tried(false, 4, route(), 5), [0, 0], "it led and had a quorum");
    assert_eq!(tried(true, 5, Command::Tick {}, 5), [0, 0], "that is no effect");
}

#[test]
fn a_route_of_an_older_epoch_is_seen_where_a_gateway_has_a_newer_one() {
    let mut world = World::new(Params::fair(3));
    world.run_until(5 * SECOND, |_| {});
    let before = world.view(0).expect("it lives").clone();
    world.act_at(6 * SECOND, Action::Ask { who: Who::Leader, wish: switch() });
    world.run_until(9 * SECOND, |_| {});
    let after = world.view(0).expect("it lives").clone();
    assert_eq!(seen(&world, Class::OldLeaderFenced), 0);
    world.goals_of_table(0, &after);
    assert_eq!(seen(&world, Class::OldLeaderFenced), 0);
    world.goals_of_table(0, &before);
    assert_eq!(seen(&world, Class::OldLeaderFenced), 1);
}

#[test]
fn a_leader_that_dies_between_the_intent_and_its_effect_is_seen() {
    let died = |early: bool| {
        let mut world = World::new(Params::fair(3));
        let (service, state) = (None, ServiceState::Dead);
        world.act_at(6 * SECOND, Action::Plane { plane: 0, service, state });
        let mut dead = false;
        world.run_until(20 * SECOND, |world| {
            let routed = world.counts().of(Class::AutomaticSwitchover) > 0;
            if !dead && if early { world.watch.has_intent() } else { routed } {
                dead = true;
                world.crash(world.leader().expect("it decided"));
            }
        });
        assert!(dead);
        seen(&world, Class::CrashBeforeEffect)
    };
    assert_eq!((died(true), died(false)), (1, 0));
}

#[test]
fn a_switch_that_stands_twice_in_the_log_and_moved_once_is_seen() {
    let mut world = World::new(Params::fair(3));
    world.act_at(6 * SECOND, Action::Ask { who: Who::Leader, wish: switch() });
    world.run_until(9 * SECOND, |_| {});
    assert_eq!(seen(&world, Class::DuplicateSuppressed), 0);
    let view = Arc::clone(world.view(0).expect("it lives"));
    let of_switch = |entry: &&Committed| {
        let mut commands = entry.envelope.iter().flat_map(|envelope| &envelope.commands);
        commands.any(|command| matches!(command, Command::Switch(_)))
    };
    let first = world.book.chain.iter().find(of_switch).expect("it stands there").clone();
    let again = Committed { index: view.applied, ..first };
    world.goals.committed(&again, &mut world.counts);
    world.goals.published(&view, &mut world.counts);
    assert_eq!(seen(&world, Class::DuplicateSuppressed), 1);
    world.goals.published(&view, &mut world.counts);
    assert_eq!(seen(&world, Class::DuplicateSuppressed), 1, "it is seen once");
}

#[test]
fn a_snapshot_is_seen_in_mid_switch_while_one_is_under_way() {
    let mut world = World::new(Params::fair(3));
    let taken = |world: &mut World| {
        let (kind, text) = ("snapshot", "took over the state".to_owned());
        let event =
            crate::kernel::controller::Event { level: Level::Info, kind, group: None, text };
        world.carry_out(1, crate::kernel::controller::Output::Event(event));
        seen(world, Class::SnapshotInMidSwitch)
    };
    world.run_until(5 * SECOND, |_| {});
    assert_eq!(taken(&mut world), 0);
    world.act_at(6 * SECOND, Action::Ask { who: Who::Leader, wish: switch() });
    let mut moves = false;
    world.run_until(9 * SECOND, |world| {
        if world.watch.moves() && !moves {
            moves = true;
            assert_eq!(taken(world), 1);
        }
    });
    assert!(moves);
    assert_eq!(taken(&mut world), 1, "it is over");
}
