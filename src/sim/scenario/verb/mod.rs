//! What can be done in a scenario: one file for each verb or pair of verbs, with how it is read, how it is written, and the line of
//! `simulations/README.md` that explains it.

mod api;
mod ask;
mod calm;
mod clock;
mod crash;
mod cut;
mod disk;
mod doom;
mod frames;
mod gateway;
mod pause;
mod plane;
mod room;
mod sight;

use crate::sim::action::Action;

/// One verb.
pub(super) struct Verb {
    /// As the README shows it.
    pub(super) usage: &'static str,
    /// What these words do; nothing when they begin with another verb.
    read: fn(&[&str]) -> Option<Result<Action, String>>,
    /// The words for an action; nothing when it is another verb's.
    write: fn(&Action) -> Option<String>,
}

/// All of them.
pub(super) const VERBS: [Verb; 14] = [
    plane::VERB,
    room::VERB,
    sight::VERB,
    crash::VERB,
    doom::VERB,
    pause::VERB,
    cut::VERB,
    frames::VERB,
    clock::VERB,
    disk::VERB,
    gateway::VERB,
    api::VERB,
    ask::VERB,
    calm::VERB,
];

/// What these words do.
pub(super) fn read(words: &[&str]) -> Result<Action, String> {
    VERBS.iter().find_map(|verb| (verb.read)(words)).unwrap_or_else(|| {
        let known = || VERBS.iter().map(|verb| verb.usage).flat_map(|usage| usage.split(" · "));
        let first = words.first().copied().unwrap_or_default();
        let alike: Vec<&str> =
            known().filter(|form| form.split(' ').next() == Some(first)).collect();
        let forms = if alike.is_empty() { known().collect() } else { alike };
        Err(format!("`{}` cannot be done: write {}", words.join(" "), forms.join(" · ")))
    })
}

/// The words for an action: read again, they do the same.
pub(super) fn write(action: &Action) -> String {
    let words = VERBS.iter().find_map(|verb| (verb.write)(action));
    words.expect("a test writes an action of every kind")
}
