//! `calm`: the weather is fair again, disks are honest, nobody is doomed.

use super::Verb;
use crate::sim::action::Action;

pub(super) const VERB: Verb = Verb { usage: "calm", read, write };

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    (words == ["calm"]).then_some(Ok(Action::Calm))
}

fn write(action: &Action) -> Option<String> {
    (*action == Action::Calm).then(|| "calm".to_owned())
}
