//! P7, resumable: a switchover goes on where it stood, whoever leads. It never goes back a step, never moves a
//! group twice, and none is left lying when the cluster has come to rest.

use std::collections::BTreeMap;

use super::{Book, End, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{Epoch, SwitchoverId};
use crate::kernel::switchover::State;
use crate::sim::queue::Micros;

/// How far each switchover has come.
#[derive(Debug, Default)]
pub(super) struct Resumable {
    seen: BTreeMap<SwitchoverId, (u64, State, Option<Epoch>)>,
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

impl Oracle for Resumable {
    fn name(&self) -> &'static str {
        "resumable"
    }

    fn published(&mut self, _book: &Book, _at: Micros, _node: usize, view: &View) -> Finding {
        for (id, switchover) in view.ledger.switchovers() {
            let (state, epoch) = (switchover.state, switchover.epoch);
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
            *seen = (view.applied, state, epoch);
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
