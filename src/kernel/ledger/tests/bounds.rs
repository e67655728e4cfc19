//! Nothing in the state grows without bound: each limit at the limit, and one beyond.

use super::*;
use crate::kernel::policy::Hold;

#[test]
fn ended_switchovers_are_kept_to_their_limit_and_the_last_of_a_group_for_ever() {
    let mut book = Book::new();
    let Outcome::Switchover(mail, _) = book.switch(Kind::Forced, "mail", "west") else {
        panic!("accepted")
    };
    book.advance(mail, Event::Abandon);
    let mut made = vec![mail];
    let groups = book.ledger.groups().len();
    let most = groups + 2 * limits::SWITCHOVERS_KEPT;
    while made.len() <= most {
        let Outcome::Switchover(id, _) = book.switch(Kind::Forced, "shop", "west") else {
            panic!("accepted")
        };
        made.push(id);
        let all = made.len() == book.ledger.switchovers().len();
        assert_eq!(all, made.len() <= most, "up to the limit all are kept, and no more");
        book.advance(id, Event::Abandon);
    }
    let kept = book.ledger.switchovers();
    assert_eq!(kept.len(), groups + limits::SWITCHOVERS_KEPT);
    assert!(kept.contains_key(&mail), "the last of its group");
    assert!(!kept.contains_key(&made[made.len() - kept.len()]), "the oldest go");
    assert!(kept.contains_key(&made[made.len() - kept.len() + 1]));
}

#[test]
fn questions_are_kept_to_their_limit_and_every_closing_is_told() {
    let mut book = Book::new();
    let mut asked = Vec::new();
    for _ in 0..limits::QUESTIONS_KEPT {
        asked.push(book.ask("shop"));
        book.pass(secs(5));
    }
    assert!(book.ledger.questions().contains_key(&asked[0]));
    asked.push(book.ask("shop"));
    assert_eq!(book.ledger.questions().len(), limits::QUESTIONS_KEPT);
    assert!(!book.ledger.questions().contains_key(&asked[0]));
    assert!(book.ledger.questions().contains_key(&asked[1]));
}

#[test]
fn questions_that_close_together_are_all_told_with_their_groups() {
    let many = limits::QUESTIONS_KEPT + 10;
    let mut cluster = cluster();
    for number in 0..many {
        let name = format!("svc-{number}");
        cluster.services.insert(service(&name), cluster.services[&service("web")].clone());
        cluster.groups.insert(group(&name), settings(&[&name]));
    }
    let mut book = Book::with(cluster);
    let asked: Vec<_> = (0..many).map(|number| book.ask(&format!("svc-{number}"))).collect();
    assert_eq!(book.ledger.questions().len(), many, "an open question is never forgotten");
    let applied = book.pass(secs(5));
    let told = |change: &Applied| match change {
        Applied::Closed(id, groups) => Some((*id, groups.len())),
        _ => None,
    };
    let closed: Vec<_> = applied.iter().filter_map(told).collect();
    assert_eq!(closed, asked.iter().map(|id| (*id, 1)).collect::<Vec<_>>());
    assert_eq!(book.ledger.questions().len(), limits::QUESTIONS_KEPT);
}

fn drain_of(member: u64, counter: u64) -> Command {
    let (by, reason) = ("operator".to_owned(), String::new());
    Command::Drain {
        request: key(member, counter),
        by,
        plane: plane("west"),
        on: true,
        reason,
        for_ms: None,
    }
}

#[test]
fn outcomes_are_kept_to_their_limit_and_the_oldest_go_first() {
    let mut book = Book::new();
    let full = u64::try_from(limits::OUTCOMES_KEPT).expect("a small limit");
    book.log((1..=full).map(|counter| drain_of(2, counter)).collect());
    assert!(book.ledger.outcome(&key(2, 1)).is_some(), "at the limit all are kept");
    book.pass(secs(1));
    // The newest outcome has the smallest key: it must not be the one that goes.
    book.log(vec![drain_of(1, 1)]);
    assert!(book.ledger.outcome(&key(1, 1)).is_some(), "the newest is kept");
    assert!(book.ledger.outcome(&key(2, 1)).is_none(), "the oldest is forgotten");
    assert!(book.ledger.outcome(&key(2, 2)).is_some());
    assert_eq!(book.ledger.settled.len(), limits::OUTCOMES_KEPT);
}

#[test]
fn outcomes_are_kept_for_a_day() {
    let mut book = Book::new();
    book.log(vec![drain_of(1, 1)]);
    book.pass(limits::OUTCOMES_KEPT_FOR);
    assert!(book.ledger.outcome(&key(1, 1)).is_some());
    book.pass(Duration::from_millis(1));
    assert!(book.ledger.outcome(&key(1, 1)).is_none());
}

#[test]
fn times_of_flaps_are_kept_as_far_as_they_are_counted() {
    let mut book = Book::new();
    let downs = 2;
    for _ in 0..5 {
        book.pass(secs(1));
        book.all_report("web=uu");
        book.pass(secs(1));
        book.all_report("web=du");
    }
    let times = &book.ledger.flaps[&service("web")][0];
    assert_eq!(times.len(), downs);
    assert_eq!(times.last(), Some(&book.ledger.time()));
}

#[test]
fn a_reason_is_cut_at_a_character() {
    let mut book = Book::new();
    for (given, kept) in
        [(limits::REASON_MAX, limits::REASON_MAX), (limits::REASON_MAX + 1, limits::REASON_MAX)]
    {
        let mut command = book.drain("west", true);
        if let Command::Drain { reason, .. } = &mut command {
            *reason = "ä".repeat(given);
        }
        book.log(vec![command]);
        assert_eq!(book.ledger.drained()[&plane("west")].chars().count(), kept);
    }
}

