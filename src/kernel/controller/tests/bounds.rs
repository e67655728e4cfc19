//! Each bound, and one beyond it.

use super::*;
use crate::kernel::domain::{ServiceName, StatePair};
use crate::kernel::ledger::{Command, Envelope};

/// A cluster in which that many groups with a service each live on east, with a name of the zone each.
fn many(groups: usize, mode: Mode) -> Cluster {
    let mut cluster = cluster::cluster(mode);
    let web = ServiceName::new("web").expect("a good name");
    let zone = cluster.zones.get_mut("shop.test").expect("it is there");
    for number in 1..groups {
        let (name, service) = (format!("g-{number}"), ServiceName::new(&format!("s-{number}")));
        let service = service.expect("a good name");
        let mut settings = cluster.groups[&group("shop")].clone();
        settings.services = vec![service.clone()];
        cluster.groups.insert(group(&name), settings);
        cluster.services.insert(service, cluster.services[&web].clone());
        let mut shown = zone.names[0].clone();
        (shown.name, shown.group) = (format!("{name}.shop.test"), group(&name));
        zone.names.push(shown);
    }
    cluster
}

/// A trio of these groups that knows both planes to be up.
fn steady(groups: usize, mode: Mode) -> Trio {
    let mut trio = Trio::of(many(groups, mode));
    trio.run_until("configured", Trio::configured);
    trio.run(Duration::from_secs(3));
    trio
}

/// What stands in the log, entry by entry.
fn logged(trio: &Trio) -> Vec<Vec<Command>> {
    let entries = &trio.disks[&MemberId(1)].entries;
    let commands = |data: &bytes::Bytes| Envelope::decode(data).expect("an envelope").0.commands;
    entries
        .iter()
        .filter(|entry| !entry.data.is_empty())
        .map(|entry| commands(&entry.data))
        .collect()
}

/// Of how many groups each decision in the log speaks.
fn decisions(trio: &Trio) -> Vec<usize> {
    let of = |command: &Command| match command {
        Command::Decide { moves, .. } => Some(moves.len()),
        _ => None,
    };
    logged(trio).iter().flatten().filter_map(of).collect()
}

#[test]
fn so_many_groups_are_decided_by_one_command_and_one_more_by_another() {
    for (groups, expected) in
        [(limits::BATCH, vec![limits::BATCH]), (limits::BATCH + 1, vec![limits::BATCH, 1])]
    {
        let mut trio = steady(groups, Mode::Auto);
        trio.set_plane("east", false);
        trio.run_until("decided", |trio| decisions(trio).iter().sum::<usize>() == groups);
        assert_eq!(decisions(&trio), expected);
    }
}

#[test]
fn so_many_effects_are_under_way_and_more_wait() {
    // Three servers are asked for each group.
    let groups = limits::EFFECTS / 3 + 2;
    let mut trio = steady(groups, Mode::Auto);
    trio.set_plane("east", false);
    trio.lost_receipts = usize::MAX;
    let under_way =
        |trio: &Trio| trio.nodes.values().map(|node| node.controller.verifying.effects()).max();
    trio.run_until("as many as may", |trio| under_way(trio) == Some(limits::EFFECTS));
    for _ in 0..50 {
        trio.run(Duration::from_millis(10));
        assert!(under_way(&trio) <= Some(limits::EFFECTS));
    }
    trio.lost_receipts = 0;
    trio.run_until("all is verified", |trio| {
        let switchovers = trio.view(1).ledger.switchovers().clone();
        switchovers.len() == groups && switchovers.values().all(|s| s.state.ended())
    });
}

#[test]
fn so_many_asks_are_looked_at_at_once_and_one_more_in_the_next_look() {
    let groups = limits::ASKS_LOOKED_AT + 1;
    let mut trio = steady(groups, Mode::Ask);
    trio.set_plane("east", false);
    let live = |trio: &Trio| {
        let asks = trio.view(1).ledger.asks().clone();
        asks.values().filter(|ask| ask.state.live()).count()
    };
    trio.run_until("people are asked", |trio| live(trio) == groups);
    // Their cause is gone.
    trio.set_plane("east", true);
    trio.run_until("all are over", |trio| live(trio) == 0);
    let over = |entry: &Vec<Command>| {
        entry.iter().filter(|command| matches!(command, Command::AskOver { .. })).count()
    };
    let mut entries: Vec<usize> = logged(&trio).iter().map(over).filter(|over| *over > 0).collect();
    // Looks take turns: which of the two came first depends on when the cause was gone.
    entries.sort_unstable();
    assert_eq!(entries, [1, limits::ASKS_LOOKED_AT]);
}

#[test]
fn so_many_groups_that_may_be_held_are_judged_in_one_look() {
    let judged = limits::HELD_LOOKED_AT;
    for groups in [judged, judged + 1] {
        let mut trio = Trio::steady(Mode::Auto);
        let leader = trio.leader().expect("steady");
        let controller = &mut trio.nodes.get_mut(&leader).expect("it leads").controller;
        let held = (0..groups).map(|at| (group(&format!("g-{at}")), lead::Held::Told("so".into())));
        controller.leading.held = held.collect();
        assert_eq!(controller.held_groups().len(), judged);
        let backoff =
            lead::Backoff { closed: Moment::ZERO, not_before: Moment::ZERO, step: Duration::ZERO };
        let others = (0..groups).map(|at| (group(&format!("h-{at}")), backoff));
        controller.leading.backoff = others.collect();
        assert_eq!(controller.held_groups().len(), 2 * judged);
    }
}

