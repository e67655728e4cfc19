//! `gateway`: its process.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::gateway::NAMES;

pub(super) const VERB: Verb =
    Verb { usage: "gateway down|up · gateway front|back down|up", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (name, word) = match words {
        ["gateway", word] => (NAMES[0], word),
        ["gateway", name, word] => (*name, word),
        _ => return None,
    };
    let up = match *word {
        "up" => true,
        "down" => false,
        _ => return None,
    };
    let which = NAMES.iter().position(|known| *known == name);
    let which = which.ok_or_else(|| {
        format!("`{name}` is not a gateway: front, or back with `world gateways 2`")
    });
    Some(which.map(|which| Action::Gateway { which, up }))
}

fn write(action: &Action) -> Option<String> {
    let Action::Gateway { which, up } = action else { return None };
    let word = if *up { "up" } else { "down" };
    Some(match which {
        0 => format!("gateway {word}"),
        which => format!("gateway {} {word}", NAMES[*which]),
    })
}
