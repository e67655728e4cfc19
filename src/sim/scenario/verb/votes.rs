//! `hold votes`: votes and requests for them travel slowly.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{micros, time};

pub(super) const VERB: Verb = Verb { usage: "hold votes TIME", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let ["hold", "votes", by] = words else { return None };
    Some(micros(by).map(Action::HoldVotes))
}

fn write(action: &Action) -> Option<String> {
    let Action::HoldVotes(by) = action else { return None };
    Some(format!("hold votes {}", time(*by)))
}
