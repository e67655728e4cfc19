//! What happened, in a few marks: for scenarios, and for the classes of a campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kernel::controller::View;
use crate::kernel::domain::{AskId, GroupName, PlaneName, Route, ServiceName, SwitchoverId};
use crate::kernel::health::Verdict;
use crate::kernel::ledger::{Cluster, Evidence};
use crate::kernel::switchover::{Kind, State};
use crate::sim::counts::{Class, Counts};
use crate::sim::queue::{MS, Micros, SECOND};

/// Something worth knowing of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A leader asked the observers.
    Question,
    /// A leader held a decision.
    Held(Option<GroupName>),
    /// A switchover was begun.
    Decided(GroupName, Kind, PlaneName),
    /// Its route stands in the ledger.
    Routed(GroupName, Kind, PlaneName),
    /// A switchover ended, and why so, where it did not end well.
    Ended(GroupName, State, String),
    /// People are asked about a group.
    Asked(GroupName),
    /// A switchover took a step under another leader than the one before.
    Resumed(GroupName),
    /// A node shows a group on a plane.
    Shown(usize, GroupName, PlaneName),
    /// A node shows that the quorum reports a service down on a plane.
    Down(ServiceName, PlaneName),
    /// A gateway sends a group to a plane.
    Gateway(GroupName, PlaneName),
    /// A resolver sends users of a group to a plane.
    Users(GroupName, PlaneName),
    /// Another node leads.
    Leader(usize),
    /// A process died.
    Crashed(usize),
    /// A node takes over a leader's snapshot.
    Snapshot(usize),
}

impl Mark {
    /// In words; members are called by their names.
    fn words(&self, cluster: &Cluster) -> String {
        let name = |node: usize| {
            let member = cluster.members.values().nth(node);
            member.map_or_else(String::new, |member| member.name.to_string())
        };
        match self {
            Self::Question => "a leader asks the observers".to_owned(),
            Self::Held(None) => "moving is held".to_owned(),
            Self::Held(Some(group)) => format!("moving {group} is held"),
            Self::Decided(group, kind, to) => format!("{kind} switchover of {group} to {to}"),
            Self::Routed(group, _, to) => format!("the route of {group} leads to {to}"),
            Self::Ended(group, state, why) if why.is_empty() => {
                format!("the switchover of {group} is {state}")
            }
            Self::Ended(group, state, why) => {
                format!("the switchover of {group} is {state}: {why}")
            }
            Self::Asked(group) => format!("people are asked about {group}"),
            Self::Resumed(group) => {
                format!("the switchover of {group} goes on under another leader")
            }
            Self::Shown(node, group, plane) => {
                format!("{} shows {group} on {plane}", name(*node))
            }
            Self::Down(service, plane) => format!("{service} is down on {plane}"),
            Self::Gateway(group, plane) => format!("a gateway sends {group} to {plane}"),
            Self::Users(group, plane) => format!("a resolver sends users of {group} to {plane}"),
            Self::Leader(node) => format!("{} leads", name(*node)),
            Self::Crashed(node) => format!("{} dies", name(*node)),
            Self::Snapshot(node) => format!("{} takes over a snapshot", name(*node)),
        }
    }
}

/// A line of a story: seconds and thousandths, and what happened.
pub fn line(at: Micros, told: &str) -> String {
    format!("{:>3}.{:03} {told}", at / SECOND, at % SECOND / MS)
}

/// The marks of a run.
#[derive(Debug, Default)]
pub struct Watch {
    /// In order of time.
    pub marks: Vec<(Micros, Mark)>,
    applied: u64,
    configured: u64,
    states: BTreeMap<SwitchoverId, (State, bool)>,
    shown: BTreeMap<(usize, GroupName), PlaneName>,
    gateways: BTreeMap<(usize, GroupName), PlaneName>,
    down: BTreeSet<(ServiceName, usize)>,
    leader: (u64, usize),
    newest_ask: Option<AskId>,
    routes: BTreeMap<usize, Arc<BTreeMap<GroupName, Route>>>,
}

/// Marks that are kept; a run has some hundreds.
const MARKS: usize = 100_000;

impl Watch {
    /// The marks, in words.
    pub fn told(&self, cluster: &Cluster) -> impl Iterator<Item = (Micros, String)> {
        self.marks.iter().map(|(at, mark)| (*at, mark.words(cluster)))
    }

    /// The marks, one a line.
    pub fn story(&self, cluster: &Cluster) -> Vec<String> {
        self.told(cluster).map(|(at, told)| line(at, &told)).collect()
    }

    fn mark(&mut self, at: Micros, mark: Mark) {
        if self.marks.len() < MARKS {
            self.marks.push((at, mark));
        }
    }

    /// The highest term that any node led.
    pub(super) const fn highest_term(&self) -> u64 {
        self.leader.0
    }

    /// Whether a switchover is under way, as the newest state that anybody showed has it.
    pub(super) fn moves(&self) -> bool {
        self.states.values().any(|(state, _)| !state.ended())
    }

    /// Whether the intent of one is committed, and its route has not changed.
    pub(super) fn has_intent(&self) -> bool {
        let waits = |state| matches!(state, State::Planned | State::Prechecking);
        self.states.values().any(|(state, _)| waits(*state))
    }

    pub(super) fn asked(&mut self, at: Micros) {
        self.mark(at, Mark::Question);
    }

