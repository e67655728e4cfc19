//! What one observer has to say, and what of it the ledger lacks. The same for a controller, which compares with its own
//! ledger, and for an observer beside the members, which compares with what they tell it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outgoing::Outgoing;
use crate::kernel::domain::{Incarnation, MemberId, Moment, QuestionId, ServiceName, StatePair};
use crate::kernel::health::{Changes, Prober};
use crate::kernel::ledger::{Ballot, Command, ObserverState};
use crate::kernel::mutants::{self, Mutant};

/// Who looks, when, and what it sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eye<'a> {
    pub(super) me: MemberId,
    pub(super) incarnation: Incarnation,
    pub(super) now: Moment,
    pub(super) prober: &'a Prober,
}

impl Eye<'_> {
    /// Whether the ledger holds this process as one that is there.
    fn is_held(&self, held: Option<&ObserverState>) -> bool {
        held.is_some_and(|state| state.incarnation == self.incarnation && !state.lost)
    }

    /// What is seen of a service, if the ledger holds something else.
    fn differs(&self, held: Option<&ObserverState>, service: &ServiceName) -> Option<StatePair> {
        let seen = self.prober.reports().get(service).copied().unwrap_or_default();
        let held = held
            .filter(|state| state.incarnation == self.incarnation)
            .and_then(|state| state.states.get(service).copied())
            .unwrap_or_default();
        (seen != held).then_some(seen)
    }
}

/// One open question at this observer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    /// When this process learned of it: probes begun later answer it.
    seen: Moment,
    /// Its ballot, as far as the ledger lacks it.
    ballot: Outgoing,
}

/// What an observer remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Observing {
    seq: u64,
    asked: BTreeMap<QuestionId, Asked>,
    /// Its reports, as far as the ledger lacks them.
    reports: Outgoing,
    /// Whether the ledger must hear of this process even if nothing differs.
    announce: bool,
    due: Option<Moment>,
}

impl Observing {
    pub(super) fn next_due(&self) -> Moment {
        self.due.unwrap_or(Moment::NEVER)
    }

    /// How many questions are answered.
    pub(super) fn size(&self) -> usize {
        self.asked.len()
    }

    /// What to wait for is found anew.
    pub(super) const fn wake_anew(&mut self) {
        self.due = None;
    }

    fn wake(&mut self, at: Moment) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Makes sure that the ledger hears of everything that is seen.
    pub(super) fn announce(&mut self, prober: &Prober) {
        self.announce = true;
        self.reports.add_all(prober.reports().keys().cloned());
    }

    /// A probe changed this. A group has one open question at most, so the cost is that of these services.
    pub(super) fn on_changes(
        &mut self,
        changes: &Changes,
        question_of: impl Fn(&ServiceName) -> Option<QuestionId>,
    ) {
        for service in &changes.reports {
            self.reports.add(service.clone());
        }
        for asked in self.asked.values_mut() {
            if changes.reference {
                asked.ballot.fresh = true;
            }
        }
        if self.asked.is_empty() {
            return;
        }
        for service in &changes.results {
            let question = question_of(service);
            if let Some(asked) = question.and_then(|id| self.asked.get_mut(&id)) {
                asked.ballot.add(service.clone());
            }
        }
    }

    /// A question was seen: probes begun from now on answer it.
    pub(super) fn on_asked(&mut self, now: Moment, id: QuestionId) {
        let ever = mutants::active(Mutant::M27OldProbesCounted);
        let seen = if ever { Moment::ZERO } else { now };
        self.asked.insert(id, Asked { seen, ballot: Outgoing::default() });
    }

    pub(super) fn on_closed(&mut self, id: QuestionId) {
        self.asked.remove(&id);
    }

    /// Forgets every question but those that are open.
    pub(super) fn keep_open(&mut self, open: impl Fn(QuestionId) -> bool) {
        self.asked.retain(|id, _| open(*id));
    }

    /// The ledger now holds this of this observer. What differs is sent again: it became untrue on its way, and while
    /// it was on its way nothing seemed to differ.
    pub(super) fn on_reported(
        &mut self,
        eye: &Eye<'_>,
        held: Option<&ObserverState>,
        services: &[ServiceName],
    ) {
        if !eye.is_held(held) {
            return self.announce(eye.prober);
        }
        self.reports.heard(services);
        for service in services {
            if eye.differs(held, service).is_none() {
                self.reports.pending.remove(service);
            } else {
                self.reports.add(service.clone());
            }
        }
    }