#[test]
fn the_audit_chain_holds_its_last_links_and_a_snapshot_keeps_them() {
    let mut book = Book::new();
    for _ in 0..40 {
        book.pass(secs(1));
    }
    let again = Ledger::from_bytes(&book.ledger.to_bytes()).expect("a snapshot");
    assert_eq!(again.audit(), book.ledger.audit());
    assert_eq!((again.audit().count, again.audit().recent.len()), (41, limits::AUDIT_LINKS));
}

#[test]
fn times_of_automatic_switchovers_are_kept_up_to_the_limit() {
    let mut cluster = cluster();
    let policy = &mut cluster.groups.get_mut(&group("shop")).expect("a group").policy;
    policy.dwell = Duration::ZERO;
    policy.budget = Some(Budget { switches: u32::MAX, window: secs(3600) });
    let mut book = Book::with(cluster);
    let mut first = LedgerTime(0);
    for made in 1..=limits::AUTOMATIC_TIMES_KEPT + 1 {
        book.pass(secs(5));
        let question = book.ask("shop");
        book.all_vote(question, "web=du");
        let decided = book.decide(question, "shop", "west");
        assert!(refused(&decided).is_empty(), "{made}: {decided:?}");
        let id = book.last("shop").expect("a switchover");
        book.advance(id, Event::Abandon);
        let times = &book.ledger.groups()[&group("shop")].automatic;
        if made == 1 {
            first = times[0];
        }
        assert_eq!(times.len(), made.min(limits::AUTOMATIC_TIMES_KEPT));
        assert_eq!(times[0] == first, made <= limits::AUTOMATIC_TIMES_KEPT, "the oldest goes");
    }
}

/// What a small budget did not need to know, a larger one that comes after it does.
#[test]
fn a_budget_that_comes_later_counts_what_was_before_it() {
    let mut cluster = cluster();
    let with = |cluster: &mut Cluster, switches| {
        let policy = &mut cluster.groups.get_mut(&group("shop")).expect("a group").policy;
        policy.dwell = Duration::ZERO;
        let window = if switches == 1 { secs(1) } else { secs(3600) };
        policy.budget = Some(Budget { switches, window });
    };
    with(&mut cluster, 1);
    let mut book = Book::with(cluster.clone());
    book.log(vec![Command::Raise { ruleset: 3 }]);
    let decide = |book: &mut Book| {
        book.pass(secs(5));
        let question = book.ask("shop");
        book.all_vote(question, "web=du");
        book.decide(question, "shop", "west")
    };
    for _ in 0..2 {
        let decided = decide(&mut book);
        assert!(refused(&decided).is_empty(), "{decided:?}");
        let id = book.last("shop").expect("a switchover");
        book.advance(id, Event::Abandon);
    }
    with(&mut cluster, 2);
    let command = book.config_command(1, cluster);
    assert_eq!(book.settle(Command::Reconfigure(command)), Outcome::Configured(2));
    let decided = decide(&mut book);
    let [RefusalReason::Held(holds)] = &refused(&decided)[..] else { panic!("{decided:?}") };
    assert!(matches!(holds[..], [Hold::Budget { used: 2, .. }]), "{holds:?}");
}

#[test]
fn marks_of_new_leaders_leave_room_for_steps() {
    let mut book = Book::new();
    let Outcome::Switchover(id, _) = book.switch(Kind::Forced, "shop", "west") else {
        panic!("accepted")
    };
    let steps = |book: &Book| book.ledger.switchovers()[&id].steps.len();
    while steps(&book) < limits::STEPS_BEFORE_MARKS {
        let before = steps(&book);
        book.term += 1;
        book.log(vec![Command::Tick {}]);
        assert_eq!(steps(&book), before + 1, "below the limit each new leader is marked");
    }
    book.term += 1;
    book.log(vec![Command::Tick {}]);
    assert_eq!(steps(&book), limits::STEPS_BEFORE_MARKS);
    assert!(refused(&book.advance(id, Event::Route)).is_empty());
    assert_eq!(steps(&book), limits::STEPS_BEFORE_MARKS + 1, "a step of its own has room");
}

#[test]
fn so_many_differences_are_shown_and_all_are_counted() {
    let old = cluster();
    let mut new = cluster();
    for number in 0..limits::CHANGES_SHOWN {
        new.services
            .insert(service(&format!("svc-{number}")), old.services[&service("web")].clone());
    }
    let (shown, all) = changes(&old, &new);
    assert_eq!((shown.len(), all), (limits::CHANGES_SHOWN, limits::CHANGES_SHOWN));
    new.services.insert(service("one-more"), old.services[&service("web")].clone());
    let (shown, all) = changes(&old, &new);
    assert_eq!((shown.len(), all), (limits::CHANGES_SHOWN, limits::CHANGES_SHOWN + 1));
}

#[test]
fn an_address_of_a_failed_login_is_cut() {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: 3 }]);
    for (seq, given) in [(1, limits::ADDRESS_CHARS), (2, limits::ADDRESS_CHARS + 1)] {
        book.log(vec![Command::LoginsFailed {
            member: MemberId(2),
            incarnation: Incarnation(1),
            seq,
            count: 7,
            from: "ä".repeat(given),
        }]);
        let last = &book.ledger.events().kept.back().expect("an event").text;
        let told = last.chars().filter(|letter| *letter == 'ä').count();
        assert_eq!(told, limits::ADDRESS_CHARS, "{last}");
    }
}
