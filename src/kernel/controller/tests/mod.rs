//! Three controllers in one test, with a network and disks that answer at once: the machine's plain paths.
//! Faults are the simulator's business.

mod agreement;
mod alarms;
mod bounds;
mod cluster;
mod configure;
mod disk;
mod explained;
mod repaired;
mod shown;
mod verify;
mod visitors;
mod written;

use std::time::Duration;

use cluster::{Trio, group, plane};

use super::*;
use crate::kernel::domain::HealthState;
use crate::kernel::policy::Mode;

#[test]
fn a_leader_is_elected_and_logs_the_configuration() {
    let mut trio = Trio::new(Mode::Auto);
    trio.run_until("a leader with a configuration", |t| t.leader().is_some() && t.configured());
    assert!(trio.views().all(|view| view.routes[&group("shop")].plane == plane("east")));
    assert!(trio.views().all(|view| view.zones["shop.test"].names["www.shop.test"].a.len() == 1));
}

#[test]
fn a_dead_plane_is_left_by_quorum_and_the_switchover_is_verified() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.set_plane("east", false);
    trio.run_until("the route on west everywhere", |t| t.all_on("west"));
    trio.run_until("done", |t| t.last_state() == "done");
    let record = trio.view(1).switchovers().next().expect("there is one");
    assert_eq!((record.kind.as_str(), record.by.as_str()), ("automatic", "quorum"));
    assert!(record.ballots.len() >= 2, "{record:?}");
    let steps: Vec<&str> = record.steps.iter().map(|step| step.step.as_str()).collect();
    for step in ["detected", "decided", "routed", "verified"] {
        assert!(steps.contains(&step), "{steps:?}");
    }
    let digests: Vec<String> =
        trio.nodes.values().map(|node| node.controller.ledger().digest()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn what_was_suspected_of_the_plane_that_was_left_asks_about_nobody() {
    let mut trio = Trio::steady(Mode::Auto);
    let asked = |trio: &Trio| trio.trace.iter().filter(|line| line.contains(" question ")).count();
    let open = |trio: &Trio| {
        trio.nodes.values().any(|node| {
            let state = node.controller.ledger().groups().get(&group("shop"));
            state.is_some_and(|state| state.question.is_some())
        })
    };
    let blink = |trio: &mut Trio| {
        trio.blind.insert(MemberId(2));
        trio.run(Duration::from_millis(700));
        trio.blind.remove(&MemberId(2));
    };
    blink(&mut trio);
    trio.run_until("the first question", open);
    // Suspected again while that is open: the suspicion outlives it.
    trio.run(Duration::from_millis(2500));
    blink(&mut trio);
    trio.run_until("it is closed", |t| !open(t));
    let reply = trio.ask(1, switch("shop", Some("west"), SwitchKind::Forced));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
    trio.run_until("moved", |t| t.all_on("west") && t.last_state() == "done");
    let before = asked(&trio);
    trio.run(Duration::from_secs(10));
    assert_eq!(asked(&trio), before, "{:#?}", trio.trace);
}

#[test]
fn one_blind_observer_moves_nothing() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.blind.insert(MemberId(2));
    trio.run(Duration::from_secs(20));
    assert!(trio.all_on("east"));
    let status = trio.view(1).status(trio.now);
    assert_ne!(status.groups[0].decision, "switch");
}

#[test]
fn with_both_planes_sick_the_route_stays_and_says_why() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(3));
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"));
    let explanation = trio.view(1).explain(trio.now, &group("shop")).expect("a group");
    assert_eq!(explanation.group.decision, "hold");
    assert!(explanation.group.because.contains("both planes"), "{}", explanation.group.because);
    assert!(!explanation.would_switch_if.is_empty());
}

#[test]
fn an_ask_waits_for_a_person_whose_switch_is_prechecked_and_done() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"));
    assert_eq!(trio.view(1).status(trio.now).groups[0].decision, "ask");
    let reply = trio.ask(2, switch("shop", Some("west"), SwitchKind::Planned));
    assert!(matches!(reply, Response::Accepted { repeated: false, .. }), "{reply:?}");
    trio.run_until("done", |t| t.last_state() == "done" && t.all_on("west"));
}

