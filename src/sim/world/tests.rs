//! Each oracle is shown a world in which its promise is broken, and must say so.

mod in_force;
mod trails;

use std::time::Duration;

use super::*;
use crate::kernel::consensus::{LogEntry, PersistBatch};
use crate::kernel::controller::{Boot, Controller, View};
use crate::kernel::domain::MemberId;
use crate::kernel::ledger::{Audit, AuditRecord, Budget, Command, RequestKey};
use crate::sim::action::{Doom, Who};
use crate::sim::cluster::{NODES, PLANES, cluster, group, plane};
use crate::sim::oracle::{Committed, Recorder, Vote};
use crate::sim::plane::ServiceState;
use crate::sim::queue::SECOND;

fn sick(plane: usize, state: ServiceState) -> Action {
    Action::Plane { plane, service: None, state }
}

/// A world in which the quorum moved `shop` to west, and later back east.
fn moved() -> World {
    let shape = Shape { dwell: Duration::from_millis(100), ..Shape::default() };
    let mut world = World::new(Params { shape, ..Params::fair(3) });
    world.act_at(8 * SECOND, sick(0, ServiceState::Dead));
    world.act_at(14 * SECOND, sick(0, ServiceState::Up));
    world.act_at(18 * SECOND, sick(1, ServiceState::Dead));
    world.run_until(25 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    assert_eq!(world.counts().of(Class::AutomaticSwitchover), 2);
    world
}

fn view_of(world: &World, node: usize) -> View {
    world.view(node).expect("it lives").as_ref().clone()
}

/// A fresh oracle of this name.
fn oracle(name: &str, cluster: Cluster) -> Box<dyn Oracle> {
    let all = oracle::all(&Arc::new(cluster), 1);
    all.into_iter().find(|oracle| oracle.name() == name).expect("an oracle of this name")
}

fn plain(name: &str) -> Box<dyn Oracle> {
    oracle(name, cluster(&Shape::default()))
}

/// The links of the audit trail that a node of a calm world gives out.
fn links_of(world: &World) -> Vec<AuditRecord> {
    let mut audit = Audit::default();
    let mut links = Vec::new();
    for Committed { index, term, .. } in world.book.chain.iter().cloned() {
        let data = world.book.entries[&(index, term)].data.clone();
        if data.is_empty() {
            continue;
        }
        let before = audit.head.clone();
        audit.chain(index, term, &data);
        links.push(AuditRecord { index, term, before, head: audit.head.clone(), data });
    }
    links
}

/// Shows an oracle the whole chain, then a view.
fn show(oracle: &mut dyn Oracle, world: &World, view: &View) -> Finding {
    links_of(world).iter().try_for_each(|link| oracle.audited(0, link))?;
    for entry in &world.book.chain {
        // A disk that forgot would be another finding.
        let _ = oracle.committed(&world.book, entry);
    }
    oracle.published(&world.book, world.now, 0, view)
}

/// Shows an oracle at the beginning what nodes show in the end.
fn shown_at_once(oracle: &mut dyn Oracle, world: &World, nodes: &[usize]) {
    for node in nodes {
        let view = view_of(world, *node);
        assert_eq!(oracle.published(&world.book, 0, *node, &view), Ok(()));
    }
}

fn finds(finding: Finding, words: &str) {
    let what = finding.expect_err("a broken promise is found");
    assert!(what.contains(words), "{what}");
}

fn end_of(history: &[Op], views: Vec<View>, rested: bool) -> End<'_> {
    End { history, healthy: views.into_iter().map(Arc::new).collect(), rested, at: 0 }
}

#[test]
fn an_honest_world_is_found_honest_by_each_oracle_alone() {
    let world = moved();
    for mut oracle in oracle::all(&world.cluster, 1) {
        let view = view_of(&world, 0);
        if oracle.name() == "verified" {
            shown_at_once(oracle.as_mut(), &world, &[0, 1, 2]);
        }
        show(oracle.as_mut(), &world, &view).expect("nothing is wrong");
        oracle.ended(&world.book, &end_of(&[], vec![view], true)).expect("nothing is wrong");
    }
}

