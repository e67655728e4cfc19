//! From reports or ballots to verdicts, sums, facts and decisions: read-only, the same on every node.

use std::collections::BTreeSet;

use super::state::Ledger;
use crate::kernel::domain::{
    GroupName, HealthState, MemberId, PlaneName, QuestionId, ServiceName, SiteName,
};
use crate::kernel::health::{Verdict, verdict};
use crate::kernel::mutants::{self, Mutant};
use crate::kernel::policy::{Decision, Facts, PlaneSum, decide};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Live reports: for people, between questions.
    Reports,
    /// The ballots for this question: for decisions.
    Ballots(QuestionId),
}

impl Ledger {
    /// What one observer says of a service on a plane; unknown when it says nothing that counts.
    pub fn voice(
        &self,
        observer: MemberId,
        service: &ServiceName,
        plane: usize,
        evidence: Evidence,
    ) -> HealthState {
        let Some(state) = self.observers.get(&observer) else { return HealthState::Unknown };
        if state.lost {
            return HealthState::Unknown;
        }
        match evidence {
            Evidence::Reports if state.isolated => HealthState::Unknown,
            Evidence::Reports => {
                state.states.get(service).map_or(HealthState::Unknown, |pair| pair.0[plane])
            }
            Evidence::Ballots(question) => self.ballot_state(question, observer, service, plane),
        }
    }

    fn ballot_state(
        &self,
        question: QuestionId,
        observer: MemberId,
        service: &ServiceName,
        plane: usize,
    ) -> HealthState {
        let of = |id: QuestionId| {
            let ballot = self.questions.get(&id)?.ballots.get(&observer)?;
            (!ballot.isolated).then(|| ballot.states.get(service)).flatten()
        };
        let mut pair = of(question);
        if pair.is_none() && mutants::active(Mutant::M46OldBallotCounted) {
            pair = self.questions.keys().rev().find_map(|id| of(*id));
        }
        pair.map_or(HealthState::Unknown, |pair| pair.0[plane])
    }

    /// What the quorum says of a service on a plane.
    pub fn verdict(&self, service: &ServiceName, plane: usize, evidence: Evidence) -> Verdict {
        let Some(config) = &self.config else { return Verdict::NoData };
        let votes = config.all_observers().map(|(id, ..)| self.voice(id, service, plane, evidence));
        if mutants::active(Mutant::M26OneBallotSwitches) {
            let known = votes.into_iter().find(|state| *state != HealthState::Unknown);
            return verdict(crate::kernel::domain::Quorum::of(1), known);
        }
        if let (true, Evidence::Ballots(_)) = (mutants::active(Mutant::M28CountedTwice), evidence) {
            let voted = |id| self.voice(id, service, plane, evidence) != HealthState::Unknown;
            let again = config.all_observers().filter(|(id, ..)| voted(*id));
            let again = again.map(|(id, ..)| self.voice(id, service, plane, Evidence::Reports));
            return verdict(config.observing(), votes.chain(again));
        }
        verdict(config.observing(), votes)
    }

    /// A group's critical services on a plane.
    pub fn sum(&self, group: &GroupName, plane: usize, evidence: Evidence) -> PlaneSum {
        let mut sum = PlaneSum::default();
        let Some(config) = &self.config else { return sum };
        let Some(settings) = config.groups.get(group) else { return sum };
        for name in &settings.services {
            if config.services.get(name).is_some_and(|service| service.critical) {
                sum.add(name, self.verdict(name, plane, evidence));
            }
        }
        sum
    }

