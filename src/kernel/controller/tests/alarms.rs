//! People are asked, alarms stand, and others are told: with three controllers, across leaders.

use super::*;
use crate::kernel::domain::{AlarmId, AskId, NotifyName};
use crate::kernel::ledger::{AlarmKind, Notify, NotifyKind, limits as ledger_limits};

/// A cluster that tells `pager` of alarms, and that it lives.
fn telling(mode: Mode) -> Trio {
    let mut cluster = cluster::cluster(mode);
    let kind = NotifyKind::Webhook { url: "http://192.0.2.1/".to_owned() };
    let (timeout, alive) = (Duration::from_secs(1), Some(Duration::from_secs(30)));
    let pager = NotifyName::new("pager").expect("a good name");
    cluster.notify.insert(pager, Notify { kind, timeout, alive });
    let mut trio = Trio::of(cluster);
    trio.run_until("both planes up", |t| {
        t.configured() && t.view(1).status(t.now).groups.iter().all(|g| g.decision == "stay")
    });
    trio
}

fn ask_of(trio: &Trio) -> Option<AskStatus> {
    trio.view(1).asks().into_iter().next()
}

fn answer(trio: &mut Trio, ask: AskId, approve: bool) -> Response {
    trio.ask_action(2, Action::Answer { ask, approve, reason: "seen".to_owned() })
}

fn alarm_of(trio: &Trio, kind: AlarmKind) -> Option<AlarmId> {
    trio.view(1).alarms().iter().find(|alarm| alarm.kind == kind).map(|alarm| alarm.id)
}

/// Phases of one kind of alarm, as they were told, each id once.
fn told(trio: &Trio, kind: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let messages = trio.told.borrow();
    let read = |body: &String| -> Option<String> {
        let message: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let of_kind = message["kind"] == kind && seen.insert(message["id"].to_string());
        of_kind.then(|| message["phase"].as_str().expect("a phase").to_owned())
    };
    messages.iter().filter_map(read).collect()
}

#[test]
fn who_is_asked_approves_and_the_group_is_moved_by_fresh_ballots() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("east", false);
    trio.run_until("an ask", |t| ask_of(t).is_some());
    let ask = ask_of(&trio).expect("an ask");
    assert_eq!((ask.state.as_str(), ask.to.as_str()), ("open", "west"));
    assert!(trio.view(3).status(trio.now).groups[0].ask == Some(ask.id));
    trio.run(Duration::from_secs(5));
    assert!(alarm_of(&trio, AlarmKind::Ask).is_some());
    assert!(trio.all_on("east"), "nothing moves before the answer");
    assert!(matches!(answer(&mut trio, ask.id, true), Response::Done));
    trio.run_until("done", |t| t.last_state() == "done" && t.all_on("west"));
    let record = trio.view(1).switchovers().next().expect("there is one");
    assert_eq!((record.kind.as_str(), record.by.as_str()), ("approved", "operator"));
    let ended = trio.view(1).ask(ask.id).expect("it is kept");
    assert_eq!(ended.switchover.map(|id| id.to_string()), Some(record.id));
    trio.run_until("no alarm", |t| t.view(1).alarms().is_empty());
}

#[test]
fn an_ask_dies_with_its_cause_and_a_late_approval_moves_nothing() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("east", false);
    trio.run_until("an ask", |t| ask_of(t).is_some());
    let ask = ask_of(&trio).expect("an ask").id;
    trio.set_plane("east", true);
    trio.run_until("over", |t| t.view(1).ask(ask).is_some_and(|ask| ask.state == "over"));
    let why = trio.view(1).ask(ask).and_then(|ask| ask.why).expect("why");
    assert_eq!(why, "the active plane is well again");
    let reply = answer(&mut trio, ask, true);
    assert!(matches!(&reply, Response::Refused(r) if r.kind == RefusalKind::Conflict), "{reply:?}");
    trio.run(Duration::from_secs(10));
    assert!(trio.all_on("east"));
}

