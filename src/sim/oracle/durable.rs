//! P5, durable: what is shown as applied lies on a majority of disks and on the disk of whoever shows it; what a
//! client was told is in the log, for good; and the order of the log is one that every client can have seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Book, Committed, End, Finding, Oracle, majority};
use crate::kernel::controller::View;
use crate::kernel::ledger::{Cluster, Command};
use crate::sim::client::{Heard, Op};
use crate::sim::queue::Micros;

/// Where each client's command stands in the log.
#[derive(Debug)]
pub(super) struct Durable {
    members: usize,
    /// By the reason that the client gave, which names its request: every place, since one that was refused may
    /// be asked again.
    logged: BTreeMap<String, Vec<u64>>,
}

impl Durable {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        Self { members: cluster.members.len(), logged: BTreeMap::new() }
    }

    /// The place of a request in the log's order; nothing for one whose effect no client was told.
    fn place(&self, op: &Op) -> Result<Option<u64>, String> {
        let logged = self.logged.get(&op.reason()).map_or(&[][..], Vec::as_slice);
        match &op.heard {
            Some(Heard::Read { applied, .. }) => Ok(Some(*applied)),
            Some(Heard::Accepted { switchover }) => {
                let named = switchover.strip_prefix('s').and_then(|s| s.split('-').next());
                let index = named.and_then(|index| index.parse().ok());
                let index = index.filter(|index| logged.contains(index)).ok_or_else(|| {
                    format!(
                        "request {} was answered with {switchover}, but the log holds it at {logged:?}",
                        op.serial
                    )
                })?;
                Ok(Some(index))
            }
            Some(Heard::Done) => Ok(Some(*logged.first().ok_or_else(|| lost(op))?)),
            Some(Heard::Refused | Heard::Unknown) | None => Ok(None),
        }
    }
}

fn lost(op: &Op) -> String {
    format!("request {} ({}) was acknowledged and is not in the log", op.serial, op.reason())
}

impl Oracle for Durable {
    fn name(&self) -> &'static str {
        "durable"
    }

    fn committed(&mut self, book: &Book, entry: &Committed) -> Finding {
        let on = |node: &&super::book::NodeBook| node.durable.reaches(entry.index, entry.term);
        let disks = book.nodes.iter().filter(on).count();
        if entry.term != 0 && disks < majority(self.members) {
            return Err(format!(
                "the entry {} of term {} was applied while {disks} of {} disks held it",
                entry.index, entry.term, self.members
            ));
        }
        let Some(envelope) = &entry.envelope else { return Ok(()) };
        for command in &envelope.commands {
            let reason = match command {
                Command::Switch(switch) => &switch.reason,
                Command::Reconfigure(config) => &config.reason,
                Command::Freeze { reason, .. }
                | Command::Drain { reason, .. }
                | Command::Answer { reason, .. } => reason,
                _ => continue,
            };
            self.logged.entry(reason.clone()).or_default().push(entry.index);
        }
        Ok(())
    }

    fn published(&mut self, book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        let Some(entry) = book.committed(view.applied) else { return Ok(()) };
        let here = &book.nodes[node];
        let (name, applied) = (node + 1, view.applied);
        if entry.term != 0 && !here.durable.reaches(applied, entry.term) {
            return Err(format!(
                "node {name} shows index {applied} as applied, and its own disk does not hold it"
            ));
        }
        if here.commit < applied {
            return Err(format!(
                "node {name} shows index {applied} as applied, and after a restart would know of {} only",
                here.commit
            ));
        }
        Ok(())
    }

    fn ended(&mut self, _book: &Book, end: &End<'_>) -> Finding {
        // (time, whether it is an answer, place in the log, request): sorted, a question at the same time as an
        // answer counts as asked before it.
        let mut events: Vec<(Micros, bool, u64, usize)> = Vec::new();
        let mut floors: Vec<u64> = vec![0; end.history.len()];
        for (number, op) in end.history.iter().enumerate() {
            let Some(place) = self.place(op)? else { continue };
            let Some(answered) = op.answered else { continue };
            events.push((op.asked, false, place, number));
            events.push((answered, true, place, number));
        }
        events.sort_unstable();
        let mut highest = 0;
        for (_, answer, place, number) in events {
            if !answer {
                floors[number] = highest;
                continue;
            }
            if place < floors[number] {
                let op = &end.history[number];
                return Err(format!(
                    "request {} stands at index {place} of the log, but index {} was acknowledged to a \
                     client before it was asked",
                    op.serial, floors[number]
                ));
            }
            highest = highest.max(place);
        }
        Ok(())
    }
}
