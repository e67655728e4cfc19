//! Which configuration is in force where in the log: one by one, each based on the one before, and nothing else is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Committed, Finding};
use crate::kernel::controller::View;
use crate::kernel::domain::GroupName;
use crate::kernel::ledger::{Cluster, Command};

/// A configuration that stands in the log, and may have been refused.
#[derive(Debug)]
struct Offered {
    index: u64,
    /// The number that it is based on.
    base: u64,
    text: String,
    cluster: Arc<Cluster>,
}

/// Those of the log.
#[derive(Debug, Default)]
pub struct Settings {
    offered: Vec<Offered>,
    /// Number 1 stands first: the index of its entry, and itself.
    in_force: Vec<(u64, Arc<Cluster>)>,
    /// What each node showed last, and as which number, so that it is compared once.
    shown: BTreeMap<usize, (u64, Arc<Cluster>)>,
    /// An entry that no log shows any more was never seen here.
    blind: bool,
}

impl Settings {
    /// The next entry of the log.
    pub fn offer(&mut self, entry: &Committed) {
        self.blind |= entry.term == 0;
        for command in entry.envelope.iter().flat_map(|envelope| &envelope.commands) {
            let (base, text, cluster) = match command {
                Command::Configure(cluster) => (0, String::new(), cluster),
                Command::Reconfigure(config) => (config.base, config.text.clone(), &config.cluster),
                _ => continue,
            };
            let cluster = Arc::new(cluster.as_ref().clone());
            self.offered.push(Offered { index: entry.index, base, text, cluster });
        }
    }

    /// A node shows a configuration, and which number it has.
    ///
    /// # Errors
    /// In words, when the log says otherwise.
    pub fn shown(&mut self, node: usize, view: &View) -> Finding {
        let Some(cluster) = &view.cluster else { return Ok(()) };
        let (applied, version) = (view.applied, view.ledger.config_version());
        while (self.in_force.len() as u64) < version {
            self.take_force(view, cluster)?;
        }
        let due = self.number_at(applied);
        if due != version && !self.blind {
            return Err(format!(
                "node {} shows configuration {version} at index {applied}, and by the log {due} is in force",
                node + 1
            ));
        }
        let is_the_same = |(number, shown): &(u64, Arc<Cluster>)| {
            *number == version && Arc::ptr_eq(shown, cluster)
        };
        if self.shown.get(&node).is_some_and(is_the_same) {
            return Ok(());
        }
        let known = version.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let known = known.and_then(|place| self.in_force.get(place));
        if known.is_none_or(|(_, known)| known != cluster) {
            return Err(format!(
                "node {} shows another configuration {version} than the log holds",
                node + 1
            ));
        }
        self.shown.insert(node, (version, Arc::clone(cluster)));
        Ok(())
    }

    /// The next number: which entry brought it, its text tells.
    fn take_force(&mut self, view: &View, shown: &Arc<Cluster>) -> Finding {
        let base = self.in_force.len() as u64;
        let kept = view.ledger.configs().get(&(base + 1));
        let is = |offered: &&Offered| {
            let same = kept.is_none_or(|kept| kept.text == offered.text);
            offered.base == base && offered.index <= view.applied && (base == 0 || same)
        };
        match self.offered.iter().find(is) {
            Some(offered) => self.in_force.push((offered.index, Arc::clone(&offered.cluster))),
            None if self.blind => self.in_force.push((view.applied, Arc::clone(shown))),
            None => {
                return Err(format!("configuration {} is shown, and no entry brings it", base + 1));
            }
        }
        Ok(())
    }

    /// Whether an entry was applied that no log shows any more: what it brought nobody here knows.
    pub const fn blind(&self) -> bool {
        self.blind
    }

    /// What is in force once this entry is applied.
    pub fn at(&self, index: u64) -> Option<&Arc<Cluster>> {
        let last = usize::try_from(self.number_at(index).checked_sub(1)?).ok()?;
        self.in_force.get(last).map(|(_, cluster)| cluster)
    }

    /// The newest that anybody has shown, and its number.
    pub fn newest(&self) -> Option<(u64, &Arc<Cluster>)> {
        let (_, cluster) = self.in_force.last()?;
        Some((self.in_force.len() as u64, cluster))
    }

    /// Its number; 0 where none is in force.
    pub fn number_at(&self, index: u64) -> u64 {
        self.in_force.partition_point(|(from, _)| *from <= index) as u64
    }

    /// Since which entry a group has been there, as of another one: one that comes again begins anew.
    pub fn began(&self, group: &GroupName, index: u64) -> u64 {
        let past = self.in_force.iter().rev().skip_while(|(from, _)| *from > index);
        let there = past.take_while(|(_, cluster)| cluster.groups.contains_key(group));
        there.last().map_or(0, |(from, _)| *from)
    }
}