#[test]
fn an_approval_in_the_moment_of_recovery_is_judged_by_fresh_ballots() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("east", false);
    trio.run_until("an ask", |t| ask_of(t).is_some());
    let ask = ask_of(&trio).expect("an ask").id;
    // It comes back in the very moment of the approval: reports still say down.
    trio.set_plane("east", true);
    answer(&mut trio, ask, true);
    trio.run_until("over", |t| t.view(1).ask(ask).is_some_and(|ask| ask.state == "over"));
    assert!(trio.all_on("east"), "the ballots after the answer say that it is up");
}

#[test]
fn an_approval_survives_the_leader() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("east", false);
    trio.run_until("an ask", |t| ask_of(t).is_some());
    let ask = ask_of(&trio).expect("an ask").id;
    // Ballots for the question that follows do not reach the leader before it dies.
    let leader = trio.leader().expect("a leader");
    trio.mute = trio.nodes.keys().copied().filter(|id| *id != leader).collect();
    let reply =
        trio.ask_action(leader.0, Action::Answer { ask, approve: true, reason: String::new() });
    assert!(matches!(reply, Response::Done), "{reply:?}");
    assert!(trio.all_on("east"));
    trio.kill(leader);
    trio.mute.clear();
    trio.run_until("moved by the successor", |t| t.all_on("west"));
    let view = trio.views().next().expect("a view").clone();
    assert_eq!(view.switchovers().next().expect("there is one").kind, "approved");
}

#[test]
fn who_denied_is_not_asked_again_while_the_cause_stands() {
    let mut trio = Trio::steady(Mode::Ask);
    trio.set_plane("east", false);
    trio.run_until("an ask", |t| ask_of(t).is_some());
    let first = ask_of(&trio).expect("an ask").id;
    answer(&mut trio, first, false);
    trio.run(Duration::from_secs(60));
    assert_eq!(trio.view(1).asks().len(), 1);
    assert!(trio.all_on("east"));
    // It is not forgotten: what stands, and what moves the group all the same.
    let because = trio.view(1).status(trio.now).groups[0].because.clone();
    assert!(
        because.contains("operator denied") && because.contains("switch shop --to west"),
        "{because}"
    );
    assert!(alarm_of(&trio, AlarmKind::Held).is_some());
    // When it was well in between, the next outage is another question.
    trio.set_plane("east", true);
    trio.run(Duration::from_secs(10));
    assert_eq!(alarm_of(&trio, AlarmKind::Held), None);
    trio.set_plane("east", false);
    trio.run_until("another ask", |t| t.view(1).asks().len() == 2);
}

#[test]
fn an_ask_that_nobody_answers_expires_and_comes_again() {
    let mut trio = Trio::of({
        let mut cluster = cluster::cluster(Mode::Ask);
        for group in cluster.groups.values_mut() {
            group.policy.ask_expires = Duration::from_secs(20);
        }
        cluster
    });
    trio.run_until("configured", Trio::configured);
    trio.run(Duration::from_secs(3));
    trio.set_plane("east", false);
    trio.run_until("an ask", |t| ask_of(t).is_some());
    let first = ask_of(&trio).expect("an ask").id;
    trio.run_until("over", |t| t.view(1).ask(first).is_some_and(|ask| ask.state == "over"));
    trio.run_until("another", |t| ask_of(t).is_some_and(|ask| ask.id != first));
}

/// Questions come ever more slowly, up to a minute apart; the alarm is one all the same.
#[test]
fn an_alarm_of_what_is_held_stands_between_questions_too() {
    let mut trio = telling(Mode::Auto);
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(5));
    trio.set_plane("east", false);
    trio.run_until("an alarm", |t| alarm_of(t, AlarmKind::Held).is_some());
    let alarm = alarm_of(&trio, AlarmKind::Held);
    for _ in 0..300 {
        trio.run(Duration::from_secs(1));
        assert_eq!(alarm_of(&trio, AlarmKind::Held), alarm);
    }
    assert_eq!(told(&trio, "held"), ["raised"]);
}

