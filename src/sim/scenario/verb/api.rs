//! `shut`, `open`: the way from outside to a node's API or DNS server.

use super::Verb;
use crate::sim::action::{Action, Outsider};
use crate::sim::scenario::words::{both, who, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "shut WHO to gateway|clients|resolvers · open WHO to gateway|clients|resolvers",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (node, from, on) = match words {
        ["shut", node, "to", from] => (node, from, true),
        ["open", node, "to", from] => (node, from, false),
        _ => return None,
    };
    let from = match *from {
        "gateway" => Ok(Outsider::Gateway),
        "clients" => Ok(Outsider::Clients),
        "resolvers" => Ok(Outsider::Resolvers),
        other => Err(format!("`{other}` is not outside: gateway, clients or resolvers")),
    };
    Some(both(who(node), from).map(|(who, from)| Action::CutApi { who, from, on }))
}

fn write(action: &Action) -> Option<String> {
    let Action::CutApi { who, from, on } = action else { return None };
    let verb = if *on { "shut" } else { "open" };
    let from = match from {
        Outsider::Gateway => "gateway",
        Outsider::Clients => "clients",
        Outsider::Resolvers => "resolvers",
    };
    Some(format!("{verb} {} to {from}", who_word(*who)))
}
