//! `cut`, `heal`: links between members.

use super::Verb;
use crate::sim::action::{Action, Ways};
use crate::sim::scenario::words::{both, for_word, place, place_word, until, who, who_word};

pub(super) const VERB: Verb = Verb {
    usage: "cut off WHO [in|out] [for TIME] · cut MEMBER from MEMBER [for TIME] · cut MEMBER to MEMBER [for TIME] · heal",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (words, span) = until(words);
    let off = |node, ways| {
        both(who(node), span.clone()).map(|(who, span)| Action::CutOff { who, ways, span })
    };
    let link = |one, other, one_way| {
        let link = both(both(place(one), place(other)), span.clone());
        link.map(|((from, to), span)| Action::Cut { from, to, one_way, span })
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
        Action::CutOff { who, ways, span } => {
            let ways = match ways {
                Ways::Both => "",
                Ways::In => " in",
                Ways::Out => " out",
            };
            format!("cut off {}{ways}{}", who_word(*who), for_word(*span))
        }
        Action::Cut { from, to, one_way, span } => {
            let way = if *one_way { "to" } else { "from" };
            let link = format!("{} {way} {}", place_word(*from), place_word(*to));
            format!("cut {link}{}", for_word(*span))
        }
        Action::Heal => "heal".to_owned(),
        _ => return None,
    })
}
