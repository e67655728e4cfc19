//! When the leader asks: while anything speaks against a route and no question is open for its group.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::lead::Backoff;
use super::{Controller, Level, limits};
use crate::kernel::domain::{GroupName, HealthState, MemberId, QuestionId, ServiceName};
use crate::kernel::ledger::{Command, Evidence};

impl Controller {
    /// Something speaks against a service on a plane. Only the plane that serves it matters.
    pub(super) fn suspect(&mut self, service: &ServiceName, plane: usize, why: &'static str) {
        if !self.leads() {
            return;
        }
        let Some(group) = self.ledger.group_of(service).cloned() else { return };
        if self.matters(&group, service, plane) {
            self.leading.suspected.insert(group.clone(), (self.now, Cow::Borrowed(why)));
            self.cut_backoff(&group);
            self.ask_soon(&group);
        }
    }

    fn matters(&self, group: &GroupName, service: &ServiceName, plane: usize) -> bool {
        let Some(config) = self.ledger.config() else { return false };
        let active = self.ledger.routes().get(group).and_then(|r| config.plane_index(&r.plane));
        active == Some(plane) && config.services.get(service).is_some_and(|s| s.critical)
    }

    /// Reports of an observer changed: see whether they speak against a route.
    pub(super) fn suspect_reported(&mut self, observer: MemberId, services: &[ServiceName]) {
        if !self.leads() {
            return;
        }
        let mut seen = BTreeSet::new();
        for service in services {
            let Some(group) = self.ledger.group_of(service).cloned() else { continue };
            let says = |plane| self.ledger.voice(observer, service, plane, Evidence::Reports);
            let against = |plane| matches!(says(plane), HealthState::Down | HealthState::Degraded);
            if (0..2).any(|plane| against(plane) && self.matters(&group, service, plane)) {
                self.cut_backoff(&group);
            }
            if seen.insert(group.clone()) && self.speaks_against(&group).is_some() {
                self.ask_soon(&group);
            }
        }
    }

    /// Something new speaks against a group's route: the pause that old, inconclusive words have earned is not
    /// for it.
    fn cut_backoff(&mut self, group: &GroupName) {
        if let Some(backoff) = self.leading.backoff.get_mut(group) {
            backoff.not_before = backoff.not_before.min(backoff.closed + limits::ASK_BACKOFF_MIN);
        }
    }

    pub(super) fn ask_soon(&mut self, group: &GroupName) {
        let not_before = self.leading.backoff.get(group).map_or(self.now, |b| b.not_before);
        let at = not_before.max(self.now);
        let due = self.leading.ask_at.entry(group.clone()).or_insert(at);
        *due = (*due).min(at);
    }

    /// What speaks against a group's route now; nothing if nothing does.
    pub(super) fn speaks_against(&self, group: &GroupName) -> Option<Cow<'static, str>> {
        let window = self.ledger.config()?.timing.question_window;
        if let Some((at, why)) = self.leading.suspected.get(group)
            && self.now.since(*at) < window
        {
            return Some(why.clone());
        }
        self.is_reported(group).then_some(Cow::Borrowed("a report is not up"))
    }

    /// Whether a standing report speaks against the plane that serves a group.
    fn is_reported(&self, group: &GroupName) -> bool {
        let Some(config) = self.ledger.config() else { return false };
        let Some(settings) = config.groups.get(group) else { return false };
        let route = self.ledger.routes().get(group);
        let Some(active) = route.and_then(|route| config.plane_index(&route.plane)) else {
            return false;
        };
        settings.services.iter().any(|service| {
            config.services.get(service).is_some_and(|s| s.critical)
                && config.all_observers().any(|(observer, ..)| {
                    let says = self.ledger.voice(observer, service, active, Evidence::Reports);
                    matches!(says, HealthState::Down | HealthState::Degraded)
                })
        })
    }

    /// Asks about every group that is due, in as few questions as the batch allows.
    pub(super) fn ask_due(&mut self) {
        let due: Vec<GroupName> = self
            .leading
            .ask_at
            .iter()
            .filter(|(_, at)| **at <= self.now)
            .map(|(group, _)| group.clone())
            .collect();
        let mut by_reason: BTreeMap<Cow<'static, str>, BTreeSet<GroupName>> = BTreeMap::new();
        for group in due {
            self.leading.ask_at.remove(&group);
            let open = self.ledger.groups().get(&group).is_none_or(|g| g.question.is_some());
            if open || self.leading.asking.contains(&group) || self.ledger.in_flight(&group) {
                continue;
            }
            match self.speaks_against(&group) {
                Some(why) => {
                    by_reason.entry(why).or_default().insert(group);
                }
                None => {
                    self.leading.backoff.remove(&group);
                    self.leading.suspected.remove(&group);
                }
            }
        }
        for (why, groups) in by_reason {
            self.ask_about(groups, &why);
        }
    }

    pub(super) fn ask_about(&mut self, groups: BTreeSet<GroupName>, why: &str) {
        let config = self.ledger.config_version();
        let groups: Vec<GroupName> = groups.into_iter().collect();
        for chunk in groups.chunks(limits::ENTRY_WEIGHT) {
            let groups: BTreeSet<GroupName> = chunk.iter().cloned().collect();
            self.leading.asking.extend(groups.iter().cloned());
            self.leading.push_own(Command::Question { groups, config, why: why.to_owned() });
        }
    }

    /// A question was applied.
    pub(super) fn lead_asked(&mut self, id: QuestionId) {
        let Some(question) = self.ledger.questions().get(&id) else { return };
        let text = format!("{id} asked about {} group(s): {}", question.groups.len(), question.why);
        for group in question.groups.iter() {
            self.leading.asking.remove(group);
            self.leading.dirty.insert(group.clone());
        }
        self.tell(Level::Info, "question", None, text);
    }

    /// A question was closed without a switch: ask again, ever more slowly, while something still speaks
    /// against the route.
    pub(super) fn lead_closed(&mut self, groups: &BTreeSet<GroupName>) {
        for group in groups {
            self.leading.held.remove(group);
            self.leading.dirty.remove(group);
            self.leading.asking.remove(group);
            self.leading.deciding.remove(group);
            self.leading.asking_people.remove(group);
            if let Some(last) = self.ledger.groups().get(group).and_then(|state| state.switchover) {
                self.leading.drive.insert(last);
            }
            if self.speaks_against(group).is_none() {
                continue;
            }
            let first = limits::ASK_BACKOFF_MIN;
            let step = self.leading.backoff.get(group).map_or(first, |b| b.step * 2);
            let step = step.min(limits::ASK_BACKOFF_MAX);
            let (closed, not_before) = (self.now, self.now + step);
            self.leading.backoff.insert(group.clone(), Backoff { closed, not_before, step });
            self.ask_soon(group);
        }
    }
}