fn report(services: usize) -> Command {
    let name = |at: usize| ServiceName::new(&format!("s{at}")).expect("a good name");
    Command::Report {
        observer: MemberId(2),
        incarnation: Incarnation(1),
        seq: 1,
        isolated: false,
        states: (0..services).map(|at| (name(at), StatePair::default())).collect(),
    }
}

#[test]
fn an_entry_speaks_of_so_many_services_and_a_command_of_more_stands_alone() {
    let half = limits::ENTRY_WEIGHT / 2;
    assert_eq!(lead::batch_len(&[report(half), report(half)]), 2);
    assert_eq!(lead::batch_len(&[report(half), report(half + 1)]), 1);
    assert_eq!(lead::batch_len(&[report(2 * limits::ENTRY_WEIGHT), report(1)]), 1);
}

#[test]
fn a_question_is_about_so_many_groups_and_one_more_is_asked_about_in_another() {
    let mut trio = Trio::steady(Mode::Auto);
    let leader = trio.leader().expect("steady");
    let controller = &mut trio.nodes.get_mut(&leader).expect("it leads").controller;
    let groups = (0..=limits::ENTRY_WEIGHT).map(|at| group(&format!("g-{at}"))).collect();
    controller.ask_about(groups, "a test");
    let of = |command: &Command| match command {
        Command::Question { groups, .. } => Some(groups.len()),
        _ => None,
    };
    let asked: Vec<usize> = controller.leading.outbox.iter().filter_map(of).collect();
    assert_eq!(asked, [limits::ENTRY_WEIGHT, 1]);
}

#[test]
fn digests_of_so_many_indices_are_kept_and_none_of_a_far_future() {
    let mut trio = Trio::steady(Mode::Auto);
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("it lives").controller;
    controller.agreement.digests.clear();
    let kept = |controller: &Controller| controller.agreement.digests.len() as u64;
    let index = controller.ledger.index();
    for at in 1..=limits::DIGESTS_KEPT + 1 {
        controller.on_digest(MemberId(2), index + at, "0".repeat(64));
        assert_eq!(kept(controller), at.min(limits::DIGESTS_KEPT));
    }
    assert!(!controller.agreement.digests.contains_key(&(index + 1)), "the oldest goes");
    let ahead = limits::DIGEST_ENTRIES * limits::DIGESTS_KEPT;
    for (at, taken) in [(index + ahead, true), (index + ahead + 1, false)] {
        controller.on_digest(MemberId(2), at, "0".repeat(64));
        assert_eq!(controller.agreement.digests.contains_key(&at), taken);
    }
}

#[test]
fn an_observer_tells_the_samples_of_so_many_services_of_a_group() {
    for services in [limits::EXPLAINED_SERVICES, limits::EXPLAINED_SERVICES + 1] {
        let mut cluster = cluster::cluster(Mode::Auto);
        let web = ServiceName::new("web").expect("a good name");
        let shop = cluster.groups.get_mut(&group("shop")).expect("it is there");
        for number in 1..services {
            let name = ServiceName::new(&format!("s-{number}")).expect("a good name");
            shop.services.push(name.clone());
            cluster.services.insert(name, cluster.services[&web].clone());
        }
        let mut trio = Trio::of(cluster);
        trio.run_until("configured", Trio::configured);
        trio.run(Duration::from_secs(3));
        let reply = trio.ask_action(2, Action::Explain(group("shop")));
        let Response::Read(view) = reply else { panic!("{reply:?}") };
        let explained = view.explain(trio.now, &group("shop")).expect("a known group");
        for (name, observer) in &explained.observers {
            assert_eq!(observer.reports.len(), services, "{name}");
            let told = observer.checks.as_ref().expect("it answered").len();
            assert_eq!(told, limits::EXPLAINED_SERVICES, "{name}");
        }
    }
}

fn entry(trio: &mut Trio, reason: String) {
    let leader = trio.leader().expect("a steady trio has one").0;
    let action =
        Action::Freeze { groups: Vec::new(), on: true, reason, for_ms: None, abort: false };
    assert!(matches!(trio.ask_action(leader, action), Response::Done));
}

/// How many entries, and of how many bytes, the leader's log holds.
fn log_of(trio: &Trio) -> (usize, usize) {
    let leader = trio.leader().expect("a steady trio has one");
    let consensus = &trio.nodes[&leader].controller.consensus;
    (consensus.log_entries(), consensus.log_bytes())
}

#[test]
fn the_log_grows_to_so_many_entries_and_with_one_more_it_is_compacted() {
    let mut trio = Trio::steady(Mode::Auto);
    let before = log_of(&trio).0;
    let mut most = before;
    while log_of(&trio).0 >= most {
        most = log_of(&trio).0;
        assert!(most <= limits::LOG_ENTRIES, "{most}");
        entry(&mut trio, "one more".to_owned());
    }
    assert!(most >= limits::LOG_ENTRIES - 1, "it is compacted no sooner: {most}");
}

#[test]
fn the_log_grows_to_so_many_bytes_and_beyond_them_it_is_compacted() {
    let mut trio = Trio::steady(Mode::Auto);
    let step = 1 << 20;
    let mut most = log_of(&trio).1;
    while log_of(&trio).1 >= most {
        most = log_of(&trio).1;
        assert!(most <= limits::LOG_BYTES, "{most}");
        entry(&mut trio, "x".repeat(step));
    }
    assert!(most + step + 1_000 > limits::LOG_BYTES, "it is compacted no sooner: {most}");
}
