//! Asks at apply: who is asked, what an answer does, and how an ask ends; freezes and drains that end by themselves.

use super::*;

fn ask_of(book: &Book, id: AskId) -> Ask {
    book.ledger.asks()[&id].as_ref().clone()
}

fn frozen(book: &Book) -> bool {
    book.ledger.groups()[&group("shop")].frozen.is_some()
}

fn events(book: &Book) -> Vec<String> {
    book.ledger.events().kept.iter().map(|event| event.text.clone()).collect()
}

#[test]
fn people_are_asked_once_and_only_while_ballots_say_so() {
    let (mut book, question, ask) = Book::asked();
    assert_eq!(ask_of(&book, ask).cause, "0 of 1 critical services up; web down on east");
    let moves = vec![book.to("shop", "west")];
    book.log(vec![Command::Ask { question, moves: moves.clone() }]);
    assert_eq!(book.ledger.asks().len(), 1, "the leader may say it twice");

    // Ballots that do not say so, a question that is closed, and an epoch of yesterday make no ask.
    let mut other = Book::with(asking());
    other.log(vec![Command::Raise { ruleset: 3 }]);
    let well = other.ask("shop");
    other.all_vote(well, "web=uu");
    other.log(vec![Command::Ask { question: well, moves: moves.clone() }]);
    other.pass(secs(3600));
    other.log(vec![Command::Ask { question: well, moves }]);
    assert!(other.ledger.asks().is_empty());

    // An older ruleset knows nothing of it.
    let mut old = Book::with(asking());
    let applied = old.log(vec![Command::AskOver { ask, why: String::new() }]);
    assert!(matches!(refused(&applied)[..], [RefusalReason::Unknown(_)]));
}

#[test]
fn what_was_approved_is_decided_by_ballots_given_afterwards() {
    let (mut book, question, ask) = Book::asked();
    book.settle_done(ask, true);
    assert!(matches!(ask_of(&book, ask).state, AskState::Approved { .. }));
    // The ballots that led to the ask count no more.
    let applied = book.decide(question, "shop", "west");
    assert!(matches!(refused(&applied)[..], [RefusalReason::QuestionClosed(_)]), "{applied:?}");
    let anew = book.ask("shop");
    let applied = book.decide(anew, "shop", "west");
    assert!(matches!(refused(&applied)[..], [RefusalReason::Held(_)]), "nobody has voted yet");
    book.all_vote(anew, "web=du");
    book.decide(anew, "shop", "west");
    let id = book.last("shop").expect("it is moved");
    let switchover = &book.ledger.switchovers()[&id];
    assert_eq!((switchover.kind, switchover.by.as_str()), (Kind::Approved, "ann"));
    assert_eq!(ask_of(&book, ask).state, AskState::Switched { switchover: id });
    assert!(book.ledger.groups()[&group("shop")].automatic.is_empty(), "no budget is used");
    book.advance(id, Event::Route);
    assert_eq!(book.on("shop"), "west");
}

#[test]
fn an_approval_overrides_what_only_bars_automation() {
    let (mut book, _, ask) = Book::asked();
    let freeze = book.freeze(true);
    book.log(vec![freeze]);
    book.settle_done(ask, true);
    let anew = book.ask("shop");
    book.all_vote(anew, "web=du");
    book.decide(anew, "shop", "west");
    assert!(book.last("shop").is_some(), "a person stands for it");

    // But not what makes the move senseless.
    let (mut book, _, ask) = Book::asked();
    book.settle_done(ask, true);
    let drain = book.drain("west", true);
    book.log(vec![drain]);
    let anew = book.ask("shop");
    book.all_vote(anew, "web=du");
    let applied = book.decide(anew, "shop", "west");
    assert!(matches!(refused(&applied)[..], [RefusalReason::Held(_)]), "{applied:?}");
    assert_eq!(book.last("shop"), None);
}

#[test]
fn an_ask_ends_by_time_by_its_cause_and_by_another_move() {
    let (mut book, _, ask) = Book::asked();
    book.pass(secs(899));
    assert!(ask_of(&book, ask).state.live());
    book.pass(secs(1));
    let over = ask_of(&book, ask).state;
    assert_eq!(over, AskState::Over { why: "nobody answered in time".to_owned() });
    assert_eq!(book.ledger.next_timer(), None);
    let answered = book.answer(ask, true);
    let refused = Outcome::Refused(RefusalReason::AskAnswered(ask, "over".to_owned()));
    assert_eq!(book.settle(answered), refused);

    let (_, again) = book.ask_people();
    let again = again.expect("the cause still stands");
    book.log(vec![Command::AskOver { ask: again, why: "well again".to_owned() }]);
    assert_eq!(ask_of(&book, again).state, AskState::Over { why: "well again".to_owned() });

    let (mut book, _, ask) = Book::asked();
    book.all_report("web=uu");
    let Outcome::Switchover(id, _) = book.switch(Kind::Forced, "shop", "west") else {
        panic!("a person may switch at any time")
    };
    assert_eq!(ask_of(&book, ask).state, AskState::Over { why: format!("{id} moves the group") });
}

