//! Explanations: what every observer has seen, and one test for each reason to hold.

use super::*;
use crate::kernel::domain::{Endpoint, ServiceName};
use crate::kernel::ledger::Cluster;
use crate::kernel::policy::{Budget, FlapLimit, OutWhen};

fn explain(trio: &mut Trio, at: u64) -> Explanation {
    let reply = trio.ask_action(at, Action::Explain(group("shop")));
    let Response::Read(view) = reply else { panic!("{reply:?}") };
    view.explain(trio.now, &group("shop")).expect("a known group")
}

/// The guard, closed, with its value; and that it is named among what would have to be true.
#[track_caller]
fn holds(trio: &mut Trio, guard: &str, value: &str, remedy: &str) {
    let explained = explain(trio, 2);
    let found = explained.guards.iter().find(|status| status.guard == guard);
    let found = found.unwrap_or_else(|| panic!("no guard {guard}: {:?}", explained.guards));
    assert!(!found.open && found.value.contains(value), "{found:?}");
    let conditions = explained.would_switch_if.join("\n");
    assert!(conditions.contains(remedy), "{conditions}");
}

/// A steady trio of this configuration.
fn of(change: impl FnOnce(&mut Cluster)) -> Trio {
    let mut cluster = cluster::cluster(Mode::Auto);
    change(&mut cluster);
    let mut trio = Trio::of(cluster);
    trio.run_until("configured", Trio::configured);
    trio.run(Duration::from_secs(3));
    trio
}

fn policy(cluster: &mut Cluster) -> &mut crate::kernel::policy::Policy {
    &mut cluster.groups.get_mut(&group("shop")).expect("it is there").policy
}

fn outage(trio: &mut Trio) {
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(3));
}

#[test]
fn every_observer_tells_its_samples_thresholds_and_ballot() {
    let mut trio = Trio::steady(Mode::Observe);
    outage(&mut trio);
    let explained = explain(&mut trio, 1);
    assert_eq!(explained.observers.len(), 3);
    assert!(explained.question.is_some(), "what speaks against east is asked about");
    assert!(explained.sums[&plane("east")].contains("0 of 1"), "{:?}", explained.sums);
    for (name, observer) in &explained.observers {
        assert!(observer.counts, "{name}");
        let web = ServiceName::new("web").expect("a good name");
        assert_eq!(observer.reports[&web][&plane("east")], HealthState::Down, "{name}");
        let ballot = observer.ballot.as_ref().expect("it has voted");
        assert_eq!(ballot[&web][&plane("west")], HealthState::Up, "{name}");
        let checks = &observer.checks.as_ref().expect("it answered")[&web][&plane("east")];
        let seen = checks.values().next().expect("one check");
        assert_eq!((seen.state.as_str(), seen.fall, seen.rise), ("down", 2, 2), "{name}");
        assert_eq!(seen.samples.len(), crate::kernel::health::limits::SAMPLES, "{name}");
        let error = seen.samples[0].error.as_deref();
        assert_eq!(error, Some("connection refused"), "{name}");
        assert!(seen.samples.windows(2).all(|pair| pair[0].ago_ms <= pair[1].ago_ms), "{name}");
    }
}

#[test]
fn who_does_not_answer_is_left_out_and_the_answer_comes_all_the_same() {
    let mut trio = Trio::steady(Mode::Auto);
    let dead = trio.nodes.keys().copied().find(|id| Some(*id) != trio.leader()).expect("three");
    let asker = trio.nodes.keys().copied().find(|id| *id != dead).expect("three").0;
    trio.kill(dead);
    let explained = explain(&mut trio, asker);
    let answered = explained.observers.values().filter(|one| one.checks.is_some()).count();
    assert_eq!(answered, 2);
    trio.run(Duration::from_secs(10));
    let explained = explain(&mut trio, asker);
    let silent = explained.observers.values().find(|one| !one.counts).expect("one is lost");
    assert_eq!(silent.why.as_deref(), Some("it is silent"));
}

