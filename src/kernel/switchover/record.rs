//! A switchover and its record: they are one thing, kept in the ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::guards::Guards;
use super::table::{Event, IllegalEvent, State};
use crate::kernel::domain::{
    Epoch, GroupName, LedgerTime, MemberId, PlaneName, QuestionId, ServiceName, StatePair,
    SwitchoverId, WallTime,
};

/// Who set it off, and how much is checked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By an operator, with every precheck.
    Planned,
    /// By an operator, with none.
    Forced,
    /// By the quorum.
    Automatic,
    /// By the quorum, after a person who was asked had approved.
    Approved,
}

impl Kind {
    /// Whether ballots against the source stand behind it.
    pub const fn by_ballots(self) -> bool {
        matches!(self, Self::Automatic | Self::Approved)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Planned => "planned",
            Self::Forced => "forced",
            Self::Automatic => "automatic",
            Self::Approved => "approved",
        })
    }
}

/// When something was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTime {
    /// `detected`, `decided`, `routed`, `verified`, or an event of the table.
    pub step: String,
    /// Ledger time.
    pub at: LedgerTime,
    /// Wall clock of the leader that logged it.
    pub wall: WallTime,
    /// Raft term of the entry.
    pub term: u64,
}

/// One move of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switchover {
    /// Its id.
    pub id: SwitchoverId,
    /// The group.
    pub group: GroupName,
    /// From this plane.
    pub from: PlaneName,
    /// To this one.
    pub to: PlaneName,
    /// Who set it off.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// The epoch of the route that it was based on.
    pub base: Epoch,
    /// The epoch of the route that it made.
    pub epoch: Option<Epoch>,
    /// A principal, or `quorum`.
    pub by: String,
    /// Why, in words.
    pub cause: String,
    /// The question whose ballots decided it.
    pub question: Option<QuestionId>,
    /// Those ballots, for the group's services: two letters a service, one a plane.
    pub ballots: BTreeMap<MemberId, BTreeMap<ServiceName, StatePair>>,
    /// What each guard said when it was decided; records of earlier rules do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guards: Option<Arc<Guards>>,
    /// Prechecks that were skipped.
    pub skipped: Vec<String>,
    /// What was done when.
    pub steps: Vec<StepTime>,
    /// Who had not shown the new epoch at the end.
    pub converging: Vec<String>,
    /// How it ended, or what a person has to do.
    pub outcome: String,
}

/// The most steps a record keeps; more cannot happen by the table, but a limit stands anyway.
const STEPS_MAX: usize = 16;

impl Switchover {
    /// Takes an event of the table and notes its time.
    pub fn advance(
        &mut self,
        event: Event,
        at: LedgerTime,
        wall: WallTime,
        term: u64,
    ) -> Result<(), IllegalEvent> {
        self.state = self.state.next(event)?;
        let step = match event {
            Event::Route => "routed",
            Event::Verified => "verified",
            Event::Precheck => "prechecking",
            Event::Verify => "verifying",
            Event::Abandon => "abandoned",
            Event::Undo => "undoing",
            Event::UndoRouted => "undone",
            Event::Strand => "stuck",
            Event::Overtake => "overtaken",
        };
        self.note(step, at, wall, term);
        Ok(())
    }

    /// Notes a time.
    pub fn note(&mut self, step: &str, at: LedgerTime, wall: WallTime, term: u64) {
        if self.steps.len() < STEPS_MAX {
            self.steps.push(StepTime { step: step.to_owned(), at, wall, term });
        }
    }

    /// The term in which its route was logged.
    pub fn routed_in(&self) -> Option<u64> {
        self.steps.iter().find(|step| step.step == "routed").map(|step| step.term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::domain::{Epoch, SwitchoverId};

    #[test]
    fn a_record_keeps_so_many_steps_and_not_one_more() {
        let mut record = Switchover {
            id: SwitchoverId { index: 1, nth: 0 },
            group: GroupName::new("shop").expect("a good name"),
            from: PlaneName::new("east").expect("a good name"),
            to: PlaneName::new("west").expect("a good name"),
            kind: Kind::Planned,
            state: State::Prechecking,
            base: Epoch { generation: 1, counter: 1 },
            epoch: None,
            by: String::new(),
            cause: String::new(),
            question: None,
            ballots: BTreeMap::new(),
            guards: None,
            skipped: Vec::new(),
            steps: Vec::new(),
            converging: Vec::new(),
            outcome: String::new(),
        };
        for noted in 1..=STEPS_MAX + 1 {
            record.note(&noted.to_string(), LedgerTime(0), WallTime(0), 1);
            assert_eq!(record.steps.len(), noted.min(STEPS_MAX));
        }
        assert_eq!(record.steps.last().map(|step| step.step.clone()), Some(STEPS_MAX.to_string()));
    }
}