#[test]
fn who_denied_is_left_in_peace_until_the_time_is_over() {
    let (mut book, question, ask) = Book::asked();
    book.settle_done(ask, false);
    let moves = vec![book.to("shop", "west")];
    book.log(vec![Command::Ask { question, moves }]);
    assert_eq!(book.ledger.asks().len(), 1);
    book.settle_done(ask, false);
    let approve = book.answer(ask, true);
    let late = Outcome::Refused(RefusalReason::AskAnswered(ask, "denied".to_owned()));
    assert_eq!(book.settle(approve), late);
    book.pass(secs(900));
    let (_, again) = book.ask_people();
    assert!(again.is_some_and(|again| again != ask));
    let none = AskId { index: 9_999, nth: 0 };
    let answer = book.answer(none, true);
    assert_eq!(book.settle(answer), Outcome::Refused(RefusalReason::NoSuchAsk(none)));
}

#[test]
fn an_approval_that_the_ballots_do_not_bear_out_ends_in_time() {
    let (mut book, _, ask) = Book::asked();
    book.settle_done(ask, true);
    let anew = book.ask("shop");
    book.all_vote(anew, "web=uu");
    book.pass(secs(3600));
    let AskState::Over { why } = ask_of(&book, ask).state else { panic!("it is over") };
    assert!(why.starts_with("approved, but"), "{why}");
    assert_eq!(book.on("shop"), "east");
}

#[test]
fn ended_asks_are_kept_up_to_the_limit() {
    let (mut book, _, first) = Book::asked();
    for _ in 0..limits::ASKS_KEPT + 1 {
        book.pass(secs(900));
        let (_, ask) = book.ask_people();
        assert!(ask.is_some());
    }
    let live = book.ledger.asks().values().filter(|ask| ask.state.live()).count();
    assert_eq!((live, book.ledger.asks().len()), (1, limits::ASKS_KEPT + 1));
    assert!(!book.ledger.asks().contains_key(&first));
}

#[test]
fn a_freeze_and_a_drain_say_who_and_end_by_themselves() {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: 3 }]);
    let freeze = book.freeze_for(secs(60), false);
    let drain = book.drain_for("west", secs(30));
    book.log(vec![freeze, drain]);
    let placed = book.ledger.groups()[&group("shop")].frozen_by.clone().expect("it says who");
    assert_eq!(placed.by, "operator");
    assert_eq!(placed.until_wall, Some(WallTime(book.ledger.wall().0 + 60_000)));
    book.pass(secs(29));
    assert_eq!((frozen(&book), book.ledger.drained().len()), (true, 1));
    book.pass(secs(1));
    assert_eq!((frozen(&book), book.ledger.drained().len()), (true, 0));
    book.pass(secs(30));
    assert!(!frozen(&book) && book.ledger.drains().is_empty());
    let told = events(&book).join("\n");
    assert!(told.contains("west may be chosen again: the drain's time is over"), "{told}");
    assert!(told.contains("2 groups thawed: the freeze's time is over"), "{told}");
    // One without a time stays; a later one takes its place.
    let freeze = book.freeze(true);
    book.log(vec![freeze]);
    book.pass(secs(86_400));
    assert!(frozen(&book));
}

#[test]
fn nothing_acts_on_ballots_that_were_given_before_a_thaw() {
    for by_time in [false, true] {
        let mut book = Book::new();
        book.log(vec![Command::Raise { ruleset: 3 }]);
        let freeze = book.freeze_for(secs(1), false);
        book.log(vec![freeze]);
        let question = book.ask("shop");
        book.all_vote(question, "web=du");
        let applied = book.decide(question, "shop", "west");
        assert!(matches!(refused(&applied)[..], [RefusalReason::Held(_)]), "{applied:?}");
        if by_time {
            book.pass(secs(1));
        } else {
            let thaw = book.freeze(false);
            book.log(vec![thaw]);
        }
        assert!(!frozen(&book));
        let applied = book.decide(question, "shop", "west");
        let refused = refused(&applied);
        assert!(matches!(refused[..], [RefusalReason::QuestionClosed(_)]), "{refused:?}");
    }
}

#[test]
fn a_freeze_lets_what_is_under_way_go_on_unless_it_aborts() {
    for (abort, ends) in [(false, State::Prechecking), (true, State::Undone)] {
        let (mut book, question) = Book::ready();
        book.log(vec![Command::Raise { ruleset: 3 }]);
        book.decide(question, "shop", "west");
        let id = book.last("shop").expect("it was decided");
        let freeze = book.freeze_for(secs(60), abort);
        book.log(vec![freeze]);
        assert_eq!(book.state(id), ends);
        book.advance(id, Event::Route);
        assert_eq!(book.on("shop"), if abort { "east" } else { "west" });
    }
    // A route that has changed is not taken back by a freeze.
    let (mut book, question) = Book::ready();
    book.log(vec![Command::Raise { ruleset: 3 }]);
    book.decide(question, "shop", "west");
    let id = book.last("shop").expect("it was decided");
    book.advance(id, Event::Route);
    let freeze = book.freeze_for(secs(60), true);
    book.log(vec![freeze]);
    assert_eq!((book.state(id), book.on("shop").as_str()), (State::Routing, "west"));
}

impl Book {
    fn settle_done(&mut self, ask: AskId, approve: bool) {
        let answer = self.answer(ask, approve);
        assert_eq!(self.settle(answer), Outcome::Done {});
    }
}
