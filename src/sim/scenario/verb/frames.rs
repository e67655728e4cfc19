//! `hold`, `lose`, `double`: frames of one kind, or all, travel slowly, do not arrive, or come twice.

use super::Verb;
use crate::sim::action::{Action, Frames};
use crate::sim::frame::Kind;
use crate::sim::scenario::words::{both, micros, place, place_word, thousandths, time};

pub(super) const VERB: Verb = Verb {
    usage: "hold KIND TIME [from MEMBER] [to MEMBER] · lose KIND N [from MEMBER] [to MEMBER] · \
            double KIND N within TIME [from MEMBER] [to MEMBER]",
    read,
    write,
};

/// Frames of every kind.
const ALL: &str = "all";

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let frames = |name, link| {
        both(kind(name), ends(link)).map(|(kind, (from, to))| Frames { kind, from, to })
    };
    Some(match words {
        ["hold", kind, by, link @ ..] => {
            both(frames(kind, link), micros(by)).map(|(frames, by)| Action::Hold { frames, by })
        }
        ["lose", kind, lost, link @ ..] => both(frames(kind, link), thousandths(lost))
            .map(|(frames, lost)| Action::Lose { frames, lost }),
        ["double", kind, twice, "within", late, link @ ..] => {
            both(frames(kind, link), both(thousandths(twice), micros(late)))
                .map(|(frames, (twice, within))| Action::Double { frames, twice, within })
        }
        _ => return None,
    })
}

fn kind(word: &str) -> Result<Option<Kind>, String> {
    if word == ALL {
        return Ok(None);
    }
    let known = Kind::ALL.into_iter().find(|(_, known)| *known == word);
    known.map(|(kind, _)| Some(kind)).ok_or_else(|| {
        let words = Kind::ALL.map(|(_, word)| word).join(", ");
        format!("`{word}` is no kind of frame: {ALL}, {words}")
    })
}

fn ends(words: &[&str]) -> Result<(Option<usize>, Option<usize>), String> {
    Ok(match words {
        [] => (None, None),
        ["from", from] => (Some(place(from)?), None),
        ["to", to] => (None, Some(place(to)?)),
        ["from", from, "to", to] => (Some(place(from)?), Some(place(to)?)),
        _ => return Err(format!("`{}`: write from MEMBER, to MEMBER, or both", words.join(" "))),
    })
}

fn word(frames: &Frames) -> &'static str {
    frames.kind.map_or(ALL, Kind::word)
}

fn write(action: &Action) -> Option<String> {
    let (frames, words) = match action {
        Action::Hold { frames, by } => (frames, format!("hold {} {}", word(frames), time(*by))),
        Action::Lose { frames, lost } => (frames, format!("lose {} {lost}", word(frames))),
        Action::Double { frames, twice, within } => {
            (frames, format!("double {} {twice} within {}", word(frames), time(*within)))
        }
        _ => return None,
    };
    let end = |word: &str, place: Option<usize>| {
        place.map_or_else(String::new, |place| format!(" {word} {}", place_word(place)))
    };
    Some(words + &end("from", frames.from) + &end("to", frames.to))
}