#[test]
fn two_leaders_of_one_term_are_found() {
    let mut oracle = plain("election_safety");
    let book = Book::new(NODES);
    assert_eq!(oracle.led(&book, 0, 4), Ok(()));
    assert_eq!(oracle.led(&book, 1, 5), Ok(()));
    finds(oracle.led(&book, 2, 5), "two leaders");
}

#[test]
fn a_second_vote_in_a_term_is_found() {
    let mut oracle = plain("one_vote");
    let book = Book::new(NODES);
    let mut vote = |voter, candidate, term| oracle.voted(&book, Vote { voter, candidate, term });
    assert_eq!(vote(0, 2, 4), Ok(()));
    assert_eq!(vote(0, 2, 4), Ok(()));
    assert_eq!(vote(0, 3, 5), Ok(()));
    assert_eq!(vote(1, 3, 4), Ok(()));
    finds(vote(0, 3, 4), "voted twice in term 4");
}

#[test]
fn a_node_that_leaves_consensus_while_its_disk_is_well_is_found() {
    let mut world = World::new(Params::fair(3));
    world.run_until(5 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    world.feed(1, Input::DiskFailed("it says so".to_owned()));
    assert_eq!(world.violation().expect("a finding").oracle, "left_consensus");
}

#[test]
fn other_bytes_under_one_name_are_found() {
    let mut book = Book::new(NODES);
    let mut oracle = plain("log_matching");
    let batch = |data: &'static str| PersistBatch {
        entries: vec![LogEntry {
            index: 1,
            term: 1,
            kind: 0,
            data: Bytes::from(data),
            context: Bytes::new(),
        }],
        ..PersistBatch::default()
    };
    book.ordered(0, 0, &batch("one"));
    assert_eq!(oracle.ordered(&book, 0, &batch("one")), Ok(()));
    book.ordered(0, 1, &batch("other"));
    finds(oracle.ordered(&book, 1, &batch("other")), "other bytes");
}

#[test]
fn a_leader_without_committed_entries_is_found() {
    let mut world = moved();
    let mut oracle = plain("leader_completeness");
    assert_eq!(oracle.led(&world.book, 0, 50), Ok(()));
    world.book.nodes[1] = oracle::NodeBook::default();
    finds(oracle.led(&world.book, 1, 51), "without the committed entry");
}

#[test]
fn two_states_at_one_index_are_found() {
    let world = moved();
    let view = view_of(&world, 0);
    let mut oracle = plain("state_machine_safety");
    assert_eq!(oracle.published(&world.book, 0, 0, &view), Ok(()));
    let mut other = view.clone();
    let routes = Arc::make_mut(&mut other.routes);
    routes.get_mut(&group("shop")).expect("it is there").plane = plane("west");
    finds(oracle.published(&world.book, 0, 1, &other), "shows the routes");
    let mut older = view;
    older.applied -= 1;
    finds(oracle.published(&world.book, 0, 0, &older), "went back");
}

#[test]
fn an_older_epoch_an_empty_record_set_and_a_serial_with_two_contents_are_found() {
    let world = moved();
    let view = view_of(&world, 0);
    let mut oracle = plain("never_older");
    assert_eq!(oracle.published(&world.book, 0, 0, &view), Ok(()));
    let mut older = view.clone();
    let routes = Arc::make_mut(&mut older.routes);
    routes.get_mut(&group("shop")).expect("it is there").epoch.counter -= 1;
    finds(oracle.published(&world.book, 0, 0, &older), "went back from epoch");

    let mut emptied = view.clone();
    for zone in Arc::make_mut(&mut emptied.zones).values_mut() {
        let zone = Arc::make_mut(zone);
        zone.serial += 1;
        let set = zone.names.get_mut("shop.biplane.test").expect("it is there");
        Arc::make_mut(set).a.clear();
    }
    finds(oracle.published(&world.book, 0, 0, &emptied), "with nothing");

    let mut twisted = view;
    for zone in Arc::make_mut(&mut twisted.zones).values_mut() {
        Arc::make_mut(zone).ttl += 1;
    }
    finds(oracle.published(&world.book, 0, 1, &twisted), "two contents");
}

