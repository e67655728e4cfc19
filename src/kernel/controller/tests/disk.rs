//! A disk that does not answer.

use super::*;

#[test]
fn a_node_whose_disk_is_stuck_stands_apart_until_it_answers() {
    let mut trio = Trio::steady(Mode::Auto);
    let old = trio.leader().expect("a steady trio has one");
    trio.stalled = Some(old);
    // Something to write: the plane dies.
    trio.set_plane("east", false);
    trio.run_until("another leader", |t| t.leader().is_some_and(|leader| leader != old));
    trio.run_until("the route on west at the others", |t| {
        t.nodes
            .iter()
            .filter(|(id, _)| **id != old)
            .all(|(_, node)| node.controller.view().routes[&group("shop")].plane == plane("west"))
    });
    // Ten elections of a second, and the time until it was written to again.
    trio.run(Duration::from_secs(15));
    let view = trio.view(old.0);
    assert!(!view.in_quorum);
    assert!(view.warnings.iter().any(|w| w.contains("disk does not answer")), "{view:?}");
    assert!(view.apart.contains(&old));
    let other = (1..=3).find(|id| *id != old.0).expect("two others");
    let shown = trio.view(other).status(trio.now);
    let shown_role = |id: MemberId| {
        shown.members.iter().find(|member| member.id == id).map(|member| member.role.clone())
    };
    assert_eq!(shown_role(old).as_deref(), Some("apart"), "{shown:?}");
    assert!(shown.warnings.iter().any(|w| w.contains("takes no part in consensus")), "{shown:?}");
    assert!(trio.view(other).ledger.observers()[&old].lost, "it has no vote meanwhile");
    let refused = trio.ask_action(old.0, Action::Read);
    assert!(matches!(refused, Response::Refused(_)), "{refused:?}");
    trio.release_disk();
    trio.run_until("it caught up", |t| t.all_on("west") && t.view(old.0).in_quorum);
    assert!(trio.trace.iter().any(|line| line.contains("stops serving consensus")));
    assert!(trio.trace.iter().any(|line| line.contains("answers again")));
    trio.run_until("its votes count again", |t| {
        t.views().all(|view| view.apart.is_empty() && !view.ledger.observers()[&old].lost)
    });
}

/// Those who follow it, gateways and resolvers, are led elsewhere long before it stands apart.
#[test]
fn a_node_whose_disk_is_slow_says_that_it_may_be_behind() {
    let mut trio = Trio::steady(Mode::Auto);
    let leader = trio.leader().expect("a steady trio has one");
    let slow = (1..=3).map(MemberId).find(|id| *id != leader).expect("two others");
    trio.stalled = Some(slow);
    trio.set_plane("east", false);
    trio.run_until("it is behind", |t| !t.view(slow.0).in_quorum);
    let view = trio.view(slow.0);
    assert!(view.apart.is_empty(), "it serves consensus: {view:?}");
    assert!(view.warnings.iter().any(|w| w.contains("longer than an election")), "{view:?}");
    let said = view.status(trio.now).warnings;
    assert!(said.iter().any(|w| w.contains("ask another member")), "{said:?}");
    assert!(!said.iter().any(|w| w.contains("no quorum")), "there is one: {said:?}");
    assert_eq!(view.routes[&group("shop")].plane, plane("east"), "nobody is to follow it");
    trio.run_until("the route on west at the leader", |t| {
        t.view(leader.0).routes[&group("shop")].plane == plane("west")
    });
    trio.release_disk();
    trio.run_until("it caught up", |t| t.all_on("west") && t.view(slow.0).in_quorum);
    assert!(trio.view(slow.0).warnings.iter().all(|w| !w.contains("longer than an election")));
}

#[test]
fn the_end_of_a_switchover_has_a_kind_of_its_own() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.set_plane("east", false);
    trio.run_until("done", |t| t.last_state() == "done");
    let ends = trio.trace.iter().filter(|line| line.contains(" switchover-done ")).count();
    assert_eq!(ends, 3, "one at each node: {:#?}", trio.trace);
}

#[test]
fn what_is_left_of_a_dwell_is_told_in_a_quiet_cluster() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    trio.run_until("done", |t| t.last_state() == "done");
    let dwell = |trio: &Trio| {
        let explained = trio.view(1).explain(trio.now, &group("shop")).expect("a group");
        explained.guards.into_iter().find(|guard| guard.guard == "dwell").expect("it is listed")
    };
    assert!(!dwell(&trio).open, "{:?}", dwell(&trio));
    trio.run(limits::DWELL_TICK + Duration::from_secs(1));
    assert!(dwell(&trio).open, "{:?}", dwell(&trio));
    // Until the window of its question has run out.
    trio.run(Duration::from_secs(20));
    let quiet = trio.view(1).applied;
    trio.run(Duration::from_secs(30));
    assert_eq!(trio.view(1).applied, quiet, "a quiet cluster writes nothing");
}

/// Whoever stands still together with all others leads on in the old term: what waits for the ledger's time must not be told
/// that no time has passed.
#[test]
fn the_ledgers_time_goes_on_for_a_leader_that_takes_office_again_in_its_term() {
    let mut trio = Trio::steady(Mode::Auto);
    let leader = trio.leader().expect("a steady trio has one");
    let term = trio.view(leader.0).term;
    trio.stalled = Some(leader);
    trio.set_plane("east", false);
    // Something is being written when all three stop.
    let writes = |trio: &Trio| !trio.nodes[&leader].controller.persists.is_empty();
    trio.run_until("a write", writes);
    let before = trio.view(leader.0).ledger.time();
    let still = Duration::from_secs(20);
    trio.now = trio.now + still;
    trio.feed(leader, Input::TimePassed);
    assert!(!trio.nodes[&leader].controller.leads(), "its disk has not answered for that long");
    trio.release_disk();
    trio.run_until("it leads again", |t| t.nodes[&leader].controller.leads());
    assert_eq!(trio.view(leader.0).term, term);
    trio.run_until("it wrote", |t| t.view(leader.0).ledger.time() > before);
    trio.run(Duration::from_secs(1));
    let view = trio.view(leader.0);
    assert!(view.ledger.time().since(before) >= still, "{:?}", view.ledger.time());
}
