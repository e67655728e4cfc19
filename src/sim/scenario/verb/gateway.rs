//! `gateway`: its process.

use super::Verb;
use crate::sim::action::Action;

pub(super) const VERB: Verb = Verb { usage: "gateway down|up", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(Ok(match words {
        ["gateway", "down"] => Action::Gateway(false),
        ["gateway", "up"] => Action::Gateway(true),
        _ => return None,
    }))
}

fn write(action: &Action) -> Option<String> {
    let Action::Gateway(up) = action else { return None };
    Some(format!("gateway {}", if *up { "up" } else { "down" }))
}
