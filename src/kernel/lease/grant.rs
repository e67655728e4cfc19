//! The controllers' side of a renewal: it is answered from a state that a quorum confirmed after it had arrived (rule 3).
//! One round of confirmation serves all that have gathered.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::limits::RENEWALS;
use super::renewal::{Answer, Refusal, Renewal};
use super::tenure::Tenure;
use crate::kernel::domain::GroupName;

/// A round of confirmation: a ReadIndex, begun after every one of its renewals had arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Round {
    number: u64,
    renewals: Vec<Renewal>,
    /// What must be applied before it is answered, once the quorum has spoken.
    index: Option<u64>,
}

/// What waits at one controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Granting {
    gathered: Vec<Renewal>,
    rounds: VecDeque<Round>,
    numbers: u64,
}

/// Too many renewals wait: this one is not taken, and its holder asks again, here or elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{RENEWALS} renewals wait here already")]
pub struct GrantingFull;

impl Granting {
    /// A renewal has arrived.
    ///
    /// # Errors
    /// When too many wait.
    pub fn arrived(&mut self, renewal: Renewal) -> Result<(), GrantingFull> {
        if self.len() >= RENEWALS {
            return Err(GrantingFull);
        }
        self.gathered.push(renewal);
        Ok(())
    }

    /// Begins a round for all that have arrived; its number, which nothing else ever had. None when nothing waits.
    pub fn begin(&mut self) -> Option<u64> {
        if self.gathered.is_empty() {
            return None;
        }
        self.numbers += 1;
        let renewals = std::mem::take(&mut self.gathered);
        self.rounds.push_back(Round { number: self.numbers, renewals, index: None });
        Some(self.numbers)
    }

    /// A quorum has confirmed a round: whoever answers has applied at least up to this index.
    pub fn confirmed(&mut self, number: u64, index: u64) {
        // A younger round confirms those before it, too: it was begun after they had arrived.
        for round in self.rounds.iter_mut().take_while(|round| round.number <= number) {
            round.index.get_or_insert(index);
        }
    }

    /// Answers what is confirmed, from a state as of an applied index.
    pub fn answer<'a>(
        &mut self,
        applied: u64,
        tenure: impl Fn(&GroupName) -> Option<&'a Tenure>,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        while self.is_due(applied) {
            let Some(round) = self.rounds.pop_front() else { break };
            answers.extend(round.renewals.into_iter().map(|renewal| {
                let judged = tenure(&renewal.group).ok_or(Refusal::NoGroup {});
                match judged.and_then(|tenure| tenure.judge(&renewal)) {
                    Ok(()) => Answer::Granted(renewal),
                    Err(why) => Answer::Refused(renewal, why),
                }
            }));
        }
        answers
    }

    /// Whether anything can be answered, as of an applied index.
    pub fn is_due(&self, applied: u64) -> bool {
        let first = self.rounds.front();
        first.is_some_and(|round| round.index.is_some_and(|index| index <= applied))
    }

    /// How many renewals wait.
    pub fn len(&self) -> usize {
        self.gathered.len() + self.rounds.iter().map(|round| round.renewals.len()).sum::<usize>()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All are forgotten: whoever waits asks again.
    pub fn clear(&mut self) {
        self.gathered.clear();
        self.rounds.clear();
    }
}
