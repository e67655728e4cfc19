//! `shut`, `open`, `roughen`, `smooth`: the way from outside to a node's API or DNS server.

use super::Verb;
use crate::sim::action::{Action, Outsider};
use crate::sim::scenario::words::{both, micros, node, thousandths, time, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "shut WHO to gateway|clients|resolvers · open WHO to gateway|clients|resolvers · \
            roughen WHO to gateway|clients|resolvers by N lost within TIME · smooth WHO to gateway|clients|resolvers",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let cut = |who, from, on| {
        both(node(who), outsider(from)).map(|(who, from)| Action::CutApi { who, from, on })
    };
    let rough = |who, from, lost, late| {
        let way = both(both(node(who), outsider(from)), both(lost, late));
        way.map(|((who, from), (lost, late))| Action::RoughApi { who, from, lost, late })
    };
    Some(match words {
        ["shut", who, "to", from] => cut(who, from, true),
        ["open", who, "to", from] => cut(who, from, false),
        ["roughen", who, "to", from, "by", lost, "lost", "within", late] => {
            rough(who, from, thousandths(lost), micros(late))
        }
        ["smooth", who, "to", from] => rough(who, from, Ok(0), Ok(0)),
        _ => return None,
    })
}

fn outsider(word: &str) -> Result<Outsider, String> {
    match word {
        "gateway" => Ok(Outsider::Gateway),
        "clients" => Ok(Outsider::Clients),
        "resolvers" => Ok(Outsider::Resolvers),
        other => Err(format!("`{other}` is not outside: gateway, clients or resolvers")),
    }
}

const fn word_of(from: Outsider) -> &'static str {
    match from {
        Outsider::Gateway => "gateway",
        Outsider::Clients => "clients",
        Outsider::Resolvers => "resolvers",
    }
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::CutApi { who, from, on } => {
            let verb = if *on { "shut" } else { "open" };
            format!("{verb} {} to {}", who_word(*who), word_of(*from))
        }
        Action::RoughApi { who, from, lost: 0, late: 0 } => {
            format!("smooth {} to {}", who_word(*who), word_of(*from))
        }
        Action::RoughApi { who, from, lost, late } => format!(
            "roughen {} to {} by {lost} lost within {}",
            who_word(*who),
            word_of(*from),
            time(*late)
        ),
        _ => return None,
    })
}
