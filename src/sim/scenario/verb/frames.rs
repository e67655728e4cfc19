//! `hold`, `lose`: frames of one kind travel slowly, or do not arrive.

use super::Verb;
use crate::sim::action::{Action, Frames};
use crate::sim::frame::Kind;
use crate::sim::scenario::words::{both, micros, place, place_word, thousandths, time};

pub(super) const VERB: Verb = Verb {
    usage: "hold KIND TIME [from MEMBER] [to MEMBER] · lose KIND N [from MEMBER] [to MEMBER]",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let (verb, name, much, link) = match words {
        [verb @ ("hold" | "lose"), kind, much, link @ ..] => (*verb, *kind, *much, link),
        _ => return None,
    };
    let frames = both(kind(name), ends(link));
    let frames = frames.map(|(kind, (from, to))| Frames { kind, from, to });
    Some(if verb == "hold" {
        both(frames, micros(much)).map(|(frames, by)| Action::Hold { frames, by })
    } else {
        both(frames, thousandths(much)).map(|(frames, lost)| Action::Lose { frames, lost })
    })
}

fn kind(word: &str) -> Result<Kind, String> {
    let known = Kind::ALL.into_iter().find(|(_, known)| *known == word);
    known.map(|(kind, _)| kind).ok_or_else(|| {
        let words = Kind::ALL.map(|(_, word)| word).join(", ");
        format!("`{word}` is no kind of frame: {words}")
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

fn write(action: &Action) -> Option<String> {
    let (frames, words) = match action {
        Action::Hold { frames, by } => {
            (frames, format!("hold {} {}", frames.kind.word(), time(*by)))
        }
        Action::Lose { frames, lost } => (frames, format!("lose {} {lost}", frames.kind.word())),
        _ => return None,
    };
    let end = |word: &str, place: Option<usize>| {
        place.map_or_else(String::new, |place| format!(" {word} {}", place_word(place)))
    };
    Some(words + &end("from", frames.from) + &end("to", frames.to))
}
