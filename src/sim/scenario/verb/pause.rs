//! `pause`, `stop`: a process stands still, after it read its clock or between two turns.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{both, micros, time, who, who_word};

pub(super) const VERB: Verb =
    Verb { usage: "pause WHO for TIME · stop WHO for TIME", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (node, span, after_read) = match words {
        ["pause", node, "for", span] => (node, span, true),
        ["stop", node, "for", span] => (node, span, false),
        _ => return None,
    };
    let read = both(who(node), micros(span));
    Some(read.map(|(who, span)| Action::Pause { who, span, after_read }))
}

fn write(action: &Action) -> Option<String> {
    let Action::Pause { who, span, after_read } = action else { return None };
    let verb = if *after_read { "pause" } else { "stop" };
    Some(format!("{verb} {} for {}", who_word(*who), time(*span)))
}
