//! P5, linearizable: what clients heard of a group fits a group of which everything is done at one instant between the
//! question and the answer. It rests on what was asked, heard and shown, at which true time, and not on places in the
//! log. A write without an answer may be done at any later time, or never.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::linear::{Deed, Shown, Span, Verdict, search};
use super::{Book, Committed, End, Finding, Oracle};
use crate::kernel::controller::View;
use crate::kernel::domain::{GroupName, SwitchoverId};
use crate::kernel::ledger::{Cluster, Command};
use crate::kernel::switchover::{Event, Kind, Switchover};
use crate::sim::client::{Heard, Op, Wish};
use crate::sim::queue::Micros;

/// A switchover as it was first shown.
#[derive(Debug)]
struct Begun {
    group: GroupName,
    base: u64,
    to: usize,
    /// The request that it carries out; none where the quorum decided.
    request: Option<String>,
    /// The epoch that it made.
    epoch: Option<u64>,
    shown: Micros,
    /// When it was first shown not to bar others.
    free: Option<Micros>,
}

/// What was shown of groups.
#[derive(Debug)]
pub(super) struct Linearizable {
    cluster: Arc<Cluster>,
    begun: BTreeMap<SwitchoverId, Begun>,
    /// Those that may still change.
    live: BTreeSet<SwitchoverId>,
    /// Each epoch of each group: its plane, and when it was first shown.
    routes: BTreeMap<(GroupName, u64), (usize, Micros)>,
    /// When a step that changes a route was first written.
    written: BTreeMap<SwitchoverId, Micros>,
    newest: u64,
}