    /// The ledger now holds a ballot with these services: the same, for the ballots of this observer.
    pub(super) fn on_voted(
        &mut self,
        eye: &Eye<'_>,
        id: QuestionId,
        held: Option<&Ballot>,
        services: &[ServiceName],
    ) {
        let Some(asked) = self.asked.get_mut(&id) else { return };
        let Some(held) = held.filter(|ballot| ballot.incarnation == eye.incarnation) else {
            return;
        };
        asked.ballot.heard(services);
        for (service, pair) in eye.prober.ballot(services.iter(), asked.seen) {
            if held.states.get(&service).is_some_and(|held| *held != pair) {
                asked.ballot.add(service);
            }
        }
    }

    /// The announcement was heard: see `on_reported`.
    pub(super) fn on_announced(&mut self, incarnation: Incarnation, held: Option<&ObserverState>) {
        if held.is_some_and(|state| state.incarnation == incarnation && !state.lost) {
            self.announce = false;
        }
    }

    /// All that the ledger lacks now. `ballot` gives this observer's ballot, as the ledger holds it, of a question that
    /// the ledger knows.
    pub(super) fn commands<'a>(
        &mut self,
        eye: &Eye<'_>,
        held: Option<&ObserverState>,
        ballot: impl Fn(QuestionId) -> Option<Option<&'a Ballot>>,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        commands.extend(self.next_report(eye, held));
        let open: Vec<QuestionId> = self.asked.keys().copied().collect();
        for id in open {
            if let Some(held) = ballot(id) {
                commands.extend(self.next_ballot(eye, id, held));
            }
        }
        commands
    }

    fn next_report(&mut self, eye: &Eye<'_>, held: Option<&ObserverState>) -> Option<Command> {
        let isolated = eye.prober.isolated(None).unwrap_or(false);
        let isolation_differs = held.is_some_and(|state| state.isolated != isolated);
        if !self.announce && !isolation_differs && self.reports.pending.is_empty() {
            return None;
        }
        if let Some(until) = self.reports.wait().filter(|until| *until > eye.now) {
            self.wake(until);
            return None;
        }
        let states = self.reports.take(eye.now, |service| eye.differs(held, service));
        let patience = self.reports.patience();
        let nothing_new = states.is_empty() && !self.announce && !isolation_differs;
        if !nothing_new {
            self.reports.left(eye.now);
        }
        if !self.reports.pending.is_empty() || !nothing_new {
            self.wake(eye.now + patience);
        }
        if nothing_new {
            return None;
        }
        self.seq += 1;
        let (observer, incarnation, seq) = (eye.me, eye.incarnation, self.seq);
        Some(Command::Report { observer, incarnation, seq, isolated, states })
    }

    /// What the ledger lacks of this observer's ballot. Nothing is said before isolation is known, by probes
    /// begun after the question.
    fn next_ballot(
        &mut self,
        eye: &Eye<'_>,
        id: QuestionId,
        held: Option<&Ballot>,
    ) -> Option<Command> {
        let asked = self.asked.get_mut(&id)?;
        if asked.ballot.pending.is_empty() && !asked.ballot.fresh {
            return None;
        }
        let isolated = eye.prober.isolated(Some(asked.seen))?;
        if let Some(until) = asked.ballot.wait().filter(|until| *until > eye.now) {
            self.wake(until);
            return None;
        }
        let held = held.filter(|ballot| ballot.incarnation == eye.incarnation);
        let isolation_differs = held.is_some_and(|ballot| ballot.isolated != isolated);
        let seen = asked.seen;
        let states = asked.ballot.take(eye.now, |service| {
            let held = held.and_then(|ballot| ballot.states.get(service).copied());
            let pair = eye.prober.ballot(std::iter::once(service), seen).remove(service);
            pair.filter(|pair| *pair != held.unwrap_or_default())
        });
        let patience = asked.ballot.patience();
        let nothing_new = states.is_empty() && !isolation_differs;
        if !nothing_new {
            asked.ballot.left(eye.now);
        }
        let waits = !asked.ballot.pending.is_empty() || !nothing_new;
        if waits {
            self.wake(eye.now + patience);
        }
        if nothing_new {
            return None;
        }
        self.seq += 1;
        let (question, observer) = (id, eye.me);
        let (incarnation, seq) = (eye.incarnation, self.seq);
        Some(Command::Ballot { question, observer, incarnation, seq, isolated, states })
    }
}
