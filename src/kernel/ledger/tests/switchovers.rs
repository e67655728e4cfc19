//! Switchovers step by step, epochs and serials.

use super::*;

/// A forced switchover of `shop` that was routed and is being verified.
fn verifying() -> (Book, SwitchoverId) {
    let mut book = Book::new();
    let Outcome::Switchover(id, _) = book.switch(Kind::Forced, "shop", "west") else {
        panic!("accepted")
    };
    for event in [Event::Route, Event::Verify] {
        assert!(refused(&book.advance(id, event)).is_empty(), "{event}");
    }
    (book, id)
}

#[test]
fn verifying_and_stuck_give_way_to_a_newer_decision() {
    for strand in [false, true] {
        let (mut book, old) = verifying();
        if strand {
            book.advance(old, Event::Strand);
        }
        let Outcome::Switchover(new, false) = book.switch(Kind::Forced, "shop", "east") else {
            panic!("accepted")
        };
        assert_eq!((book.state(old), book.state(new)), (State::Overtaken, State::Prechecking));
        assert!(book.ledger.switchovers()[&old].outcome.contains(&new.to_string()));
        let applied = book.advance(old, Event::Verified);
        assert_eq!(refused(&applied), [&RefusalReason::NotNow(State::Overtaken)]);
    }
}

#[test]
fn the_way_back_is_open_only_to_an_up_plane_and_makes_a_new_epoch() {
    let (mut book, id) = verifying();
    let applied = book.advance(id, Event::Undo);
    assert!(matches!(refused(&applied)[..], [RefusalReason::TargetNotUp(_)]), "{applied:?}");
    book.all_report("web=gu");
    assert!(matches!(refused(&book.advance(id, Event::Undo))[..], [RefusalReason::TargetNotUp(_)]));
    book.all_report("web=uu");
    assert!(refused(&book.advance(id, Event::Undo)).is_empty());
    assert_eq!((book.on("shop").as_str(), book.epoch("shop").counter), ("east", 3));
    assert!(book.ledger.in_flight(&group("shop")));
    book.advance(id, Event::UndoRouted);
    assert_eq!(book.state(id), State::Undone);
}

#[test]
fn a_planned_route_needs_ballots_for_an_open_question_that_say_the_target_is_up() {
    let mut book = Book::new();
    let Outcome::Switchover(id, _) = book.switch(Kind::Planned, "shop", "west") else {
        panic!("accepted")
    };
    let applied = book.log(vec![advance(id, Event::Route, None)]);
    assert!(matches!(refused(&applied)[..], [RefusalReason::QuestionClosed(_)]));
    let q = book.ask("shop");
    let applied = book.log(vec![advance(id, Event::Route, Some(q))]);
    assert!(matches!(refused(&applied)[..], [RefusalReason::TargetNotUp(_)]));
    book.all_vote(q, "web=uu");
    assert!(refused(&book.log(vec![advance(id, Event::Route, Some(q))])).is_empty());
    assert_eq!(book.on("shop"), "west");
    assert!(!book.ledger.groups()[&group("shop")].cut, "planned connections drain");
}

#[test]
fn an_automatic_route_is_refused_when_the_source_came_back_meanwhile() {
    let (mut book, question) = Book::ready();
    book.decide(question, "shop", "west");
    let id = book.last("shop").expect("a switchover");
    book.all_vote(question, "web=uu");
    let applied = book.advance(id, Event::Route);
    assert!(matches!(refused(&applied)[..], [RefusalReason::Held(_)]), "{applied:?}");
    assert_eq!(book.on("shop"), "east");
}

#[test]
fn a_successor_cannot_route_on_the_ballots_of_an_earlier_term() {
    let (mut book, question) = Book::ready();
    book.decide(question, "shop", "west");
    let id = book.last("shop").expect("a switchover");
    book.term = 2;
    let applied = book.log(vec![advance(id, Event::Route, Some(question))]);
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(question)]);
    let q = book.ask("shop");
    book.all_vote(q, "web=du");
    book.log(vec![advance(id, Event::Route, Some(q))]);
    let made = &book.ledger.switchovers()[&id];
    assert_eq!((made.routed_in(), made.question), (Some(2), Some(q)));
}

#[test]
fn steps_of_an_unknown_switchover_are_refused() {
    let mut book = Book::new();
    let id = SwitchoverId { index: 77, nth: 0 };
    let applied = book.log(vec![advance(id, Event::Route, None)]);
    assert_eq!(refused(&applied), [&RefusalReason::NoSuchSwitchover(id)]);
}

#[test]
fn a_serial_grows_by_one_with_each_entry_that_changes_its_zone() {
    let (mut book, question) = Book::ready();
    let serials =
        |book: &Book| (book.ledger.serials()["shop.test"], book.ledger.serials()["mail.test"]);
    assert_eq!(serials(&book), (1, 1));
    book.decide(question, "shop", "west");
    let shop = book.last("shop").expect("a switchover");
    assert_eq!(serials(&book), (1, 1), "a decision alone changes no record");
    book.all_report("web=uu imap=uu");
    // There and back in one entry: one change.
    let (there, back) = (Event::Route, Event::Undo);
    let steps = [there, Event::Verify, back].map(|event| advance(shop, event, Some(question)));
    let applied = book.log(steps.to_vec());
    assert!(refused(&applied).is_empty(), "{applied:?}");
    assert_eq!(serials(&book), (2, 1));
    let revision = book.ledger.revision();
    book.advance(shop, Event::UndoRouted);
    assert_eq!((serials(&book), book.ledger.revision()), ((2, 1), revision));
    let Outcome::Switchover(mail, _) = book.switch(Kind::Forced, "mail", "west") else {
        panic!("accepted")
    };
    book.advance(mail, Event::Route);
    assert_eq!(serials(&book), (2, 2));
    assert_eq!(book.ledger.revision(), book.ledger.index());
}

