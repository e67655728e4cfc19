//! The view as an explanation: why a group is where it is, and what would have to be true for another answer.

use std::collections::BTreeMap;

use super::guards::guard_words;
use super::view::View;
use super::{Explanation, ObserverExplained, QuestionStatus};
use crate::kernel::domain::{
    CheckName, GroupName, HealthState, MemberId, MemberName, Moment, PlaneName, ServiceName,
    SiteName, StatePair,
};
use crate::kernel::ledger::Cluster;
use crate::kernel::policy::{Facts, Hold, holds};

/// By service, plane and check, in words.
type ProbeWords = BTreeMap<ServiceName, BTreeMap<PlaneName, BTreeMap<CheckName, String>>>;
/// By service and plane.
type States = BTreeMap<ServiceName, BTreeMap<PlaneName, HealthState>>;

impl View {
    /// `GET /v1/explain/{group}`; nothing for an unknown group.
    pub fn explain(&self, now: Moment, group: &GroupName) -> Option<Explanation> {
        let config = self.cluster.as_ref()?;
        let status = self.group_status(config, group)?;
        let facts = self.ledger.facts(group, self.evidence(group))?;
        let guards = self.ledger.guards(group, self.evidence(group))?;
        let last = self.ledger.groups().get(group)?.switchover;
        let last = last.and_then(|id| self.ledger.switchovers().get(&id));
        Some(Explanation {
            guards: guard_words(&guards),
            would_switch_if: would_switch_if(&facts),
            last: last.map(|switchover| self.record(switchover)),
            question: self.question_status(group),
            sums: self.sums(config, group),
            observers: self.observers_explained(config, group, now),
            probes: self.probe_words(config, group),
            group: status,
        })
    }

    fn probe_words(&self, config: &Cluster, group: &GroupName) -> ProbeWords {
        let (Some(prober), Some(settings)) = (&self.prober, config.groups.get(group)) else {
            return BTreeMap::new();
        };
        let mut words = BTreeMap::new();
        for service in &settings.services {
            let Some([first, second]) = prober.describe(service) else { continue };
            let [one, two] = &config.planes;
            let planes = [(one.name.clone(), first), (two.name.clone(), second)];
            words.insert(service.clone(), planes.into_iter().collect());
        }
        words
    }

    fn question_status(&self, group: &GroupName) -> Option<QuestionStatus> {
        let id = self.ledger.groups().get(group)?.question?;
        let question = self.ledger.questions().get(&id)?;
        let (why, asked) = (question.why.clone(), question.asked_wall);
        Some(QuestionStatus { id: id.to_string(), why, asked })
    }

    fn sums(&self, config: &Cluster, group: &GroupName) -> BTreeMap<PlaneName, String> {
        let evidence = self.evidence(group);
        let sum = |at: usize| self.ledger.sum(group, at, evidence).words();
        let planes = config.planes.iter().enumerate();
        planes.map(|(at, plane)| (plane.name.clone(), sum(at))).collect()
    }

    fn observers_explained(
        &self,
        config: &Cluster,
        group: &GroupName,
        now: Moment,
    ) -> BTreeMap<MemberName, ObserverExplained> {
        let one = |id: MemberId, name: &MemberName, site: &SiteName| {
            (name.clone(), self.observer_explained(config, group, now, (id, site)))
        };
        config.all_observers().map(|(id, name, site)| one(id, name, site)).collect()
    }

    fn observer_explained(
        &self,
        config: &Cluster,
        group: &GroupName,
        now: Moment,
        (id, site): (MemberId, &SiteName),
    ) -> ObserverExplained {
        let state = self.ledger.observers().get(&id);
        let why = match state {
            _ if self.silent(config, id, now) => Some("it is silent"),
            None => Some("it has not reported yet"),
            Some(state) if state.lost => Some("it is silent"),
            Some(state) if state.isolated => Some("it cannot reach other sites"),
            Some(_) => None,
        };
        let services = config.groups.get(group).map_or(&[][..], |group| &group.services);
        let by_plane = |pair: StatePair| -> BTreeMap<PlaneName, HealthState> {
            let planes = config.planes.each_ref().map(|plane| plane.name.clone());
            planes.into_iter().zip(pair.0).collect()
        };
        let of = |states: &BTreeMap<ServiceName, StatePair>| -> States {
            let state = |service| states.get(service).copied().unwrap_or_default();
            services.iter().map(|service| (service.clone(), by_plane(state(service)))).collect()
        };
        let question = self.ledger.groups().get(group).and_then(|state| state.question);
        let question = question.and_then(|id| self.ledger.questions().get(&id));
        let ballot = question.and_then(|question| question.ballots.get(&id));
        ObserverExplained {
            site: site.clone(),
            counts: why.is_none(),
            why: why.map(str::to_owned),
            reports: of(state.map_or(&BTreeMap::new(), |state| &state.states)),
            ballot: ballot.map(|ballot| of(&ballot.states)),
            checks: self.seen.get(&id).map(|seen| seen.as_ref().clone()),
        }
    }
}

/// What would have to be true for a switch, as sentences; empty when nothing is missing.
fn would_switch_if(facts: &Facts<'_>) -> Vec<String> {
    let mut remedies: Vec<String> = Vec::new();
    if facts.source.good() {
        remedies.push("a critical service is down on the active plane".to_owned());
    }
    // Of a plane that is well there are no words against it, and so none from two sites.
    let moot = |hold: &Hold| {
        facts.source.good()
            && matches!(
                hold,
                Hold::NoData
                    | Hold::Partial
                    | Hold::Degraded
                    | Hold::NotEnoughDown
                    | Hold::OneSiteVoted
            )
    };
    for hold in holds(facts).iter().filter(|hold| !moot(hold)) {
        let remedy = hold.remedy().to_owned();
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}