#[test]
fn ballots_without_probes_and_too_few_ballots_are_found() {
    let mut world = moved();
    let view = view_of(&world, 0);
    // Of seven configured observers four must say so; three cannot, whatever they say.
    let mut seven = cluster(&Shape::default());
    for id in 4..=7 {
        let mut member = seven.members[&MemberId(3)].clone();
        member.id = MemberId(id);
        seven.members.insert(member.id, member);
    }
    assert_eq!(show(plain("quorum_decision").as_mut(), &world, &view), Ok(()));
    finds(show(oracle("quorum_decision", seven).as_mut(), &world, &view), "of 4 ballots");
    world.book.probes.clear();
    finds(show(plain("quorum_decision").as_mut(), &world, &view), "without a probe");
}

#[test]
fn a_route_that_no_switchover_made_is_found() {
    let world = moved();
    let mut view = view_of(&world, 0);
    let routes = Arc::make_mut(&mut view.routes);
    routes.get_mut(&group("shop")).expect("it is there").epoch.counter += 1;
    finds(show(plain("quorum_decision").as_mut(), &world, &view), "2 moves");
}

#[test]
fn a_move_of_a_frozen_group_or_to_a_bad_plane_or_without_any_cause_is_found() {
    let mut world = moved();
    let view = view_of(&world, 0);
    assert_eq!(show(plain("hold").as_mut(), &world, &view), Ok(()));
    let request = RequestKey {
        member: MemberId(1),
        incarnation: crate::kernel::domain::Incarnation(1),
        counter: 1,
    };
    let envelope = world.book.chain.iter().find_map(|entry| entry.envelope.clone());
    let mut envelope = envelope.expect("an entry with commands");
    envelope.commands = vec![Command::Freeze {
        request,
        by: "operator".to_owned(),
        groups: BTreeSet::new(),
        on: true,
        for_ms: None,
        abort: false,
        reason: "test".to_owned(),
    }];
    // Before the first configuration there is nothing to freeze.
    let first = world.book.chain.iter().find(|entry| configures(entry)).expect("it is there");
    let index = first.index + 1;
    let frozen = Committed { index, term: 1, born: 0, envelope: Some(envelope) };
    let mut oracle = plain("hold");
    assert_eq!(oracle.committed(&world.book, first), Ok(()));
    assert_eq!(oracle.committed(&world.book, &frozen), Ok(()));
    finds(show(oracle.as_mut(), &world, &view), "frozen");

    world.book.bad_since.insert((group("shop"), 1, 1), 0);
    finds(show(plain("hold").as_mut(), &world, &view), "long been bad");
    world.book.bad_since.clear();
    world.book.well_since = Some(0);
    finds(show(plain("hold").as_mut(), &world, &view), "long been well");
}

fn configures(entry: &Committed) -> bool {
    let commands = entry.envelope.iter().flat_map(|envelope| &envelope.commands);
    commands.clone().any(|command| matches!(command, Command::Configure(_)))
}

fn ask(who: usize, wish: Wish) -> Action {
    Action::Ask { who: Who::Node(who), wish }
}

