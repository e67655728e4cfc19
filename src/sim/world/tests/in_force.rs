//! What is judged by the configuration in force, by the votes of members, and by what the outside was shown.

use super::*;
use crate::kernel::controller::Effect;
use crate::kernel::domain::{EventId, MemberId, PlaneName, Route, SwitchoverId};
use crate::kernel::ledger::Mode;
use crate::kernel::switchover::Switchover;
use crate::sim::oracle::Settings;

/// As if another configuration had been in force from the beginning.
fn under(world: &mut World, cluster: Cluster) {
    let first = world.book.chain.iter().find(|entry| configures(entry)).expect("it is there");
    let mut first = first.clone();
    for command in first.envelope.iter_mut().flat_map(|envelope| &mut envelope.commands) {
        if let Command::Configure(configured) = command {
            **configured = cluster.clone();
        }
    }
    let view = View { cluster: Some(Arc::new(cluster)), ..view_of(world, 0) };
    let mut settings = Settings::default();
    settings.offer(&first);
    assert_eq!(settings.shown(0, &view), Ok(()));
    world.book.settings = settings;
}

#[test]
fn too_soon_and_too_often_is_found() {
    let mut world = moved();
    let view = view_of(&world, 0);
    assert_eq!(show(plain("bounded").as_mut(), &world, &view), Ok(()));
    let strict = Shape { dwell: Duration::from_secs(60), ..Shape::default() };
    under(&mut world, cluster(&strict));
    finds(show(plain("bounded").as_mut(), &world, &view), "dwell");
    let budget = Budget { switches: 1, window: Duration::from_secs(60) };
    let strict = Shape { dwell: Duration::ZERO, budget: Some(budget), ..Shape::default() };
    under(&mut world, cluster(&strict));
    finds(show(plain("bounded").as_mut(), &world, &view), "budget");
}

#[test]
fn what_the_quorum_moves_where_people_decide_is_found() {
    let mut world = moved();
    let view = view_of(&world, 0);
    assert_eq!(show(plain("permitted").as_mut(), &world, &view), Ok(()));
    under(&mut world, cluster(&Shape { mode: Mode::Ask, ..Shape::default() }));
    finds(show(plain("permitted").as_mut(), &world, &view), "a person is to decide");
}

#[test]
fn whoever_leads_without_the_votes_of_a_majority_is_found() {
    let mut oracle = plain("one_vote");
    let book = Book::new(NODES);
    let own = Vote { voter: 1, candidate: 2, term: 4 };
    assert_eq!(oracle.voted(&book, own), Ok(()));
    finds(oracle.led(&book, 1, 4), "leads term 4 by 1 votes of 3 members");
    assert_eq!(oracle.voted(&book, Vote { term: 5, ..own }), Ok(()));
    assert_eq!(oracle.voted(&book, Vote { voter: 0, candidate: 2, term: 5 }), Ok(()));
    assert_eq!(oracle.voted(&book, Vote { voter: 2, candidate: 3, term: 5 }), Ok(()));
    assert_eq!(oracle.led(&book, 1, 5), Ok(()));
    finds(oracle.led(&book, 2, 5), "by 1 votes");
}

#[test]
fn a_switchover_that_is_done_before_half_of_the_dns_servers_show_it_is_found() {
    let mut world = moved();
    let mut oracle = plain("verified");
    shown_at_once(oracle.as_mut(), &world, &[0]);
    finds(show(oracle.as_mut(), &world, &view_of(&world, 0)), "1 of 3 DNS servers had shown");
    // A group without names is no other matter.
    let mut nameless = cluster(&Shape::default());
    nameless.zones.clear();
    under(&mut world, nameless);
    let mut oracle = plain("verified");
    shown_at_once(oracle.as_mut(), &world, &[0]);
    finds(show(oracle.as_mut(), &world, &view_of(&world, 0)), "1 of 3 DNS servers had shown");
    let mut oracle = plain("verified");
    shown_at_once(oracle.as_mut(), &world, &[0, 2]);
    assert_eq!(show(oracle.as_mut(), &world, &view_of(&world, 0)), Ok(()));
}

