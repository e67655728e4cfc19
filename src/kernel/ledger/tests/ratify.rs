//! The hard guards: each alone keeps a move from being ratified.

use super::*;
use crate::kernel::policy::Hold;

/// The one reason why the decision was refused.
fn only_hold(applied: &[Applied]) -> Hold {
    match &refused(applied)[..] {
        [RefusalReason::Held(holds)] if holds.len() == 1 => holds[0].clone(),
        other => panic!("one hold was expected: {other:?}"),
    }
}

fn with_policy(change: impl FnOnce(&mut Policy)) -> (Book, QuestionId) {
    let mut cluster = cluster();
    change(&mut cluster.groups.get_mut(&group("shop")).expect("a group").policy);
    let mut book = Book::with(cluster);
    let question = book.ask("shop");
    book.all_vote(question, "web=du");
    (book, question)
}

#[test]
fn with_every_guard_open_a_move_is_ratified() {
    let (mut book, question) = Book::ready();
    let applied = book.decide(question, "shop", "west");
    assert!(refused(&applied).is_empty(), "{applied:?}");
    let id = book.last("shop").expect("a switchover");
    let made = &book.ledger.switchovers()[&id];
    assert_eq!(
        (made.kind, made.state, made.question),
        (Kind::Automatic, State::Prechecking, Some(question))
    );
    assert_eq!(made.ballots.len(), 3);
    assert_eq!(book.on("shop"), "east", "the route changes at the step Route only");
    book.advance(id, Event::Route);
    assert_eq!(
        (book.on("shop").as_str(), book.epoch("shop").to_string().as_str()),
        ("west", "1.2")
    );
}

#[test]
fn a_stale_epoch_is_refused() {
    let (mut book, question) = Book::ready();
    let mut moved = book.to("shop", "west");
    for counter in [0, 2] {
        moved.base.counter = counter;
        let applied = book.log(vec![Command::Decide { question, moves: vec![moved.clone()] }]);
        assert!(matches!(refused(&applied)[..], [RefusalReason::StaleEpoch { .. }]), "{applied:?}");
    }
}

#[test]
fn a_closed_question_is_refused() {
    let (mut book, question) = Book::ready();
    book.pass(secs(5));
    let applied = book.decide(question, "shop", "west");
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(question)]);
}

#[test]
fn a_question_about_another_group_or_that_was_never_asked_is_refused() {
    let (mut book, question) = Book::ready();
    let other = book.ask("mail");
    book.all_vote(other, "web=du imap=du");
    let applied = book.decide(other, "shop", "west");
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(other)]);
    let never = QuestionId { index: 999, ..question };
    let applied = book.decide(never, "shop", "west");
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(never)]);
}

#[test]
fn a_question_of_another_configuration_is_not_asked() {
    let mut book = Book::new();
    let groups = BTreeSet::from([group("shop")]);
    let applied = book.log(vec![Command::Question { groups, config: 2, why: "test".to_owned() }]);
    assert_eq!(refused(&applied), [&RefusalReason::OtherConfiguration(2)]);
    assert!(book.ledger.questions().is_empty());
    assert_eq!(book.ledger.groups()[&group("shop")].question, None);
}

#[test]
fn a_question_of_another_configuration_decides_nothing() {
    let (mut book, question) = Book::ready();
    book.ledger.config_version = 2;
    let applied = book.decide(question, "shop", "west");
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(question)]);
}

#[test]
fn a_frozen_group_is_held_and_a_thawed_one_goes() {
    let (mut book, question) = Book::ready();
    let freeze = book.freeze(true);
    book.log(vec![freeze]);
    let applied = book.decide(question, "shop", "west");
    assert_eq!(only_hold(&applied), Hold::Frozen("release".to_owned()));
    let thaw = book.freeze(false);
    book.log(vec![thaw]);
    assert!(refused(&book.decide(question, "shop", "west")).is_empty());
}

