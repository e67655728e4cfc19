//! `blind`, `see`: an observer's way to a plane.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::cluster::PLANES;
use crate::sim::scenario::words::{both, plane, who, who_word};

pub(super) const VERB: Verb = Verb { usage: "blind WHO to P · see WHO to P", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (node, name, on) = match words {
        ["blind", node, "to", name] => (node, name, true),
        ["see", node, "to", name] => (node, name, false),
        _ => return None,
    };
    Some(both(who(node), plane(name)).map(|(who, plane)| Action::Blind { who, plane, on }))
}

fn write(action: &Action) -> Option<String> {
    let Action::Blind { who, plane, on } = action else { return None };
    let verb = if *on { "blind" } else { "see" };
    Some(format!("{verb} {} to {}", who_word(*who), PLANES[*plane]))
}
