//! `disk`: it fails, stands still, or lies about a sync.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::scenario::words::{both, micros, node, number, time, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "disk of WHO fails for TIME · disk of WHO is full for TIME · disk of WHO stalls for TIME · \
            disk of WHO lies for N syncs · disk of WHO rots",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["disk", "of", name, "fails", "for", span] => {
            both(node(name), micros(span)).map(|(who, mended)| Action::DiskFail { who, mended })
        }
        ["disk", "of", name, "is", "full", "for", span] => {
            both(node(name), micros(span)).map(|(who, mended)| Action::DiskFull { who, mended })
        }
        ["disk", "of", name, "rots"] => node(name).map(Action::DiskRots),
        ["disk", "of", name, "stalls", "for", span] => {
            both(node(name), micros(span)).map(|(who, span)| Action::DiskStall { who, span })
        }
        ["disk", "of", name, "lies", "for", syncs, "syncs"] => {
            both(node(name), number(syncs)).map(|(who, syncs)| Action::DiskLie { who, syncs })
        }
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::DiskFail { who, mended } => {
            format!("disk of {} fails for {}", who_word(*who), time(*mended))
        }
        Action::DiskFull { who, mended } => {
            format!("disk of {} is full for {}", who_word(*who), time(*mended))
        }
        Action::DiskRots(who) => format!("disk of {} rots", who_word(*who)),
        Action::DiskStall { who, span } => {
            format!("disk of {} stalls for {}", who_word(*who), time(*span))
        }
        Action::DiskLie { who, syncs } => {
            format!("disk of {} lies for {syncs} syncs", who_word(*who))
        }
        _ => return None,
    })
}