#[test]
fn freezes_and_drains_that_are_not_in_the_log_are_found() {
    let mut world = World::new(Params::fair(3));
    world.act_at(6 * SECOND, ask(0, Wish::Freeze { groups: vec![group("shop")], on: true }));
    world.act_at(7 * SECOND, ask(1, Wish::Drain { plane: plane("west"), on: true }));
    world.run_until(9 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    let view = view_of(&world, 0);
    assert_eq!(show(plain("guards").as_mut(), &world, &view), Ok(()));
    let without = |world: &World, which: fn(&Command) -> bool| {
        let mut oracle = plain("guards");
        for entry in &world.book.chain {
            let mut entry = entry.clone();
            if let Some(envelope) = &mut entry.envelope {
                envelope.commands.retain(|command| !which(command));
            }
            assert_eq!(oracle.committed(&world.book, &entry), Ok(()));
        }
        oracle.published(&world.book, 0, 0, &view)
    };
    let freeze = without(&world, |command| matches!(command, Command::Freeze { .. }));
    finds(freeze, "shows shop frozen");
    let drain = without(&world, |command| matches!(command, Command::Drain { .. }));
    finds(drain, "drained at index");
}

#[test]
fn a_request_that_is_carried_out_twice_or_though_it_was_refused_is_found() {
    let mut world = World::new(Params::fair(3));
    let there = Wish::Switch { group: group("shop"), to: Some(plane("west")), forced: false };
    world.act_at(6 * SECOND, ask(0, there));
    world.run_until(9 * SECOND, |_| {});
    let first = view_of(&world, 0);
    let back = Wish::Switch { group: group("shop"), to: Some(plane("east")), forced: false };
    world.act_at(12 * SECOND, ask(0, back));
    world.run_until(15 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    let both = view_of(&world, 0);
    let mut oracle = plain("once");
    assert_eq!(oracle.published(&world.book, 0, 0, &first), Ok(()));
    assert_eq!(oracle.published(&world.book, 0, 0, &both), Ok(()));
    let mut history = world.history.clone();
    assert_eq!(oracle.ended(&world.book, &end_of(&history, Vec::new(), true)), Ok(()));
    history[1].heard = Some(Heard::Refused);
    finds(oracle.ended(&world.book, &end_of(&history, Vec::new(), true)), "request 1 was refused");
    // One that came twice by itself may be refused the one time.
    history[1].doubled = true;
    assert_eq!(oracle.ended(&world.book, &end_of(&history, Vec::new(), true)), Ok(()));
    // Another world's second request was its first switchover.
    let mut again = World::new(Params::fair(4));
    again.act_at(6 * SECOND, ask(0, Wish::Freeze { groups: Vec::new(), on: false }));
    let there = Wish::Switch { group: group("shop"), to: Some(plane("west")), forced: false };
    again.act_at(9 * SECOND, ask(0, there));
    again.run_until(12 * SECOND, |_| {});
    let other = view_of(&again, 0);
    assert!(
        !both.ledger.switchovers().keys().any(|id| other.ledger.switchovers().contains_key(id))
    );
    finds(oracle.published(&world.book, 0, 0, &other), "request 1 was carried out as");
}

#[test]
fn members_at_rest_that_differ_or_lag_are_found() {
    let world = moved();
    let view = view_of(&world, 0);
    let ended = |views: Vec<View>, rested| {
        plain("convergence").ended(&world.book, &end_of(&[], views, rested))
    };
    assert_eq!(ended(vec![view.clone(), view_of(&world, 1)], true), Ok(()));
    let calm = {
        let mut world = World::new(Params::fair(3));
        world.run_until(5 * SECOND, |_| {});
        view_of(&world, 1)
    };
    let disguised = View { applied: view.applied, ..calm.clone() };
    finds(ended(vec![view.clone(), disguised], true), "hold different states");
    assert!(calm.in_quorum && calm.applied < view.applied);
    let ahead = View { applied: calm.applied + 65, ..view.clone() };
    finds(ended(vec![ahead.clone(), calm.clone()], true), "is at index");
    assert_eq!(ended(vec![ahead, calm.clone()], false), Ok(()), "nobody has come to rest");
    let near = View { applied: calm.applied + 64, ..view };
    assert_eq!(ended(vec![near, calm], true), Ok(()));
}

#[test]
fn what_few_disks_hold_and_what_a_restart_would_forget_is_found() {
    let mut world = moved();
    let view = view_of(&world, 0);
    world.book.nodes[0].commit = view.applied - 1;
    finds(plain("durable").published(&world.book, 0, 0, &view), "after a restart");
    world.book.nodes[0].durable = oracle::Terms::default();
    finds(plain("durable").published(&world.book, 0, 0, &view), "its own disk");
    world.book.nodes[1].durable = oracle::Terms::default();
    let entry = world.book.chain.last().expect("a chain").clone();
    finds(plain("durable").committed(&world.book, &entry), "1 of 3 disks");
}

#[test]
fn a_lost_acknowledgement_and_a_stale_read_are_found() {
    let op = |serial, asked, answered, heard| Op {
        serial,
        wish: Wish::Read,
        asked,
        tries: 1,
        doubled: false,
        answered: Some(answered),
        heard: Some(heard),
    };
    let read = |applied| Heard::Read { applied, groups: Arc::default() };
    let book = Book::new(NODES);
    let lost = [op(0, 10, 20, Heard::Done)];
    finds(plain("durable").ended(&book, &end_of(&lost, Vec::new(), true)), "not in the log");
    let side_by_side = [op(0, 10, 30, read(9)), op(1, 20, 40, read(8))];
    assert_eq!(plain("durable").ended(&book, &end_of(&side_by_side, Vec::new(), true)), Ok(()));
    let stale = [op(0, 10, 30, read(9)), op(1, 31, 40, read(8))];
    finds(plain("durable").ended(&book, &end_of(&stale, Vec::new(), true)), "before it was asked");
}

#[test]
fn a_switchover_that_lies_there_or_goes_back_is_found() {
    let mut world = World::new(Params::fair(3));
    world.act_at(8 * SECOND, sick(0, ServiceState::Dead));
    // Nobody can verify: the gateway that was heard is gone, and one of three members answers.
    world.act_at(8 * SECOND, Action::Gateway { which: 0, up: false });
    world.run_until(25 * SECOND, |_| {});
    let after = view_of(&world, 0);
    let id = *after.ledger.switchovers().keys().next().expect("a switchover");
    let mut oracle = plain("resumable");
    assert_eq!(oracle.published(&world.book, 0, 0, &after), Ok(()));
    let mut early = World::new(Params::fair(3));
    early.act_at(8 * SECOND, sick(0, ServiceState::Dead));
    early.act_at(8 * SECOND, Action::Gateway { which: 0, up: false });
    let mut half_way = None;
    early.run_until(25 * SECOND, |world| {
        let view = world.view(0);
        let state = view.and_then(|view| view.ledger.switchovers().get(&id).map(|s| s.state));
        if half_way.is_none() && state.is_some_and(|state| !state.ended()) {
            half_way = world.view(0).cloned();
        }
    });
    let half_way = half_way.expect("it was under way").as_ref().clone();
    let mut later = half_way.clone();
    later.applied = after.applied + 1;
    finds(oracle.published(&world.book, 0, 0, &later), "went from");
    finds(plain("resumable").ended(&world.book, &end_of(&[], vec![half_way], true)), "at the end");
}

#[test]
fn other_outputs_of_the_same_inputs_are_found() {
    let boot = Boot {
        me: MemberId(1),
        cluster: Arc::new(cluster(&Shape::default())),
        text: Arc::from(""),
        certificate_until: None,
        recovered: crate::kernel::consensus::Recovered::default(),
        seed: 1,
        log_entries: 100,
    };
    let mut controller = Controller::start(Moment::ZERO, boot.clone()).expect("an empty disk");
    let mut faithful = Recorder::new(Moment::ZERO, boot.clone());
    let mut forgetful = Recorder::new(Moment::ZERO, boot);
    for step in 0..200u64 {
        let now = Moment::from_micros(step * 50_000);
        faithful.took(now, &Input::TimePassed);
        if step != 150 {
            forgetful.took(now, &Input::TimePassed);
        }
        controller.handle(now, Input::TimePassed);
        while let Some(output) = controller.poll() {
            faithful.gave(&output);
            forgetful.gave(&output);
        }
    }
    assert_eq!(faithful.replay(), Ok(()));
    finds(forgetful.replay(), "other outputs");
}

#[test]
fn every_way_to_doom_a_process_kills_it() {
    for doom in [Doom::AfterOutputs(3), Doom::InWrite, Doom::AfterVote] {
        let mut world = World::new(Params::fair(5));
        world.act_at(SECOND / 100, Action::Doom { who: Who::All, doom, down: SECOND });
        world.run_until(5 * SECOND, |_| {});
        assert!(world.counts().of(Class::Crash) >= 1, "{doom:?}");
        assert_eq!(world.violation(), None);
    }
}

#[test]
fn a_paused_process_handles_its_input_with_the_time_it_had_read() {
    let mut world = World::new(Params::fair(6));
    let pause = Action::Pause { who: Who::Leader, span: 3 * SECOND, after_read: true };
    world.act_at(6 * SECOND, pause);
    world.act_at(7 * SECOND, sick(0, ServiceState::Dead));
    world.run_until(30 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    assert_eq!(world.counts().of(Class::PauseAfterRead), 1);
    let on = view_of(&world, 1).routes[&group("shop")].plane.clone();
    assert_eq!(on, plane(PLANES[1]));
}