/// What is said of a past switchover is what was so then.
#[test]
fn a_record_tells_the_guards_of_then_and_an_explanation_those_of_now() {
    let mut trio = of(|cluster| {
        policy(cluster).dwell = Duration::from_secs(600);
        let window = Duration::from_secs(3600);
        policy(cluster).budget = Some(Budget { switches: 3, window });
    });
    outage(&mut trio);
    trio.run_until("on west", |t| t.all_on("west"));
    let explained = explain(&mut trio, 2);
    let record = explained.last.expect("it was moved");
    let said = |guards: &[GuardStatus], name: &str| {
        let guard = guards.iter().find(|guard| guard.guard == name);
        guard.map(|guard| (guard.open, guard.value.clone())).expect("every guard is told")
    };
    let named = |guards: &[GuardStatus]| -> Vec<String> {
        guards.iter().map(|guard| guard.guard.clone()).collect()
    };
    assert_eq!(named(&record.guards), named(&explained.guards));
    assert!(record.guards.iter().all(|guard| guard.open), "{:?}", record.guards);
    assert_eq!(said(&record.guards, "dwell"), (true, "10m have passed".to_owned()));
    assert!(
        said(&record.guards, "budget").1.starts_with("0 of 3 used in 1h"),
        "{:?}",
        record.guards
    );
    assert!(!said(&explained.guards, "dwell").0, "{:?}", explained.guards);
    assert!(said(&explained.guards, "budget").1.starts_with("1 of 3 "), "{:?}", explained.guards);
    assert_eq!((record.ruleset, record.config_version), (Some(3), Some(1)));
}

#[test]
fn hold_in_flight() {
    let mut trio = Trio::steady(Mode::Auto);
    // The ballots that a planned switch waits for do not come.
    let leader = trio.leader().expect("a leader");
    trio.mute = trio.nodes.keys().copied().filter(|id| *id != leader).collect();
    trio.ask(leader.0, switch("shop", Some("west"), SwitchKind::Planned));
    holds(&mut trio, "in-flight", "under way", "the switchover under way ends");
}

#[test]
fn hold_no_data() {
    let mut trio = of(|_| {});
    let others: Vec<MemberId> =
        trio.nodes.keys().copied().filter(|id| Some(*id) != trio.leader()).collect();
    trio.mute.extend(others);
    let leader = trio.leader().expect("a leader").0;
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(2));
    // Their reports are what they were: of their ballots there are too few.
    let explained = explain(&mut trio, leader);
    assert_eq!(explained.group.decision, "hold", "{}", explained.group.because);
    assert!(explained.group.because.contains("too few observers"), "{}", explained.group.because);
    let conditions = explained.would_switch_if.join("\n");
    assert!(conditions.contains("a majority of the configured observers agree"), "{conditions}");
}

#[test]
fn hold_partial() {
    let mut trio = of(|_| {});
    trio.blind.insert(MemberId(2));
    trio.run(Duration::from_secs(3));
    let explained = explain(&mut trio, 1);
    assert!(explained.sums[&plane("east")].contains("up"), "two of three see it up");
    // With one seeing nothing at all, one against and one for are no majority.
    trio.kill(MemberId(3));
    trio.run(Duration::from_secs(10));
    let explained = explain(&mut trio, 1);
    assert!(explained.group.because.contains("observers disagree"), "{}", explained.group.because);
}

#[test]
fn hold_degraded() {
    let mut trio = of(|cluster| {
        for service in cluster.services.values_mut() {
            for check in service.checks.values_mut() {
                check.slow = Some(Duration::ZERO);
            }
        }
    });
    trio.slow = true;
    trio.run(Duration::from_secs(5));
    holds(&mut trio, "source", "not out", "a critical service is down, or the policy says");
}

#[test]
fn hold_not_enough_down() {
    let mut trio = of(|cluster| {
        let shop = cluster.groups.get_mut(&group("shop")).expect("it is there");
        shop.out_when = OutWhen::AtLeast(2);
    });
    outage(&mut trio);
    holds(&mut trio, "source", "not out", "more critical services are down");
}

#[test]
fn hold_both_down() {
    let mut trio = Trio::steady(Mode::Auto);
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(3));
    outage(&mut trio);
    let remedy = "a majority of observers see every critical service up on the target";
    holds(&mut trio, "target", "web down", remedy);
    assert!(explain(&mut trio, 1).group.because.contains("both planes are bad"));
}

#[test]
fn hold_target_not_good() {
    let mut trio = of(|cluster| {
        for service in cluster.services.values_mut() {
            for check in service.checks.values_mut() {
                check.targets.remove(&plane("west"));
            }
        }
    });
    outage(&mut trio);
    holds(&mut trio, "target", "no-data", "see every critical service up on the target");
}

