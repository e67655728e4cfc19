//! States that differ, formats and rules that are not known.

use super::*;
use crate::kernel::ledger::{Command, Envelope, FORMAT, Ledger, RULESET};

/// Freezes and thaws: entries, and nothing else.
fn entries(trio: &mut Trio, count: u64) {
    let leader = trio.leader().expect("a steady trio has one").0;
    for number in 0..count {
        let action = Action::Freeze {
            groups: Vec::new(),
            on: number % 2 == 0,
            reason: "an entry".to_owned(),
            for_ms: None,
            abort: false,
        };
        assert!(matches!(trio.ask_action(leader, action), Response::Done));
    }
}

#[test]
fn the_member_whose_state_is_not_that_of_the_majority_leaves_consensus() {
    let mut trio = Trio::steady(Mode::Auto);
    let odd = (1..=3).map(MemberId).find(|id| trio.leader() != Some(*id)).expect("two followers");
    // A bit that flipped in memory: the same index, another state.
    let ledger = trio.nodes[&odd].controller.ledger().to_bytes();
    let text = String::from_utf8(ledger).expect("JSON is text");
    let flipped = text.replacen("\"generation\":1", "\"generation\":3", 1);
    assert_ne!(text, flipped);
    let node = trio.nodes.get_mut(&odd).expect("it lives");
    node.controller.ledger = Ledger::from_bytes(flipped.as_bytes()).expect("a state");
    entries(&mut trio, limits::DIGEST_ENTRIES + 2);
    let left: Vec<u64> =
        (1..=3).filter(|id| trio.view(*id).warnings.join("").contains("left consensus")).collect();
    assert_eq!(left, [odd.0]);
    let told = format!("member {odd} holds another state");
    assert_eq!(
        trio.trace.iter().filter(|line| line.contains(&told)).count(),
        2,
        "{:#?}",
        trio.trace
    );
    // The others go on.
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(10));
    for id in (1..=3).filter(|id| *id != odd.0) {
        assert_eq!(trio.view(id).routes[&group("shop")].plane, plane("west"));
    }
}

#[test]
fn equal_states_are_compared_and_nobody_leaves() {
    let mut trio = Trio::steady(Mode::Auto);
    entries(&mut trio, 2 * limits::DIGEST_ENTRIES);
    assert!(trio.views().all(|view| view.warnings.is_empty()));
    assert!(trio.trace.iter().all(|line| !line.contains("another state")));
}

#[test]
fn an_entry_of_a_newer_format_is_not_applied_but_left_alone() {
    let mut trio = Trio::steady(Mode::Auto);
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("it lives").controller;
    let before = controller.ledger().digest();
    let (index, term) = (controller.ledger().index() + 1, controller.term());
    let newer = Envelope {
        format: FORMAT + 1,
        at: controller.ledger().time(),
        wall: WallTime(0),
        by: MemberId(1),
        commands: vec![Command::Tick {}],
    };
    controller.apply_one(index, term, &newer.encode());
    let known = Envelope { format: FORMAT, ..newer };
    controller.apply_one(index + 1, term, &known.encode());
    assert_eq!(controller.ledger().digest(), before);
    let view = controller.view();
    assert!(view.warnings.join("").contains("newer version"), "{:?}", view.warnings);
}

#[test]
fn a_ruleset_is_raised_when_every_member_knows_it_and_not_before() {
    let mut trio = Trio::steady(Mode::Auto);
    for id in [1, 2] {
        trio.nodes.get_mut(&MemberId(id)).expect("it lives").controller.agreement.ruleset =
            RULESET + 1;
    }
    trio.run(Duration::from_secs(5));
    assert!(trio.nodes.values().all(|node| node.controller.ledger().ruleset() == RULESET));
    trio.nodes.get_mut(&MemberId(3)).expect("it lives").controller.agreement.ruleset = RULESET + 1;
    trio.run_until("raised", |t| {
        t.nodes.values().all(|node| node.controller.ledger().ruleset() == RULESET + 1)
    });
    // A version that does not know it cannot come back.
    trio.kill(MemberId(3));
    trio.restart(MemberId(3));
    trio.run_until("it left", |t| t.view(3).warnings.join("").contains("left consensus"));
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(10));
    assert_eq!(trio.view(1).routes[&group("shop")].plane, plane("west"));
}

#[test]
fn a_state_by_unknown_rules_takes_no_further_entry() {
    let mut trio = Trio::steady(Mode::Auto);
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("it lives").controller;
    let text = String::from_utf8(controller.ledger().to_bytes()).expect("JSON is text");
    let newer = text.replacen(&format!("\"ruleset\":{RULESET}"), "\"ruleset\":7", 1);
    assert_ne!(text, newer);
    controller.ledger = Ledger::from_bytes(newer.as_bytes()).expect("a state");
    // As after a start, or a leader's snapshot.
    controller.take_over_ledger();
    let before = controller.ledger().digest();
    let (index, term) = (controller.ledger().index() + 1, controller.term());
    let (at, wall, by) = (controller.ledger().time(), WallTime(0), MemberId(1));
    let entry = Envelope { format: FORMAT, at, wall, by, commands: vec![Command::Tick {}] };
    controller.apply_one(index, term, &entry.encode());
    assert_eq!(controller.ledger().digest(), before);
    assert!(controller.view().warnings.join("").contains("ruleset 7"));
}
