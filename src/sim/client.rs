//! Admin clients: what they asked, where and when, and what they heard. A silence is *unknown*, never "failed".

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::another;
use super::queue::Micros;
use crate::kernel::controller::{Action, ConfigRequest, Response, SwitchKind, SwitchRequest};
use crate::kernel::domain::{AskId, Epoch, GroupName, PlaneName};
use crate::kernel::ledger::Cluster;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A linearizable read.
    Read,
    /// Move a group; to the other plane when none is named.
    Switch {
        /// Which.
        group: GroupName,
        /// To where.
        to: Option<PlaneName>,
        /// With force.
        forced: bool,
    },
    /// Freeze groups (all when empty), or thaw them.
    Freeze {
        /// Which.
        groups: Vec<GroupName>,
        /// On or off.
        on: bool,
    },
    /// Put another configuration in force: which of those that [`another`] makes.
    Configure(u64),
    /// Answer the oldest open ask, as the node that is asked knows it.
    Answer {
        /// Yes or no.
        approve: bool,
    },
    /// Drain a plane, or end that.
    Drain {
        /// Which.
        plane: PlaneName,
        /// On or off.
        on: bool,
    },
}

/// A group, as a read showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHeard {
    /// Where its route leads.
    pub plane: PlaneName,
    /// As of this epoch.
    pub epoch: Epoch,
    /// Whether it is frozen.
    pub frozen: bool,
}

/// What a client heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The state as of this index.
    Read {
        /// Applied index.
        applied: u64,
        /// Each group, as it was shown.
        groups: Arc<BTreeMap<GroupName, GroupHeard>>,
    },
    /// The switchover stands.
    Accepted {
        /// Its id.
        switchover: String,
    },
    /// Done.
    Done,
    /// Not done.
    Refused,
    /// It may have happened.
    Unknown,
}

impl From<&Response> for Heard {
    fn from(response: &Response) -> Self {
        match response {
            Response::Read(view) => {
                let groups = view.routes.iter().map(|(name, route)| {
                    let state = view.ledger.groups().get(name);
                    let frozen = state.is_some_and(|state| state.frozen.is_some());
                    let (plane, epoch) = (route.plane.clone(), route.epoch);
                    (name.clone(), GroupHeard { plane, epoch, frozen })
                });
                Self::Read { applied: view.applied, groups: Arc::new(groups.collect()) }
            }
            Response::Accepted { switchover, .. } => {
                Self::Accepted { switchover: switchover.clone() }
            }
            Response::Done | Response::Configured { changed: true, .. } => Self::Done,
            // What was in force already changed nothing, and needs no place in the log.
            Response::Configured { changed: false, .. }
            | Response::ConfigPlan(_)
            | Response::Plan(_)
            | Response::Refused(_) => Self::Refused,
            Response::Unknown { .. } => Self::Unknown,
        }
    }
}

/// One request with its history.
#[derive(Clone, Debug)]
pub struct Op {
    /// Its number.
    pub serial: u64,
    /// What for.
    pub wish: Wish,
    /// When it was asked first.
    pub asked: Micros,
    /// How often it was asked.
    pub tries: u32,
    /// Whether one of these came a second time by itself.
    pub doubled: bool,
    /// When it was answered.
    pub answered: Option<Micros>,
    /// What was heard; nothing while it waits or after silence.
    pub heard: Option<Heard>,
}

/// How often a switch is asked again, under the same key, at another node.
pub const TRIES: u32 = 3;

impl Op {
    /// A text that names this request in the log: given as its reason.
    pub fn reason(&self) -> String {
        format!("request {}", self.serial)
    }

    /// The request for a node of a cluster that began as `first`, and knows this ask to be open. Repetitions are the same request: same key, same body.
    pub fn action(&self, first: &Cluster, open: Option<AskId>) -> Action {
        let reason = self.reason();
        match &self.wish {
            Wish::Read => Action::Read,
            Wish::Switch { group, to, forced } => Action::Switch(SwitchRequest {
                group: group.clone(),
                to: to.clone(),
                kind: if *forced { SwitchKind::Forced } else { SwitchKind::Planned },
                epoch: None,
                dry_run: false,
                idempotency_key: Some(format!("key-{}", self.serial)),
                reason,
            }),
            Wish::Freeze { groups, on } => {
                let groups = groups.clone();
                Action::Freeze { groups, on: *on, reason, for_ms: None, abort: false }
            }
            Wish::Configure(which) => Action::Configure(Arc::new(ConfigRequest {
                text: format!("# {reason}\n"),
                cluster: Arc::new(another(first, *which)),
                base: None,
                dry_run: false,
                reason,
            })),
            Wish::Answer { approve } => match open {
                Some(ask) => Action::Answer { ask, approve: *approve, reason },
                None => Action::Read,
            },
            Wish::Drain { plane, on } => {
                Action::Drain { plane: plane.clone(), on: *on, reason, for_ms: None }
            }
        }
    }

    /// Whether nothing more can be heard of it.
    pub const fn settled(&self) -> bool {
        matches!(self.heard, Some(Heard::Read { .. } | Heard::Accepted { .. } | Heard::Done))
    }

    /// Whether it is one request however often it comes.
    pub const fn has_key(&self) -> bool {
        matches!(self.wish, Wish::Switch { .. })
    }

    /// Whether asking again is safe: a switch with its key. A freeze asked again after others might
    /// undo theirs.
    pub const fn may_repeat(&self) -> bool {
        self.tries < TRIES && self.has_key()
    }
}
