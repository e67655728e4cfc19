//! When the leader decides: ballots changed, or time passed for a decision that is held.

use std::collections::{BTreeMap, BTreeSet};

use super::{Controller, Level, limits};
use crate::kernel::domain::{GroupName, QuestionId, ServiceName, SwitchoverId};
use crate::kernel::ledger::{Command, Evidence, Move, RefusalReason};
use crate::kernel::policy::{Decision, Hold};

impl Controller {
    /// Ballots changed for these services.
    pub(super) fn lead_voted(&mut self, question: QuestionId, services: &[ServiceName]) {
        let Some(asked) = self.ledger.questions().get(&question) else { return };
        for service in services {
            if let Some(group) = self.ledger.group_of(service)
                && asked.groups.contains(group)
            {
                self.leading.dirty.insert(group.clone());
            }
        }
    }

    /// The ledger's time moved: what is held may be free now.
    pub(super) fn recheck_held(&mut self) {
        let held: Vec<GroupName> = self.leading.held.keys().cloned().collect();
        self.leading.dirty.extend(held);
    }

    pub(super) fn decide_dirty(&mut self) {
        let dirty = std::mem::take(&mut self.leading.dirty);
        let mut moves: BTreeMap<QuestionId, Vec<Move>> = BTreeMap::new();
        for group in dirty {
            if let Some((question, moved)) = self.decide_group(&group) {
                self.leading.deciding.insert(group);
                moves.entry(question).or_default().push(moved);
            }
        }
        for (question, moves) in moves {
            for chunk in moves.chunks(limits::BATCH) {
                self.leading.push_own(Command::Decide { question, moves: chunk.to_vec() });
            }
        }
    }

    fn decide_group(&mut self, group: &GroupName) -> Option<(QuestionId, Move)> {
        let state = self.ledger.groups().get(group)?;
        let question = state.question?;
        if let Some(last) = state.switchover
            && self.ledger.in_flight(group)
        {
            // Its ballots decide on a switchover under way.
            self.leading.drive.insert(last);
            return None;
        }
        if self.leading.deciding.contains(group) {
            return None;
        }
        let decision = self.ledger.decision(group, Evidence::Ballots(question))?;
        match &decision {
            Decision::Switch => {
                self.leading.held.remove(group);
                let route = self.ledger.routes().get(group)?;
                let to = self.ledger.config()?.other_plane(&route.plane)?.clone();
                Some((question, Move { group: group.clone(), to, base: route.epoch }))
            }
            Decision::Hold(reasons) if self.still_voting(question, reasons) => {
                self.leading.held.entry(group.clone()).or_default();
                None
            }
            Decision::Hold(_) | Decision::Ask => {
                self.tell_once(group, &decision);
                None
            }
            Decision::Stay => {
                self.leading.held.remove(group);
                None
            }
        }
    }

    /// Whether a hold only says that ballots are still on their way: no news yet.
    fn still_voting(&self, question: QuestionId, reasons: &[Hold]) -> bool {
        let unclear = matches!(
            reasons.first(),
            Some(Hold::NoData | Hold::Partial | Hold::TargetNotGood(_) | Hold::OneSiteVoted)
        );
        let Some(asked) = self.ledger.questions().get(&question) else { return false };
        unclear && self.ledger.time().since(asked.asked_at) < limits::VOTING
    }

    fn tell_once(&mut self, group: &GroupName, decision: &Decision) {
        // Counters in the words (milliseconds left) must not make it new each time.
        let words = decision.to_string();
        let shape: String = words.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.leading.held.get(group) == Some(&shape) {
            return;
        }
        self.leading.held.insert(group.clone(), shape);
        let text = format!("{}: {words}", decision.word());
        self.tell(Level::Warn, "decision", Some(group.clone()), text);
    }

    /// A question, a move or a step was not taken: look at what is under way again.
    pub(super) fn lead_refused(&mut self, what: &str, reason: &RefusalReason) {
        if matches!(reason, RefusalReason::OldNews(_)) {
            // An observer's words came in another order than they were said: it will repeat what matters.
            return;
        }
        let waiting: BTreeSet<GroupName> = std::mem::take(&mut self.leading.deciding);
        self.leading.held.extend(waiting.into_iter().map(|group| (group, String::new())));
        let stepping = std::mem::take(&mut self.leading.stepping);
        self.leading.drive.extend(stepping.into_iter().map(|(id, _)| id));
        if matches!(reason, RefusalReason::OtherConfiguration(_)) {
            self.leading.asking.clear();
        }
        let text = format!("{what} refused: {reason}");
        self.tell(Level::Info, "refused", None, text);
    }

    /// A switchover was made or took a step.
    pub(super) fn lead_switchover(&mut self, id: SwitchoverId) {
        let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else { return };
        self.leading.stepping.retain(|(of, _)| *of != id);
        self.leading.deciding.remove(&switchover.group);
        self.leading.held.remove(&switchover.group);
        if switchover.state.ended() {
            self.leading.drive.remove(&id);
            self.leading.prechecks.remove(&id);
            self.verifying.forget(id);
        } else {
            self.leading.drive.insert(id);
        }
    }
}
