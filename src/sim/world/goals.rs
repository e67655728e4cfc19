//! What a campaign must reach now and then, or its oracles were never tried: told by what the world truly saw.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::kernel::consensus::PersistBatch;
use crate::kernel::controller::{Controller, Response, View};
use crate::kernel::domain::SwitchoverId;
use crate::kernel::ledger::{Command, Envelope};
use crate::kernel::switchover::Event;
use crate::sim::client::Wish;
use crate::sim::counts::{Class, Counts};
use crate::sim::oracle::Committed;
use crate::sim::queue::Micros;

/// A request that a process has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Which op.
    pub(super) op: usize,
    /// At which node.
    pub(super) node: usize,
    /// When.
    pub(super) at: Micros,
    /// Whether the node led then, and was cut off from every quorum or deposed without knowing it.
    hopeless: bool,
}

/// An entry that wants something done, written by a leader that could not have it done.
#[derive(Clone, Copy, Debug)]
struct Tried {
    term: u64,
    /// It moves a group, and its leader reached no quorum when it wrote.
    alone: bool,
    /// Another node led a later term already.
    deposed: bool,
}

/// What is kept for that.
#[derive(Debug)]
pub(super) struct Goals {
    /// Since when each node runs without reaching a quorum.
    alone_since: Vec<Option<Micros>>,
    /// By index.
    tried: BTreeMap<u64, Vec<Tried>>,
    /// Where each operator's switch stands in the log, by its reason, which names the request.
    switches: BTreeMap<String, u64>,
    /// Switches that came again: the index of the first, and of this one.
    again: BTreeSet<(u64, u64)>,
}

impl Goals {
    /// Of a cluster of so many members.
    pub(super) fn new(members: usize) -> Self {
        Self {
            alone_since: vec![None; members],
            tried: BTreeMap::new(),
            switches: BTreeMap::new(),
            again: BTreeSet::new(),
        }
    }

    fn is_alone(&self, node: usize) -> bool {
        self.alone_since[node].is_some()
    }

    /// Whether a node was without a quorum all the time since then.
    fn alone_all_the_time(&self, node: usize, since: Micros) -> bool {
        self.alone_since[node].is_some_and(|from| from <= since)
    }

    /// A leader of this term writes; `led` is the highest term that any node led.
    fn wrote(&mut self, node: usize, term: u64, led: u64, batch: &PersistBatch) {
        let (alone, deposed) = (self.is_alone(node), led > term);
        if !alone && !deposed {
            return;
        }
        for entry in batch.entries.iter().filter(|entry| entry.term == term) {
            let Ok((envelope, _)) = Envelope::decode(&entry.data) else { continue };
            let alone = alone && envelope.commands.iter().any(moves);
            let deposed = deposed && envelope.commands.iter().any(acts);
            if alone || deposed {
                self.tried.entry(entry.index).or_default().push(Tried { term, alone, deposed });
            }
        }
    }

    /// An entry was shown as applied for the first time: what others wrote in its place never will be.
    pub(super) fn committed(&mut self, entry: &Committed, counts: &mut Counts) {
        for tried in self.tried.remove(&entry.index).unwrap_or_default() {
            // Of an entry that no log shows any more nobody knows whose it is.
            if entry.term == 0 || entry.term == tried.term {
                continue;
            }
            if tried.alone {
                counts.see(Class::MinorityRefused);
            }
            if tried.deposed {
                counts.see(Class::OldLeaderFenced);
            }
        }
        for command in entry.envelope.iter().flat_map(|envelope| &envelope.commands) {
            let Command::Switch(switch) = command else { continue };
            let first = *self.switches.entry(switch.reason.clone()).or_insert(entry.index);
            if first != entry.index {
                self.again.insert((first, entry.index));
            }
        }
    }

    /// A node shows what became of switches that came again.
    pub(super) fn published(&mut self, view: &View, counts: &mut Counts) {
        let made = |index| view.ledger.switchovers().contains_key(&SwitchoverId { index, nth: 0 });
        let shown = self.again.extract_if(.., |(_, again)| *again <= view.applied);
        for (first, again) in shown {
            if made(first) && !made(again) {
                counts.see(Class::DuplicateSuppressed);
            }
        }
    }
}

/// Whether a command decides to move a group, or changes its route.
const fn moves(command: &Command) -> bool {
    matches!(
        command,
        Command::Decide { .. }
            | Command::Switch(_)
            | Command::Advance { event: Event::Route | Event::Undo, .. }
    )
}

/// Whether it moves a group, or is what a person wants.
const fn acts(command: &Command) -> bool {
    let wanted = matches!(command, Command::Freeze { .. } | Command::Drain { .. });
    wanted || moves(command) || matches!(command, Command::Answer { .. } | Command::Reconfigure(_))
}

impl World {
    /// Whether a node runs, and others that do are linked to it both ways, enough for a quorum.
    fn reaches_quorum(&self, node: usize) -> bool {
        let runs = |node: usize| {
            let node = &self.nodes[node];
            node.lives() && node.pause.is_none() && !node.disk_failed
        };
        let linked =
            |other: usize| !self.network.is_cut(node, other) && !self.network.is_cut(other, node);
        let count = self.nodes.len();
        let others = (0..count).filter(|other| *other != node && runs(*other) && linked(*other));
        runs(node) && others.count() + 1 > count / 2
    }

    /// After what may give a node its quorum back, or take it.
    pub(super) fn note_quorums(&mut self) {
        for node in 0..self.nodes.len() {
            let alone = self.nodes[node].lives() && !self.reaches_quorum(node);
            let since = &mut self.goals.alone_since[node];
            *since = alone.then(|| since.unwrap_or(self.now));
        }
    }

    /// A request arrives at a node.
    pub(super) fn taken(&self, op: usize, node: usize) -> Taken {
        let leads = self.nodes[node].controller.as_ref().filter(|c| c.is_leader());
        let led = self.watch.highest_term();
        let hopeless = leads.is_some_and(|c| self.goals.is_alone(node) || c.term() < led);
        Taken { op, node, at: self.now, hopeless }
    }

    /// A node answers a request.
    pub(super) fn goals_of_answer(&mut self, taken: Taken, response: &Response) {
        if !matches!(response, Response::Refused(_)) {
            return;
        }
        let alone = self.goals.alone_all_the_time(taken.node, taken.at);
        match self.history[taken.op].wish {
            Wish::Read if taken.hopeless => self.see(Class::StaleReadRefused),
            Wish::Switch { .. } if alone => self.see(Class::MinorityRefused),
            _ => {}
        }
    }

    /// A node orders a write.
    pub(super) fn goals_of_write(&mut self, node: usize, batch: &PersistBatch) {
        let leads = self.nodes[node].controller.as_deref().filter(|c| c.is_leader());
        if let Some(term) = leads.map(Controller::term) {
            self.goals.wrote(node, term, self.watch.highest_term(), batch);
        }
    }

    /// A process is about to die.
    pub(super) fn goals_of_crash(&mut self, node: usize) {
        if self.leader() == Some(node) && self.watch.has_intent() {
            self.see(Class::CrashBeforeEffect);
        }
    }

    /// A gateway is shown a table; told before it takes it.
    pub(super) fn goals_of_table(&mut self, which: usize, view: &View) {
        let known = self.gateways[which].epochs();
        let older = |group, epoch| known.get(group).is_some_and(|known| epoch < *known);
        if view.routes.iter().any(|(group, route)| older(group, route.epoch)) {
            self.see(Class::OldLeaderFenced);
        }
    }
}

#[cfg(test)]
mod tests;