#[test]
fn a_drained_target_is_held() {
    let (mut book, question) = Book::ready();
    let drain = book.drain("west", true);
    book.log(vec![drain]);
    let applied = book.decide(question, "shop", "west");
    assert_eq!(only_hold(&applied), Hold::TargetDrained("works".to_owned()));
}

#[test]
fn dwell_and_then_the_budget_hold() {
    let (mut book, question) = Book::ready();
    let mut question = question;
    let mut decided = 0;
    for (from, to) in [("east", "west"), ("west", "east")] {
        assert!(refused(&book.decide(question, "shop", to)).is_empty(), "{from} → {to}");
        decided += 1;
        let id = book.last("shop").expect("a switchover");
        for event in [Event::Route, Event::Verify, Event::Verified] {
            assert!(refused(&book.advance(id, event)).is_empty(), "{event}");
        }
        let said = if to == "west" { "web=ud" } else { "web=du" };
        book.pass(secs(5));
        question = book.ask("shop");
        book.all_vote(question, said);
        let applied = book.decide(question, "shop", from);
        let Hold::Dwell { left_ms } = (if decided == 1 {
            only_hold(&applied)
        } else {
            match &refused(&applied)[..] {
                [RefusalReason::Held(holds)] => holds[0].clone(),
                other => panic!("{other:?}"),
            }
        }) else {
            panic!("dwell was expected: {applied:?}")
        };
        assert_eq!(left_ms, 5_000);
        book.pass(secs(5));
        question = book.ask("shop");
        book.all_vote(question, said);
    }
    let applied = book.decide(question, "shop", "west");
    assert!(matches!(only_hold(&applied), Hold::Budget { used: 2, .. }), "{applied:?}");
}

#[test]
fn a_budget_of_many_switches_is_counted_to_its_end() {
    let switches = 40;
    let mut cluster = cluster();
    let policy = &mut cluster.groups.get_mut(&group("shop")).expect("a group").policy;
    policy.dwell = Duration::ZERO;
    policy.budget = Some(Budget { switches, window: secs(3600) });
    let mut book = Book::with(cluster);
    for turn in 0..=switches {
        let (to, said) = if turn % 2 == 0 { ("west", "web=du") } else { ("east", "web=ud") };
        let question = book.ask("shop");
        book.all_vote(question, said);
        let applied = book.decide(question, "shop", to);
        if turn == switches {
            assert!(matches!(only_hold(&applied), Hold::Budget { used: 40, .. }), "{applied:?}");
            return;
        }
        assert!(refused(&applied).is_empty(), "{turn}: {applied:?}");
        let id = book.last("shop").expect("a switchover");
        for event in [Event::Route, Event::Verify, Event::Verified] {
            assert!(refused(&book.advance(id, event)).is_empty(), "{turn} {event}");
        }
        book.pass(secs(5));
    }
}

#[test]
fn an_unstable_target_is_held_until_it_was_calm() {
    let mut book = Book::new();
    book.all_report("web=uu");
    for said in ["web=ud", "web=uu", "web=ud", "web=uu"] {
        book.all_report(said);
    }
    let question = book.ask("shop");
    book.all_vote(question, "web=du");
    let applied = book.decide(question, "shop", "west");
    assert_eq!(only_hold(&applied), Hold::TargetUnstable);
    book.pass(secs(60));
    let question = book.ask("shop");
    book.all_vote(question, "web=du");
    assert!(refused(&book.decide(question, "shop", "west")).is_empty());
}

#[test]
fn a_restarted_observer_that_finds_a_plane_still_down_makes_it_no_flapper() {
    let mut book = Book::new();
    for observer in [1, 2] {
        book.report(observer, "web=ud");
    }
    for incarnation in 2..6 {
        book.log(vec![report(1, (incarnation, 1), false, "web=??")]);
        book.log(vec![report(1, (incarnation, 2), false, "web=ud")]);
    }
    assert!(!book.ledger.unstable(&group("shop"), &plane("west")));
}

