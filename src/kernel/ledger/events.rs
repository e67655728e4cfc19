//! What happened, for people and programs that follow it: a fold of the log like everything else, so that an event has
//! one number and one text at every node, and a watcher can go on at another.

use std::collections::VecDeque;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use super::state::{Entry, Ledger};
use crate::kernel::domain::{EventId, GroupName, WallTime};

/// The ruleset from which on events are kept.
pub(super) const EVENTS_SINCE: u32 = 2;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Another configuration is in force.
    Configured,
    /// A switchover began, turned back, or ended.
    Switchover,
    /// A group's route changed.
    Route,
    /// An observer fell silent, or is heard again.
    Observer,
    /// A group was frozen or thawed.
    Freeze,
    /// A plane was drained, or may be chosen again.
    Drain,
    /// A token was made or revoked.
    Token,
    /// A person was asked, answered, or is asked no more.
    Ask,
    /// An alarm was raised, acknowledged or cleared.
    Alarm,
    /// Logins failed.
    Login,
}

impl EventKind {
    /// Its name, as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Switchover => "switchover",
            Self::Route => "route",
            Self::Observer => "observer",
            Self::Freeze => "freeze",
            Self::Drain => "drain",
            Self::Token => "token",
            Self::Ask => "ask",
            Self::Alarm => "alarm",
            Self::Login => "login",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedEvent {
    /// Its number; grows from event to event, with gaps.
    pub id: EventId,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
    /// What kind of thing.
    pub kind: EventKind,
    /// The group that it concerns, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// A sentence.
    pub text: String,
}

/// The newest events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Oldest first.
    pub kept: VecDeque<Arc<LoggedEvent>>,
    /// The last one that is not kept any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<EventId>,
}

impl Events {
    /// Those after `since`, oldest first.
    pub fn after(&self, since: EventId) -> impl Iterator<Item = &Arc<LoggedEvent>> {
        let first = self.kept.partition_point(|event| event.id <= since);
        self.kept.range(first..)
    }

    /// Whether events after `since` are not kept any more.
    pub fn gap_after(&self, since: EventId) -> bool {
        self.lost.is_some_and(|lost| lost > since)
    }

    /// The newest number.
    pub fn newest(&self) -> EventId {
        self.kept.back().map_or_else(|| self.lost.unwrap_or_default(), |event| event.id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Ledger {
    /// Notes what happened while this entry is applied.
    pub(super) fn tell(
        &mut self,
        entry: &mut Entry,
        kind: EventKind,
        group: Option<GroupName>,
        text: String,
    ) -> Option<EventId> {
        if self.ruleset() < EVENTS_SINCE {
            return None;
        }
        let id = EventId { index: entry.index, nth: entry.told };
        entry.told += 1;
        let events = Arc::make_mut(&mut self.events);
        events.kept.push_back(Arc::new(LoggedEvent { id, at: self.wall, kind, group, text }));
        while events.kept.len() > limits::EVENTS_KEPT {
            events.lost = events.kept.pop_front().map(|event| event.id);
        }
        Some(id)
    }
}
