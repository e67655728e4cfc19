//! Pictures of a run: what happened, kept as values with their places in time, and written as one page for people
//! (`html`) or as lines for programs (`jsonl`). Kept only when asked for; nothing in a run depends on it.
//!
//! `model` is what a picture holds, `recorder` is told of a run as it goes, `decisions` reads what nodes show,
//! `processes` follows what lives, `faults` finds spans for what is broken and `fault_words` the words.

mod decisions;
mod fault_words;
mod faults;
mod html;
mod jsonl;
mod model;
mod processes;
mod recorder;

#[cfg(test)]
mod tests;

pub use html::write as html;
pub use jsonl::write as jsonl;
pub use model::{Band, Class, Event, Fate, Head, Lane, LaneKind, Message, Picture, Strip};
pub use recorder::Recorder;