    /// Everything that a decision about a group needs; nothing for an unknown group.
    pub fn facts(&self, group: &GroupName, evidence: Evidence) -> Option<Facts<'_>> {
        let config = self.config.as_ref()?;
        let settings = config.groups.get(group)?;
        let route = self.routes.get(group)?;
        let state = self.groups.get(group)?;
        let source = config.plane_index(&route.plane)?;
        let target = &config.planes[1 - source];
        Some(Facts {
            policy: &settings.policy,
            out_when: settings.out_when,
            source: self.sum(group, source, evidence),
            target: self.sum(group, 1 - source, evidence),
            target_name: target.name.clone(),
            now: self.time,
            changed_at: state.changed_at,
            automatic: &state.automatic,
            frozen: state.frozen.as_deref(),
            target_drained: self.drained.get(&target.name).map(String::as_str),
            target_unstable: self.unstable(group, &target.name),
            in_flight: self.in_flight(group),
            member_sites: self.member_sites(),
            two_sites_voted: self.two_sites_voted(group, source, &target.site, evidence),
            approved: self.approved(group, evidence),
        })
    }

    /// What to do with a group now; nothing for an unknown one.
    pub fn decision(&self, group: &GroupName, evidence: Evidence) -> Option<Decision> {
        self.facts(group, evidence).map(|facts| decide(&facts))
    }

    /// Whether a switchover bars a newer decision for the group.
    pub fn in_flight(&self, group: &GroupName) -> bool {
        let last = self.groups.get(group).and_then(|state| state.switchover);
        last.and_then(|id| self.switchovers.get(&id)).is_some_and(|s| s.state.in_flight())
    }

    /// Whether the dwell of any group still runs, by ledger time.
    pub fn dwells(&self) -> bool {
        let Some(config) = &self.config else { return false };
        self.groups.iter().any(|(name, state)| {
            let (Some(changed), Some(group)) = (state.changed_at, config.groups.get(name)) else {
                return false;
            };
            self.time < changed + group.policy.dwell
        })
    }

    /// At how many sites observers stand, members among them.
    pub fn member_sites(&self) -> usize {
        let Some(config) = &self.config else { return 0 };
        config.sites().len()
    }

    /// Whether a critical service of the group went down on this plane too often of late.
    pub fn unstable(&self, group: &GroupName, plane: &PlaneName) -> bool {
        let Some(config) = &self.config else { return false };
        let Some(settings) = config.groups.get(group) else { return false };
        let (Some(limit), Some(plane)) = (settings.policy.flap_limit, config.plane_index(plane))
        else {
            return false;
        };
        let too_often = |service: &ServiceName| {
            let Some(downs) = self.flaps.get(service) else { return false };
            let recent = downs[plane].iter().filter(|at| **at + limit.window > self.time).count();
            recent >= usize::try_from(limit.downs).unwrap_or(usize::MAX)
        };
        settings
            .services
            .iter()
            .filter(|name| config.services.get(*name).is_some_and(|service| service.critical))
            .any(too_often)
    }

    /// Groups and the planes that flapped too often to be their target.
    pub fn unstable_planes(&self) -> BTreeSet<(GroupName, PlaneName)> {
        let Some(config) = &self.config else { return BTreeSet::new() };
        let flapping: BTreeSet<&GroupName> =
            self.flaps.keys().filter_map(|service| self.group_of.get(service)).collect();
        let both = |group: &GroupName| {
            let planes = config.planes.each_ref().map(|plane| (group.clone(), plane.name.clone()));
            planes.into_iter().filter(|(group, plane)| self.unstable(group, plane))
        };
        flapping.into_iter().flat_map(both).collect()
    }

    /// Whether observers at two sites, one of them not the target's, speak against the source.
    fn two_sites_voted(
        &self,
        group: &GroupName,
        source: usize,
        target_site: &SiteName,
        evidence: Evidence,
    ) -> bool {
        let Some(config) = &self.config else { return false };
        let Some(settings) = config.groups.get(group) else { return false };
        let against = |state: HealthState| {
            state == HealthState::Down
                || (state == HealthState::Degraded && settings.policy.degraded_is_out)
        };
        let critical = || {
            settings
                .services
                .iter()
                .filter(|name| config.services.get(*name).is_some_and(|service| service.critical))
        };
        let sites: BTreeSet<&SiteName> = config
            .all_observers()
            .filter(|(id, ..)| {
                critical().any(|name| against(self.voice(*id, name, source, evidence)))
            })
            .map(|(_, _, site)| site)
            .collect();
        sites.len() >= 2 && sites.iter().any(|site| *site != target_site)
    }
}
