//! `crash`, `retire`, `start`: a process dies, is asked to stop, begins.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{both, micros, node, time, who, who_word};

pub(super) const VERB: Verb =
    Verb { usage: "crash WHO [for TIME] · retire WHO for TIME · start WHO", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["crash", name] => who(name).map(|who| Action::Crash { who, down: None }),
        ["crash", name, "for", span] => {
            both(who(name), micros(span)).map(|(who, down)| Action::Crash { who, down: Some(down) })
        }
        ["retire", name, "for", down] => {
            both(node(name), micros(down)).map(|(who, down)| Action::Retire { who, down })
        }
        ["start", name] => who(name).map(Action::Start),
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::Crash { who, down: None } => format!("crash {}", who_word(*who)),
        Action::Crash { who, down: Some(down) } => {
            format!("crash {} for {}", who_word(*who), time(*down))
        }
        Action::Retire { who, down } => format!("retire {} for {}", who_word(*who), time(*down)),
        Action::Start(who) => format!("start {}", who_word(*who)),
        _ => return None,
    })
}
