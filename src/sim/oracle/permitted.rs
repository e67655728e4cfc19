//! P4, who decides: where a policy asks people, or only watches, the quorum moves nothing by itself; and behind a
//! switchover that a person approved stands that person's yes, to a question about this very move, in the log before it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{GroupName, PlaneName, SwitchoverId};
use crate::kernel::ledger::{Command, Mode};
use crate::kernel::switchover::{Kind, Switchover};
use crate::sim::queue::Micros;

/// The oracle's own count of asks and answers.
#[derive(Debug, Default)]
pub(super) struct Permitted {
    /// By the index of the entry that asks.
    asked: BTreeMap<u64, Vec<(GroupName, PlaneName)>>,
    /// Where somebody said yes, and the index of what was asked.
    approved: Vec<(u64, u64)>,
    judged: BTreeSet<SwitchoverId>,
}

impl Permitted {
    fn judge(&self, book: &Book, s: &Switchover) -> Finding {
        let settings = book.decided_by(s).and_then(|(_, cluster)| cluster.groups.get(&s.group));
        let mode = settings.map(|settings| settings.policy.mode);
        if s.kind == Kind::Automatic && mode.is_some_and(|mode| mode != Mode::Auto) {
            return Err(format!("{} moves {} by itself, and a person is to decide", s.id, s.group));
        }
        if s.kind != Kind::Approved || book.settings.blind() {
            return Ok(());
        }
        let of = |asked: u64| self.asked.get(&asked).map_or(&[][..], Vec::as_slice);
        let same = |(group, to): &(GroupName, PlaneName)| *group == s.group && *to == s.to;
        let yes =
            self.approved.iter().any(|(at, asked)| *at < s.id.index && of(*asked).iter().any(same));
        if yes {
            return Ok(());
        }
        Err(format!("{} moves {} to {}, and nobody said yes to that", s.id, s.group, s.to))
    }
}

impl Oracle for Permitted {
    fn name(&self) -> &'static str {
        "permitted"
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        for command in entry.envelope.iter().flat_map(|envelope| &envelope.commands) {
            match command {
                Command::Ask { moves, .. } => {
                    let moves = moves.iter().map(|m| (m.group.clone(), m.to.clone()));
                    self.asked.entry(entry.index).or_default().extend(moves);
                }
                Command::Answer { ask, approve: true, .. } => {
                    self.approved.push((entry.index, ask.index));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn published(&mut self, book: &Book, _at: Micros, _node: usize, view: &View) -> Finding {
        for (id, switchover) in view.ledger.switchovers().iter().rev() {
            if !self.judged.insert(*id) {
                break;
            }
            self.judge(book, switchover)?;
        }
        Ok(())
    }
}