#[test]
fn ballots_against_the_source_from_one_site_are_not_enough() {
    let mut cluster = cluster();
    let site = SiteName::new("west").expect("a good name");
    for id in [2, 3] {
        cluster.members.get_mut(&MemberId(id)).expect("a member").site = site.clone();
    }
    for (id, name) in [(4, "third"), (5, "east")] {
        let mut more = cluster.members[&MemberId(1)].clone();
        (more.id, more.site) = (MemberId(id), SiteName::new(name).expect("a good name"));
        cluster.members.insert(more.id, more);
    }
    cluster.members.get_mut(&MemberId(4)).expect("a member").site = site;
    let third = cluster.members.get_mut(&MemberId(5)).expect("a member");
    third.site = SiteName::new("third").expect("a good name");
    let mut book = Book::with(cluster);
    let question = book.ask("shop");
    // Three of five, a majority, and all of them at the target's site.
    for observer in [2, 3, 4] {
        let said = book.ballot(question, observer, "web=du");
        book.log(vec![said]);
    }
    let applied = book.decide(question, "shop", "west");
    assert_eq!(only_hold(&applied), Hold::OneSiteVoted);
    let said = book.ballot(question, 5, "web=du");
    book.log(vec![said]);
    assert!(refused(&book.decide(question, "shop", "west")).is_empty());
}

#[test]
fn a_target_that_is_not_good_is_held() {
    for (said, hold) in [("web=dd", Hold::BothDown), ("web=dg", Hold::TargetNotGood(String::new()))]
    {
        let mut book = Book::new();
        let question = book.ask("shop");
        book.all_vote(question, said);
        let applied = book.decide(question, "shop", "west");
        let found = only_hold(&applied);
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&hold), "{found:?}");
    }
}

#[test]
fn groups_that_ask_or_are_only_observed_are_not_moved_by_themselves() {
    for (mode, hold) in [(Mode::Ask, Hold::Asks), (Mode::Observe, Hold::Observed)] {
        let (mut book, question) = with_policy(|policy| policy.mode = mode);
        assert_eq!(only_hold(&book.decide(question, "shop", "west")), hold);
    }
}

#[test]
fn a_group_with_a_switchover_in_flight_is_held_even_within_one_command() {
    let (mut book, question) = Book::ready();
    let moved = book.to("shop", "west");
    let moves = vec![moved.clone(), moved];
    let applied = book.log(vec![Command::Decide { question, moves }]);
    assert_eq!(only_hold(&applied), Hold::InFlight);
    assert_eq!(book.ledger.switchovers().len(), 1);
}

#[test]
fn fewer_than_a_majority_of_the_configured_observers_move_nothing() {
    let mut book = Book::new();
    let question = book.ask("shop");
    let said = book.ballot(question, 3, "web=du");
    book.log(vec![said]);
    let applied = book.decide(question, "shop", "west");
    let [RefusalReason::Held(holds)] = &refused(&applied)[..] else { panic!("{applied:?}") };
    assert_eq!(holds[0], Hold::NoData);
    let said = book.ballot(question, 1, "web=uu");
    book.log(vec![said]);
    let applied = book.decide(question, "shop", "west");
    let [RefusalReason::Held(holds)] = &refused(&applied)[..] else { panic!("{applied:?}") };
    assert_eq!(holds[0], Hold::Partial);
}

#[test]
fn a_group_is_not_moved_to_where_it_is() {
    let (mut book, question) = Book::ready();
    let applied = book.decide(question, "shop", "east");
    assert_eq!(refused(&applied), [&RefusalReason::AlreadyThere(plane("east"))]);
    let moved = Move { group: group("nothing"), ..book.to("shop", "west") };
    let applied = book.log(vec![Command::Decide { question, moves: vec![moved] }]);
    assert_eq!(refused(&applied), [&RefusalReason::NoSuchGroup(group("nothing"))]);
}
