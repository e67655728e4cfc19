//! What people are shown at 3 a.m.: members that are not there, what waits for a person, what is old.

use super::*;
use crate::kernel::domain::Epoch;

fn status(trio: &Trio, id: u64) -> Status {
    trio.view(id).status(trio.now)
}

fn role(status: &Status, id: u64) -> &str {
    let member = status.members.iter().find(|member| member.id == MemberId(id));
    member.expect("a member").role.as_str()
}

#[test]
fn a_member_that_was_never_there_is_lost_and_one_that_fell_silent_too() {
    let mut trio = Trio::new(Mode::Auto);
    trio.kill(MemberId(3));
    trio.run_until("a leader with a configuration", |t| t.leader().is_some() && t.configured());
    trio.run(Duration::from_secs(4));
    for id in [1, 2] {
        let shown = status(&trio, id);
        assert_eq!(role(&shown, 3), "lost", "as {id} sees it");
        let warnings = shown.warnings.join("; ");
        assert!(warnings.contains("has not heard it since it started"), "{warnings}");
    }
    trio.restart(MemberId(3));
    trio.run(Duration::from_secs(4));
    assert_eq!(status(&trio, 1).warnings, Vec::<String>::new());
    trio.kill(MemberId(2));
    trio.run(Duration::from_secs(4));
    let shown = status(&trio, 1);
    assert_eq!(role(&shown, 2), "lost");
    assert!(shown.warnings.join("").contains("fallen silent"), "{:?}", shown.warnings);
}

#[test]
fn without_a_quorum_a_node_tells_what_it_knows_for_how_long_and_who_is_lost() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.run(Duration::from_secs(5));
    trio.kill(MemberId(1));
    trio.kill(MemberId(2));
    trio.run(Duration::from_secs(30));
    let Response::Read(view) = trio.ask_action(3, Action::Look) else { panic!("a view") };
    let shown = view.status(trio.now);
    let cut_off = shown.cut_off_ms.expect("it has no quorum");
    assert!((20_000..30_000).contains(&cut_off), "{cut_off}");
    assert_eq!((role(&shown, 1), role(&shown, 2)), ("lost", "lost"));
    assert!(matches!(trio.ask_action(3, Action::Read), Response::Refused(_)));
}

#[test]
fn what_is_stuck_is_shown_until_somebody_switches() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.deaf_dns = true;
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(3));
    trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    trio.run_until("stuck", |t| t.last_state() == "stuck");
    let shown = status(&trio, 2);
    let id = trio.view(2).switchovers().next().expect("there is one").id;
    assert_eq!(shown.groups[0].switchover.as_ref(), Some(&id));
    let warning = shown.warnings.join("");
    assert!(warning.contains(&id) && warning.contains("is stuck"), "{warning}");
    trio.deaf_dns = false;
    trio.set_plane("east", true);
    trio.run(Duration::from_secs(3));
    trio.ask(1, switch("shop", Some("east"), SwitchKind::Planned));
    trio.run_until("done", |t| t.last_state() == "done");
    trio.run_until("no alarm", |t| t.view(2).alarms().is_empty());
    assert_eq!(status(&trio, 2).warnings, Vec::<String>::new());
    assert_eq!(status(&trio, 2).groups[0].switchover, None);
}

#[test]
fn a_switch_that_went_back_says_why() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.deaf_dns = true;
    trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    trio.run_until("undone", |t| t.last_state() == "undone");
    let outcome = trio.view(1).switchovers().next().expect("there is one").outcome;
    assert!(outcome.contains("not verified in time (member"), "{outcome}");
    assert!(outcome.ends_with("routed back to east"), "{outcome}");
}

#[test]
fn of_a_plane_that_is_well_every_closed_guard_is_told() {
    let mut trio = Trio::steady(Mode::Ask);
    let drain =
        Action::Drain { plane: plane("west"), on: true, reason: "works".to_owned(), for_ms: None };
    assert!(matches!(trio.ask_action(1, drain), Response::Done));
    let conditions = |trio: &Trio| {
        let told = trio.view(1).explain(trio.now, &group("shop")).expect("a group");
        told.would_switch_if.join("; ")
    };
    let told = conditions(&trio);
    for part in ["a critical service is down", "the drain is lifted", "mode is auto"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("observers agree") && !told.contains("second site"), "{told}");
}

#[test]
fn a_gateway_that_leaves_is_waited_for_by_nobody_and_twins_are_named() {
    let mut trio = Trio::steady(Mode::Ask);
    let old: Epoch = trio.view(1).routes[&group("shop")].epoch;
    trio.gateway_says(2, old);
    trio.gateway_says(1, old);
    trio.run(Duration::from_millis(100));
    let warnings = status(&trio, 1).warnings.join("");
    assert!(warnings.contains("two processes call themselves gateway"), "{warnings}");
    trio.gateway_leaves(2);
    trio.run(Duration::from_millis(100));
    let carries = |id| trio.view(id).gateways.values().any(|(groups, _)| !groups.is_empty());
    assert!(!(1..=3).any(carries));
    let begun = trio.now;
    trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    trio.run_until("done", |t| t.last_state() == "done");
    assert!(trio.now.since(begun) < Duration::from_secs(2));
}

#[test]
fn a_process_that_starts_does_not_tell_its_history_as_news() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    trio.run_until("done", |t| t.last_state() == "done");
    trio.run(Duration::from_secs(2));
    let told = |trio: &Trio, from: usize| {
        let lines = trio.trace[from..].iter();
        lines.filter(|line| line.contains("switchover") && line.contains("done")).count()
    };
    assert!(told(&trio, 0) >= 3, "each told it when it happened: {:?}", trio.trace);
    trio.kill(MemberId(2));
    let from = trio.trace.len();
    trio.restart(MemberId(2));
    trio.run(Duration::from_secs(3));
    assert_eq!(trio.view(2).switchovers().next().expect("there is one").state, "done");
    assert_eq!(told(&trio, from), 0, "{:?}", &trio.trace[from..]);
}

#[test]
fn in_a_quiet_cluster_too_what_is_published_tells_clocks_and_certificates() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.run(Duration::from_secs(5));
    let index = trio.view(1).ledger.index();
    trio.run(3 * limits::CARD);
    assert_eq!(trio.view(1).ledger.index(), index, "nothing happened");
    for view in trio.views() {
        assert_eq!(view.cards.len(), 3, "{:?}", view.cards);
        let age = trio.now.since(view.heard.values().copied().max().expect("others were heard"));
        assert!(age <= limits::CARD, "what was published is {age:?} old");
    }
}
