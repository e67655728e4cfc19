//! What operators do, and the first configuration, at apply.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::apply_ask::ALARMS_SINCE;
use super::cluster::Cluster;
use super::command::{RequestKey, SwitchCommand};
use super::events::EventKind;
use super::facts::Evidence;
use super::limits;
use super::outcome::{Applied, Outcome, RefusalReason, Refused};
use super::state::{Entry, GroupState, Ledger};
use crate::kernel::domain::{GroupName, PlaneName, Route, SwitchoverId};
use crate::kernel::mutants::{self, Mutant};
use crate::kernel::policy::{Hold, WhenBothDown};
use crate::kernel::switchover::{Event, FORCED_SKIPS, Kind, Switchover};

impl Ledger {
    pub(super) fn configure(&mut self, entry: &mut Entry, cluster: Cluster) {
        if self.config.is_some() {
            let reason = RefusalReason::AlreadyConfigured;
            return entry.applied.push(Applied::Refused(Refused::Configuration, reason));
        }
        self.generation = 1;
        let epoch = self.first_epoch();
        let routes = Arc::make_mut(&mut self.routes);
        let groups = Arc::make_mut(&mut self.groups);
        for (name, group) in &cluster.groups {
            routes.insert(name.clone(), Route { plane: group.home.clone(), epoch });
            groups.insert(name.clone(), GroupState::default());
        }
        self.serials = cluster.zones.keys().map(|origin| (origin.clone(), 1)).collect();
        self.config = Some(Arc::new(cluster));
        self.config_version = 1;
        self.revision = entry.index;
        self.index_services();
        self.take_notify();
        entry.applied.push(Applied::Configured);
    }

    pub(super) fn switch(&mut self, entry: &mut Entry, command: SwitchCommand) {
        let request = command.request;
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        let outcome = match self.repeated(&command) {
            Some(outcome) => outcome,
            None => match self.admit(&command) {
                Ok(switchover) => {
                    let id = self.begin(entry, switchover);
                    self.remember_key(&command, id);
                    entry.applied.push(Applied::Switchover(id));
                    Outcome::Switchover(id, false)
                }
                Err(reason) => Outcome::Refused(reason),
            },
        };
        self.settle(entry, request, outcome);
    }

    /// What an earlier request with the same principal and key made.
    fn repeated(&self, command: &SwitchCommand) -> Option<Outcome> {
        if mutants::active(Mutant::M37RetryDoneAgain) {
            return None;
        }
        let (key, body) = command.idempotency.as_ref()?;
        let (hash, id) = self.settled.made(&command.by, key)?;
        Some(if hash == body {
            Outcome::Switchover(id, true)
        } else {
            Outcome::Refused(RefusalReason::KeyReused(key.clone()))
        })
    }

    fn remember_key(&mut self, command: &SwitchCommand, id: SwitchoverId) {
        if let Some((key, body)) = &command.idempotency {
            let settled = Arc::make_mut(&mut self.settled);
            settled.remember((&command.by, key), self.time, (body, id));
        }
    }

    fn admit(&self, command: &SwitchCommand) -> Result<Switchover, RefusalReason> {
        let SwitchCommand { moved, kind, by, reason, .. } = command;
        let config = self.config.as_ref().ok_or(RefusalReason::NotConfigured)?;
        self.check_base(moved)?;
        let route = self
            .routes
            .get(&moved.group)
            .ok_or_else(|| RefusalReason::NoSuchGroup(moved.group.clone()))?;
        if config.plane_index(&moved.to).is_none() {
            return Err(RefusalReason::NoSuchPlane(moved.to.clone()));
        }
        if route.plane == moved.to {
            return Err(RefusalReason::AlreadyThere(moved.to.clone()));
        }
        if self.in_flight(&moved.group) {
            return Err(RefusalReason::Held(vec![Hold::InFlight]));
        }
        let drained = self.drained.get(&moved.to).cloned();
        if let (Kind::Planned, Some(why)) = (kind, drained) {
            return Err(RefusalReason::Held(vec![Hold::TargetDrained(why)]));
        }
        if *kind == Kind::Planned && self.refuses_for_both(&moved.group) {
            return Err(RefusalReason::Held(vec![Hold::BothDown]));
        }
        let mut switchover =
            self.planned(moved, route, *kind, by.clone(), shortened(reason.clone()));
        if *kind == Kind::Forced {
            switchover.skipped = FORCED_SKIPS.iter().map(|skip| (*skip).to_owned()).collect();
        }
        Ok(switchover)
    }

    /// Whether both planes are bad by the live reports, and the group's policy refuses a planned move then.
    fn refuses_for_both(&self, group: &GroupName) -> bool {
        self.facts(group, Evidence::Reports).is_some_and(|facts| {
            facts.policy.when_both_down == WhenBothDown::Refuse
                && facts.source.out(facts.out_when, facts.policy.degraded_is_out)
                && !facts.target.good()
        })
    }