#[test]
fn what_is_held_is_an_alarm_until_it_is_over_and_everybody_is_told_of_it_in_order() {
    let mut trio = telling(Mode::Auto);
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(5));
    trio.set_plane("east", false);
    trio.run_until("an alarm", |t| alarm_of(t, AlarmKind::Held).is_some());
    let alarm = alarm_of(&trio, AlarmKind::Held).expect("an alarm");
    let reason = "on it".to_owned();
    let reply = trio.ask_action(3, Action::Acknowledge { alarm, reason });
    assert!(matches!(reply, Response::Done), "{reply:?}");
    trio.set_plane("east", true);
    trio.run_until("cleared", |t| alarm_of(t, AlarmKind::Held).is_none());
    trio.run(Duration::from_secs(2));
    assert_eq!(told(&trio, "held"), ["raised", "acknowledged", "cleared"]);
    let alive = trio.told.borrow().iter().filter(|body| body.contains("\"alive\"")).count();
    assert!(alive >= 1, "the cluster says that it lives");
    let kept = trio.view(1).ledger.alarms_kept().notices.len();
    assert_eq!(kept, 0, "what everybody has is not kept");
}

#[test]
fn who_cannot_be_told_is_told_later_by_whoever_leads_then() {
    let mut trio = telling(Mode::Auto);
    trio.deaf = true;
    trio.set_plane("west", false);
    trio.run(Duration::from_secs(5));
    trio.set_plane("east", false);
    trio.run_until("an alarm", |t| alarm_of(t, AlarmKind::Held).is_some());
    trio.run_until("that nobody listens is an alarm", |t| alarm_of(t, AlarmKind::Notify).is_some());
    assert_eq!(told(&trio, "held"), Vec::<String>::new());
    trio.kill(trio.leader().expect("a leader"));
    trio.deaf = false;
    trio.run_until("told", |t| told(t, "held") == ["raised"]);
}

#[test]
fn a_member_that_is_lost_is_an_alarm_until_it_is_back() {
    let mut trio = telling(Mode::Auto);
    let leader = trio.leader().expect("a leader");
    let other = trio.nodes.keys().copied().find(|id| *id != leader).expect("three");
    let watcher = trio.nodes.keys().copied().find(|id| *id != other).expect("three").0;
    trio.kill(other);
    let lost = |t: &Trio| {
        let alarms = t.view(watcher).alarms();
        alarms.iter().any(|alarm| alarm.kind == AlarmKind::MemberLost)
    };
    trio.run_until("lost", lost);
    trio.restart(other);
    trio.run_until("back", |t| !lost(t));
    assert_eq!(told(&trio, "member-lost"), ["raised", "cleared"]);
}

/// This member's wall clock says so many milliseconds more than the others'.
fn shift(trio: &mut Trio, id: MemberId, by: u64) {
    // On a whole millisecond, so that nothing is rounded.
    trio.run(Duration::from_micros(1_000 - trio.now.as_micros() % 1_000));
    let since = (trio.now.as_micros() - 1_000_000) / 1_000;
    trio.feed(id, Input::WallClock(WallTime(1_700_000_000_000 + since + by)));
}

#[test]
fn clocks_that_differ_by_more_than_a_second_are_an_alarm() {
    let mut trio = telling(Mode::Auto);
    let leader = trio.leader().expect("a leader");
    let other = trio.nodes.keys().copied().find(|id| *id != leader).expect("three");
    shift(&mut trio, other, 1_000);
    trio.run(Duration::from_secs(30));
    assert_eq!(alarm_of(&trio, AlarmKind::Clock), None);
    let status = trio.view(leader.0).status(trio.now);
    let shown = status.members.iter().find(|member| member.id == other).expect("a member");
    assert_eq!(shown.clock_ms, Some(1_000));
    shift(&mut trio, other, 1_001);
    trio.run_until("an alarm", |t| alarm_of(t, AlarmKind::Clock).is_some());
    shift(&mut trio, other, 0);
    trio.run_until("none", |t| alarm_of(t, AlarmKind::Clock).is_none());
    assert_eq!(told(&trio, "clock"), ["raised", "cleared"]);
}

/// Another member's card arrives, at a controller that heard none: this far ahead of its own clock, so long after the
/// last. What it then says of that member's clock: the difference, and whether it is sure.
fn card_arrives(controller: &mut Controller, after: Duration, ahead: i64) -> (i64, bool) {
    controller.now = controller.now + after;
    let wall = controller.wall_now().0.checked_add_signed(ahead).expect("a late year");
    controller.on_card(MemberId(99), wall, 0);
    let card = controller.all_cards()[&MemberId(99)];
    (card.clock_least_ms, card.clock_sure)
}

