//! Observing: probes, reports and ballots. What the ledger holds of this observer is compared with what it
//! sees; the difference is sent, and sent again until the ledger holds it.

use std::sync::Arc;

use super::observing::Eye;
use super::peer::PeerMessage;
use super::{Controller, Output, Traffic, limits};
use crate::kernel::domain::{
    Endpoint, Incarnation, MemberId, Moment, PlaneName, ProbeResult, QuestionId, ServiceName,
    SiteName,
};
use crate::kernel::health::Prober;
use crate::kernel::ledger::{Cluster, Command};

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
        let mine = config.members.get(&self.me).map(|member| &member.site);
        mine.map_or_else(Vec::new, |site| references_of(config, site, &self.file))
    }

    /// Makes sure that the ledger hears of everything this observer sees.
    pub(super) fn announce(&mut self) {
        self.observing.announce(&self.prober);
    }

    pub(super) fn on_probed(&mut self, result: ProbeResult) {
        let changes = self.prober.on_result(self.now, result);
        let ledger = &self.ledger;
        self.observing.on_changes(&changes, |service| {
            ledger.groups().get(ledger.group_of(service)?)?.question
        });
        if !changes.suspects.is_empty() {
            self.tell_suspects(changes.suspects);
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
        let services = self.services_of(&question.groups);
        self.prober.hasten(self.now, &services);
        self.prober.hasten_references(self.now);
        self.observing.on_asked(self.now, id);
    }

    pub(super) fn on_closed(&mut self, id: QuestionId) {
        self.observing.on_closed(id);
    }

    /// The ledger was replaced as a whole: questions may have closed in what was skipped.
    pub(super) fn forget_closed(&mut self) {
        let questions = self.ledger.questions();
        self.observing.keep_open(|id| questions.get(&id).is_some_and(|question| question.open));
    }

    /// The ledger now holds this of `observer`.
    pub(super) fn on_reported(&mut self, observer: MemberId, services: &[ServiceName]) {
        if observer == self.me {
            let held = self.ledger.observers().get(&self.me);
            let eye = eye(self.me, self.incarnation, self.now, &self.prober);
            self.observing.on_reported(&eye, held, services);
        }
    }

    /// The ledger now holds a ballot with these services.
    pub(super) fn on_voted(&mut self, id: QuestionId, services: &[ServiceName]) {
        let Some(question) = self.ledger.questions().get(&id) else { return };
        let eye = eye(self.me, self.incarnation, self.now, &self.prober);
        self.observing.on_voted(
            &eye,
            id,
            question.ballots.get(&self.me).map(Arc::as_ref),
            services,
        );
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
        let commands = self.own_words();
        if !commands.is_empty() {
            self.submit_to_leader(commands);
        }
    }

    /// What the ledger lacks of this observer.
    pub(super) fn own_words(&mut self) -> Vec<Command> {
        self.observing.wake_anew();
        // Apart, it would compare what it sees with a ledger that stands still.
        if self.stands_apart() {
            return Vec::new();
        }
        let ledger = &self.ledger;
        let eye = eye(self.me, self.incarnation, self.now, &self.prober);
        let ballot = |id: QuestionId| {
            let question = ledger.questions().get(&id)?;
            Some(question.ballots.get(&self.me).map(Arc::as_ref))
        };
        self.observing.commands(&eye, ledger.observers().get(&self.me), ballot)
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

    /// The announcement was heard: see `on_reported`.
    pub(super) fn on_announced(&mut self) {
        self.observing.on_announced(self.incarnation, self.ledger.observers().get(&self.me));
    }
}

const fn eye(me: MemberId, incarnation: Incarnation, now: Moment, prober: &Prober) -> Eye<'_> {
    Eye { me, incarnation, now, prober }
}

/// Members and reference targets of other sites than this one. Where a member is reached, a file says.
pub(super) fn references_of(config: &Cluster, site: &SiteName, file: &Cluster) -> Vec<Endpoint> {
    let members = config
        .members
        .values()
        .filter(|member| member.site != *site)
        .filter_map(|member| file.members.get(&member.id))
        .map(|member| Endpoint {
            host: member.member_address.ip().to_string(),
            port: member.member_address.port(),
        });
    let others = config.references.iter().filter(|(at, _)| *at != site);
    members.chain(others.flat_map(|(_, targets)| targets.iter().cloned())).collect()
}
