//! The state machine of a switchover of a `shared` group. The table is the machine; the picture in
//! `docs/reference/switchover.dot` is made from it and compared by a test.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// Where a switchover stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Accepted; nothing done.
    Planned,
    /// Its ballots are being gathered or are checked.
    Prechecking,
    /// The route has changed in the ledger.
    Routing,
    /// The effect is asked for from outside.
    Verifying,
    /// Verified.
    Done,
    /// The route goes back.
    Undoing,
    /// Ended where it began.
    Undone,
    /// A person is needed.
    Stuck,
    /// A newer decision took its place.
    Overtaken,
}

/// What can happen to it. Each is a command in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Prechecks begin.
    Precheck,
    /// Prechecks passed (or are skipped by force): the route changes.
    Route,
    /// Prechecks failed, or new ballots do not suffice.
    Abandon,
    /// The leader shows the new route; the world is asked.
    Verify,
    /// Everybody who must shows the new epoch.
    Verified,
    /// They do not, and the source is up: the route goes back.
    Undo,
    /// They do not, and there is no way back; or no gateway follows, and nothing else says that users did not.
    Strand,
    /// The old plane is routed again.
    UndoRouted,
    /// A newer decision takes its place.
    Overtake,
}

/// Every legal step: from, event, to.
pub const TABLE: &[(State, Event, State)] = &[
    (State::Planned, Event::Precheck, State::Prechecking),
    (State::Planned, Event::Abandon, State::Undone),
    (State::Prechecking, Event::Route, State::Routing),
    (State::Prechecking, Event::Abandon, State::Undone),
    (State::Routing, Event::Verify, State::Verifying),
    (State::Verifying, Event::Verified, State::Done),
    (State::Verifying, Event::Undo, State::Undoing),
    (State::Verifying, Event::Strand, State::Stuck),
    (State::Verifying, Event::Overtake, State::Overtaken),
    (State::Undoing, Event::UndoRouted, State::Undone),
    (State::Undoing, Event::Strand, State::Stuck),
    (State::Stuck, Event::Overtake, State::Overtaken),
];

/// An event that the table does not know in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a switchover that is {state} takes no `{event}`")]
pub struct IllegalEvent {
    /// The state it is in.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl State {
    /// Every state, in the order of a switchover's life.
    pub const ALL: [Self; 9] = [
        Self::Planned,
        Self::Prechecking,
        Self::Routing,
        Self::Verifying,
        Self::Done,
        Self::Undoing,
        Self::Undone,
        Self::Stuck,
        Self::Overtaken,
    ];

    /// The state after an event.
    pub fn next(self, event: Event) -> Result<Self, IllegalEvent> {
        TABLE
            .iter()
            .find(|(from, on, _)| *from == self && *on == event)
            .map(|(_, _, to)| *to)
            .ok_or(IllegalEvent { state: self, event })
    }

    /// Whether it bars a newer decision for its group. `Verifying` and `Stuck` give way.
    pub const fn in_flight(self) -> bool {
        matches!(self, Self::Planned | Self::Prechecking | Self::Routing | Self::Undoing)
    }

    /// Whether nothing more happens to it by itself.
    pub fn ended(self) -> bool {
        self == Self::Stuck || !TABLE.iter().any(|(from, _, _)| *from == self)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Planned => "planned",
            Self::Prechecking => "prechecking",
            Self::Routing => "routing",
            Self::Verifying => "verifying",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Stuck => "stuck",
            Self::Overtaken => "overtaken",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Precheck => "precheck",
            Self::Route => "route",
            Self::Abandon => "abandon",
            Self::Verify => "verify",
            Self::Verified => "verified",
            Self::Undo => "undo",
            Self::Strand => "strand",
            Self::UndoRouted => "undo-routed",
            Self::Overtake => "overtake",
        })
    }
}

/// The table as a Graphviz picture.
pub fn picture() -> String {
    let mut dot = String::from("digraph switchover {\n  rankdir = LR;\n");
    for state in State::ALL {
        let shape = if state.ended() { "doubleoctagon" } else { "box" };
        let _ = writeln!(dot, "  \"{state}\" [shape = {shape}];");
    }
    for (from, event, to) in TABLE {
        let _ = writeln!(dot, "  \"{from}\" -> \"{to}\" [label = \"{event}\"];");
    }
    dot.push_str("}\n");
    dot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_reached_and_every_pair_is_decided_once() {
        for state in State::ALL {
            assert!(
                state == State::Planned || TABLE.iter().any(|(_, _, to)| *to == state),
                "{state}"
            );
        }
        for (place, (from, event, _)) in TABLE.iter().enumerate() {
            let again = TABLE[..place].iter().any(|(f, e, _)| f == from && e == event);
            assert!(!again, "{from} × {event} stands twice");
        }
    }

    #[test]
    fn an_event_that_is_not_in_the_table_is_refused() {
        let refused = State::Done.next(Event::Route).expect_err("done is done");
        assert_eq!(refused.to_string(), "a switchover that is done takes no `route`");
    }

    #[test]
    fn only_stuck_and_the_ends_have_ended() {
        let ended: Vec<_> = State::ALL.into_iter().filter(|state| state.ended()).collect();
        assert_eq!(ended, [State::Done, State::Undone, State::Stuck, State::Overtaken]);
    }

    #[test]
    fn the_picture_in_docs_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/switchover.dot");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(path, picture()).expect("docs/reference can be written");
        }
        let committed = std::fs::read_to_string(path).expect("the picture is committed");
        assert_eq!(committed, picture(), "run the tests with REWRITE=1 and look at the difference");
    }
}