#[test]
fn a_configuration_that_is_not_the_one_of_the_log_is_found() {
    let mut world = World::new(Params::fair(3));
    for (at, which) in [(6, 2), (7, 5)] {
        world.act_at(at * SECOND, ask(0, Wish::Configure(which)));
    }
    world.run_until(9 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    let view = view_of(&world, 1);
    assert_eq!(view.ledger.config_version(), 3);
    let of_log = |skip: usize| {
        let mut settings = Settings::default();
        let brings = |entry: &&Committed| {
            let commands = entry.envelope.iter().flat_map(|envelope| &envelope.commands);
            let mut commands = commands.clone();
            commands.any(|c| matches!(c, Command::Configure(_) | Command::Reconfigure(_)))
        };
        let brought: Vec<_> = world.book.chain.iter().filter(brings).collect();
        assert_eq!(brought.len(), 3);
        let log = brought.iter().enumerate().filter(|(nth, _)| *nth != skip);
        log.for_each(|(_, entry)| settings.offer(entry));
        settings
    };
    let mut whole = of_log(9);
    assert_eq!(whole.shown(1, &view), Ok(()));
    let in_force = |index| whole.at(index).map(|cluster| cluster.timing.verify_timeout);
    assert!(in_force(0).is_none() && in_force(1) < in_force(view.applied));
    finds(of_log(2).shown(1, &view), "configuration 3 is shown, and no entry brings it");
    let other = Arc::new(cluster(&Shape::default()));
    finds(
        of_log(9).shown(1, &View { cluster: Some(other), ..view.clone() }),
        "another configuration 3",
    );
    let early = View { applied: 2, ..view };
    finds(whole.shown(2, &early), "shows configuration 3 at index 2");
}

#[test]
fn a_decision_whose_record_does_not_explain_it_is_found() {
    let world = moved();
    let view = view_of(&world, 0);
    assert_eq!(show(plain("explained").as_mut(), &world, &view), Ok(()));
    let with = |change: fn(&mut Switchover)| {
        let mut view = view.clone();
        let mut ledger = serde_json::to_value(view.ledger.as_ref()).expect("it is written");
        let written = ledger["switchovers"].clone();
        let mut switchovers: BTreeMap<SwitchoverId, Switchover> =
            serde_json::from_value(written).expect("as it was written");
        switchovers.values_mut().for_each(change);
        ledger["switchovers"] = serde_json::to_value(switchovers).expect("it is written");
        view.ledger = Arc::new(serde_json::from_value(ledger).expect("as it was written"));
        show(plain("explained").as_mut(), &world, &view)
    };
    finds(with(|s| s.cause.clear()), "who made it and why");
    finds(with(|s| s.ballots.clear()), "which question and ballots");
    finds(with(|s| s.guards = None), "what the guards said");
    finds(with(|s| s.outcome.clear()), "how it ended");
    finds(
        with(|s| Arc::make_mut(s.guards.as_mut().expect("it has them")).config += 1),
        "made by configuration 2",
    );
    finds(
        with(|s| Arc::make_mut(s.guards.as_mut().expect("it has them")).target_good = false),
        "spoke against it",
    );
}

#[test]
fn a_group_that_comes_again_begins_anew() {
    let mut world = World::new(Params::fair(3));
    for (at, which) in [(6, 3), (7, 1), (8, 0), (9, 3)] {
        world.act_at(at * SECOND, ask(0, Wish::Configure(which)));
    }
    world.run_until(11 * SECOND, |_| {});
    assert_eq!(world.violation(), None);
    let settings = &world.book.settings;
    let last = view_of(&world, 0).applied;
    let index = |number| (1..=last).find(|index| settings.number_at(*index) == number);
    let [third, fifth] = [3, 5].map(|number| index(number).expect("it is in force"));
    let (extra, shop) = (group("extra"), group("shop"));
    assert_eq!(settings.began(&extra, last), fifth);
    assert_eq!(settings.began(&extra, third - 1), index(2).expect("it is in force"));
    assert_eq!(settings.began(&shop, last), index(1).expect("it is in force"));
}

#[test]
fn what_is_done_to_the_outside_without_a_word_in_the_log_is_found() {
    let world = moved();
    let view = view_of(&world, 0);
    let performed = |effect: &Effect| {
        let mut oracle = plain("intent");
        assert_eq!(oracle.performed(0, Some(&view), effect), Ok(()));
        // Nothing that explains it is shown before its next turn.
        oracle.turned(0, &[])
    };
    let (name, server) = ("shop.biplane.test".to_owned(), "10.1.0.1:53".parse().expect("fixed"));
    let ask = Effect::AskDns { member: MemberId(1), server, name };
    finds(performed(&ask), "no switchover whose group has the name shop.biplane.test is verified");
    let route = world.cluster.routes.values().next().expect("there is one");
    let endpoint = route.front_door.clone().expect("it has one");
    finds(performed(&Effect::KnockFrontDoor { endpoint }), "no switchover with the front door");
    let (target, settings) = world.cluster.notify.iter().next().expect("somebody is told");
    let id = Some(EventId { index: 9_999, nth: 0 });
    let told = |id| {
        let (target, settings) = (target.clone(), settings.clone());
        Effect::Notify { target, settings, id, body: String::new() }
    };
    finds(performed(&told(id)), "which is not noted");
    assert_eq!(performed(&told(None)), Ok(()));
    // What is shown in the same turn explains it, or does not.
    let mut oracle = plain("intent");
    assert_eq!(oracle.performed(0, None, &ask), Ok(()));
    finds(oracle.published(&world.book, world.now, 0, &view), "is verified");
}

/// A view with another route of `shop`.
fn leading(view: &View, change: impl Fn(&mut Route)) -> View {
    let mut routes = view.routes.as_ref().clone();
    routes.values_mut().for_each(change);
    View { routes: Arc::new(routes), ..view.clone() }
}

fn other_plane(route: &mut Route) {
    let other = if route.plane.as_str() == "east" { "west" } else { "east" };
    route.plane = PlaneName::new(other).expect("a plane's name");
}

#[test]
fn an_epoch_that_leads_elsewhere_than_its_switchover_is_found() {
    let world = moved();
    let view = view_of(&world, 0);
    assert_eq!(show(plain("resumable").as_mut(), &world, &view), Ok(()));
    let wrong = leading(&view, other_plane);
    finds(show(plain("resumable").as_mut(), &world, &wrong), "leads to west, not to east");
}

#[test]
fn answers_and_gateways_that_say_what_nobody_showed_are_found() {
    let world = moved();
    let view = view_of(&world, 0);
    let shop = view.routes.keys().next().expect("a group").clone();
    let mut oracle = plain("fail_static");
    assert_eq!(show(oracle.as_mut(), &world, &view), Ok(()));
    assert_eq!(oracle.answered(0, &shop, Some(0)), Ok(()));
    finds(oracle.answered(0, &shop, Some(1)), "sends shop to west, and its node shows east");
    let mut gateway = world.gateways[0].clone();
    assert_eq!(oracle.gateway(&gateway), Ok(()));
    gateway.take(&leading(&view, |route| {
        route.epoch = route.epoch.next();
        other_plane(route);
    }));
    finds(oracle.gateway(&gateway), "nobody showed anything but");
}