    pub(super) fn held(&mut self, at: Micros, group: Option<&GroupName>) {
        self.mark(at, Mark::Held(group.cloned()));
    }

    pub(super) fn snapshot(&mut self, at: Micros, node: usize) {
        self.mark(at, Mark::Snapshot(node));
    }

    pub(super) fn crashed(&mut self, at: Micros, node: usize) {
        self.routes.remove(&node);
        self.mark(at, Mark::Crashed(node));
    }

    pub(super) fn gateway(
        &mut self,
        at: Micros,
        which: usize,
        group: &GroupName,
        plane: &PlaneName,
    ) {
        let key = (which, group.clone());
        if self.gateways.get(&key) != Some(plane) {
            self.gateways.insert(key, plane.clone());
            self.mark(at, Mark::Gateway(group.clone(), plane.clone()));
        }
    }

    pub(super) fn users(&mut self, at: Micros, group: &GroupName, plane: &PlaneName) {
        self.mark(at, Mark::Users(group.clone(), plane.clone()));
    }

    pub(super) fn led(&mut self, at: Micros, node: usize, term: u64, counts: &mut Counts) {
        if term > self.leader.0 {
            if self.leader.0 > 0 && self.leader.1 != node {
                counts.see(Class::LeaderChange);
            }
            self.leader = (term, node);
            self.mark(at, Mark::Leader(node));
        }
    }

    pub(super) fn published(
        &mut self,
        at: Micros,
        node: usize,
        view: &Arc<View>,
        partition: bool,
        counts: &mut Counts,
    ) {
        // The map of routes is another one whenever it changed.
        let before = self.routes.insert(node, Arc::clone(&view.routes));
        if before.is_none_or(|before| !Arc::ptr_eq(&before, &view.routes)) {
            for (group, route) in view.routes.iter() {
                let key = (node, group.clone());
                if self.shown.get(&key) != Some(&route.plane) {
                    self.shown.insert(key, route.plane.clone());
                    self.mark(at, Mark::Shown(node, group.clone(), route.plane.clone()));
                }
            }
        }
        if view.applied > self.applied {
            self.applied = view.applied;
            let version = view.ledger.config_version();
            let configured = std::mem::replace(&mut self.configured, version) != version;
            if configured && self.moves() {
                counts.see(Class::ConfiguredInMidSwitch);
            }
            self.switchovers(at, view, partition, counts);
            self.asks(at, view);
            self.reports(at, view);
        }
    }

    fn asks(&mut self, at: Micros, view: &View) {
        let newest = self.newest_ask;
        let new = view.ledger.asks().iter().filter(|(id, _)| newest.is_none_or(|last| **id > last));
        let groups: Vec<GroupName> = new.map(|(_, ask)| ask.group.clone()).collect();
        groups.into_iter().for_each(|group| self.mark(at, Mark::Asked(group)));
        self.newest_ask = newest.max(view.ledger.asks().keys().next_back().copied());
    }

    fn reports(&mut self, at: Micros, view: &View) {
        let Some(cluster) = &view.cluster else { return };
        for service in cluster.services.keys() {
            for plane in 0..2 {
                let key = (service.clone(), plane);
                if view.ledger.verdict(service, plane, Evidence::Reports) != Verdict::Down {
                    self.down.remove(&key);
                } else if self.down.insert(key) {
                    let plane = cluster.planes[plane].name.clone();
                    self.mark(at, Mark::Down(service.clone(), plane));
                }
            }
        }
    }

    fn switchovers(&mut self, at: Micros, view: &View, partition: bool, counts: &mut Counts) {
        for s in view.ledger.switchovers().values() {
            let before = self.states.get(&s.id).copied();
            if before.is_some_and(|(state, _)| state == s.state) {
                continue;
            }
            let (group, to) = (s.group.clone(), s.to.clone());
            let mut terms = s.steps.iter().map(|step| step.term);
            let first = terms.next();
            let resumed = terms.any(|term| Some(term) != first);
            let had_resumed = before.is_some_and(|(_, resumed)| resumed);
            self.states.insert(s.id, (s.state, resumed));
            if before.is_none() {
                self.mark(at, Mark::Decided(group.clone(), s.kind, to.clone()));
            }
            if resumed && !had_resumed {
                counts.see(Class::LeaderChangeInMidSwitch);
                self.mark(at, Mark::Resumed(group.clone()));
            }
            let routed_before = before
                .is_some_and(|(state, _)| !matches!(state, State::Planned | State::Prechecking));
            if s.epoch.is_some() && !routed_before {
                self.mark(at, Mark::Routed(group.clone(), s.kind, to));
                counts.see(if s.kind == Kind::Automatic {
                    Class::AutomaticSwitchover
                } else {
                    Class::OperatorSwitchover
                });
                if s.kind == Kind::Automatic && partition {
                    counts.see(Class::SwitchoverInPartition);
                }
                let beside = |observer| {
                    let cluster = view.cluster.as_ref();
                    cluster.is_some_and(|cluster| cluster.observers.contains_key(observer))
                };
                if s.kind == Kind::Automatic && s.ballots.keys().any(beside) {
                    counts.see(Class::ObserverBallot);
                }
            }
            if s.state.ended() {
                let well = s.state == State::Done;
                let why = if well { String::new() } else { s.outcome.clone() };
                self.mark(at, Mark::Ended(group, s.state, why));
            }
        }
    }
}
