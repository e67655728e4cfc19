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
        assert_eq!(settled(&mut book, &format!("t{number}"), token()), Outcome::Done {});
    }
    assert_eq!(refusal(settled(&mut book, "one-more", token())), RefusalReason::TooManyTokens);
    assert_eq!(settled(&mut book, "t0", TokenChange::Revoke {}), Outcome::Done {});
    // Certificates can be shut out all the same.
    for number in 0..limits::TOKENS {
        let name = format!("certificate-{number}");
        assert_eq!(settled(&mut book, &name, TokenChange::Revoke {}), Outcome::Done {});
    }
    let revoked = settled(&mut book, "unknown", TokenChange::Revoke {});
    assert_eq!(refusal(revoked), RefusalReason::TooManyTokens);
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
