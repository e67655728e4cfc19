//! P8, explained: each decision stands in the records with who made it, why, by which configuration, and what each guard
//! said; one that ended says how.

use std::collections::BTreeSet;

use super::{Book, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::SwitchoverId;
use crate::kernel::switchover::{Kind, Switchover};
use crate::sim::queue::Micros;

/// Since this ruleset the guards stand in the record.
const GUARDS_SINCE: u32 = 3;

/// What was looked at.
#[derive(Debug, Default)]
pub(super) struct Explained {
    seen: BTreeSet<SwitchoverId>,
    /// Of them, those that have not ended.
    live: BTreeSet<SwitchoverId>,
}

/// What is missing in the record of a decision, or does not fit the log.
fn wrong(book: &Book, s: &Switchover, ruleset: u32) -> Option<String> {
    let by_quorum = matches!(s.kind, Kind::Automatic | Kind::Approved);
    if s.by.is_empty() || s.cause.is_empty() {
        return Some("does not say who made it and why".to_owned());
    }
    if by_quorum && (s.question.is_none() || s.ballots.is_empty()) {
        return Some("does not say by which question and ballots".to_owned());
    }
    let Some(guards) = &s.guards else {
        return (ruleset >= GUARDS_SINCE).then(|| "does not say what the guards said".to_owned());
    };
    let (number, in_force) = book.decided_by(s)?;
    let mode = in_force.groups.get(&s.group)?.policy.mode.as_str();
    if guards.config != number || guards.mode != mode {
        return Some(format!(
            "says that it was made by configuration {} in mode {}, and the log says {number} and {mode}",
            guards.config, guards.mode
        ));
    }
    // A person's yes goes above freezes and drains, and not above what the ballots say of the planes.
    let free = s.kind == Kind::Approved || (guards.frozen.is_none() && guards.drained.is_none());
    if by_quorum && !(guards.source_out && guards.target_good && free) {
        return Some(format!("was made though its own guards spoke against it: {guards:?}"));
    }
    None
}

impl Oracle for Explained {
    fn name(&self) -> &'static str {
        "explained"
    }

    fn published(&mut self, book: &Book, _at: Micros, _node: usize, view: &View) -> Finding {
        let switchovers = view.ledger.switchovers();
        for (id, switchover) in switchovers.iter().rev() {
            if !self.seen.insert(*id) {
                break;
            }
            if let Some(what) = wrong(book, switchover, view.ledger.ruleset()) {
                return Err(format!("the record of {id} {what}"));
            }
            self.live.insert(*id);
        }
        let ended = |id: &SwitchoverId| {
            let switchover = switchovers.get(id);
            switchover.filter(|switchover| switchover.state.ended()).cloned()
        };
        let over: Vec<_> = self.live.iter().filter_map(ended).collect();
        for switchover in over {
            self.live.remove(&switchover.id);
            if switchover.outcome.is_empty() {
                return Err(format!("the record of {} does not say how it ended", switchover.id));
            }
        }
        Ok(())
    }
}