impl Linearizable {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            begun: BTreeMap::new(),
            live: BTreeSet::new(),
            routes: BTreeMap::new(),
            written: BTreeMap::new(),
            newest: 0,
        }
    }

    fn see(&mut self, at: Micros, s: &Switchover) {
        let Some(to) = self.cluster.plane_index(&s.to) else { return };
        let by_request = matches!(s.kind, Kind::Planned | Kind::Forced);
        let begun = self.begun.entry(s.id).or_insert_with(|| Begun {
            group: s.group.clone(),
            base: s.base.counter,
            to,
            request: by_request.then(|| s.cause.clone()),
            epoch: None,
            shown: at,
            free: None,
        });
        begun.epoch = begun.epoch.or_else(|| s.epoch.map(|epoch| epoch.counter));
        if !s.state.in_flight() {
            begun.free.get_or_insert(at);
        }
        if s.state.ended() {
            self.live.remove(&s.id);
        } else {
            self.live.insert(s.id);
        }
    }

    /// What the cluster did to a group by itself, and what it made of requests.
    fn of_cluster(&self, book: &Book, group: &GroupName, history: &[Op], spans: &mut Vec<Span>) {
        let asked: BTreeMap<String, &Op> = history.iter().map(|op| (op.reason(), op)).collect();
        let mut made: BTreeMap<u64, Micros> = BTreeMap::new();
        for (id, begun) in self.begun.iter().filter(|(_, begun)| begun.group == *group) {
            let born = book.committed(id.index).map_or(0, |entry| entry.born);
            let op = begun.request.as_ref().and_then(|request| asked.get(request));
            let from = op.map_or(born, |op| op.asked);
            let heard = op.filter(|op| matches!(op.heard, Some(Heard::Accepted { .. })));
            let until = heard.and_then(|op| op.answered).unwrap_or(Micros::MAX).min(begun.shown);
            let deed = Deed::Begin { id: *id, base: begun.base, to: begun.to };
            let whose = format!("the beginning of {id}");
            spans.push(Span { deed, from, until: Some(until), whose });
            if let Some(free) = begun.free {
                let (deed, whose) = (Deed::Free(*id), format!("the end of {id}"));
                spans.push(Span { deed, from, until: Some(free), whose });
            }
            if let Some(epoch) = begun.epoch {
                made.insert(epoch, self.written.get(id).copied().unwrap_or(from));
            }
        }
        for (epoch, plane, shown) in self.routes_of(group) {
            let from = made.get(&epoch).copied().unwrap_or_default();
            let whose = format!("the route of epoch {epoch}");
            spans.push(Span {
                deed: Deed::Route { epoch, plane },
                from,
                until: Some(shown),
                whose,
            });
        }
    }

    /// Every epoch of a group, its plane, and when it was first shown. One that was left again before anybody showed it
    /// led to the other plane than the next: each change of a route leads from one of the two planes to the other.
    fn routes_of(&self, group: &GroupName) -> Vec<(u64, usize, Micros)> {
        let of_group = (group.clone(), 0)..=(group.clone(), u64::MAX);
        let mut all = Vec::new();
        let mut last = 0;
        for ((_, epoch), (plane, shown)) in self.routes.range(of_group) {
            for skipped in last + 1..*epoch {
                let flips = (epoch - skipped) % 2 == 1;
                all.push((skipped, if flips { 1 - plane } else { *plane }, *shown));
            }
            all.push((*epoch, *plane, *shown));
            last = *epoch;
        }
        all
    }

    /// What a client wanted of a group, or heard of it.
    fn of_client(&self, group: &GroupName, op: &Op) -> Option<Span> {
        let until = op.answered;
        let whose = format!("request {}", op.serial);
        let span = |deed, until| Some(Span { deed, from: op.asked, until, whose: whose.clone() });
        match (&op.heard, &op.wish) {
            (Some(Heard::Read { groups, .. }), _) => {
                let shown = match groups.get(group) {
                    None => Shown::default(),
                    Some(shown) => Shown {
                        epoch: shown.epoch.counter,
                        plane: self.cluster.plane_index(&shown.plane)?,
                        frozen: shown.frozen,
                    },
                };
                span(Deed::Read(shown), until)
            }
            (heard, Wish::Freeze { groups, on }) if groups.is_empty() || groups.contains(group) => {
                match heard {
                    Some(Heard::Done) => span(Deed::Freeze(*on), until),
                    Some(Heard::Unknown) | None => span(Deed::Freeze(*on), None),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A switch that was acknowledged is shown by somebody, once the cluster has come to rest.
    fn lost(&self, end: &End<'_>) -> Finding {
        for op in end.history.iter().filter(|_| end.rested) {
            let Some(Heard::Accepted { switchover }) = &op.heard else { continue };
            let known = switchover.parse().ok().and_then(|id: SwitchoverId| self.begun.get(&id));
            if known.is_none_or(|begun| begun.request != Some(op.reason())) {
                return Err(format!(
                    "request {} was acknowledged as {switchover}, and nobody shows that",
                    op.serial
                ));
            }
        }
        Ok(())
    }
}

impl Oracle for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        for command in entry.envelope.iter().flat_map(|envelope| &envelope.commands) {
            if let Command::Advance { switchover, event: Event::Route, .. } = command {
                self.written.entry(*switchover).or_insert(entry.born);
            }
        }
        Ok(())
    }

    fn published(&mut self, _book: &Book, at: Micros, _node: usize, view: &View) -> Finding {
        if view.applied <= self.newest {
            return Ok(());
        }
        self.newest = view.applied;
        for (group, route) in view.routes.iter() {
            let Some(plane) = self.cluster.plane_index(&route.plane) else { continue };
            let key = (group.clone(), route.epoch.counter);
            self.routes.entry(key).or_insert((plane, at));
        }
        let switchovers = view.ledger.switchovers();
        for s in switchovers.values().rev().take_while(|s| !self.begun.contains_key(&s.id)) {
            self.live.insert(s.id);
        }
        for id in self.live.clone() {
            if let Some(switchover) = switchovers.get(&id) {
                self.see(at, switchover);
            }
        }
        Ok(())
    }

    fn ended(&mut self, book: &Book, end: &End<'_>) -> Finding {
        self.lost(end)?;
        for group in self.cluster.groups.keys() {
            let mut spans: Vec<Span> =
                end.history.iter().filter_map(|op| self.of_client(group, op)).collect();
            self.of_cluster(book, group, end.history, &mut spans);
            match search(&spans) {
                Verdict::Fits => {}
                Verdict::Nowhere(place) => {
                    let Span { deed, from, until, whose } = &spans[place];
                    return Err(format!(
                        "no order of what was done to {group} explains {whose} ({deed:?}, between {from} and \
                         {until:?} µs)"
                    ));
                }
                Verdict::TooMany => {
                    return Err(format!("too much was done to {group} at once to find its order"));
                }
            }
        }
        Ok(())
    }
}
