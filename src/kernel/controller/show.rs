//! The view as `status`, `explain` and records: pure renderings of what the ledger holds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::disk::SLOW_DISK;
use super::guards::guard_words;
use super::limits;
use super::view::{MemberCard, RouteEntry, RouteTable, View};
use super::{
    GatewayStatus, GroupStatus, MemberStatus, PlaneStatus, ServiceOnPlane, ServiceStatus, Status,
    StepRecord, SwitchoverRecord,
};
use crate::kernel::domain::{
    GroupName, HealthState, MemberId, MemberName, Moment, PlaneName, QuestionId, ServiceName,
    StatePair, SwitchoverId, WallTime,
};
use crate::kernel::ledger::{Ask, Cluster, Done, Evidence, GroupState, OnSwitch, PlacedBy};
use crate::kernel::policy::Decision;
use crate::kernel::switchover::{State, Switchover};

/// The kind and the role of an observer beside the members.
const OBSERVER: &str = "observer";

impl View {
    /// `GET /v1/status`, as of `now` on this node's clock.
    pub fn status(&self, now: Moment) -> Status {
        let ledger = &self.ledger;
        let name = |id: MemberId| self.member_name(id);
        let mut status = Status {
            cluster: String::new(),
            node: name(self.member),
            leader: self.leader.map(name),
            quorum: self.in_quorum,
            cut_off_ms: (!self.in_quorum).then(|| millis(now.since(self.cut_off_since))),
            term: self.term,
            applied: self.applied,
            ledger_time: ledger.time(),
            config_version: ledger.config_version(),
            warnings: self.warnings.clone(),
            planes: Vec::new(),
            members: Vec::new(),
            alarms: self.alarms_by_kind(),
            open_questions: ledger.questions().values().filter(|question| question.open).count(),
            groups: Vec::new(),
            gateways: self.gateway_statuses(now),
        };
        if !self.in_quorum {
            let slow = self.warnings.iter().any(|warning| warning == SLOW_DISK);
            let text = if slow {
                "ask another member, and look at the disk of this one: gateways leave it until the write ends"
            } else {
                "no quorum: nothing can be switched; DNS and gateways keep the last routes. A \
                 majority of the members must run and reach each other"
            };
            status.warnings.push(text.to_owned());
        }
        let Some(config) = &self.cluster else { return status };
        config.name.as_str().clone_into(&mut status.cluster);
        status.warnings.extend(config.sites_that_take_the_quorum());
        if ledger.member_sites() < 3 {
            status
                .warnings
                .push("automation is off: observers stand at fewer than three sites".to_owned());
        }
        status.planes = config
            .planes
            .iter()
            .map(|plane| PlaneStatus {
                name: plane.name.clone(),
                site: plane.site.clone(),
                drained: ledger.drained().get(&plane.name).cloned(),
                drained_by: ledger.drains().get(&plane.name).map(PlacedBy::from),
            })
            .collect();
        status.members = self.member_statuses(config, now, &mut status.warnings);
        status.groups =
            config.groups.keys().filter_map(|group| self.group_status(config, group)).collect();
        status.warnings.extend(self.stuck());
        status.warnings.extend(self.waiting());
        status
    }

    fn member_name(&self, id: MemberId) -> MemberName {
        let known = self.cluster.as_ref().and_then(|config| config.name_of(id)).cloned();
        known.unwrap_or_else(|| {
            MemberName::new(&format!("member-{id}")).expect("`member-` and digits are a name")
        })
    }

    /// What waits for a person, in words.
    fn stuck(&self) -> impl Iterator<Item = String> {
        let last = self.ledger.groups().values().filter_map(|state| state.switchover);
        let last = last.filter_map(|id| self.ledger.switchovers().get(&id));
        last.filter(|s| s.state == State::Stuck)
            .map(|s| format!("switchover {} of {} is stuck: {}", s.id, s.group, s.outcome))
    }

    /// Whether a member is silent: this node has not heard it for too long, or never.
    pub(super) fn silent(&self, config: &Cluster, id: MemberId, now: Moment) -> bool {
        let heard = self.heard.get(&id).copied().unwrap_or(self.started);
        id != self.member && now.since(heard) > config.timing.observer_silence
    }

