//! When the leader decides: ballots changed, or time passed for a decision that is held.

use std::collections::BTreeMap;

use super::lead::Held;
use super::{Controller, Level, Measure, Output, limits};
use crate::kernel::domain::{GroupName, LedgerTime, QuestionId, ServiceName, SwitchoverId};
use crate::kernel::ledger::{ALARMS_SINCE, Command, Evidence, Move, RefusalReason, Refused};
use crate::kernel::policy::{Decision, Hold};
use crate::kernel::switchover::Switchover;

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
        let now = self.ledger.time();
        let voting = |held: &Held| matches!(held, Held::Voting(until) if now < *until);
        let held = self.leading.held.iter().filter(|(_, held)| !voting(held));
        self.leading.dirty.extend(held.map(|(group, _)| group.clone()));
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
        for (question, moves) in std::mem::take(&mut self.leading.to_ask) {
            for chunk in moves.chunks(limits::BATCH) {
                self.leading.push_own(Command::Ask { question, moves: chunk.to_vec() });
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
            Decision::Hold(_) | Decision::Ask => {
                if decision == Decision::Ask {
                    self.ask_people(group, question);
                }
                match self.voting_until(question, &decision) {
                    Some(until) => {
                        self.leading.held.entry(group.clone()).or_insert(Held::Voting(until));
                    }
                    None => self.tell_once(group, &decision),
                }
                None
            }
            Decision::Stay => {
                self.leading.held.remove(group);
                None
            }
        }
    }

    /// A person decides: the ask stands in the log, once.
    fn ask_people(&mut self, group: &GroupName, question: QuestionId) {
        let asked = self.ledger.groups().get(group).is_none_or(|state| state.ask.is_some());
        if asked || self.ledger.ruleset() < ALARMS_SINCE {
            return;
        }
        let (Some(route), Some(config)) =
            (self.ledger.routes().get(group), self.ledger.config().cloned())
        else {
            return;
        };
        let Some(to) = config.other_plane(&route.plane).cloned() else { return };
        let moved = Move { group: group.clone(), to, base: route.epoch };
        if self.leading.asking_people.insert(group.clone()) {
            self.leading.to_ask.entry(question).or_default().push(moved);
        }
    }

    /// Until when a hold only says that ballots are still on their way: no news yet.
    fn voting_until(&self, question: QuestionId, decision: &Decision) -> Option<LedgerTime> {
        let Decision::Hold(reasons) = decision else { return None };
        let unclear = matches!(
            reasons.first(),
            Some(Hold::NoData | Hold::Partial | Hold::TargetNotGood(_) | Hold::OneSiteVoted)
        );
        let until = self.ledger.questions().get(&question)?.asked_at + limits::VOTING;
        (unclear && self.ledger.time() < until).then_some(until)
    }

    fn tell_once(&mut self, group: &GroupName, decision: &Decision) {
        // Counters in the words (milliseconds left) must not make it new each time.
        let words = decision.to_string();
        let shape: String = words.chars().filter(|c| !c.is_ascii_digit()).collect();
        let told = Held::Told(shape);
        if self.leading.held.get(group) == Some(&told) {
            return;
        }
        self.leading.held.insert(group.clone(), told);
        let text = format!("{}: {words}", decision.word());
        self.tell(Level::Warn, "decision", Some(group.clone()), text);
    }

    /// A question, a move or a step was not taken: look at it again.
    pub(super) fn lead_refused(&mut self, what: Refused, reason: &RefusalReason) {
        if matches!(reason, RefusalReason::OldNews(_)) {
            // An observer's words came in another order than they were said: it will repeat what matters.
            return;
        }
        let text = format!("{what} refused: {reason}");
        match what {
            Refused::Move(group) => {
                self.leading.deciding.remove(&group);
                if self.ledger.groups().contains_key(&group) {
                    self.leading.held.insert(group, Held::Told(String::new()));
                }
            }
            Refused::Step(id, event) => {
                if let Some(events) = self.leading.stepping.get_mut(&id) {
                    events.remove(&event);
                }
                self.leading.drive.insert(id);
            }
            Refused::Question => {
                self.leading.asking.clear();
                self.look_again();
            }
            // An entry or a command that this version cannot read was not this leader's.
            Refused::Entry | Refused::Command | Refused::Configuration => {}
            Refused::Ballot | Refused::Report => {}
        }
        self.tell(Level::Info, "refused", None, text);
    }

    /// How long each step of a switchover took, by the ledger's time.
    fn measure_steps(&mut self, switchover: &Switchover) {
        for pair in switchover.steps.windows(2) {
            let [before, step] = pair else { continue };
            let (what, took) = (Measure::Step(step.step.clone()), step.at.since(before.at));
            self.outputs.push_back(Output::Measured { what, took });
        }
    }

    /// A switchover was made or took a step.
    pub(super) fn lead_switchover(&mut self, id: SwitchoverId) {
        let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else { return };
        self.leading.stepping.remove(&id);
        self.leading.deciding.remove(&switchover.group);
        self.leading.held.remove(&switchover.group);
        if switchover.state.ended() {
            self.measure_steps(&switchover);
            self.leading.drive.remove(&id);
            self.leading.prechecks.remove(&id);
            self.verifying.forget(id);
            // The route may lead now to what has long been sick: nothing new will say so.
            if self.speaks_against(&switchover.group).is_some() {
                self.ask_soon(&switchover.group);
            }
        } else {
            self.leading.drive.insert(id);
        }
    }
}