    pub(super) fn freeze(
        &mut self,
        entry: &mut Entry,
        (request, by): (RequestKey, String),
        named: BTreeSet<GroupName>,
        wish: Wish,
        abort: bool,
    ) {
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        if self.config.is_none() {
            return self.settle(entry, request, Outcome::Refused(RefusalReason::NotConfigured));
        }
        if let Some(unknown) = named.iter().find(|group| !self.groups.contains_key(*group)) {
            let refused = Outcome::Refused(RefusalReason::NoSuchGroup(unknown.clone()));
            return self.settle(entry, request, refused);
        }
        let Wish { on, reason, for_ms } = wish;
        let reason = shortened(reason);
        self.tell_frozen(entry, &named, on, &by, &reason);
        let known = self.ruleset() >= ALARMS_SINCE;
        let placed = (on && known).then(|| self.placed(&by, for_ms));
        let touched: BTreeSet<GroupName> =
            if named.is_empty() { self.groups.keys().cloned().collect() } else { named };
        let reason = on.then_some(reason);
        let groups = Arc::make_mut(&mut self.groups);
        for name in &touched {
            if let Some(state) = groups.get_mut(name) {
                state.frozen.clone_from(&reason);
                state.frozen_by.clone_from(&placed);
            }
        }
        if on && abort && known {
            self.turn_back(entry, &touched, &by);
        }
        if !on {
            self.forget_ballots_about(entry, &touched);
        }
        self.set_timers();
        entry.applied.push(Applied::Guards);
        self.settle(entry, request, Outcome::Done {});
    }

    /// Switchovers of these groups that have changed no route yet end where they began.
    fn turn_back(&mut self, entry: &mut Entry, groups: &BTreeSet<GroupName>, by: &str) {
        let last = groups.iter().filter_map(|group| self.groups.get(group)?.switchover);
        let live: Vec<SwitchoverId> = last
            .filter(|id| {
                let switchover = self.switchovers.get(id);
                switchover.is_some_and(|s| s.state.next(Event::Abandon).is_ok())
            })
            .collect();
        for id in live {
            let note = format!("aborted by a freeze of {by}");
            self.advance(entry, id, Event::Abandon, None, Vec::new(), note);
        }
    }

    /// One event for each group that was named, or one for all.
    fn tell_frozen(
        &mut self,
        entry: &mut Entry,
        named: &BTreeSet<GroupName>,
        on: bool,
        by: &str,
        reason: &str,
    ) {
        let what = if on { "frozen" } else { "thawed" };
        let text = |whose: &str| format!("{whose} {what}, by {by}{}", because(reason));
        if named.is_empty() {
            self.tell(entry, EventKind::Freeze, None, text("all groups"));
        }
        for group in named {
            self.tell(entry, EventKind::Freeze, Some(group.clone()), text(group.as_str()));
        }
    }

    pub(super) fn drain(
        &mut self,
        entry: &mut Entry,
        (request, by): (RequestKey, String),
        plane: PlaneName,
        wish: Wish,
    ) {
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        let known = self.config.as_ref().is_some_and(|c| c.plane_index(&plane).is_some());
        if !known {
            let refused = Outcome::Refused(RefusalReason::NoSuchPlane(plane));
            return self.settle(entry, request, refused);
        }
        let Wish { on, reason, for_ms } = wish;
        let reason = shortened(reason);
        let what = if on { "drained" } else { "may be chosen again" };
        let text = format!("{plane} {what}, by {by}{}", because(&reason));
        self.tell(entry, EventKind::Drain, None, text);
        self.drains.remove(&plane);
        if on {
            if self.ruleset() >= ALARMS_SINCE {
                let placed = self.placed(&by, for_ms);
                self.drains.insert(plane.clone(), placed);
            }
            self.drained.insert(plane, reason);
        } else {
            self.drained.remove(&plane);
        }
        self.set_timers();
        entry.applied.push(Applied::Guards);
        self.settle(entry, request, Outcome::Done {});
    }
}

/// What a person wants of a freeze or a drain.
#[derive(Debug)]
pub(super) struct Wish {
    /// On or off.
    pub(super) on: bool,
    /// Why.
    pub(super) reason: String,
    /// For how long, in milliseconds.
    pub(super) for_ms: Option<u64>,
}

/// `: reason`, if there is one.
pub(super) fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// A person's reason, cut to its limit at a character.
pub(super) fn shortened(reason: String) -> String {
    if reason.chars().count() <= limits::REASON_MAX {
        return reason;
    }
    reason.chars().take(limits::REASON_MAX).collect()
}
