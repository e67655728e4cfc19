//! Alarms at apply: raised once, acknowledged by the first, cleared; notices wait for whoever lacks them.

use super::*;

fn pager() -> NotifyName {
    NotifyName::new("pager").expect("a good name")
}

fn book() -> Book {
    let mut book = Book::with(asking());
    book.log(vec![Command::Raise { ruleset: 3 }]);
    book
}

fn raise(book: &mut Book, condition: Condition) -> Option<AlarmId> {
    let applied = book.log(vec![Command::Alarms { raised: vec![condition], cleared: Vec::new() }]);
    applied.iter().find_map(|change| match change {
        Applied::Alarm(id, Phase::Raised) => Some(*id),
        _ => None,
    })
}

#[test]
fn an_alarm_is_raised_once_acknowledged_by_the_first_and_cleared() {
    let mut book = book();
    let id = raise(&mut book, condition(AlarmKind::Held, "shop")).expect("it is new");
    assert_eq!(raise(&mut book, condition(AlarmKind::Held, "shop")), None, "it stands already");
    assert!(raise(&mut book, condition(AlarmKind::Stuck, "shop")).is_some(), "another kind");
    for _ in 0..2 {
        let acknowledge = book.acknowledge(id);
        assert_eq!(book.settle(acknowledge), Outcome::Done {});
    }
    let open = &book.ledger.alarms_kept().open;
    assert_eq!(open[&id].acknowledged.as_ref().map(|done| done.by.as_str()), Some("ann"));
    book.log(vec![Command::Alarms { raised: Vec::new(), cleared: vec![id, id] }]);
    assert_eq!(book.ledger.alarms_kept().open.len(), 1);
    let acknowledge = book.acknowledge(id);
    assert_eq!(book.settle(acknowledge), Outcome::Refused(RefusalReason::NoSuchAlarm(id)));
    let phases: Vec<Phase> =
        book.ledger.alarms_kept().notices.iter().map(|notice| notice.phase).collect();
    assert_eq!(phases, [Phase::Raised, Phase::Raised, Phase::Acknowledged, Phase::Cleared]);
}

/// So many of one kind, of things that somebody made up.
fn made_up(kind: AlarmKind, count: usize) -> Command {
    let raised = (0..count).map(|number| condition(kind, &format!("edge-{number}"))).collect();
    Command::Alarms { raised, cleared: Vec::new() }
}

#[test]
fn each_kind_of_alarm_has_so_many_places_and_takes_none_of_another() {
    for beyond in [0, 1, 2_000] {
        let mut book = book();
        book.log(vec![made_up(AlarmKind::GatewayLost, limits::ALARMS_OF_KIND + beyond)]);
        let of_kind = |book: &Book, kind| book.ledger.alarms_kept().of_kind(kind).count();
        assert_eq!(of_kind(&book, AlarmKind::GatewayLost), limits::ALARMS_OF_KIND);
        for kind in AlarmKind::ALL {
            let taken = raise(&mut book, condition(kind, "another")).is_some();
            assert_eq!(taken, kind != AlarmKind::GatewayLost, "{}", kind.as_str());
        }
        // A place that is given back is another's.
        let first = book.ledger.alarms_kept().about(AlarmKind::GatewayLost, "edge-0");
        let cleared = vec![first.expect("it stands").id];
        book.log(vec![Command::Alarms { raised: Vec::new(), cleared }]);
        assert!(raise(&mut book, condition(AlarmKind::GatewayLost, "another")).is_some());
    }
}

#[test]
fn how_many_more_there_are_is_told_anew_and_wakes_nobody() {
    let mut book = book();
    let id = raise(&mut book, condition(AlarmKind::More, "gateway-lost")).expect("it is new");
    let mut more = condition(AlarmKind::More, "gateway-lost");
    more.text = "at least 7 more".to_owned();
    assert_eq!(raise(&mut book, more), None);
    let alarms = book.ledger.alarms_kept();
    assert_eq!(alarms.open[&id].condition.text, "at least 7 more");
    assert_eq!(alarms.notices.len(), 1);
    let mut other = condition(AlarmKind::Held, "shop");
    raise(&mut book, other.clone());
    other.text = "another".to_owned();
    raise(&mut book, other);
    let held = book.ledger.alarms_kept().about(AlarmKind::Held, "shop").expect("it stands");
    assert_eq!(held.condition.text, "shop is not moved", "any other stays as it was raised");
}

#[test]
fn no_kind_of_notice_pushes_out_another() {
    let mut book = book();
    raise(&mut book, condition(AlarmKind::MemberLost, "c"));
    let notices = |book: &Book| book.ledger.alarms_kept().notices.len();
    while notices(&book) < limits::NOTICES_KEPT {
        book.log(vec![made_up(AlarmKind::GatewayLost, 100)]);
        let cleared = book.ledger.alarms_kept().of_kind(AlarmKind::GatewayLost);
        let cleared = cleared.map(|alarm| alarm.id).collect();
        book.log(vec![Command::Alarms { raised: Vec::new(), cleared }]);
    }
    raise(&mut book, condition(AlarmKind::GatewayLost, "one-more"));
    assert_eq!(notices(&book), limits::NOTICES_KEPT);
    let next = book.ledger.alarms_kept().next_for(&pager()).expect("nobody was told");
    assert_eq!(next.alarm.condition.kind, AlarmKind::MemberLost);
}

