//! Tokens in the log.

use super::*;

fn book() -> Book {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: RULESET }]);
    book
}

fn settled(book: &mut Book, name: &str, change: TokenChange) -> Outcome {
    let command = book.token(name, change);
    book.settle(command)
}

/// A token that is good until then.
fn until(expires: Option<u64>) -> TokenChange {
    let TokenChange::Create { role, groups, hash, .. } = token() else {
        unreachable!("it was just made")
    };
    TokenChange::Create { role, groups, hash, expires: expires.map(WallTime) }
}

fn refusal(outcome: Outcome) -> RefusalReason {
    match outcome {
        Outcome::Refused(reason) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_token_is_made_once_and_revoked_for_ever() {
    let mut book = book();
    assert_eq!(settled(&mut book, "ci", token()), Outcome::Done {});
    assert_eq!(settled(&mut book, "ci", token()), Outcome::Done {}, "sent again");
    let name = PrincipalName::new("ci").expect("a good name");
    let known = book.ledger.tokens()[&name].clone();
    assert_eq!((known.role, known.made.by.as_str()), (AccessRole::Operator, "operator"));
    assert!(known.revoked.is_none());
    let other = TokenChange::Create {
        role: AccessRole::Admin,
        groups: BTreeSet::new(),
        hash: "11".repeat(32),
        expires: None,
    };
    let taken = RefusalReason::NameTaken(name.clone());
    assert_eq!(refusal(settled(&mut book, "ci", other.clone())), taken);
    assert_eq!(settled(&mut book, "ci", TokenChange::Revoke {}), Outcome::Done {});
    assert!(book.ledger.tokens()[&name].revoked.is_some());
    assert_eq!(refusal(settled(&mut book, "ci", other)), taken, "a revoked name stays revoked");
    assert_eq!(refusal(settled(&mut book, "ci", token())), taken);
}

#[test]
fn a_name_without_a_token_in_the_log_is_revoked_too_but_nobody_revokes_himself() {
    let mut book = book();
    assert_eq!(settled(&mut book, "by-file", TokenChange::Revoke {}), Outcome::Done {});
    let name = PrincipalName::new("by-file").expect("a good name");
    assert_eq!(book.ledger.tokens()[&name].hash, "");
    let oneself = settled(&mut book, "operator", TokenChange::Revoke {});
    assert_eq!(refusal(oneself), RefusalReason::Oneself);
}

#[test]
fn a_scope_is_of_groups_that_are_there_and_not_for_an_admin() {
    let mut book = book();
    let of = |role, name: &str| TokenChange::Create {
        role,
        groups: [group(name)].into(),
        hash: "22".repeat(32),
        expires: None,
    };
    let unknown = refusal(settled(&mut book, "a", of(AccessRole::Operator, "none")));
    assert_eq!(unknown, RefusalReason::NoSuchGroup(group("none")));
    let admin = refusal(settled(&mut book, "a", of(AccessRole::Admin, "shop")));
    assert_eq!(admin, RefusalReason::NoScope);
}

#[test]
fn there_is_room_for_so_many_tokens() {
    let mut book = book();
    for number in 0..limits::TOKENS {
        assert_eq!(settled(&mut book, &format!("t{number}"), until(None)), Outcome::Done {});
    }
    assert_eq!(refusal(settled(&mut book, "one-more", until(None))), RefusalReason::TooManyTokens);
    assert_eq!(settled(&mut book, "t0", TokenChange::Revoke {}), Outcome::Done {});
    // Certificates can be shut out all the same.
    for number in 0..limits::TOKENS {
        let name = format!("certificate-{number}");
        assert_eq!(settled(&mut book, &name, TokenChange::Revoke {}), Outcome::Done {});
    }
    let revoked = settled(&mut book, "unknown", TokenChange::Revoke {});
    assert_eq!(refusal(revoked), RefusalReason::TooManyTokens);
}

/// As many as there may be: `old` and `older` are good for a while, `shut-out` is too and was revoked, the others for ever.
fn full(ruleset: u32) -> Book {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset }]);
    let wall = 1_700_000_000_000 + book.at;
    for (name, expires) in [("old", 9_000), ("older", 8_000), ("shut-out", 7_000)] {
        assert_eq!(settled(&mut book, name, until(Some(wall + expires))), Outcome::Done {});
    }
    assert_eq!(settled(&mut book, "shut-out", TokenChange::Revoke {}), Outcome::Done {});
    for number in 3..limits::TOKENS {
        assert_eq!(settled(&mut book, &format!("t{number}"), until(None)), Outcome::Done {});
    }
    book
}

#[test]
fn a_token_that_expired_long_ago_gives_up_its_place_when_one_is_needed() {
    let mut book = full(RULESET);
    let has = |book: &Book, name: &str| {
        book.ledger.tokens().contains_key(&PrincipalName::new(name).expect("a good name"))
    };
    book.pass(secs(8) + limits::EXPIRED_FOR - Duration::from_millis(1));
    let refused = refusal(settled(&mut book, "new", token()));
    assert_eq!(refused, RefusalReason::TooManyTokens, "some member may still take it as good");
    assert!(has(&book, "older"));
    book.pass(Duration::from_millis(1));
    assert_eq!(settled(&mut book, "new", until(None)), Outcome::Done {});
    assert!(has(&book, "new") && has(&book, "old") && !has(&book, "older"));
    let told: Vec<&str> = book.ledger.events().kept.iter().map(|e| e.text.as_str()).collect();
    let dropped = told.iter().find(|text| text.contains("dropped")).expect("it is told");
    assert!(dropped.starts_with("token of older, expired since 20"), "{dropped}");
    assert!(dropped.ends_with("its place is needed for new"), "{dropped}");
    book.pass(secs(10));
    assert_eq!(settled(&mut book, "newer", until(None)), Outcome::Done {});
    assert!(!has(&book, "old"));
    // A name that was revoked stays: a certificate of that name would be let in again.
    assert_eq!(refusal(settled(&mut book, "newest", token())), RefusalReason::TooManyTokens);
    assert!(has(&book, "shut-out"));
    assert_eq!(book.ledger.tokens().len(), limits::TOKENS);
}

#[test]
fn under_ruleset_2_an_expired_token_keeps_its_place() {
    let mut book = full(2);
    book.pass(secs(60) + limits::EXPIRED_FOR);
    assert_eq!(refusal(settled(&mut book, "new", token())), RefusalReason::TooManyTokens);
}

#[test]
fn below_its_ruleset_a_token_is_an_unknown_command() {
    let mut book = Book::new();
    let command = book.token("ci", token());
    let applied = book.log(vec![command]);
    assert!(matches!(
        applied.as_slice(),
        [Applied::Refused(Refused::Command, RefusalReason::Unknown(_))]
    ));
    assert!(book.ledger.tokens().is_empty());
}