    fn member_statuses(
        &self,
        config: &Cluster,
        now: Moment,
        warnings: &mut Vec<String>,
    ) -> Vec<MemberStatus> {
        let mut members = Vec::new();
        for (id, name, site) in config.all_observers() {
            let kind = config.members.get(&id).map_or(OBSERVER, |member| member.role.as_str());
            warnings.extend(self.member_warning(config, id, now));
            let card = self.cards.get(&id);
            let days = card.and_then(|card| days_left(self.wall, card.certificate_until?));
            let CardWarnings { clock, certificate } = card_warnings(name, card, self.wall);
            warnings.extend(clock.into_iter().chain(certificate));
            let state = self.ledger.observers().get(&id);
            let lost = self.silent(config, id, now) || state.is_some_and(|state| state.lost);
            let role = if self.apart.contains(&id) {
                "apart"
            } else if lost {
                "lost"
            } else if self.leader == Some(id) {
                "leader"
            } else if kind == OBSERVER {
                OBSERVER
            } else {
                "follower"
            };
            members.push(MemberStatus {
                id,
                name: name.clone(),
                site: site.clone(),
                role: role.to_owned(),
                kind: kind.to_owned(),
                isolated: state.is_some_and(|state| state.isolated),
                clock_ms: card.map(|card| card.clock_ms),
                lag: self.applied_by.get(&id).map(|applied| self.applied.saturating_sub(*applied)),
                certificate_days: days,
            });
        }
        members
    }

    /// What is wrong with a member, or an observer beside them, in words.
    fn member_warning(&self, config: &Cluster, id: MemberId, now: Moment) -> Option<String> {
        let state = self.ledger.observers().get(&id);
        let what = if config.members.contains_key(&id) { "member" } else { OBSERVER };
        let name = self.member_name(id);
        let silent = self.silent(config, id, now);
        if self.apart.contains(&id) && id != self.member {
            Some(format!(
                "{what} {name} runs but takes no part in consensus, and its answers are old: its log says why"
            ))
        } else if silent && !self.heard.contains_key(&id) {
            let me = self.member_name(self.member);
            Some(format!("{what} {name} is lost: {me} has not heard it since it started itself"))
        } else if silent || state.is_some_and(|state| state.lost) {
            Some(format!("{what} {name} is lost: it has fallen silent"))
        } else if state.is_some_and(|state| state.isolated) {
            Some(format!("{what} {name} is isolated: its votes do not count"))
        } else {
            None
        }
    }

    fn gateway_statuses(&self, now: Moment) -> Vec<GatewayStatus> {
        self.gateways
            .iter()
            .map(|(name, (groups, at))| GatewayStatus {
                name: name.clone(),
                silent_ms: millis(now.since(*at)),
                groups: groups.clone(),
            })
            .collect()
    }

    /// What counts now for a group: the ballots of an open question, else the live reports.
    pub(super) fn evidence(&self, group: &GroupName) -> Evidence {
        let question: Option<QuestionId> =
            self.ledger.groups().get(group).and_then(|state: &GroupState| state.question);
        let voted = question
            .filter(|id| self.ledger.questions().get(id).is_some_and(|q| !q.ballots.is_empty()));
        voted.map_or(Evidence::Reports, Evidence::Ballots)
    }

    pub(super) fn group_status(&self, config: &Cluster, name: &GroupName) -> Option<GroupStatus> {
        let settings = config.groups.get(name)?;
        let route = self.ledger.routes().get(name)?;
        let state = self.ledger.groups().get(name)?;
        let decision = self.ledger.decision(name, self.evidence(name))?;
        let services =
            settings.services.iter().filter_map(|s| self.service_status(config, s)).collect();
        Some(GroupStatus {
            name: name.clone(),
            plane: route.plane.clone(),
            epoch: route.epoch,
            mode: settings.policy.mode,
            decision: decision.word().to_owned(),
            because: self.because(name, &decision),
            frozen: state.frozen.clone(),
            frozen_by: state.frozen_by.as_ref().map(PlacedBy::from),
            ask: state.ask.filter(|id| self.ask(*id).is_some_and(|ask| ask.left_ms.is_some())),
            switchover: state
                .switchover
                .filter(|id| {
                    let last = self.ledger.switchovers().get(id);
                    last.is_some_and(|s| !s.state.ended() || s.state == State::Stuck)
                })
                .map(|id| id.to_string()),
            services,
        })
    }

    /// The decision in words, with what a person can do where it waits for one.
    fn because(&self, group: &GroupName, decision: &Decision) -> String {
        if *decision != Decision::Ask {
            return decision.to_string();
        }
        match self.ledger.denied(group) {
            None => format!("{decision}: `biplane approve {group}`"),
            Some((ask, done)) => denied(ask, done),
        }
    }

    fn service_status(&self, config: &Cluster, name: &ServiceName) -> Option<ServiceStatus> {
        let service = config.services.get(name)?;
        let on_plane = |plane: usize| ServiceOnPlane {
            verdict: self.ledger.verdict(name, plane, Evidence::Reports).to_string(),
            reports: config
                .all_observers()
                .map(|(id, observer, _)| {
                    (observer.clone(), self.ledger.voice(id, name, plane, Evidence::Reports))
                })
                .collect(),
        };
        let planes = config.planes.iter().enumerate();
        Some(ServiceStatus {
            name: name.clone(),
            critical: service.critical,
            planes: planes.map(|(at, plane)| (plane.name.clone(), on_plane(at))).collect(),
        })
    }

