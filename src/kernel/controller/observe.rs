//! Observing: probes, reports and ballots. What the ledger holds of this observer is compared with what it
//! sees; the difference is sent, and sent again until the ledger holds it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::outgoing::Outgoing;
use super::peer::PeerMessage;
use super::{Controller, Output, Traffic, limits};
use crate::kernel::domain::{
    Endpoint, MemberId, Moment, PlaneName, ProbeResult, QuestionId, ServiceName, StatePair,
};
use crate::kernel::ledger::Command;

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

    fn wake(&mut self, at: Moment) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

impl Controller {
    /// The settings changed, or the process started with a ledger: probe what they say.
    pub(super) fn configure_observer(&mut self) {
        let Some(config) = self.ledger.config().cloned() else { return };
        self.compare_file();
        let planes: [PlaneName; 2] = [config.planes[0].name.clone(), config.planes[1].name.clone()];
        let references = self.reference_targets();
        self.prober.configure(
            self.now,
            &planes,
            &config.services,
            &references,
            config.timing.reference_interval,
        );
        self.announce();
    }

    /// Members and reference targets of other sites: who cannot reach them is isolated.
    fn reference_targets(&self) -> Vec<Endpoint> {
        // Where a member is reached, this node's own file says.
        let Some(config) = self.ledger.config() else { return Vec::new() };
        let Some(mine) = config.members.get(&self.me).map(|member| &member.site) else {
            return Vec::new();
        };
        let of_member = |address: std::net::SocketAddr| Endpoint {
            host: address.ip().to_string(),
            port: address.port(),
        };
        let members = config
            .members
            .values()
            .filter(|member| member.site != *mine)
            .filter_map(|member| self.file.members.get(&member.id))
            .map(|member| of_member(member.member_address));
        let others = config.references.iter().filter(|(site, _)| *site != mine);
        members.chain(others.flat_map(|(_, targets)| targets.iter().cloned())).collect()
    }

    /// Makes sure that the ledger hears of everything this observer sees.
    pub(super) fn announce(&mut self) {
        self.observing.announce = true;
        self.observing.reports.add_all(self.prober.reports().keys().cloned());
    }

    pub(super) fn on_probed(&mut self, result: ProbeResult) {
        let changes = self.prober.on_result(self.now, result);
        if !changes.reports.is_empty() {
            for service in changes.reports {
                self.observing.reports.add(service);
            }
        }
        for asked in self.observing.asked.values_mut() {
            if changes.reference {
                asked.ballot.fresh = true;
            }
        }
        if !changes.results.is_empty() && !self.observing.asked.is_empty() {
            self.note_results(&changes.results);
        }
        if !changes.suspects.is_empty() {
            self.tell_suspects(changes.suspects);
        }
    }

    /// A group has one open question at most, so the cost is that of these services.
    fn note_results(&mut self, services: &[ServiceName]) {
        for service in services {
            let group = self.ledger.group_of(service);
            let state = group.and_then(|group| self.ledger.groups().get(group));
            let question = state.and_then(|state| state.question);
            if let Some(asked) = question.and_then(|id| self.observing.asked.get_mut(&id)) {
                asked.ballot.add(service.clone());
            }
        }
    }

    fn tell_suspects(&mut self, suspects: Vec<(ServiceName, usize)>) {
        if self.leads() {
            for (service, plane) in &suspects {
                self.suspect(service, *plane, "a probe failed");
            }
            return;
        }
        let Some(leader) = self.consensus.leader().filter(|leader| *leader != self.me) else {
            return;
        };
        let plane = |plane: usize| u8::try_from(plane).unwrap_or(u8::MAX);
        let services = suspects.into_iter().map(|(service, p)| (service, plane(p))).collect();
        let frame = PeerMessage::Suspect(services).encode();
        self.outputs.push_back(Output::Send { to: leader, frame, traffic: Traffic::Normal });
    }

    /// A question was applied here: answer it with probes begun from now on.
    pub(super) fn on_asked(&mut self, id: QuestionId) {
        let Some(question) = self.ledger.questions().get(&id) else { return };
        let Some(config) = self.ledger.config() else { return };
        let services: BTreeSet<ServiceName> = question
            .groups
            .iter()
            .filter_map(|group| config.groups.get(group))
            .flat_map(|group| group.services.iter().cloned())
            .collect();
        self.prober.hasten(self.now, &services);
        self.prober.hasten_references(self.now);
        let asked = Asked { seen: self.now, ballot: Outgoing::default() };
        self.observing.asked.insert(id, asked);
    }

    pub(super) fn on_closed(&mut self, id: QuestionId) {
        self.observing.asked.remove(&id);
    }

    /// The ledger was replaced as a whole: questions may have closed in what was skipped.
    pub(super) fn forget_closed(&mut self) {
        let questions = self.ledger.questions();
        let open = |id: &QuestionId| questions.get(id).is_some_and(|question| question.open);
        self.observing.asked.retain(|id, _| open(id));
    }

    /// The ledger now holds this of `observer`. What was mine and differs is sent again: it became untrue on
    /// its way, and while it was on its way nothing seemed to differ.
    pub(super) fn on_reported(&mut self, observer: MemberId, services: &[ServiceName]) {
        if observer != self.me {
            return;
        }
        let held = self.ledger.observers().get(&self.me);
        let mine = held.is_some_and(|state| state.incarnation == self.incarnation && !state.lost);
        if !mine {
            return self.announce();
        }
        self.observing.reports.heard(services);
        for service in services {
            if self.report_differs(service).is_none() {
                self.observing.reports.pending.remove(service);
            } else {
                self.observing.reports.add(service.clone());
            }
        }
    }

