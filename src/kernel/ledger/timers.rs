//! What ends by itself: freezes, drains and asks have a time of the ledger at which they are over.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apply_ask::ALARMS_SINCE;
use super::events::EventKind;
use super::outcome::Applied;
use super::state::{Entry, Ledger};
use crate::kernel::domain::{GroupName, LedgerTime, PlaneName, WallTime};

/// Who put a freeze or a drain in place, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Who.
    pub by: String,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
    /// Until when; absent: until it is taken away. Ledger time may lag, so it errs long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<LedgerTime>,
    /// The same by the wall clock, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_wall: Option<WallTime>,
}

/// The same, for those who read `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedBy {
    /// Who.
    pub by: String,
    /// When.
    pub at: WallTime,
    /// Until when; absent: until it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
}

impl From<&Placed> for PlacedBy {
    fn from(placed: &Placed) -> Self {
        Self { by: placed.by.clone(), at: placed.at, until: placed.until_wall }
    }
}

impl Ledger {
    /// Of something put in place now, for so many milliseconds.
    pub(super) fn placed(&self, by: &str, for_ms: Option<u64>) -> Placed {
        Placed {
            by: by.to_owned(),
            at: self.wall,
            until: for_ms.map(|ms| LedgerTime(self.time.0.saturating_add(ms))),
            until_wall: for_ms.map(|ms| WallTime(self.wall.0.saturating_add(ms))),
        }
    }

    /// When the next thing ends by itself.
    pub const fn next_timer(&self) -> Option<LedgerTime> {
        self.next_timer
    }

    /// Finds the next timer anew: after whatever sets or ends one.
    pub(super) fn set_timers(&mut self) {
        let of_group = |state: &super::state::GroupState| {
            let ask = state.ask.and_then(|id| self.asks.get(&id)).map(|ask| ask.until);
            let freeze = state.frozen_by.as_ref().and_then(|placed| placed.until);
            [ask, freeze].into_iter().flatten().min()
        };
        let groups = self.groups.values().filter_map(of_group);
        let drains = self.drains.values().filter_map(|placed| placed.until);
        self.next_timer = groups.chain(drains).min();
    }

    /// Time has passed: what is over ends.
    pub(super) fn pass_time(&mut self, entry: &mut Entry) {
        if self.next_timer.is_none_or(|timer| timer > self.time) {
            return;
        }
        self.expire_asks(entry);
        self.thaw_the_expired(entry);
        let over = |placed: &Placed| placed.until.is_some_and(|until| until <= self.time);
        let drains: Vec<PlaneName> = self
            .drains
            .iter()
            .filter(|(_, placed)| over(placed))
            .map(|(plane, _)| plane.clone())
            .collect();
        for plane in drains {
            self.drained.remove(&plane);
            self.drains.remove(&plane);
            let text = format!("{plane} may be chosen again: the drain's time is over");
            self.tell(entry, EventKind::Drain, None, text);
            entry.applied.push(Applied::Guards);
        }
        self.set_timers();
    }

    fn thaw_the_expired(&mut self, entry: &mut Entry) {
        let now = self.time;
        let over = |state: &super::state::GroupState| {
            let until = state.frozen_by.as_ref().and_then(|placed| placed.until);
            until.is_some_and(|until| until <= now)
        };
        let thawed: BTreeSet<GroupName> = self
            .groups
            .iter()
            .filter(|(_, state)| over(state))
            .map(|(name, _)| name.clone())
            .collect();
        if thawed.is_empty() {
            return;
        }
        let groups = Arc::make_mut(&mut self.groups);
        for name in &thawed {
            if let Some(state) = groups.get_mut(name) {
                state.frozen = None;
                state.frozen_by = None;
            }
        }
        let whose = match thawed.first() {
            Some(name) if thawed.len() == 1 => name.to_string(),
            _ => format!("{} groups", thawed.len()),
        };
        let group = thawed.first().filter(|_| thawed.len() == 1).cloned();
        let text = format!("{whose} thawed: the freeze's time is over");
        self.tell(entry, EventKind::Freeze, group, text);
        self.forget_ballots_about(entry, &thawed);
        entry.applied.push(Applied::Guards);
    }

    /// Nothing acts on ballots that were given while a group was frozen: it is asked about anew.
    pub(super) fn forget_ballots_about(&mut self, entry: &mut Entry, thawed: &BTreeSet<GroupName>) {
        if self.ruleset() < ALARMS_SINCE {
            return;
        }
        let asked: BTreeSet<_> = thawed
            .iter()
            .filter_map(|group| self.groups.get(group).and_then(|state| state.question))
            .collect();
        self.close_questions_of(entry, |id| asked.contains(&id));
    }
}