#[test]
fn a_change_of_leader_in_mid_switch_is_marked_in_the_record() {
    let (mut book, id) = verifying();
    book.term += 1;
    book.log(vec![Command::Tick {}]);
    let steps = |book: &Book| -> Vec<String> {
        book.ledger.switchovers()[&id].steps.iter().map(|step| step.step.clone()).collect()
    };
    assert_eq!(steps(&book).last().map(String::as_str), Some("leader-changed"));
    assert!(refused(&book.advance(id, Event::Verified)).is_empty());
    // What has ended is not marked any more, and marks never take the room of steps.
    book.term += 1;
    book.log(vec![Command::Tick {}]);
    assert_eq!(steps(&book).last().map(String::as_str), Some("verified"));
    let (mut book, id) = verifying();
    for _ in 0..20 {
        book.term += 1;
        book.log(vec![Command::Tick {}]);
    }
    assert!(refused(&book.advance(id, Event::Verified)).is_empty());
    let last = book.ledger.switchovers()[&id].steps.last().map(|step| step.step.clone());
    assert_eq!(last.as_deref(), Some("verified"));
}

/// What every guard said when a switchover was decided stays in its record, whatever becomes of the guards.
#[test]
fn a_record_keeps_what_each_guard_said_when_it_was_decided() {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: GUARDS_SINCE }]);
    let question = book.ask("shop");
    book.all_vote(question, "web=du");
    let moves = vec![book.to("shop", "west")];
    book.log(vec![Command::Decide { question, moves }]);
    let id = book.last("shop").expect("decided");
    let guards = |book: &Book| book.ledger.switchovers()[&id].guards.clone().expect("kept");
    let then = guards(&book);
    assert_eq!((then.ruleset, then.config, then.mode.as_str()), (GUARDS_SINCE, 1, "auto"));
    assert!(then.source_out && then.target_good && then.two_sites_voted, "{then:?}");
    assert!(!then.in_flight && !then.approved && !then.unstable, "{then:?}");
    assert_eq!(then.source, "0 of 1 critical services up; web down");
    let policy = &cluster().groups["shop"].policy;
    assert_eq!(u128::from(then.dwell_ms), policy.dwell.as_millis());
    let budget = policy.budget.expect("there is one");
    assert_eq!((then.budget, then.budget_used), (Some(budget.switches), 0));
    assert_eq!((then.dwell_left_ms, then.budget_left_ms), (0, 0));
    assert_eq!((&then.frozen, &then.drained), (&None, &None));

    book.log(vec![advance(id, Event::Route, Some(question))]);
    let (freeze, drain) = (book.freeze(true), book.drain("west", true));
    book.log(vec![freeze, drain]);
    book.configure(wider());
    assert_eq!(guards(&book), then);
    let now = book.ledger.guards(&group("shop"), Evidence::Reports).expect("a known group");
    assert!(now.frozen.is_some() && now.dwell_left_ms > 0 && now.budget_used == 1, "{now:?}");

    // A snapshot holds it, and one without it is read.
    let bytes = book.ledger.to_bytes();
    assert_eq!(Ledger::from_bytes(&bytes).expect("it reads"), book.ledger);
    let mut plain: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let records = plain["ledger"]["switchovers"].as_object_mut().expect("by id");
    records.values_mut().for_each(|record| {
        record.as_object_mut().expect("a record").remove("guards").expect("it was there");
    });
    let read = Ledger::from_bytes(plain.to_string().as_bytes()).expect("it reads");
    assert_eq!(read.switchovers()[&id].guards, None);
}

/// Nodes that know no such field hold the same state as those that do.
#[test]
fn below_its_ruleset_a_record_says_nothing_of_guards() {
    let (mut book, question) = Book::ready();
    assert!(book.ledger.ruleset() < GUARDS_SINCE);
    let moves = vec![book.to("shop", "west")];
    book.log(vec![Command::Decide { question, moves }]);
    let id = book.last("shop").expect("decided");
    assert_eq!(book.ledger.switchovers()[&id].guards, None);
    assert!(!String::from_utf8(book.ledger.to_bytes()).expect("JSON").contains("\"guards\""));
}

#[test]
fn an_operators_record_says_what_would_have_barred_automation() {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: GUARDS_SINCE }]);
    let (freeze, drain) = (book.freeze(true), book.drain("west", true));
    book.log(vec![freeze, drain]);
    let Outcome::Switchover(id, _) = book.switch(Kind::Forced, "shop", "west") else {
        panic!("accepted")
    };
    let then = book.ledger.switchovers()[&id].guards.clone().expect("kept");
    assert!(then.frozen.is_some() && then.drained.is_some(), "{then:?}");
    assert!(!then.source_out && !then.target_good, "{then:?}");
}