#[test]
fn a_planned_switch_to_a_dead_plane_is_undone_and_a_forced_one_goes_there() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(5));
    let reply = trio.ask(3, switch("shop", Some("west"), SwitchKind::Planned));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
    trio.run_until("undone", |t| t.last_state() == "undone");
    assert!(trio.all_on("east"));
    let reply = trio.ask(3, switch("shop", Some("west"), SwitchKind::Forced));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
    trio.run_until("routed", |t| t.all_on("west"));
    let record = trio.view(1).switchovers().next().expect("there is one");
    assert!(!record.skipped.is_empty());
}

#[test]
fn a_repeated_request_is_the_same_switchover_at_another_node_too() {
    let mut trio = Trio::steady(Mode::Ask);
    let request = |key: &str, reason: &str| SwitchRequest {
        idempotency_key: Some(key.to_owned()),
        reason: reason.to_owned(),
        ..switch("shop", Some("west"), SwitchKind::Planned)
    };
    let Response::Accepted { switchover: first, .. } = trio.ask(1, request("k", "drill")) else {
        panic!("accepted");
    };
    let Response::Accepted { switchover: again, repeated } = trio.ask(2, request("k", "drill"))
    else {
        panic!("accepted again");
    };
    assert_eq!((first, true), (again, repeated));
    let reply = trio.ask(3, request("k", "another body"));
    assert!(
        matches!(&reply, Response::Refused(r) if r.kind == RefusalKind::Unprocessable),
        "{reply:?}"
    );
}

#[test]
fn a_dry_run_changes_nothing_and_names_the_obstacles() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(5));
    let state =
        |trio: &Trio| [1, 2, 3].map(|id| trio.nodes[&MemberId(id)].controller.ledger().digest());
    for node in 1..=3 {
        let before = state(&trio);
        let request =
            SwitchRequest { dry_run: true, ..switch("shop", Some("west"), SwitchKind::Planned) };
        let Response::Plan(plan) = trio.ask(node, request) else { panic!("a plan") };
        assert!(plan.obstacles.iter().any(|o| o.contains("not up")), "{plan:?}");
        assert_eq!(before, state(&trio), "the state's digest, asked at node {node}");
        trio.run(Duration::from_secs(1));
        assert!(trio.all_on("east"), "nothing comes of it later");
    }
}

#[test]
fn every_status_names_a_site_whose_loss_takes_the_quorum_and_says_that_automation_is_off() {
    let steady = Trio::steady(Mode::Auto);
    assert_eq!(steady.view(1).status(steady.now).warnings, Vec::<String>::new());
    let mut shape = cluster::cluster(Mode::Auto);
    let east = shape.members[&MemberId(1)].site.clone();
    shape.members.get_mut(&MemberId(2)).expect("three members").site = east.clone();
    let mut trio = Trio::of(shape);
    trio.run_until("a leader with a configuration", |t| t.leader().is_some() && t.configured());
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(20));
    assert!(trio.all_on("east"), "two sites only: nothing moves by itself");
    for id in 1..=3 {
        let warnings = trio.view(id).status(trio.now).warnings.join("; ");
        let named = format!("the loss of site {east} takes the quorum: 2 of 3 members");
        assert!(warnings.contains(&named) && warnings.contains("automation is off"), "{warnings}");
    }
}

#[test]
fn a_stale_epoch_and_an_unknown_group_are_refused_in_words() {
    let mut trio = Trio::steady(Mode::Ask);
    let stale = SwitchRequest {
        epoch: "1.0".parse().ok(),
        ..switch("shop", Some("west"), SwitchKind::Planned)
    };
    let reply = trio.ask(1, stale);
    assert!(matches!(&reply, Response::Refused(r) if r.kind == RefusalKind::StaleEpoch));
    let reply = trio.ask(1, switch("nothing", None, SwitchKind::Planned));
    assert!(matches!(&reply, Response::Refused(r) if r.kind == RefusalKind::NotFound));
}

