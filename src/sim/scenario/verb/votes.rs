//! `hold votes`, `hold answers`: votes and requests for them, or answers to read rounds, travel slowly.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{micros, time};

pub(super) const VERB: Verb = Verb { usage: "hold votes TIME · hold answers TIME", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["hold", "votes", by] => micros(by).map(Action::HoldVotes),
        ["hold", "answers", by] => micros(by).map(Action::HoldAnswers),
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::HoldVotes(by) => format!("hold votes {}", time(*by)),
        Action::HoldAnswers(by) => format!("hold answers {}", time(*by)),
        _ => return None,
    })
}
