//! `clock`, `wall clock`: a monotonic clock runs wrong, a wall clock jumps.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{both, number, who, who_word};

pub(super) const VERB: Verb =
    Verb { usage: "clock of WHO runs PPM · wall clock of WHO steps MILLISECONDS", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["clock", "of", node, "runs", ppm] => {
            both(who(node), number(ppm)).map(|(who, ppm)| Action::ClockRate { who, ppm })
        }
        ["wall", "clock", "of", node, "steps", by] => {
            both(who(node), number(by)).map(|(who, by_ms)| Action::WallStep { who, by_ms })
        }
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::ClockRate { who, ppm } => format!("clock of {} runs {ppm}", who_word(*who)),
        Action::WallStep { who, by_ms } => {
            format!("wall clock of {} steps {by_ms}", who_word(*who))
        }
        _ => return None,
    })
}
