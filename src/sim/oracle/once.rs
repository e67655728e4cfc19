//! P5, done once: what an operator asked for is done once, however often the client, or the node that took it, said
//! it; and a refusal means that nothing was done.

use std::collections::{BTreeMap, BTreeSet};

use super::{Book, End, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::SwitchoverId;
use crate::kernel::switchover::Kind;
use crate::sim::client::{Heard, Wish};
use crate::sim::queue::Micros;

/// Which switchover each request made. Requests are named by the reasons that clients give.
#[derive(Debug, Default)]
pub(super) struct Once {
    made: BTreeMap<String, SwitchoverId>,
    seen: BTreeSet<SwitchoverId>,
}

impl Oracle for Once {
    fn name(&self) -> &'static str {
        "once"
    }

    fn published(&mut self, _book: &Book, _at: Micros, _node: usize, view: &View) -> Finding {
        for (id, switchover) in view.ledger.switchovers().iter().rev() {
            if !self.seen.insert(*id) {
                break;
            }
            if !matches!(switchover.kind, Kind::Planned | Kind::Forced) {
                continue;
            }
            let first = *self.made.entry(switchover.cause.clone()).or_insert(*id);
            if first != *id {
                return Err(format!("{} was carried out as {first} and as {id}", switchover.cause));
            }
        }
        Ok(())
    }

    fn ended(&mut self, _book: &Book, end: &End<'_>) -> Finding {
        // A request that was asked again, or came again, may be refused one time and stand by the other.
        let refused = end.history.iter().filter(|op| {
            op.tries == 1
                && !op.doubled
                && op.heard == Some(Heard::Refused)
                && matches!(op.wish, Wish::Switch { .. })
        });
        for op in refused {
            if let Some(id) = self.made.get(&op.reason()) {
                return Err(format!("request {} was refused, and carried out as {id}", op.serial));
            }
        }
        Ok(())
    }
}
