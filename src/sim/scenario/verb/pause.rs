//! `pause`, `stop`, `suspend`: a process stands still, after it read its clock, between two turns, or with its machine's clock.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{both, micros, node, time, who_word};

pub(super) const VERB: Verb =
    Verb { usage: "pause WHO for TIME · stop WHO for TIME · suspend WHO for TIME", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    if let ["suspend", name, "for", span] = words {
        let read = both(node(name), micros(span));
        return Some(read.map(|(who, span)| Action::Suspend { who, span }));
    }
    let (name, span, after_read) = match words {
        ["pause", name, "for", span] => (name, span, true),
        ["stop", name, "for", span] => (name, span, false),
        _ => return None,
    };
    let read = both(node(name), micros(span));
    Some(read.map(|(who, span)| Action::Pause { who, span, after_read }))
}

fn write(action: &Action) -> Option<String> {
    if let Action::Suspend { who, span } = action {
        return Some(format!("suspend {} for {}", who_word(*who), time(*span)));
    }
    let Action::Pause { who, span, after_read } = action else { return None };
    let verb = if *after_read { "pause" } else { "stop" };
    Some(format!("{verb} {} for {}", who_word(*who), time(*span)))
}
