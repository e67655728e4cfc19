//! `blind`, `see`, and `roughen` and `smooth` where they name a plane: an observer's way to it.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::cluster::PLANES;
use crate::sim::scenario::words::{
    both, for_word, micros, plane, thousandths, time, until, who, who_word,
};

pub(super) const VERB: Verb = Verb {
    usage: "blind WHO to P [for TIME] · see WHO to P · roughen WHO to P by N lost within TIME · smooth WHO to P",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let way = |node, name| both(who(node), plane(name));
    let rough = |node, name, lost, late| {
        let way = both(way(node, name), both(lost, late));
        way.map(|((who, plane), (lost, late))| Action::RoughSight { who, plane, lost, late })
    };
    let (way_only, span) = until(words);
    Some(match words {
        ["see", node, "to", name] => {
            way(node, name).map(|(who, plane)| Action::Blind { who, plane, on: false, span: None })
        }
        ["roughen", node, "to", name, "by", lost, "lost", "within", late]
            if PLANES.contains(name) =>
        {
            rough(node, name, thousandths(lost), micros(late))
        }
        ["smooth", node, "to", name] if PLANES.contains(name) => rough(node, name, Ok(0), Ok(0)),
        _ => match way_only {
            ["blind", node, "to", name] => both(way(node, name), span)
                .map(|((who, plane), span)| Action::Blind { who, plane, on: true, span }),
            _ => return None,
        },
    })
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::Blind { who, plane, on, span } => {
            let verb = if *on { "blind" } else { "see" };
            format!("{verb} {} to {}{}", who_word(*who), PLANES[*plane], for_word(*span))
        }
        Action::RoughSight { who, plane, lost: 0, late: 0 } => {
            format!("smooth {} to {}", who_word(*who), PLANES[*plane])
        }
        Action::RoughSight { who, plane, lost, late } => {
            let way = format!("{} to {}", who_word(*who), PLANES[*plane]);
            format!("roughen {way} by {lost} lost within {}", time(*late))
        }
        _ => return None,
    })
}
