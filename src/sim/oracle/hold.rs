//! P4, hold when unsure: nothing automatic for a frozen group or to a drained plane (as of the log); nothing automatic and
//! nothing that was approved to a plane that has truly been bad for longer than any ballot may be old, nor while all has
//! truly been well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fold::{Fold, Guarded};
use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::SwitchoverId;
use crate::kernel::ledger::{Cluster, Command};
use crate::kernel::switchover::{Kind, Switchover};
use crate::sim::queue::{Micros, SECOND};

/// What the log says of freezes and drains, as of each decision.
#[derive(Debug)]
pub(super) struct Hold {
    /// Ballots may be as old as a question stays open; and a second for what was under way.
    oldest: Micros,
    fold: Fold,
    /// As of each entry with a decision.
    at_decision: BTreeMap<u64, Guarded>,
    judged: BTreeSet<SwitchoverId>,
}

impl Hold {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        let window = cluster.timing.question_window.as_micros();
        Self {
            oldest: Micros::try_from(window).unwrap_or(Micros::MAX) + SECOND,
            fold: Fold::default(),
            at_decision: BTreeMap::new(),
            judged: BTreeSet::new(),
        }
    }

    fn judge(&self, book: &Book, s: &Switchover) -> Finding {
        let Switchover { id, group, to, .. } = s;
        // What a person approved goes above freezes and drains, and above nothing of the rest.
        let seen = s.kind == Kind::Automatic && !book.settings.blind();
        let guarded = self.at_decision.get(&id.index).filter(|_| seen);
        if let Some((frozen, drained)) = guarded {
            if frozen.contains(group) {
                return Err(format!("{id} moves {group} by itself, though it is frozen"));
            }
            if drained.contains(to) {
                return Err(format!("{id} moves {group} by itself to {to}, which is drained"));
            }
        }
        let Some(decided) = book.committed(id.index).map(|entry| entry.born) else { return Ok(()) };
        // What a question's window is by a slow clock, and when most machines slept.
        let oldest = self.oldest + self.oldest * book.worst_ppm / 500_000 + book.slept();
        let long_before = |since: &Micros| since.saturating_add(oldest) < decided;
        if book.well_since.as_ref().is_some_and(long_before) {
            return Err(format!("{id} moves {group}, though all has long been well"));
        }
        let decided_by = book.decided_by(s);
        let target = decided_by.and_then(|(_, cluster)| cluster.plane_index(to));
        let Some(target) = target else { return Ok(()) };
        let services = (group.clone(), target, 0)..=(group.clone(), target, usize::MAX);
        if book.bad_since.range(services).any(|(_, since)| long_before(since)) {
            return Err(format!("{id} moves {group} to {to}, which has long been bad"));
        }
        Ok(())
    }
}

impl Oracle for Hold {
    fn name(&self) -> &'static str {
        "hold"
    }

    fn committed(&mut self, book: &Book, entry: &Committed) -> Finding {
        let at_decision = &mut self.at_decision;
        self.fold.take(book, entry, |command, guarded| {
            if matches!(command, Command::Decide { .. }) {
                at_decision.insert(entry.index, guarded.clone());
            }
        });
        Ok(())
    }

    fn published(&mut self, book: &Book, _at: Micros, _node: usize, view: &View) -> Finding {
        for (id, switchover) in view.ledger.switchovers().iter().rev() {
            if !self.judged.insert(*id) {
                break;
            }
            if matches!(switchover.kind, Kind::Automatic | Kind::Approved) {
                self.judge(book, switchover)?;
            }
        }
        Ok(())
    }
}
