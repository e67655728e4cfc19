//! What the admin API promises of one group and of one plane, for the checker.
//!
//! A group is a route that changes by compare-and-set on its epoch, and a register that says whether it is frozen. The
//! cluster switches by itself at any time; what it did is known afterwards from its records, and each epoch has one value.

use std::collections::{BTreeMap, BTreeSet};

use super::linear::{Model, Timed, check};

/// One accepted switchover, as its record tells it in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// The epoch it was based on.
    pub(crate) base: u64,
    /// To this plane.
    pub(crate) to: String,
    /// The epoch that it made, if it made one.
    pub(crate) made: Option<u64>,
}

/// What became of a group, from its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// The plane of each epoch.
    pub(crate) planes: BTreeMap<u64, String>,
    /// Every switchover of the group, those of the quorum too.
    pub(crate) switchovers: BTreeMap<String, Fate>,
}

/// What was asked of a group, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupOp {
    /// `GET`: epoch, plane, the reason of its freeze.
    Read { epoch: u64, plane: String, frozen: Option<String> },
    /// A switch that was accepted under this id.
    Switched { base: u64, to: String, id: String },
    /// A switch that was refused: the epoch is another one.
    Stale { base: u64 },
    /// A switch that was refused: it is there already.
    There { base: u64, to: String },
    /// Frozen for this reason, or thawed.
    Freeze { reason: Option<String> },
}

/// The state of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    /// The epoch of its route.
    pub(crate) epoch: u64,
    /// Why it is frozen.
    pub(crate) frozen: Option<String>,
    /// A client's switchover that was accepted and has not moved the route yet.
    pub(crate) pending: Option<String>,
}

struct GroupModel<'a> {
    truth: &'a Truth,
    /// Switchovers that clients were told of: they cannot move a route before they were asked for.
    asked: BTreeSet<&'a str>,
}

impl GroupModel<'_> {
    fn plane(&self, epoch: u64) -> Option<&String> {
        self.truth.planes.get(&epoch)
    }
}

impl Model for GroupModel<'_> {
    type State = Group;
    type Op = GroupOp;

    fn step(&self, state: &Group, op: &GroupOp) -> Option<Group> {
        let same = |fits: bool| fits.then(|| state.clone());
        match op {
            GroupOp::Read { epoch, plane, frozen } => same(
                *epoch == state.epoch
                    && self.plane(*epoch) == Some(plane)
                    && *frozen == state.frozen,
            ),
            GroupOp::Switched { base, id, .. } => (*base == state.epoch && state.pending.is_none())
                .then(|| Group { pending: Some(id.clone()), ..state.clone() }),
            GroupOp::Stale { base } => same(*base != state.epoch),
            GroupOp::There { base, to } => {
                same(*base == state.epoch && self.plane(*base) == Some(to))
            }
            GroupOp::Freeze { reason } => Some(Group { frozen: reason.clone(), ..state.clone() }),
        }
    }

    fn by_itself(&self, state: &Group) -> Vec<Group> {
        let next = state.epoch + 1;
        let maker = self.truth.switchovers.iter().find(|(_, fate)| fate.made == Some(next));
        let maker = maker.map(|(id, _)| id).filter(|id| self.asked.contains(id.as_str()));
        let mut states = Vec::new();
        if self.plane(next).is_some() && maker == state.pending.as_ref() {
            states.push(Group { epoch: next, pending: None, ..state.clone() });
        }
        let fate = state.pending.as_ref().and_then(|id| self.truth.switchovers.get(id));
        if fate.is_some_and(|fate| fate.made.is_none()) {
            states.push(Group { pending: None, ..state.clone() });
        }
        states
    }
}

/// Whether a group's history has an order, and its records know what was acknowledged.
pub(crate) fn check_group(
    truth: &Truth,
    first: &Group,
    history: &[Timed<GroupOp>],
) -> Result<(), String> {
    let mut makers = BTreeMap::new();
    for (id, fate) in &truth.switchovers {
        let Some(made) = fate.made else { continue };
        if let Some(other) = makers.insert(made, id) {
            return Err(format!("{other} and {id} both made epoch {made}"));
        }
        if made != fate.base + 1 {
            return Err(format!("{id} is based on epoch {} and made {made}", fate.base));
        }
        if truth.planes.get(&made) != Some(&fate.to) {
            let on = truth.planes.get(&made);
            return Err(format!("{id} to {} made epoch {made}, which is on {on:?}", fate.to));
        }
    }
    let mut asked = BTreeSet::new();
    for timed in history {
        let GroupOp::Switched { base, to, id } = &timed.op else { continue };
        match truth.switchovers.get(id) {
            None => return Err(format!("lost: {} was accepted, no record knows it", timed.words)),
            Some(fate) if fate.base != *base || fate.to != *to => {
                return Err(format!("{} was accepted, its record says {fate:?}", timed.words));
            }
            Some(_) => {}
        }
        if !asked.insert(id.as_str()) {
            return Err(format!("{id} was the answer to two requests"));
        }
    }
    check(&GroupModel { truth, asked }, first.clone(), history)
}

/// A value that is set and read: whether a plane is drained, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DrainOp {
    Read(Option<String>),
    Set(Option<String>),
}

struct DrainModel;

impl Model for DrainModel {
    type State = Option<String>;
    type Op = DrainOp;

    fn step(&self, state: &Option<String>, op: &DrainOp) -> Option<Option<String>> {
        match op {
            DrainOp::Read(value) => (value == state).then(|| state.clone()),
            DrainOp::Set(value) => Some(value.clone()),
        }
    }

    fn by_itself(&self, _: &Option<String>) -> Vec<Option<String>> {
        Vec::new()
    }
}

/// Whether a plane's history has an order.
pub(crate) fn check_drain(history: &[Timed<DrainOp>]) -> Result<(), String> {
    check(&DrainModel, None, history)
}
