//! Questions and ballots: what counts, what replaces what, and when a question closes.

use super::*;
use crate::kernel::domain::HealthState;
use crate::kernel::health::Verdict;

fn voice(book: &Book, question: QuestionId, observer: u64) -> HealthState {
    book.ledger.voice(MemberId(observer), &service("web"), 0, Evidence::Ballots(question))
}

fn open(book: &Book, question: QuestionId) -> bool {
    book.ledger.questions()[&question].open
}

#[test]
fn an_older_ballot_never_replaces_a_newer_one() {
    let mut book = Book::new();
    let q = book.ask("shop");
    book.log(vec![ballot(q, 1, (2, 7), false, "web=du")]);
    for word in [(2, 7), (2, 6), (1, 99)] {
        let applied = book.log(vec![ballot(q, 1, word, false, "web=uu")]);
        assert_eq!(refused(&applied), [&RefusalReason::OldNews(MemberId(1))], "{word:?}");
        assert_eq!(voice(&book, q, 1), HealthState::Down);
    }
    book.log(vec![ballot(q, 1, (2, 8), false, "web=uu")]);
    assert_eq!(voice(&book, q, 1), HealthState::Up);
}

#[test]
fn a_ballot_adds_to_what_its_process_said_and_a_new_process_starts_from_nothing() {
    let mut book = Book::new();
    let q = book.ask("shop");
    book.log(vec![ballot(q, 1, (1, 1), false, "web=du")]);
    book.log(vec![ballot(q, 1, (1, 2), false, "stats=du")]);
    assert_eq!(voice(&book, q, 1), HealthState::Down);
    book.log(vec![ballot(q, 1, (2, 1), false, "stats=du")]);
    assert_eq!(voice(&book, q, 1), HealthState::Unknown);
}

#[test]
fn isolated_and_lost_observers_do_not_count_until_they_are_back() {
    let mut book = Book::new();
    let q = book.ask("shop");
    book.log(vec![ballot(q, 1, (1, 1), true, "web=du"), ballot(q, 2, (1, 1), false, "web=du")]);
    assert_eq!(voice(&book, q, 1), HealthState::Unknown);
    let applied = book.log(vec![ballot(q, 1, (1, 2), false, "")]);
    assert_eq!(voice(&book, q, 1), HealthState::Down);
    assert_eq!(applied, [Applied::Voted(q, vec![service("web")])], "the leader must look again");
    let lost = |incarnation| Command::ObserverLost {
        observer: MemberId(2),
        incarnation: Incarnation(incarnation),
    };
    book.log(vec![lost(0)]);
    assert_eq!(voice(&book, q, 2), HealthState::Down, "another process was lost");
    book.log(vec![lost(1)]);
    assert_eq!(voice(&book, q, 2), HealthState::Unknown);
    assert_eq!(book.ledger.verdict(&service("web"), 0, Evidence::Ballots(q)), Verdict::NoData);
    book.log(vec![report(2, (1, 2), false, "")]);
    assert_eq!(voice(&book, q, 2), HealthState::Down);
}

#[test]
fn who_comes_back_is_heard_with_all_it_reports() {
    let mut book = Book::new();
    book.log(vec![report(1, (1, 1), true, "web=du stats=uu")]);
    let applied = book.log(vec![report(1, (1, 2), false, "")]);
    let all = vec![service("stats"), service("web")];
    assert_eq!(applied, [Applied::Reported(MemberId(1), all.clone())]);
    book.log(vec![Command::ObserverLost { observer: MemberId(1), incarnation: Incarnation(1) }]);
    let applied = book.log(vec![report(1, (1, 3), false, "")]);
    assert_eq!(applied, [Applied::Reported(MemberId(1), all)]);
}

#[test]
fn a_ballot_says_nothing_of_services_that_were_not_asked_about() {
    let mut book = Book::new();
    let q = book.ask("shop");
    book.log(vec![ballot(q, 1, (1, 1), false, "web=du imap=du unheard-of=dd")]);
    let held = &book.ledger.questions()[&q].ballots[&MemberId(1)].states;
    assert_eq!(*held, states("web=du"));
}

#[test]
fn a_stranger_has_no_ballot_and_no_report() {
    let mut book = Book::new();
    let q = book.ask("shop");
    let applied =
        book.log(vec![ballot(q, 9, (1, 1), false, "web=du"), report(9, (1, 2), false, "web=du")]);
    assert_eq!(refused(&applied).len(), 2);
    assert!(!book.ledger.observers().contains_key(&MemberId(9)));
}

#[test]
fn a_ballot_for_a_closed_question_is_refused() {
    let mut book = Book::new();
    let q = book.ask("shop");
    book.pass(secs(5));
    let applied = book.log(vec![ballot(q, 1, (1, 1), false, "web=du")]);
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(q)]);
}

#[test]
fn an_entry_of_a_higher_term_closes_even_if_it_is_empty() {
    let mut book = Book::new();
    let q = book.ask("shop");
    assert!(open(&book, q));
    book.term = 2;
    let applied = book.log_bytes(b"");
    assert!(!open(&book, q));
    assert!(matches!(&applied[..], [Applied::Closed(id, groups)] if *id == q && groups.len() == 1));
    assert_eq!(book.ledger.groups()[&group("shop")].question, None);
    let again = book.ask("shop");
    assert_eq!((again.term, book.ledger.groups()[&group("shop")].question), (2, Some(again)));
}

#[test]
fn the_window_of_ledger_time_closes_and_not_a_moment_earlier() {
    let mut book = Book::new();
    let q = book.ask("shop");
    book.pass(Duration::from_millis(4_999));
    assert!(open(&book, q));
    book.pass(Duration::from_millis(1));
    assert!(!open(&book, q));
}

#[test]
fn a_lost_observer_closes_no_question() {
    let mut book = Book::new();
    book.all_report("web=uu");
    let q = book.ask("shop");
    for observer in [1, 2, 3] {
        let incarnation = Incarnation(1);
        book.log(vec![Command::ObserverLost { observer: MemberId(observer), incarnation }]);
    }
    assert!(open(&book, q));
}

#[test]
fn a_group_has_one_question_at_a_time() {
    let mut book = Book::new();
    let first = book.ask("shop");
    let index = book.ledger.index() + 1;
    book.log(vec![question(&["shop", "mail", "nothing"])]);
    let second = QuestionId { term: 1, index };
    assert_eq!(book.ledger.groups()[&group("shop")].question, Some(first));
    assert_eq!(book.ledger.groups()[&group("mail")].question, Some(second));
    assert_eq!(book.ledger.questions()[&second].groups.len(), 1);
}

#[test]
fn log_order_decides_a_race_of_a_freeze_and_a_decision() {
    let (book, question) = Book::ready();
    for freeze_first in [true, false] {
        let mut book = book.clone();
        let freeze = book.freeze(true);
        let decide = Command::Decide { question, moves: vec![book.to("shop", "west")] };
        let order = if freeze_first { vec![freeze, decide] } else { vec![decide, freeze] };
        book.log(order);
        assert_eq!(book.last("shop").is_none(), freeze_first);
    }
}

#[test]
fn a_decision_and_the_end_of_its_window_in_one_entry_decide_nothing() {
    let (mut book, question) = Book::ready();
    book.at += 5_000;
    let applied = book.decide(question, "shop", "west");
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(question)]);
}

#[test]
fn ledger_time_never_goes_back() {
    let mut book = Book::new();
    book.pass(secs(60));
    let then = book.ledger.time();
    book.at = 5;
    book.log(vec![Command::Tick {}]);
    assert_eq!(book.ledger.time(), then);
}
