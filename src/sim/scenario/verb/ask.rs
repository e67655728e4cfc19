//! `ask`: an operator asks a node; without `ask WHO` it is a follower.

use super::Verb;
use crate::sim::action::{Action, Who};
use crate::sim::client::Wish;
use crate::sim::scenario::words::{both, group, node, number, plane_name, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "[ask WHO] switch GROUP [to P] [forced] · freeze GROUP|all · thaw GROUP|all · drain P · undrain P · \
            approve · deny · configure N · read · read WHO",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["read", name] => node(name).map(|who| Action::Ask { who, wish: Wish::Read }),
        ["ask", name, rest @ ..] => {
            let wish = read_wish(rest).unwrap_or_else(|| {
                Err(format!(
                    "`{}` cannot be asked for: switch, freeze, thaw, drain, undrain, approve, deny, configure or read",
                    rest.join(" ")
                ))
            });
            both(node(name), wish).map(|(who, wish)| Action::Ask { who, wish })
        }
        _ => read_wish(words)?.map(|wish| Action::Ask { who: Who::Follower, wish }),
    })
}

fn read_wish(words: &[&str]) -> Option<Result<Wish, String>> {
    let (words, forced) = match words {
        [rest @ .., "forced"] => (rest, true),
        _ => (words, false),
    };
    if forced && words.first() != Some(&"switch") {
        return Some(Err("only a switch can be forced".to_owned()));
    }
    let freeze = |name: &str, on| {
        let groups =
            if name == "all" { Ok(Vec::new()) } else { group(name).map(|name| vec![name]) };
        groups.map(|groups| Wish::Freeze { groups, on })
    };
    let drain = |name: &str, on| plane_name(name).map(|plane| Wish::Drain { plane, on });
    Some(match words {
        ["switch", name] => group(name).map(|group| Wish::Switch { group, to: None, forced }),
        ["switch", name, "to", to] => both(group(name), plane_name(to))
            .map(|(group, to)| Wish::Switch { group, to: Some(to), forced }),
        ["freeze", name] => freeze(name, true),
        ["thaw", name] => freeze(name, false),
        ["drain", name] => drain(name, true),
        ["undrain", name] => drain(name, false),
        ["approve"] => Ok(Wish::Answer { approve: true }),
        ["deny"] => Ok(Wish::Answer { approve: false }),
        ["configure", which] => number(which).map(Wish::Configure),
        ["read"] => Ok(Wish::Read),
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    let Action::Ask { who, wish } = action else { return None };
    let wish = match wish {
        Wish::Read => "read".to_owned(),
        Wish::Switch { group, to, forced } => {
            let to = to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
            format!("switch {group}{to}{}", if *forced { " forced" } else { "" })
        }
        Wish::Freeze { groups, on } => {
            let verb = if *on { "freeze" } else { "thaw" };
            format!("{verb} {}", groups.first().map_or("all", |group| group.as_str()))
        }
        Wish::Answer { approve } => if *approve { "approve" } else { "deny" }.to_owned(),
        Wish::Configure(which) => format!("configure {which}"),
        Wish::Drain { plane, on } => format!("{} {plane}", if *on { "drain" } else { "undrain" }),
    };
    Some(format!("ask {} {wish}", who_word(*who)))
}