#[test]
fn a_notice_is_kept_until_everybody_has_it_and_up_to_the_limit() {
    let mut book = book();
    raise(&mut book, condition(AlarmKind::Held, "shop"));
    raise(&mut book, condition(AlarmKind::Held, "mail"));
    let next = |book: &Book| book.ledger.alarms_kept().next_for(&pager()).map(|notice| notice.id);
    let first = next(&book).expect("nobody was told");
    book.log(vec![Command::Notified { target: pager(), notice: first }]);
    let second = next(&book).expect("one is left");
    assert!(second > first && book.ledger.alarms_kept().notices.len() == 1);
    // An older receipt, one of nobody, and one of what never was change nothing.
    let nobody = NotifyName::new("nobody").expect("a good name");
    book.log(vec![
        Command::Notified { target: pager(), notice: first },
        Command::Notified { target: nobody, notice: second },
        Command::Notified { target: pager(), notice: EventId { index: 1 << 40, nth: 0 } },
    ]);
    assert_eq!(next(&book), Some(second));
    for _ in 0..limits::NOTICES_KEPT {
        let id = raise(&mut book, condition(AlarmKind::Stuck, "shop"));
        book.log(vec![Command::Alarms { raised: Vec::new(), cleared: id.into_iter().collect() }]);
    }
    assert_eq!(book.ledger.alarms_kept().notices.len(), limits::NOTICES_KEPT);
}

#[test]
fn who_is_new_is_not_told_of_what_was_before_and_who_is_gone_is_not_waited_for() {
    let mut book = book();
    raise(&mut book, condition(AlarmKind::Held, "shop"));
    let mut more = asking();
    let new = NotifyName::new("new").expect("a good name");
    let settings = more.notify[&pager()].clone();
    more.notify.insert(new.clone(), settings);
    book.configure(more);
    assert!(book.ledger.alarms_kept().next_for(&new).is_none());
    assert!(book.ledger.alarms_kept().next_for(&pager()).is_some());
    let mut none = asking();
    none.notify.clear();
    book.configure(none);
    assert!(book.ledger.alarms_kept().notices.is_empty());
    raise(&mut book, condition(AlarmKind::Held, "mail"));
    assert!(book.ledger.alarms_kept().notices.is_empty(), "there is nobody to tell");
}

#[test]
fn a_person_who_acknowledges_opens_the_budget_and_calms_a_plane() {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: 3 }]);
    for round in ["web=uu", "web=ud", "web=uu", "web=ud", "web=uu"] {
        book.all_report(round);
    }
    assert_eq!(book.ledger.unstable_planes(), [(group("shop"), plane("west"))].into());
    let mut unstable = condition(AlarmKind::Unstable, "shop on west");
    unstable.plane = Some(plane("west"));
    let id = raise(&mut book, unstable).expect("it is new");
    let acknowledge = book.acknowledge(id);
    let applied = book.log(vec![acknowledge]);
    assert!(applied.contains(&Applied::Guards), "{applied:?}");
    assert!(book.ledger.unstable_planes().is_empty());

    let (mut book, question) = Book::ready();
    book.log(vec![Command::Raise { ruleset: 3 }]);
    book.decide(question, "shop", "west");
    assert_eq!(book.ledger.groups()[&group("shop")].automatic.len(), 1);
    let id = raise(&mut book, condition(AlarmKind::Budget, "shop")).expect("it is new");
    let acknowledge = book.acknowledge(id);
    book.log(vec![acknowledge]);
    assert!(book.ledger.groups()[&group("shop")].automatic.is_empty());
}

#[test]
fn failed_logins_stand_in_the_log_once() {
    let mut book = book();
    let failed = |seq, from: &str| Command::LoginsFailed {
        member: MemberId(2),
        incarnation: Incarnation(1),
        seq,
        count: 7,
        from: from.to_owned(),
    };
    let chained = book.ledger.audit().count;
    book.log(vec![failed(1, "192.0.2.9")]);
    book.log(vec![failed(1, "192.0.2.9")]);
    let logins = |book: &Book| {
        let events = &book.ledger.events().kept;
        events.iter().filter(|event| event.kind == EventKind::Login).count()
    };
    assert_eq!((logins(&book), book.ledger.audit().count), (1, chained + 2));
    book.log(vec![failed(2, &"9".repeat(5_000))]);
    let last = book.ledger.events().kept.back().expect("an event").text.clone();
    assert!(last.len() < 200, "{last}");
}

#[test]
fn a_configuration_that_an_older_member_would_misread_is_refused() {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: 2 }]);
    assert_eq!(book.configure(asking()), Outcome::Refused(RefusalReason::NeedsRuleset(3)));
    book.log(vec![Command::Raise { ruleset: 3 }]);
    assert_eq!(book.configure(asking()), Outcome::Configured(2));
}
