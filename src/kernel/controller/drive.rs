//! Driving switchovers from step to step. Every step is a command; what was proposed and got lost is proposed
//! again, and the ledger refuses what comes twice.

use std::sync::Arc;

use super::{Controller, Level};
use crate::kernel::domain::{QuestionId, SwitchoverId};
use crate::kernel::health::Verdict;
use crate::kernel::ledger::{Command, Evidence};
use crate::kernel::switchover::{Event, Kind, State, Switchover};

/// What the ballots say of a switchover that is being prechecked.
enum Precheck {
    Passed(QuestionId),
    Waiting,
    Ask,
    Failed(String),
}

impl Controller {
    pub(super) fn drive_switchovers(&mut self) {
        let due = std::mem::take(&mut self.leading.drive);
        for id in due {
            let Some(switchover) = self.ledger.switchovers().get(&id).cloned() else { continue };
            self.drive_one(&switchover);
        }
        let groups = std::mem::take(&mut self.leading.to_precheck);
        if !groups.is_empty() {
            self.ask_about(groups, "prechecks of a switchover");
        }
    }

    fn drive_one(&mut self, switchover: &Arc<Switchover>) {
        let id = switchover.id;
        match switchover.state {
            State::Planned => self.step(id, Event::Precheck, None, Vec::new(), String::new()),
            State::Prechecking => self.drive_precheck(switchover),
            State::Routing => self.step(id, Event::Verify, None, Vec::new(), String::new()),
            State::Verifying => self.begin_verification(switchover),
            State::Undoing => {
                let note = format!("{}: routed back to {}", switchover.outcome, switchover.from);
                self.step(id, Event::UndoRouted, None, Vec::new(), note);
            }
            State::Done | State::Undone | State::Stuck | State::Overtaken => {}
        }
    }

    fn drive_precheck(&mut self, switchover: &Switchover) {
        let id = switchover.id;
        if switchover.kind == Kind::Forced {
            return self.step(id, Event::Route, None, Vec::new(), String::new());
        }
        match self.precheck(switchover) {
            Precheck::Passed(question) => {
                self.step(id, Event::Route, Some(question), Vec::new(), String::new());
            }
            Precheck::Waiting => {}
            Precheck::Ask => {
                self.leading.prechecks.insert(id);
                self.leading.to_precheck.insert(switchover.group.clone());
            }
            Precheck::Failed(why) => self.step(id, Event::Abandon, None, Vec::new(), why),
        }
    }

    fn precheck(&self, switchover: &Switchover) -> Precheck {
        let Switchover { id, group, kind, base, .. } = switchover;
        let current = self.ledger.routes().get(group).map(|route| route.epoch);
        if current != Some(*base) {
            return Precheck::Failed(format!("the route has changed since epoch {base}"));
        }
        let Some(question) = self.ledger.groups().get(group).and_then(|state| state.question)
        else {
            return if self.leading.asking.contains(group) {
                Precheck::Waiting
            } else if self.leading.prechecks.contains(id) {
                Precheck::Failed(
                    "the observers, asked anew, did not say in time that the target is up (and, \
                     for an automatic switchover, the source out)"
                        .to_owned(),
                )
            } else {
                Precheck::Ask
            };
        };
        let Some(facts) = self.ledger.facts(group, Evidence::Ballots(question)) else {
            return Precheck::Waiting;
        };
        let out = facts.source.out(facts.out_when, facts.policy.degraded_is_out);
        let enough = match kind {
            Kind::Planned | Kind::Forced => true,
            Kind::Approved => out,
            Kind::Automatic => out && facts.two_sites_voted,
        };
        if facts.target.good() && enough {
            return Precheck::Passed(question);
        }
        // A target that a majority calls down or degraded will not come up by waiting.
        match &facts.target.first_not_up {
            Some((service, verdict @ (Verdict::Down | Verdict::Degraded))) => {
                Precheck::Failed(format!("precheck: {service} is {verdict} on {}", switchover.to))
            }
            _ => Precheck::Waiting,
        }
    }

    /// Proposes a step, once until it is applied.
    pub(super) fn step(
        &mut self,
        switchover: SwitchoverId,
        event: Event,
        question: Option<QuestionId>,
        converging: Vec<String>,
        note: String,
    ) {
        if !self.leading.stepping.entry(switchover).or_default().insert(event) {
            return;
        }
        if event == Event::Route {
            self.publish_uncommitted(switchover);
        }
        self.leading.push_own(Command::Advance { switchover, event, question, converging, note });
    }

    /// Tells people that a switchover took a step.
    pub(super) fn tell_switchover(&mut self, id: SwitchoverId) {
        let Some(s) = self.ledger.switchovers().get(&id).cloned() else { return };
        let level = if s.state == State::Stuck { Level::Error } else { Level::Info };
        let mut text = format!("{id} {}: {} → {}, {}", s.kind, s.from, s.to, s.state);
        if !s.outcome.is_empty() {
            text.push_str(": ");
            text.push_str(&s.outcome);
        }
        let kind = match s.state {
            State::Done => "switchover-done",
            State::Undone => "switchover-undone",
            State::Stuck => "switchover-stuck",
            State::Overtaken => "switchover-overtaken",
            State::Planned
            | State::Prechecking
            | State::Routing
            | State::Verifying
            | State::Undoing => "switchover",
        };
        self.tell(level, kind, Some(s.group.clone()), text);
    }
}
