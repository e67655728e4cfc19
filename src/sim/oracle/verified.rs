//! Done is true outside: when it is decided that a switchover is verified, at least half of the members that serve
//! DNS have shown its epoch, in their answers and, for a group without names, in their routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{Epoch, GroupName, Route, SwitchoverId};
use crate::kernel::ledger::Command;
use crate::kernel::switchover::{Event, State, Switchover};
use crate::sim::queue::Micros;

/// Who showed what, and when first.
#[derive(Debug, Default)]
pub(super) struct Verified {
    /// When each node first showed an epoch, or a newer one.
    shown: BTreeMap<(GroupName, usize), Vec<(Epoch, Micros)>>,
    /// The routes that each node showed last.
    routes: BTreeMap<usize, Arc<BTreeMap<GroupName, Route>>>,
    /// When a leader first wrote that a switchover is verified; those that nobody has shown to be done.
    written: BTreeMap<SwitchoverId, Micros>,
    seen: BTreeSet<SwitchoverId>,
}

impl Verified {
    fn judge(&self, book: &Book, s: &Switchover, written: Micros) -> Finding {
        let Some(epoch) = s.epoch else { return Err(format!("{} is done without a route", s.id)) };
        let Some(cluster) = book.settings.at(s.id.index) else { return Ok(()) };
        let members = || cluster.members.values().enumerate();
        let serve = members().filter(|(_, member)| member.dns_address.is_some());
        let serve: Vec<usize> = serve.map(|(node, _)| node).collect();
        let showed = |node: &&usize| {
            let shown = self.shown.get(&(s.group.clone(), **node));
            let mut shown = shown.into_iter().flatten();
            shown.any(|(shown, at)| *shown >= epoch && *at <= written)
        };
        let (shown, of) = (serve.iter().filter(showed).count(), serve.len());
        if 2 * shown >= of {
            return Ok(());
        }
        Err(format!("{} is done, and {shown} of {of} DNS servers had shown epoch {epoch}", s.id))
    }
}

impl Oracle for Verified {
    fn name(&self) -> &'static str {
        "verified"
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        for command in entry.envelope.iter().flat_map(|envelope| &envelope.commands) {
            if let Command::Advance { switchover, event: Event::Verified, .. } = command
                && self.seen.insert(*switchover)
            {
                self.written.insert(*switchover, entry.born);
            }
        }
        Ok(())
    }

    fn published(&mut self, book: &Book, at: Micros, node: usize, view: &View) -> Finding {
        if self.routes.get(&node).is_none_or(|routes| !Arc::ptr_eq(routes, &view.routes)) {
            for (group, route) in view.routes.iter() {
                let shown = self.shown.entry((group.clone(), node)).or_default();
                if shown.last().is_none_or(|(epoch, _)| *epoch < route.epoch) {
                    shown.push((route.epoch, at));
                }
            }
            self.routes.insert(node, Arc::clone(&view.routes));
        }
        let done = |id: &SwitchoverId| {
            let switchover = view.ledger.switchovers().get(id);
            switchover.filter(|switchover| switchover.state == State::Done)
        };
        let waiting: Vec<_> = self.written.iter().map(|(id, written)| (*id, *written)).collect();
        for (id, written) in waiting {
            let Some(switchover) = done(&id) else { continue };
            self.judge(book, switchover, written)?;
            self.written.remove(&id);
        }
        Ok(())
    }
}
