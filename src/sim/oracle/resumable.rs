//! P7, resumable: a switchover goes on where it stood, whoever leads. It never goes back a step, never moves a
//! group twice, and none is left lying when the cluster has come to rest. Its epoch leads where it was to go, and when it
//! is undone the next one leads back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Book, End, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{Epoch, GroupName, PlaneName, Route, SwitchoverId};
use crate::kernel::switchover::{State, Switchover};
use crate::sim::queue::Micros;

/// How far each switchover has come.
#[derive(Debug, Default)]
pub(super) struct Resumable {
    seen: BTreeMap<SwitchoverId, (u64, State, Option<Epoch>)>,
    /// Where each epoch of a group leads, as it was first shown.
    leads: BTreeMap<(GroupName, Epoch), PlaneName>,
    /// The routes that each node showed last.
    routes: BTreeMap<usize, Arc<BTreeMap<GroupName, Route>>>,
}

/// A switchover's life never goes to a lower number.
const fn rank(state: State) -> u8 {
    match state {
        State::Planned => 0,
        State::Prechecking => 1,
        State::Routing => 2,
        State::Verifying => 3,
        State::Undoing => 4,
        State::Stuck => 5,
        State::Done | State::Undone | State::Overtaken => 6,
    }
}

impl Resumable {
    fn note_routes(&mut self, node: usize, view: &View) {
        if self.routes.get(&node).is_some_and(|routes| Arc::ptr_eq(routes, &view.routes)) {
            return;
        }
        for (group, route) in view.routes.iter() {
            let key = (group.clone(), route.epoch);
            self.leads.entry(key).or_insert_with(|| route.plane.clone());
        }
        self.routes.insert(node, Arc::clone(&view.routes));
    }

    /// Where its epochs lead, as far as anybody showed them.
    fn as_said(&self, s: &Switchover) -> Finding {
        let Some(epoch) = s.epoch else { return Ok(()) };
        let wrong = |epoch: Epoch, wanted: &PlaneName| {
            let shown = self.leads.get(&(s.group.clone(), epoch));
            let other = shown.filter(|shown| *shown != wanted)?;
            let (id, group) = (s.id, &s.group);
            Some(format!(
                "{id} is {}, and epoch {epoch} of {group} leads to {other}, not to {wanted}",
                s.state
            ))
        };
        let back = (s.state == State::Undone).then(|| wrong(epoch.next(), &s.from)).flatten();
        wrong(epoch, &s.to).or(back).map_or(Ok(()), Err)
    }
}

impl Oracle for Resumable {
    fn name(&self) -> &'static str {
        "resumable"
    }

    fn published(&mut self, _book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        self.note_routes(node, view);
        for (id, switchover) in view.ledger.switchovers() {
            let (state, epoch) = (switchover.state, switchover.epoch);
            let first = !self.seen.contains_key(id);
            let seen = self.seen.entry(*id).or_insert((view.applied, state, epoch));
            if seen.0 > view.applied {
                // A node that is behind.
                continue;
            }
            if rank(state) < rank(seen.1) || (rank(seen.1) == 6 && state != seen.1) {
                return Err(format!("{id} went from {} to {state}", seen.1));
            }
            if seen.2.is_some() && seen.2 != epoch {
                return Err(format!("{id} moved its group twice"));
            }
            let news = first || seen.1 != state || seen.2 != epoch;
            *seen = (view.applied, state, epoch);
            if news {
                self.as_said(switchover)?;
            }
        }
        Ok(())
    }

    fn ended(&mut self, _book: &Book, end: &End<'_>) -> Finding {
        if !end.rested {
            return Ok(());
        }
        for view in &end.healthy {
            let lying = view.ledger.switchovers().values().find(|s| !s.state.ended());
            if let Some(lying) = lying {
                return Err(format!("{} is still {} at the end", lying.id, lying.state));
            }
        }
        Ok(())
    }
}