#[test]
fn a_late_message_is_no_difference_of_clocks_and_so_many_in_a_row_are() {
    let mut trio = Trio::steady(Mode::Auto);
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("it lives").controller;
    let arrives =
        |controller: &mut Controller, ahead| card_arrives(controller, limits::CARD, ahead);
    // Whatever the first ones say, it takes so many to be sure.
    for _ in 1..limits::CLOCK_SPANS {
        assert_eq!(arrives(controller, -4_000), (-4_000, false));
    }
    assert_eq!(arrives(controller, -3), (-3, true));
    for late in 1..limits::CLOCK_SPANS {
        assert_eq!(arrives(controller, -4_000 - i64::try_from(late).expect("small")), (-3, true));
    }
    assert_eq!(arrives(controller, -5_000), (-4_001, true), "the last good one is forgotten");
    assert_eq!(
        controller.all_cards()[&MemberId(99)].clock_ms,
        -5_000,
        "what was heard last is shown"
    );
    // One that is on time clears it at once, be it from a clock that is ahead.
    assert_eq!(arrives(controller, 20), (20, true));
    let kept = serde_json::to_string(&controller.cards).expect("it is written to journals");
    assert!(!kept.contains("-4001") && kept.contains("-5000"), "{kept}");
}

#[test]
fn cards_that_come_often_are_judged_over_as_long_a_time() {
    let mut trio = Trio::steady(Mode::Auto);
    let controller = &mut trio.nodes.get_mut(&MemberId(1)).expect("it lives").controller;
    let often = Duration::from_millis(500);
    for at in 0..30 {
        let (clock_ms, sure) = card_arrives(controller, often, if at == 7 { 2 } else { -4_000 });
        assert_eq!((clock_ms, sure), (if at < 7 { -4_000 } else { 2 }, false), "{at}");
    }
    assert_eq!(card_arrives(controller, often, -4_000), (2, true));
    for _ in 0..9 {
        assert_eq!(card_arrives(controller, often, -4_000), (2, true));
    }
    assert_eq!(card_arrives(controller, often, -4_000), (-4_000, true));
}

#[test]
fn made_up_gateways_hide_no_member_that_is_lost_and_what_is_left_out_is_counted() {
    let mut trio = telling(Mode::Auto);
    let epoch = trio.view(1).routes[&group("shop")].epoch;
    for number in 0..limits::GATEWAYS {
        trio.other_gateway_says(&format!("made-up-{number}"), epoch);
    }
    let count = |t: &Trio, kind: AlarmKind, id: u64| {
        t.view(id).alarms().iter().filter(|alarm| alarm.kind == kind).count()
    };
    trio.run_until("alarms", |t| count(t, AlarmKind::More, 1) > 0);
    let leader = trio.leader().expect("a leader");
    let other = trio.nodes.keys().copied().find(|id| *id != leader).expect("three");
    trio.kill(other);
    trio.run_until("the loss is told", |t| count(t, AlarmKind::MemberLost, leader.0) == 1);
    assert_eq!(told(&trio, "member-lost"), ["raised"]);
    let alarms = trio.view(leader.0).alarms();
    let more: Vec<&AlarmStatus> = alarms.iter().filter(|a| a.kind == AlarmKind::More).collect();
    assert_eq!(more.len(), 1);
    assert_eq!(more[0].subject, "gateway-lost");
    let rest = limits::GATEWAYS - ledger_limits::ALARMS_OF_KIND;
    assert!(more[0].text.starts_with(&format!("at least {rest} more of")), "{}", more[0].text);
    assert_eq!(count(&trio, AlarmKind::GatewayLost, leader.0), ledger_limits::ALARMS_OF_KIND);
    // When they are forgotten, nothing of it stands.
    trio.run(limits::GATEWAY_FORGOTTEN);
    trio.run_until("none", |t| count(t, AlarmKind::More, leader.0) == 0);
    assert_eq!(count(&trio, AlarmKind::GatewayLost, leader.0), 0);
}

