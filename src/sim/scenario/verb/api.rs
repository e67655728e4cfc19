//! `shut`, `open`, `roughen`, `smooth`: the way between a node and those outside: its API, its DNS server, the front door.

use super::Verb;
use crate::sim::action::{Action, Outsider, Rough};
use crate::sim::scenario::words::{
    both, for_word, micros, node, thousandths, time, until, who_word,
};

pub(super) const VERB: Verb = Verb {
    usage: "shut WHO to OUTSIDER [for TIME] · open WHO to OUTSIDER · \
            roughen WHO to OUTSIDER by N lost [N twice] within TIME · smooth WHO to OUTSIDER",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let cut = |who, from, on, span| {
        let way = both(both(node(who), outsider(from)), span);
        way.map(|((who, from), span)| Action::CutApi { who, from, on, span })
    };
    let rough = |who, from, lost, twice, late| {
        let way = both(both(node(who), outsider(from)), both(both(lost, twice), late));
        way.map(|((who, from), ((lost, twice), late))| {
            let rough = Rough { lost, twice, late };
            Action::RoughApi { who, from, rough }
        })
    };
    let (way, span) = until(words);
    Some(match words {
        ["open", who, "to", from] => cut(who, from, false, Ok(None)),
        ["roughen", who, "to", from, "by", lost, "lost", "within", late] => {
            rough(who, from, thousandths(lost), Ok(0), micros(late))
        }
        ["roughen", who, "to", from, "by", lost, "lost", twice, "twice", "within", late] => {
            rough(who, from, thousandths(lost), thousandths(twice), micros(late))
        }
        ["smooth", who, "to", from] => rough(who, from, Ok(0), Ok(0), Ok(0)),
        _ => match way {
            ["shut", who, "to", from] => cut(who, from, true, span),
            _ => return None,
        },
    })
}

fn outsider(word: &str) -> Result<Outsider, String> {
    let known = Outsider::ALL.into_iter().find(|known| word_of(*known) == word);
    known.ok_or_else(|| {
        format!("`{word}` is not outside: gateway, clients, resolvers or door; or a plane, to roughen and smooth")
    })
}

const fn word_of(from: Outsider) -> &'static str {
    match from {
        Outsider::Gateway => "gateway",
        Outsider::Clients => "clients",
        Outsider::Resolvers => "resolvers",
        Outsider::Door => "door",
    }
}

fn write(action: &Action) -> Option<String> {
    Some(match action {
        Action::CutApi { who, from, on, span } => {
            let verb = if *on { "shut" } else { "open" };
            format!("{verb} {} to {}{}", who_word(*who), word_of(*from), for_word(*span))
        }
        Action::RoughApi { who, from, rough } if *rough == Rough::default() => {
            format!("smooth {} to {}", who_word(*who), word_of(*from))
        }
        Action::RoughApi { who, from, rough: Rough { lost, twice, late } } => {
            let way = format!("{} to {}", who_word(*who), word_of(*from));
            let twice = if *twice > 0 { format!("{twice} twice ") } else { String::new() };
            format!("roughen {way} by {lost} lost {twice}within {}", time(*late))
        }
        _ => return None,
    })
}