    /// The ledger now holds a ballot with these services: the same, for the ballots of this observer.
    pub(super) fn on_voted(&mut self, id: QuestionId, services: &[ServiceName]) {
        let Some(asked) = self.observing.asked.get_mut(&id) else { return };
        let Some(question) = self.ledger.questions().get(&id) else { return };
        let held = question.ballots.get(&self.me);
        let Some(held) = held.filter(|ballot| ballot.incarnation == self.incarnation) else {
            return;
        };
        asked.ballot.heard(services);
        for (service, pair) in self.prober.ballot(services.iter(), asked.seen) {
            if held.states.get(&service).is_some_and(|held| *held != pair) {
                asked.ballot.add(service);
            }
        }
    }

    fn report_differs(&self, service: &ServiceName) -> Option<StatePair> {
        let seen = self.prober.reports().get(service).copied().unwrap_or_default();
        let held = self
            .ledger
            .observers()
            .get(&self.me)
            .filter(|state| state.incarnation == self.incarnation)
            .and_then(|state| state.states.get(service).copied())
            .unwrap_or_default();
        (seen != held).then_some(seen)
    }

    /// Orders the probes that are due; sends what the ledger lacks.
    pub(super) fn observe(&mut self) {
        while let Some(order) = self.prober.poll(self.now) {
            self.outputs.push_back(Output::Probe(order));
        }
        self.say_alive();
        if self.ledger.config().is_none() {
            return;
        }
        self.observing.due = None;
        // Apart, it would compare what it sees with a ledger that stands still.
        if self.stands_apart() {
            return;
        }
        let mut commands = Vec::new();
        commands.extend(self.next_report());
        let open: Vec<QuestionId> = self.observing.asked.keys().copied().collect();
        for question in open {
            commands.extend(self.next_ballot(question));
        }
        if !commands.is_empty() {
            self.submit_to_leader(commands);
        }
    }

    fn say_alive(&mut self) {
        if self.now >= self.heartbeat_due {
            self.heartbeat_due = self.now + limits::HEARTBEAT;
            let heartbeat = PeerMessage::Heartbeat {
                incarnation: self.incarnation,
                applied: self.ledger.index(),
                ruleset: self.agreement.ruleset,
                apart: self.stands_apart(),
            };
            self.tell_members(&heartbeat);
            self.show_card();
        }
    }

    pub(super) fn next_report(&mut self) -> Option<Command> {
        let held = self.ledger.observers().get(&self.me);
        let isolated = self.prober.isolated(None).unwrap_or(false);
        let isolation_differs = held.is_some_and(|state| state.isolated != isolated);
        if !self.observing.announce
            && !isolation_differs
            && self.observing.reports.pending.is_empty()
        {
            return None;
        }
        if let Some(until) = self.observing.reports.wait().filter(|until| *until > self.now) {
            self.observing.wake(until);
            return None;
        }
        let mut reports = std::mem::take(&mut self.observing.reports);
        let states = reports.take(self.now, |service| self.report_differs(service));
        let patience = reports.patience();
        let nothing_new = states.is_empty() && !self.observing.announce && !isolation_differs;
        if !nothing_new {
            reports.left(self.now);
        }
        self.observing.reports = reports;
        if !self.observing.reports.pending.is_empty() || !nothing_new {
            self.observing.wake(self.now + patience);
        }
        if nothing_new {
            return None;
        }
        self.observing.seq += 1;
        Some(Command::Report {
            observer: self.me,
            incarnation: self.incarnation,
            seq: self.observing.seq,
            isolated,
            states,
        })
    }

    /// What the ledger lacks of this observer's ballot. Nothing is said before isolation is known, by probes
    /// begun after the question.
    pub(super) fn next_ballot(&mut self, id: QuestionId) -> Option<Command> {
        let asked = self.observing.asked.get(&id)?;
        if asked.ballot.pending.is_empty() && !asked.ballot.fresh {
            return None;
        }
        let isolated = self.prober.isolated(Some(asked.seen))?;
        if let Some(until) = asked.ballot.wait().filter(|until| *until > self.now) {
            self.observing.wake(until);
            return None;
        }
        let held = self.ledger.questions().get(&id)?.ballots.get(&self.me);
        let held = held.filter(|ballot| ballot.incarnation == self.incarnation);
        let isolation_differs = held.is_some_and(|ballot| ballot.isolated != isolated);
        let (now, seen, prober) = (self.now, asked.seen, &self.prober);
        let asked = self.observing.asked.get_mut(&id)?;
        let states = asked.ballot.take(now, |service| {
            let held = held.and_then(|ballot| ballot.states.get(service).copied());
            let pair = prober.ballot(std::iter::once(service), seen).remove(service);
            pair.filter(|pair| *pair != held.unwrap_or_default())
        });
        let patience = asked.ballot.patience();
        let nothing_new = states.is_empty() && !isolation_differs;
        if !nothing_new {
            asked.ballot.left(now);
        }
        if !asked.ballot.pending.is_empty() || !nothing_new {
            self.observing.wake(now + patience);
        }
        if nothing_new {
            return None;
        }
        self.observing.seq += 1;
        Some(Command::Ballot {
            question: id,
            observer: self.me,
            incarnation: self.incarnation,
            seq: self.observing.seq,
            isolated,
            states,
        })
    }

    /// The announcement was heard: see `on_reported`.
    pub(super) fn on_announced(&mut self) {
        let held = self.ledger.observers().get(&self.me);
        if held.is_some_and(|state| state.incarnation == self.incarnation && !state.lost) {
            self.observing.announce = false;
        }
    }
}
