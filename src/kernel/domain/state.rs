//! What one observer says of one service on one plane.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of a (service, plane) as an observer reports it or as its ballot says.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum HealthState {
    /// Not known: cold start, restart, or no probe that answers the question. Counts for nothing.
    #[default]
    #[serde(rename = "unknown")]
    Unknown,
    /// The service's expression holds and every check passes in good time.
    #[serde(rename = "up")]
    Up,
    /// The expression holds, but a check fails or is slower than its bound.
    #[serde(rename = "degraded")]
    Degraded,
    /// The expression does not hold.
    #[serde(rename = "down")]
    Down,
}

impl HealthState {
    /// One character, as written into the log: `u`, `g`, `d`, `?`.
    pub const fn letter(self) -> char {
        match self {
            Self::Unknown => '?',
            Self::Up => 'u',
            Self::Degraded => 'g',
            Self::Down => 'd',
        }
    }

    /// The state that a letter stands for; every other letter means unknown.
    pub const fn from_letter(letter: char) -> Self {
        match letter {
            'u' => Self::Up,
            'g' => Self::Degraded,
            'd' => Self::Down,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        })
    }
}

/// The states of one service on the two planes, in the order in which the cluster lists its planes.
/// Written as two letters, so that ten thousand of them fit a log entry: `"du"`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(into = "String", from = "String")]
pub struct StatePair(pub [HealthState; 2]);

impl From<StatePair> for String {
    fn from(pair: StatePair) -> Self {
        pair.0.iter().map(|state| state.letter()).collect()
    }
}

impl From<String> for StatePair {
    fn from(text: String) -> Self {
        let mut letters = text.chars();
        let mut next = || HealthState::from_letter(letters.next().unwrap_or('?'));
        Self([next(), next()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_reads_back_as_written() {
        use HealthState::{Degraded, Down, Unknown, Up};
        for a in [Unknown, Up, Degraded, Down] {
            for b in [Unknown, Up, Degraded, Down] {
                let pair = StatePair([a, b]);
                assert_eq!(StatePair::from(String::from(pair)), pair);
            }
        }
    }
}
