//! Operators' requests: done once, however often they arrive.

use super::*;
use crate::kernel::policy::{Hold, WhenBothDown};

fn keyed(book: &mut Book, by: &str, body: &str) -> Command {
    let command = book.switch_command(Kind::Forced, "shop", "west");
    let idempotency = Some(("k".to_owned(), body.to_owned()));
    Command::Switch(SwitchCommand { by: by.to_owned(), idempotency, ..command })
}

#[test]
fn the_same_request_logged_twice_is_settled_twice_and_done_once() {
    let mut book = Book::new();
    let command = Command::Switch(book.switch_command(Kind::Forced, "shop", "west"));
    let first = book.settle(command.clone());
    let id = book.last("shop").expect("a switchover");
    assert_eq!(first, Outcome::Switchover(id, false));
    book.advance(id, Event::Route);
    assert_eq!(book.settle(command), first);
    assert_eq!(book.ledger.switchovers().len(), 1);
    let freeze = book.freeze(true);
    let thaw = book.freeze(false);
    for command in [freeze.clone(), thaw, freeze] {
        assert_eq!(book.settle(command), Outcome::Done {});
    }
    assert_eq!(
        book.ledger.groups()[&group("shop")].frozen,
        None,
        "a late repetition of an old request"
    );
}

#[test]
fn the_same_key_and_body_is_the_same_request_and_another_body_is_refused() {
    let mut book = Book::new();
    let command = keyed(&mut book, "ann", "body");
    let Outcome::Switchover(id, false) = book.settle(command) else { panic!("accepted") };
    book.advance(id, Event::Route);
    let again = keyed(&mut book, "ann", "body");
    assert_eq!(book.settle(again), Outcome::Switchover(id, true));
    let other = keyed(&mut book, "ann", "another body");
    assert_eq!(book.settle(other), Outcome::Refused(RefusalReason::KeyReused("k".to_owned())));
}

#[test]
fn the_same_key_of_another_principal_is_another_request() {
    let mut book = Book::new();
    let command = keyed(&mut book, "ann", "body");
    assert!(matches!(book.settle(command), Outcome::Switchover(_, false)));
    let command = keyed(&mut book, "bob", "body");
    let held = RefusalReason::Held(vec![Hold::InFlight]);
    assert_eq!(book.settle(command), Outcome::Refused(held));
}

#[test]
fn a_refused_request_leaves_its_key_free() {
    let mut book = Book::new();
    let Command::Switch(mut command) = keyed(&mut book, "ann", "body") else { panic!("a switch") };
    command.moved.base.counter = 9;
    let stale = book.settle(Command::Switch(command));
    assert!(matches!(stale, Outcome::Refused(RefusalReason::StaleEpoch { .. })));
    let command = keyed(&mut book, "ann", "body");
    assert!(matches!(book.settle(command), Outcome::Switchover(_, false)));
}

#[test]
fn switches_that_make_no_sense_are_refused_with_their_reason() {
    let mut book = Book::new();
    let outcome = book.switch(Kind::Planned, "shop", "east");
    assert_eq!(outcome, Outcome::Refused(RefusalReason::AlreadyThere(plane("east"))));
    let outcome = book.switch(Kind::Forced, "shop", "north");
    assert_eq!(outcome, Outcome::Refused(RefusalReason::NoSuchPlane(plane("north"))));
    let drain = book.drain("west", true);
    assert_eq!(book.settle(drain), Outcome::Done {});
    let outcome = book.switch(Kind::Planned, "shop", "west");
    let held = RefusalReason::Held(vec![Hold::TargetDrained("works".to_owned())]);
    assert_eq!(outcome, Outcome::Refused(held));
    let outcome = book.switch(Kind::Forced, "shop", "west");
    assert!(matches!(outcome, Outcome::Switchover(..)));
    let drain = book.drain("north", true);
    assert_eq!(book.settle(drain), Outcome::Refused(RefusalReason::NoSuchPlane(plane("north"))));
}

#[test]
fn a_freeze_of_an_unknown_group_freezes_none() {
    let mut book = Book::new();
    let Command::Freeze { request, by, on, reason, .. } = book.freeze(true) else {
        panic!("a freeze")
    };
    let groups = BTreeSet::from([group("shop"), group("nothing")]);
    let outcome = book.settle(Command::Freeze {
        request,
        by,
        groups,
        on,
        reason,
        for_ms: None,
        abort: false,
    });
    assert_eq!(outcome, Outcome::Refused(RefusalReason::NoSuchGroup(group("nothing"))));
    assert_eq!(book.ledger.groups()[&group("shop")].frozen, None);
}

#[test]
fn nothing_is_frozen_or_drained_before_there_is_a_configuration() {
    let mut book = Book::new();
    book.ledger = Ledger::default();
    let freeze = book.freeze(true);
    assert_eq!(book.settle(freeze), Outcome::Refused(RefusalReason::NotConfigured));
    let moved =
        Move { group: group("shop"), to: plane("west"), base: Epoch { generation: 1, counter: 1 } };
    let request = key(1, 77);
    let (by, reason) = (String::new(), String::new());
    let command =
        SwitchCommand { request, by, kind: Kind::Forced, moved, reason, idempotency: None };
    let outcome = book.settle(Command::Switch(command));
    assert_eq!(outcome, Outcome::Refused(RefusalReason::NotConfigured));
}

#[test]
fn a_second_configuration_is_refused() {
    let mut book = Book::new();
    let before = book.ledger.routes().clone();
    let applied = book.log(vec![Command::Configure(Box::new(cluster()))]);
    assert_eq!(refused(&applied), [&RefusalReason::AlreadyConfigured]);
    assert_eq!(*book.ledger.routes(), before);
}

#[test]
fn with_both_planes_bad_a_planned_switch_is_refused_where_the_policy_says_so() {
    for (rule, refused) in [(WhenBothDown::Keep, false), (WhenBothDown::Refuse, true)] {
        let mut cluster = cluster();
        for settings in cluster.groups.values_mut() {
            settings.policy.when_both_down = rule;
        }
        let mut book = Book::with(cluster);
        book.all_report("web=dd");
        let planned = book.switch(Kind::Planned, "shop", "west");
        let held = Outcome::Refused(RefusalReason::Held(vec![Hold::BothDown]));
        assert_eq!(planned == held, refused, "{planned:?}");
    }
}

#[test]
fn with_both_planes_bad_a_forced_switch_is_the_operators_own() {
    let mut cluster = cluster();
    for settings in cluster.groups.values_mut() {
        settings.policy.when_both_down = WhenBothDown::Refuse;
    }
    let mut book = Book::with(cluster);
    book.all_report("web=dd");
    assert!(matches!(book.switch(Kind::Forced, "shop", "west"), Outcome::Switchover(..)));
}
