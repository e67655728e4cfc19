//! P10, bounded: dwell and budget hold in true time, within the drift of clocks, a group has one switchover at
//! a time, and nobody is asked about it again and again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Book, Committed, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{AskId, GroupName, SwitchoverId};
use crate::kernel::ledger::Command;
use crate::kernel::switchover::{Event, Kind, Switchover};
use crate::sim::queue::{MS, Micros, SECOND};

/// What was decided and routed when, in true time.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    /// When a step that moves a route was first logged. One that is refused and comes again errs short.
    stepped: BTreeMap<(SwitchoverId, Event), Micros>,
    judged: BTreeSet<SwitchoverId>,
    /// The index and the time of each automatic one.
    decided: BTreeMap<GroupName, Vec<(u64, Micros)>>,
    /// The newest ask, and when each was first shown.
    asked: (Option<AskId>, BTreeMap<GroupName, VecDeque<Micros>>),
}

/// A group is asked about no more often in a second. A plane that comes and goes may ask some times.
const ASKS_A_SECOND: usize = 6;

/// Clocks run too fast: what is demanded is a hundredth less, or as much as the worst of them ran wrong, and a tick.
fn demanded(span: Duration, worst_ppm: u64) -> Micros {
    let micros = Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX);
    let wrong = micros / 1_000_000 * worst_ppm + micros % 1_000_000 * worst_ppm / 1_000_000;
    micros.saturating_sub(wrong.max(micros / 100)).saturating_sub(2 * MS)
}

/// The steps of a switchover that changed the route. One back may be written and refused, since it is verified already.
fn steps_of(s: &Switchover) -> impl Iterator<Item = Event> {
    let undone = s.steps.iter().any(|step| step.step == "undoing");
    [Event::Route].into_iter().chain(undone.then_some(Event::Undo))
}

impl Bounded {
    fn ask(&mut self, at: Micros, view: &View) -> Finding {
        for (id, ask) in view.ledger.asks().iter().rev() {
            if self.asked.0.is_some_and(|newest| *id <= newest) {
                break;
            }
            let times = self.asked.1.entry(ask.group.clone()).or_default();
            times.push_back(at);
            while times.front().is_some_and(|first| first + SECOND <= at) {
                times.pop_front();
            }
            if times.len() > ASKS_A_SECOND {
                let (group, times) = (&ask.group, times.len());
                return Err(format!("people are asked about {group} {times} times in a second"));
            }
        }
        let newest = view.ledger.asks().keys().next_back().copied();
        self.asked.0 = self.asked.0.max(newest);
        Ok(())
    }

    fn judge(&mut self, book: &Book, view: &View, s: &Switchover) -> Finding {
        let Switchover { id, group, .. } = s;
        let Some(decided) = book.committed(id.index).map(|entry| entry.born) else { return Ok(()) };
        let settings = book.decided_by(s).and_then(|(_, cluster)| cluster.groups.get(group));
        let Some(policy) = settings.map(|settings| &settings.policy) else { return Ok(()) };
        // The last change before: the newest step of an earlier switchover that did move the route.
        let began = book.settings.began(group, id.index);
        let of_group = |other: &&Arc<Switchover>| other.group == *group && other.id.index >= began;
        let earlier = view
            .ledger
            .switchovers()
            .values()
            .filter(of_group)
            .filter(|other| other.id < *id && other.epoch.is_some());
        let changed = earlier
            .flat_map(|other| steps_of(other).map(|event| (other.id, event)))
            .filter_map(|step| self.stepped.get(&step).copied())
            .filter(|at| *at <= decided)
            .max();
        if let Some(changed) = changed
            && decided - changed < demanded(policy.dwell, book.worst_ppm)
        {
            return Err(format!(
                "{id} was decided {} ms after the last change of {group}; dwell is {:?}",
                (decided - changed) / MS,
                policy.dwell
            ));
        }
        let times = self.decided.entry(group.clone()).or_default();
        times.push((id.index, decided));
        if let Some(budget) = policy.budget {
            let window = demanded(budget.window, book.worst_ppm);
            let counts = |(index, at): &&(u64, Micros)| *index >= began && at + window > decided;
            let used = times.iter().filter(counts).count();
            if used > usize::try_from(budget.switches).unwrap_or(usize::MAX) {
                return Err(format!(
                    "{id} is automatic switchover {used} of {group} within {:?}; the budget is {}",
                    budget.window, budget.switches
                ));
            }
        }
        Ok(())
    }
}

impl Oracle for Bounded {
    fn name(&self) -> &'static str {
        "bounded"
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        let Some(envelope) = &entry.envelope else { return Ok(()) };
        for command in &envelope.commands {
            if let Command::Advance { switchover, event, .. } = command {
                self.stepped.entry((*switchover, *event)).or_insert(entry.born);
            }
        }
        Ok(())
    }

    fn published(&mut self, book: &Book, at: Micros, _node: usize, view: &View) -> Finding {
        self.ask(at, view)?;
        let mut in_flight: BTreeMap<&GroupName, SwitchoverId> = BTreeMap::new();
        for (id, switchover) in view.ledger.switchovers() {
            if switchover.state.in_flight()
                && let Some(other) = in_flight.insert(&switchover.group, *id)
            {
                return Err(format!("{other} and {id} move {} at once", switchover.group));
            }
            if switchover.kind == Kind::Automatic && self.judged.insert(*id) {
                self.judge(book, view, switchover)?;
            }
        }
        Ok(())
    }
}
