//! Another configuration while something is under way.

use super::cluster::{Trio, cluster};
use super::*;

fn wish(cluster: Cluster, text: &str, dry_run: bool) -> Action {
    Action::Configure(Arc::new(ConfigRequest {
        text: text.to_owned(),
        cluster: Arc::new(cluster),
        base: None,
        dry_run,
        reason: "a test".to_owned(),
    }))
}

/// The same, but for one setting.
fn slower() -> Cluster {
    let mut slower = cluster(Mode::Ask);
    slower.timing.verify_timeout += Duration::from_secs(1);
    slower
}

/// A question that was on its way when the configuration changed is refused: it is asked again, or the switchover would
/// wait for its answer for ever.
#[test]
fn a_switchover_goes_on_whenever_the_configuration_changes_under_it() {
    for delay in 0..40 {
        let mut trio = Trio::steady(Mode::Ask);
        let leader = trio.leader().expect("steady");
        let at = |number, action| {
            let principal = "operator".to_owned();
            Input::Request(ClientRequest { id: RequestId(number), principal, action })
        };
        let moved = switch("shop", Some("west"), SwitchKind::Planned);
        trio.feed(leader, at(1_000, Action::Switch(moved)));
        trio.run(Duration::from_micros(500 * delay));
        trio.feed(leader, at(1_001, wish(slower(), "slower", false)));
        trio.run_until("configured", |t| t.view(1).ledger.config_version() == 2);
        trio.run_until("done", |t| t.last_state() == "done" && t.all_on("west"));
        trio.run(Duration::from_secs(5));
        assert!(trio.all_on("west"), "after {delay}");
    }
}

#[test]
fn a_dead_plane_is_left_in_the_new_configuration_too() {
    for delay in 0..20 {
        let mut trio = Trio::steady(Mode::Auto);
        trio.set_plane("east", false);
        trio.run(Duration::from_millis(25 * delay));
        let mut new = cluster(Mode::Auto);
        new.timing.verify_timeout += Duration::from_secs(1);
        let reply = trio.ask_action(2, wish(new, "slower", false));
        assert!(matches!(reply, Response::Configured { version: 2, changed: true }), "{reply:?}");
        trio.run_until("done", |t| t.last_state() == "done" && t.all_on("west"));
    }
}

#[test]
fn the_same_text_again_changes_nothing_and_a_dry_run_neither() {
    let mut trio = Trio::steady(Mode::Ask);
    let plan = trio.ask_action(3, wish(slower(), "slower", true));
    let Response::ConfigPlan(plan) = plan else { panic!("{plan:?}") };
    assert_eq!((plan.version, plan.all, plan.obstacle), (1, 1, None));
    assert_eq!(plan.changes[0].path, "timing.verify_timeout");
    assert_eq!(trio.view(3).ledger.config_version(), 1);
    let first = trio.ask_action(2, wish(slower(), "slower", false));
    assert!(matches!(first, Response::Configured { version: 2, changed: true }), "{first:?}");
    let again = trio.ask_action(3, wish(slower(), "slower", false));
    assert!(matches!(again, Response::Configured { version: 2, changed: false }), "{again:?}");
}

#[test]
fn a_plan_says_of_a_configuration_in_force_that_it_is_and_of_a_stale_one_that_it_is_refused() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.ask_action(2, wish(slower(), "slower", false));
    let mut plan = |base: u64, text: &str| {
        let Action::Configure(wish) = wish(slower(), text, true) else { unreachable!() };
        let wish = ConfigRequest { base: Some(base), ..wish.as_ref().clone() };
        let reply = trio.ask_action(3, Action::Configure(Arc::new(wish)));
        let Response::ConfigPlan(plan) = reply else { panic!("{reply:?}") };
        assert_eq!((plan.version, plan.all), (2, 0));
        (plan.in_force, plan.obstacle)
    };
    let stale = "based on configuration 1, but 2 is in force".to_owned();
    assert_eq!(plan(2, "slower"), (true, None));
    assert_eq!(plan(1, "slower"), (true, None), "the same request, sent again");
    assert_eq!(plan(2, "# slower"), (false, None));
    assert_eq!(plan(1, "# slower"), (false, Some(stale)));
}

#[test]
fn a_command_that_an_entry_just_holds_is_taken_and_one_byte_more_is_refused() {
    let mut trio = Trio::steady(Mode::Ask);
    let refusal = |trio: &mut Trio, at: u64, len: usize| {
        let reply = trio.ask_action(at, wish(slower(), &"#".repeat(len), false));
        let Response::Refused(refusal) = reply else { return None };
        assert_eq!(refusal.kind, RefusalKind::Unprocessable);
        assert_eq!(trio.view(1).ledger.config_version(), 1);
        Some(refusal.why)
    };
    let why = refusal(&mut trio, 1, limits::COMMAND_BYTES).expect("the settings have no room");
    let bytes = why.split_whitespace().find_map(|word| word.parse::<usize>().ok());
    let beside = bytes.expect("it says how many") - limits::COMMAND_BYTES;
    let most = limits::COMMAND_BYTES - beside;
    let leader = trio.leader().expect("steady").0;
    // From where it has to be sent to the leader.
    let from = leader % 3 + 1;
    assert!(refusal(&mut trio, from, most + 1).is_some());
    assert_eq!(refusal(&mut trio, from, most), None);
    assert_eq!(trio.view(1).ledger.config_version(), 2);
}

#[test]
fn a_group_that_is_gone_is_forgotten() {
    let mut trio = Trio::steady(Mode::Observe);
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(3));
    let mut none = cluster(Mode::Observe);
    none.groups.clear();
    none.zones.clear();
    none.services.clear();
    let reply = trio.ask_action(1, wish(none, "none", false));
    assert!(matches!(reply, Response::Configured { version: 2, .. }), "{reply:?}");
    // Its alarm is cleared in the first seconds.
    trio.run(Duration::from_secs(10));
    let index = trio.view(1).ledger.index();
    trio.run(Duration::from_secs(60));
    assert_eq!(trio.view(1).ledger.index(), index, "nothing is logged any more");
    assert!(trio.views().all(|view| view.routes.is_empty() && view.zones.is_empty()));
}
