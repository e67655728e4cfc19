//! `cut`, `heal`: links between members.

use super::Verb;
use crate::sim::action::{Action, Ways};
use crate::sim::scenario::words::{both, place, place_word, who, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "cut off WHO [in|out] · cut MEMBER from MEMBER · cut MEMBER to MEMBER · heal",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let off = |node, ways| who(node).map(|who| Action::CutOff { who, ways });
    let link = |one, other, one_way| {
        both(place(one), place(other)).map(|(from, to)| Action::Cut { from, to, one_way })
    };
    Some(match words {
        ["cut", "off", node] => off(node, Ways::Both),
        ["cut", "off", node, "in"] => off(node, Ways::In),
        ["cut", "off", node, "out"] => off(node, Ways::Out),
        ["cut", one, "from", other] => link(one, other, false),
        ["cut", one, "to", other] => link(one, other, true),
        ["heal"] => Ok(Action::Heal),
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::CutOff { who, ways } => {
            let ways = match ways {
                Ways::Both => "",
                Ways::In => " in",
                Ways::Out => " out",
            };
            format!("cut off {}{ways}", who_word(*who))
        }
        Action::Cut { from, to, one_way } => {
            let way = if *one_way { "to" } else { "from" };
            format!("cut {} {way} {}", place_word(*from), place_word(*to))
        }
        Action::Heal => "heal".to_owned(),
        _ => return None,
    })
}