#[test]
fn hold_target_drained() {
    let mut trio = Trio::steady(Mode::Auto);
    let drain =
        Action::Drain { plane: plane("west"), on: true, reason: "works".to_owned(), for_ms: None };
    trio.ask_action(1, drain);
    outage(&mut trio);
    holds(&mut trio, "drain", "works", "the drain is lifted");
}

#[test]
fn hold_target_unstable() {
    let mut trio = of(|cluster| {
        let window = Duration::from_secs(600);
        policy(cluster).flap_limit = Some(FlapLimit { downs: 2, window });
    });
    for up in [false, true, false, true] {
        trio.set_plane("west", up);
        trio.run(Duration::from_secs(3));
    }
    outage(&mut trio);
    holds(&mut trio, "flap", "flapped too often", "calm for the flap window");
}

#[test]
fn hold_frozen() {
    let mut trio = Trio::steady(Mode::Auto);
    let freeze = Action::Freeze {
        groups: Vec::new(),
        on: true,
        reason: "release".to_owned(),
        for_ms: None,
        abort: false,
    };
    trio.ask_action(1, freeze);
    outage(&mut trio);
    holds(&mut trio, "freeze", "release", "the group is thawed");
}

#[test]
fn hold_dwell() {
    let mut trio = of(|cluster| policy(cluster).dwell = Duration::from_secs(600));
    outage(&mut trio);
    trio.run_until("on west", |t| t.all_on("west"));
    trio.set_plane("east", true);
    trio.run(Duration::from_secs(5));
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(3));
    holds(&mut trio, "dwell", "left since the last change", "the dwell time passes");
}

#[test]
fn hold_budget() {
    let mut trio = of(|cluster| {
        policy(cluster).dwell = Duration::ZERO;
        let window = Duration::from_secs(3600);
        policy(cluster).budget = Some(Budget { switches: 1, window });
    });
    outage(&mut trio);
    trio.run_until("on west", |t| t.all_on("west"));
    trio.set_plane("east", true);
    trio.run(Duration::from_secs(5));
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(3));
    holds(&mut trio, "budget", "1 automatic switchovers used", "the budget's window moves on");
}

#[test]
fn hold_too_few_sites() {
    let mut trio = of(|cluster| {
        let west = cluster.planes[1].site.clone();
        let last = cluster.members.values_mut().next_back().expect("three");
        last.site = west;
    });
    outage(&mut trio);
    holds(&mut trio, "sites", "fewer than three sites", "stand at three sites or more");
    assert!(trio.all_on("east"));
}

#[test]
fn hold_one_site_voted() {
    // Five members, three of them at the target's site; the other two are dead, and what the three see is one site's word.
    let mut trio = of(|cluster| {
        let (east, west) = (cluster.planes[0].site.clone(), cluster.planes[1].site.clone());
        let third = cluster.members[&MemberId(3)].site.clone();
        for (id, site) in [(4, east.clone()), (5, third)] {
            let member = cluster.members[&MemberId(3)].clone();
            let name = crate::kernel::domain::MemberName::new(&format!("m{id}"));
            let name = name.expect("a good name");
            let member = crate::kernel::ledger::Member { id: MemberId(id), name, site, ..member };
            cluster.members.insert(MemberId(id), member);
        }
        for id in 1..=3 {
            cluster.members.get_mut(&MemberId(id)).expect("it is there").site = west.clone();
        }
        // They reach another site, so they are not isolated.
        let reference = Endpoint { host: "10.0.0.2".to_owned(), port: 80 };
        cluster.references.insert(east, vec![reference]);
    });
    trio.run(Duration::from_secs(10));
    outage(&mut trio);
    assert!(trio.all_on("east"));
    holds(&mut trio, "sites", "do not come from two sites", "observers of a second site");
}

#[test]
fn hold_observed() {
    let mut trio = Trio::steady(Mode::Observe);
    outage(&mut trio);
    holds(&mut trio, "mode", "observe", "the group's mode is ask or auto");
}

#[test]
fn hold_asks() {
    let mut trio = Trio::steady(Mode::Ask);
    outage(&mut trio);
    holds(&mut trio, "mode", "ask", "a person approves");
}
