//! Verification and prechecks when those who are asked are silent, old, or against it.

use super::*;
use crate::kernel::domain::{Epoch, GatewayName};
use crate::kernel::ledger::AlarmKind;

/// A trio in which a verification may take long.
fn patient(mode: Mode) -> Trio {
    let mut cluster = cluster::cluster(mode);
    cluster.timing.verify_timeout = Duration::from_secs(20);
    let mut trio = Trio::of(cluster);
    trio.run_until("the configuration", Trio::configured);
    trio.run(Duration::from_secs(3));
    trio
}

fn epoch(trio: &Trio) -> Epoch {
    trio.view(1).routes[&group("shop")].epoch
}

fn go_west(trio: &mut Trio) {
    let reply = trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
}

#[test]
fn witnesses_whose_receipts_are_lost_are_asked_again_and_keep_no_place() {
    let mut trio = patient(Mode::Ask);
    trio.lost_receipts = 3;
    go_west(&mut trio);
    trio.run(Duration::from_secs(3));
    assert_eq!((trio.last_state().as_str(), trio.lost_receipts), ("verifying", 0));
    trio.run(limits::RECEIPT_LOST);
    assert_eq!(trio.last_state(), "done");
    let leader = trio.leader().expect("a leader");
    let verifying = format!("{:?}", trio.nodes[&leader].controller.verifying);
    assert!(verifying.contains("effects: {}"), "{verifying}");
}

#[test]
fn a_route_that_nobody_shows_goes_back_where_that_is_up_and_is_stuck_where_it_is_not() {
    for (east_up, end, there) in [(true, "undone", "east"), (false, "stuck", "west")] {
        let mut trio = patient(Mode::Ask);
        trio.deaf_dns = true;
        trio.set_plane("east", east_up);
        trio.run(Duration::from_secs(3));
        go_west(&mut trio);
        trio.run(Duration::from_secs(19));
        assert_eq!(trio.last_state(), "verifying", "not before its time");
        // Of an undone one the way back is told to the world too.
        trio.run(Duration::from_secs(25));
        assert_eq!(trio.last_state(), end);
        assert!(trio.all_on(there));
    }
}

/// A group without names is moved by what members say that they have applied: the route, and not what was decided before it.
#[test]
fn who_has_applied_the_decision_and_not_the_route_does_not_show_it() {
    let mut cluster = cluster::cluster(Mode::Ask);
    cluster.zones.clear();
    let mut trio = Trio::of(cluster);
    trio.run_until("the configuration", Trio::configured);
    trio.run(Duration::from_secs(3));
    go_west(&mut trio);
    trio.run_until("it is verified", |t| t.last_state() == "verifying");
    let leader = trio.leader().expect("a leader");
    let controller = &mut trio.nodes.get_mut(&leader).expect("it is there").controller;
    let id = *controller.ledger.switchovers().keys().next_back().expect("it stands");
    let others = [1, 2, 3].map(MemberId).into_iter().filter(|member| *member != leader);
    others.for_each(|member| controller.leading.applied_at(member, id.index + 1));
    controller.verifying.touch(id);
    controller.verify_routes();
    let steps = controller.leading.stepping.get(&id);
    let verified = crate::kernel::switchover::Event::Verified;
    assert!(!steps.is_some_and(|steps| steps.contains(&verified)));
    trio.run_until("done", |t| t.last_state() == "done");
    assert!(trio.all_on("west"));
}

#[test]
fn a_gateway_on_the_old_epoch_holds_up_done_until_it_has_been_silent_for_the_verify_timeout() {
    let mut trio = patient(Mode::Ask);
    let old = epoch(&trio);
    trio.gateway_says(1, old);
    go_west(&mut trio);
    for _ in 0..15 {
        trio.run(Duration::from_secs(1));
        trio.gateway_says(1, old);
        assert_eq!(trio.last_state(), "verifying", "it says that it follows the old one");
    }
    let new = epoch(&trio);
    assert!(new > old);
    trio.gateway_says(1, new);
    trio.run_until("done", |t| t.last_state() == "done");

    let mut trio = patient(Mode::Ask);
    trio.gateway_says(1, epoch(&trio));
    trio.run(Duration::from_secs(5));
    go_west(&mut trio);
    trio.run(Duration::from_secs(13));
    assert_eq!(trio.last_state(), "verifying");
    trio.run(Duration::from_secs(4));
    assert_eq!(trio.last_state(), "done", "a dead gateway is no reason to go back");
    let converging = trio.view(1).switchovers().next().expect("there is one").converging;
    assert_eq!(converging, ["gateway edge-1"]);
}

/// Moves `shop` while these gateways say each second that they follow the old epoch, and these that they follow the new
/// one; what came of it, and not before its time.
fn moved_while_some_stay(behind: &[&str], follow: &[&str]) -> (Trio, SwitchoverRecord) {
    let mut trio = patient(Mode::Ask);
    let old = epoch(&trio);
    for name in behind.iter().chain(follow) {
        trio.other_gateway_says(name, old);
    }
    go_west(&mut trio);
    for second in 0..25 {
        trio.run(Duration::from_secs(1));
        if second < 18 {
            assert_eq!(trio.last_state(), "verifying", "those that are heard are waited for");
        }
        let new = epoch(&trio);
        behind.iter().for_each(|name| trio.other_gateway_says(name, old));
        follow.iter().for_each(|name| trio.other_gateway_says(name, new));
    }
    assert!(trio.all_on("west"), "nobody is moved back by what gateways say");
    let record = trio.view(1).switchovers().next().expect("there is one");
    (trio, record)
}