#[test]
fn a_frozen_group_is_not_moved_until_it_is_thawed() {
    let mut trio = Trio::steady(Mode::Auto);
    let freeze = |on| Action::Freeze {
        groups: Vec::new(),
        on,
        reason: "release".to_owned(),
        for_ms: None,
        abort: false,
    };
    assert!(matches!(trio.ask_action(1, freeze(true)), Response::Done));
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"));
    assert!(matches!(trio.ask_action(2, freeze(false)), Response::Done));
    trio.run_until("the route on west", |t| t.all_on("west"));
}

#[test]
fn the_leader_dies_with_the_plane_and_its_successor_switches() {
    let mut trio = Trio::steady(Mode::Auto);
    let leader = trio.leader().expect("a leader");
    trio.set_plane("east", false);
    trio.kill(leader);
    trio.run_until("the route on west", |t| t.all_on("west"));
    trio.restart(leader);
    trio.run_until("all three on west", |t| t.nodes.len() == 3 && t.all_on("west"));
}

#[test]
fn without_a_quorum_a_request_is_refused_or_unknown_and_nothing_moves() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.kill(MemberId(2));
    trio.kill(MemberId(3));
    trio.set_plane("east", false);
    let reply = trio.ask(1, switch("shop", Some("west"), SwitchKind::Forced));
    assert!(
        matches!(&reply, Response::Refused(r) if r.kind == RefusalKind::Unavailable)
            || matches!(reply, Response::Unknown { .. }),
        "{reply:?}"
    );
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"));
    assert!(!trio.view(1).in_quorum);
}

#[test]
fn a_report_that_arrives_after_it_has_become_untrue_is_corrected() {
    let mut trio = Trio::steady(Mode::Observe);
    let leader = trio.leader().expect("a leader");
    let late = trio.nodes.keys().copied().find(|id| *id != leader).expect("a follower");
    let says = |trio: &Trio, member: MemberId| {
        let name = trio.nodes[&member].controller.file.members[&member].name.clone();
        let status = trio.view(leader.0).status(trio.now);
        status.groups[0].services[0].planes[&plane("east")].reports[&name]
    };
    let sees = |trio: &Trio| {
        let reports = trio.nodes[&late].controller.prober.reports();
        reports.values().next().expect("one service").0[0]
    };
    trio.run(Duration::from_secs(2));
    trio.muffled = Some(late);
    trio.set_plane("east", false);
    trio.run_until("it sees the plane down", |t| sees(t) == HealthState::Down);
    trio.set_plane("east", true);
    trio.run_until("it sees the plane up", |t| sees(t) == HealthState::Up);
    assert_eq!(says(&trio, late), HealthState::Up, "nobody has heard of it");
    trio.unmuffle();
    trio.run(Duration::from_secs(3));
    assert_eq!(says(&trio, late), HealthState::Up);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = || {
        let mut trio = Trio::steady(Mode::Auto);
        trio.set_plane("east", false);
        trio.run(Duration::from_secs(10));
        trio.trace
    };
    assert_eq!(run(), run());
}

fn switch(name: &str, to: Option<&str>, kind: SwitchKind) -> SwitchRequest {
    SwitchRequest {
        group: group(name),
        to: to.map(plane),
        kind,
        epoch: None,
        dry_run: false,
        reason: "test".to_owned(),
        idempotency_key: None,
    }
}

#[test]
fn a_node_that_has_no_configuration_yet_sleeps_between_its_ticks() {
    let mut trio = Trio::new(Mode::Auto);
    trio.kill(MemberId(2));
    trio.kill(MemberId(3));
    trio.run(Duration::from_millis(400));
    assert!(!trio.configured());
    assert!(trio.turns < 50, "{} turns in 400 ms", trio.turns);
}

#[test]
fn a_quiet_node_sleeps_between_its_timers() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.run(Duration::from_secs(5));
    let before = trio.turns;
    trio.run(Duration::from_secs(10));
    let turns = trio.turns - before;
    assert!(turns < 3 * 10 * 150, "{turns} turns in ten seconds of three nodes");
}
