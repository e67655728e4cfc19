//! `crash`, `start`: a process dies, a process begins.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{both, micros, time, who, who_word};

pub(super) const VERB: Verb = Verb { usage: "crash WHO [for TIME] · start WHO", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["crash", node] => who(node).map(|who| Action::Crash { who, down: None }),
        ["crash", node, "for", span] => {
            both(who(node), micros(span)).map(|(who, down)| Action::Crash { who, down: Some(down) })
        }
        ["start", node] => who(node).map(Action::Start),
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::Crash { who, down: None } => format!("crash {}", who_word(*who)),
        Action::Crash { who, down: Some(down) } => {
            format!("crash {} for {}", who_word(*who), time(*down))
        }
        Action::Start(who) => format!("start {}", who_word(*who)),
        _ => return None,
    })
}
