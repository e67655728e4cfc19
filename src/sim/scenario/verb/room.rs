//! `room`: how much traffic a plane can carry.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::cluster::PLANES;
use crate::sim::scenario::words::{both, number, plane};

pub(super) const VERB: Verb =
    Verb { usage: "room on P for N groups · room on P for all", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["room", "on", name, "for", "all"] => {
            plane(name).map(|plane| Action::Room { plane, groups: None })
        }
        ["room", "on", name, "for", groups, "groups"] => both(plane(name), number(groups))
            .map(|(plane, groups)| Action::Room { plane, groups: Some(groups) }),
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    let Action::Room { plane, groups } = action else { return None };
    let at = PLANES[*plane];
    Some(match groups {
        None => format!("room on {at} for all"),
        Some(groups) => format!("room on {at} for {groups} groups"),
    })
}
