//! The decision: stay, hold, ask, switch.

use std::fmt;

use super::guard::{Facts, Hold, holds, source_holds, target_holds};
use super::settings::Mode;

/// What to do with a group now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The source is well.
    Stay,
    /// Something is wrong, and moving is held: the reasons, most important first.
    Hold(Vec<Hold>),
    /// The source is out, the target is good: a person is asked.
    Ask,
    /// The source is out, the target is good, every guard is open.
    Switch,
}

impl Decision {
    /// The word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Stay => "stay",
            Self::Hold(_) => "hold",
            Self::Ask => "ask",
            Self::Switch => "switch",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stay => f.write_str("the active plane is well"),
            Self::Hold(reasons) => {
                for (place, reason) in reasons.iter().enumerate() {
                    if place > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{reason}")?;
                }
                Ok(())
            }
            Self::Ask => f.write_str(
                "the active plane is out and the other is good: a person approves, or denies",
            ),
            Self::Switch => {
                f.write_str("the active plane is out, the other is good, and every guard is open")
            }
        }
    }
}

/// Decides. Pure: the same facts give the same decision on every node.
pub fn decide(facts: &Facts<'_>) -> Decision {
    if facts.source.good() {
        return Decision::Stay;
    }
    if let Some(hold) = source_holds(facts) {
        return Decision::Hold(vec![hold]);
    }
    match facts.policy.mode {
        Mode::Auto => {
            let reasons = holds(facts);
            if reasons.is_empty() { Decision::Switch } else { Decision::Hold(reasons) }
        }
        Mode::Ask => {
            let mut reasons = target_holds(facts);
            if facts.in_flight {
                reasons.push(Hold::InFlight);
            }
            match reasons.is_empty() {
                true if facts.approved => Decision::Switch,
                true => Decision::Ask,
                false => Decision::Hold(reasons),
            }
        }
        Mode::Observe => Decision::Hold(vec![Hold::Observed]),
    }
}

#[cfg(test)]
mod tests;
