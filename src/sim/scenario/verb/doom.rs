//! `doom`: a process dies at a moment, not at a time.

use super::Verb;
use crate::sim::action::{Action, Doom};
use crate::sim::scenario::words::{both, micros, node, number, time, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "doom WHO after vote for TIME · doom WHO in write for TIME · doom WHO after N outputs for TIME",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (name, doom, down) = match words {
        ["doom", name, "after", "vote", "for", down] => (name, Ok(Doom::AfterVote), down),
        ["doom", name, "in", "write", "for", down] => (name, Ok(Doom::InWrite), down),
        ["doom", name, "after", count, "outputs", "for", down] => {
            (name, number(count).map(Doom::AfterOutputs), down)
        }
        _ => return None,
    };
    let read = both(node(name), both(doom, micros(down)));
    Some(read.map(|(who, (doom, down))| Action::Doom { who, doom, down }))
}

fn write(action: &Action) -> Option<String> {
    let Action::Doom { who, doom, down } = action else { return None };
    let when = match doom {
        Doom::AfterVote => "after vote".to_owned(),
        Doom::InWrite => "in write".to_owned(),
        Doom::AfterOutputs(count) => format!("after {count} outputs"),
    };
    Some(format!("doom {} {when} for {}", who_word(*who), time(*down)))
}