#[test]
fn a_gateway_that_is_heard_and_does_not_follow_is_an_alarm_until_it_does() {
    let mut trio = Trio::steady(Mode::Ask);
    let old = trio.view(1).routes[&group("shop")].epoch;
    let reply = trio.ask(1, switch("shop", Some("west"), SwitchKind::Planned));
    assert!(matches!(reply, Response::Accepted { .. }), "{reply:?}");
    trio.run_until("moved", |t| t.all_on("west"));
    let new = trio.view(1).routes[&group("shop")].epoch;
    let stays = |trio: &mut Trio, seconds: u64| {
        for _ in 0..seconds {
            trio.gateway_says(1, old);
            trio.run(Duration::from_secs(1));
        }
    };
    stays(&mut trio, limits::GATEWAY_BEHIND.as_secs() - 1);
    assert_eq!(alarm_of(&trio, AlarmKind::GatewayBehind), None, "it may be on its way");
    stays(&mut trio, 4);
    let alarms = trio.view(1).alarms();
    let behind = alarms.iter().find(|alarm| alarm.kind == AlarmKind::GatewayBehind);
    let behind = behind.expect("an alarm");
    let text = format!("edge-1 follows older routes, of shop that of epoch {old} instead of {new}");
    assert!(behind.text.contains(&text), "{}", behind.text);
    trio.gateway_says(1, new);
    trio.run_until("none", |t| alarm_of(t, AlarmKind::GatewayBehind).is_none());
}

#[test]
fn a_freeze_ends_by_itself_and_a_quiet_cluster_logs_nothing_until_then() {
    let mut trio = Trio::steady(Mode::Auto);
    let freeze = Action::Freeze {
        groups: Vec::new(),
        on: true,
        reason: "release".to_owned(),
        for_ms: Some(120_000),
        abort: false,
    };
    trio.run(Duration::from_secs(10));
    assert!(matches!(trio.ask_action(1, freeze), Response::Done));
    trio.run(Duration::from_secs(5));
    let index = trio.view(1).ledger.index();
    trio.run(Duration::from_secs(100));
    assert_eq!(trio.view(1).ledger.index(), index, "nothing is logged meanwhile");
    let frozen = |t: &Trio| t.view(1).status(t.now).groups[0].frozen.is_some();
    assert!(frozen(&trio));
    trio.set_plane("east", false);
    trio.run(Duration::from_secs(5));
    assert!(trio.all_on("east"));
    trio.run_until("thawed, and moved by ballots from after that", |t| t.all_on("west"));
    assert!(!frozen(&trio));
}

#[test]
fn failed_logins_are_told_to_the_log_once_and_raise_an_alarm() {
    let mut trio = Trio::steady(Mode::Auto);
    let failed = || Input::LoginsFailed { count: 4, from: "192.0.2.9".to_owned() };
    let other = trio.nodes.keys().copied().find(|id| Some(*id) != trio.leader()).expect("three");
    trio.feed(other, failed());
    trio.run_until("an alarm", |t| alarm_of(t, AlarmKind::Logins).is_some());
    trio.feed(other, failed());
    trio.run(Duration::from_secs(60));
    let view = trio.view(1);
    let logins = view.ledger.events().kept.iter().filter(|e| e.kind.as_str() == "login");
    let texts: Vec<&str> = logins.map(|event| event.text.as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].starts_with("4 failed logins at"), "{texts:?}");
}

#[test]
fn a_login_that_fails_before_every_member_was_heard_is_told_when_they_were() {
    let mut trio = Trio::new(Mode::Auto);
    trio.kill(MemberId(3));
    trio.run_until("a leader", |t| t.leader().is_some() && t.configured());
    let leader = trio.leader().expect("there is one");
    trio.feed(leader, Input::LoginsFailed { count: 1, from: "192.0.2.9".to_owned() });
    trio.run(Duration::from_secs(30));
    assert!(alarm_of(&trio, AlarmKind::Logins).is_none(), "the rules of then know no alarms");
    trio.restart(MemberId(3));
    trio.run_until("an alarm", |t| alarm_of(t, AlarmKind::Logins).is_some());
}