    /// The switchovers that the ledger still holds, newest first.
    pub fn switchovers(&self) -> impl Iterator<Item = SwitchoverRecord> {
        self.ledger.switchovers().values().rev().map(|s| self.record(s))
    }

    /// One of them.
    pub fn switchover(&self, id: &str) -> Option<SwitchoverRecord> {
        let id: SwitchoverId = id.parse().ok()?;
        self.ledger.switchovers().get(&id).map(|s| self.record(s))
    }

    pub(super) fn record(&self, s: &Switchover) -> SwitchoverRecord {
        let planes = self.cluster.as_ref().map(|config| config.planes.each_ref().map(|p| &p.name));
        let by_plane = |pair: &StatePair| -> BTreeMap<PlaneName, HealthState> {
            let names = planes.into_iter().flatten();
            names.zip(pair.0).map(|(plane, state)| (plane.clone(), state)).collect()
        };
        let by_service = |states: &BTreeMap<ServiceName, StatePair>| {
            states.iter().map(|(service, pair)| (service.clone(), by_plane(pair))).collect()
        };
        SwitchoverRecord {
            id: s.id.to_string(),
            group: s.group.clone(),
            from: s.from.clone(),
            to: s.to.clone(),
            kind: s.kind.to_string(),
            state: s.state.to_string(),
            base: s.base,
            epoch: s.epoch,
            by: s.by.clone(),
            cause: s.cause.clone(),
            ballots: s
                .ballots
                .iter()
                .map(|(member, states)| (self.member_name(*member), by_service(states)))
                .collect(),
            ruleset: s.guards.as_ref().map(|guards| guards.ruleset),
            config_version: s.guards.as_ref().map(|guards| guards.config),
            guards: s.guards.as_ref().map(|guards| guard_words(guards)).unwrap_or_default(),
            skipped: s.skipped.clone(),
            steps: s
                .steps
                .iter()
                .map(|step| StepRecord { step: step.step.clone(), at: step.at, wall: step.wall })
                .collect(),
            converging: s.converging.clone(),
            outcome: s.outcome.clone(),
        }
    }

    /// What gateways follow.
    pub fn route_table(&self) -> RouteTable {
        let mut table = RouteTable { revision: self.ledger.revision(), routes: BTreeMap::new() };
        let Some(config) = &self.cluster else { return table };
        for (name, settings) in &config.routes {
            let (Some(route), Some(group), Some(state)) = (
                self.routes.get(&settings.group),
                config.groups.get(&settings.group),
                self.ledger.groups().get(&settings.group),
            ) else {
                continue;
            };
            let on_switch = if state.cut { OnSwitch::Cut } else { group.on_switch };
            let entry = RouteEntry {
                group: settings.group.clone(),
                plane: route.plane.clone(),
                epoch: route.epoch,
                on_switch,
                upstream: settings.upstream.clone(),
            };
            table.routes.insert(name.clone(), entry);
        }
        table
    }
}

/// Whole days from a time to another; negative when that is over.
fn days_left(now: WallTime, until: WallTime) -> Option<i64> {
    const DAY_MS: i64 = 86_400_000;
    let left = i64::try_from(until.0).ok()?.checked_sub(i64::try_from(now.0).ok()?)?;
    Some(left.div_euclid(DAY_MS))
}

/// What people should know of a member's clock and certificate.
pub(super) struct CardWarnings {
    pub(super) clock: Option<String>,
    pub(super) certificate: Option<String>,
}

pub(super) fn card_warnings(
    name: &MemberName,
    card: Option<&MemberCard>,
    now: WallTime,
) -> CardWarnings {
    let clock = card.filter(|card| card.clock_sure).map(|card| card.clock_least_ms);
    let clock = clock.filter(|ms| ms.abs() > limits::CLOCK_DIFFERENCE_MS);
    let clock = clock.map(|ms| {
        format!("the clock of member {name} differs by {ms} ms: records and expiries go by the leader's clock")
    });
    let days = card.and_then(|card| days_left(now, card.certificate_until?));
    let certificate = days.filter(|days| *days <= limits::CERTIFICATE_DAYS).map(|days| {
        if days < 0 {
            format!("the certificate of member {name} has ended: the others turn it away")
        } else {
            format!("the certificate of member {name} ends in {days} days: the others will turn it away then")
        }
    });
    CardWarnings { clock, certificate }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// That a person said no, and what moves the group all the same.
pub(super) fn denied(ask: &Ask, done: &Done) -> String {
    let Ask { id, group, to, .. } = ask;
    format!("{} denied {id}: `biplane switch {group} --to {to}` moves it all the same", done.by)
}