#[test]
fn gateways_that_stay_behind_are_converging_where_another_follows() {
    let (_, record) = moved_while_some_stay(&["edge-1"], &["edge-2"]);
    assert_eq!((record.state.as_str(), record.converging), ("done", vec!["gateway edge-1".into()]));
    let worst = "verified: users are sent to west; gateway edge-1 stays behind, at epoch 1.1";
    assert_eq!(record.outcome, worst);
    // Names cost nothing: however many are made up, one that follows proves that the route can be had.
    let (_, record) = moved_while_some_stay(&["edge-1", "edge-3", "edge-4"], &["edge-2"]);
    assert_eq!((record.state.as_str(), record.converging.len()), ("done", 3));
    assert!(record.outcome.contains("3 gateways stay behind, furthest edge-"), "{record:?}");
}

#[test]
fn where_no_gateway_follows_a_person_is_told_and_nobody_is_moved_back() {
    let (mut trio, record) = moved_while_some_stay(&["edge-1"], &[]);
    assert_eq!(record.state, "stuck");
    assert!(record.outcome.contains("no gateway follows it (gateway edge-1 stays"), "{record:?}");
    let alarms = |t: &Trio| -> Vec<(AlarmKind, String)> {
        let alarms = t.view(1).alarms();
        alarms.into_iter().map(|alarm| (alarm.kind, alarm.subject)).collect()
    };
    let expected = [(AlarmKind::GatewayBehind, "edge-1"), (AlarmKind::Stuck, "shop")];
    let mut standing = alarms(&trio);
    standing.sort();
    let mut expected = expected.map(|(kind, subject)| (kind, subject.to_owned()));
    expected.sort();
    assert_eq!(standing, expected);
    // It holds nothing up: the next move takes its place.
    let new = epoch(&trio);
    trio.gateway_says(1, new);
    trio.run_until("nobody is behind", |t| alarms(t).len() == 1);
    let reply = trio.ask(1, switch("shop", Some("east"), SwitchKind::Planned));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
    trio.run_until("back", |t| t.all_on("east"));
}

#[test]
fn a_record_names_so_many_gateways_and_counts_the_rest() {
    let names: Vec<GatewayName> = (0..=limits::CONVERGING_NAMED)
        .map(|number| GatewayName::new(&format!("edge-{number}")).expect("a good name"))
        .collect();
    let missing = |count: usize| {
        let silent = names[..count].iter().collect();
        followers::Followers { silent, ..Default::default() }.missing()
    };
    let named = missing(limits::CONVERGING_NAMED);
    assert_eq!(named.len(), limits::CONVERGING_NAMED);
    assert!(named.iter().all(|name| name.starts_with("gateway edge-")));
    let beyond = missing(limits::CONVERGING_NAMED + 1);
    assert_eq!(beyond.last().map(String::as_str), Some("1 more gateways"));
    assert_eq!(beyond.len(), limits::CONVERGING_NAMED + 1);
}

#[test]
fn an_older_process_of_a_gateway_is_heard_only_when_the_newer_one_is_silent() {
    let mut trio = patient(Mode::Ask);
    let old = epoch(&trio);
    trio.gateway_says(2, old);
    go_west(&mut trio);
    trio.run(Duration::from_secs(1));
    let new = epoch(&trio);
    trio.gateway_says(2, old);
    trio.gateway_says(1, new);
    trio.run(limits::GATEWAY_SILENCE - Duration::from_millis(100));
    assert_eq!(trio.last_state(), "verifying", "the newer one follows the old epoch");
    // A wall clock stepped back, and the process was started again: it is the only one.
    trio.run(Duration::from_millis(200));
    trio.gateway_says(1, new);
    trio.run_until("done", |t| t.last_state() == "done");
}

#[test]
fn a_successor_whose_own_ballots_speak_against_the_target_undoes_the_switchover() {
    let mut trio = patient(Mode::Ask);
    let leader = trio.leader().expect("a leader");
    // The others' ballots do not reach the first leader.
    trio.mute.extend((1..=3).map(MemberId).filter(|id| *id != leader));
    let reply = trio.ask(leader.0, switch("shop", Some("west"), SwitchKind::Planned));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
    trio.run(Duration::from_millis(300));
    assert_eq!(trio.last_state(), "prechecking");
    trio.kill(leader);
    trio.mute.clear();
    trio.set_plane("west", false);
    trio.run_until("undone", |t| t.last_state() == "undone");
    assert!(trio.all_on("east"));
    let view = trio.nodes.values().next().expect("a node").controller.view();
    let record = view.switchovers().next().expect("there is one");
    assert!(record.steps.iter().any(|step| step.step.contains("leader")), "{record:#?}");
}
