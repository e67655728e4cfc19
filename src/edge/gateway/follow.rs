//! Following the route table, forward only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::limits;
use crate::kernel::controller::{RouteEntry, RouteTable};
use crate::kernel::domain::{Epoch, GroupName, ServiceName};

/// What a gateway follows: for each of its routes the entry with the highest epoch seen.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// The routes it carries.
    mine: BTreeSet<ServiceName>,
    entries: BTreeMap<ServiceName, Arc<RouteEntry>>,
    epochs: BTreeMap<GroupName, Epoch>,
    /// Routes of its own that the last table lacked.
    lacked: BTreeSet<ServiceName>,
}

/// What a table changed.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Carried routes that are other than before.
    pub(super) entries: Vec<Arc<RouteEntry>>,
    /// Their names, in the same order.
    pub(super) names: Vec<ServiceName>,
    /// Whether the epoch of a group rose.
    pub(super) epochs: bool,
    /// Entries with an older epoch than one seen before, which were ignored.
    pub(super) older: usize,
    /// Routes that it listens for and the table lacks, which is news.
    pub(super) lacking: Vec<ServiceName>,
}

impl Followed {
    pub(super) fn new(mine: BTreeSet<ServiceName>) -> Self {
        Self { mine, ..Self::default() }
    }

    /// The highest epoch seen of each group that it carries.
    pub(super) fn carried(&self) -> BTreeMap<GroupName, Epoch> {
        let groups = self.entries.values().map(|entry| &entry.group);
        let epoch = |group: &GroupName| Some((group.clone(), *self.epochs.get(group)?));
        groups.filter_map(epoch).collect()
    }

    /// Takes a table. Entries with an older epoch are ignored; routes that it does not name stay as they
    /// are: an empty table is that of a controller that knows nothing yet.
    pub(super) fn take(&mut self, table: &RouteTable) -> News {
        let mut news = News::default();
        for (name, entry) in &table.routes {
            let known = self.epochs.get(&entry.group);
            if known.is_some_and(|known| entry.epoch < *known) {
                news.older += 1;
                continue;
            }
            if known.is_none_or(|known| entry.epoch > *known) {
                self.epochs.insert(entry.group.clone(), entry.epoch);
                news.epochs = true;
            }
            if self.mine.contains(name) && self.differs(name, entry) {
                let entry = Arc::new(entry.clone());
                self.entries.insert(name.clone(), Arc::clone(&entry));
                news.entries.push(entry);
                news.names.push(name.clone());
            }
        }
        // An empty table is that of a controller that knows nothing yet.
        if table.revision > 0 {
            let lacked: BTreeSet<ServiceName> = self
                .mine
                .iter()
                .filter(|name| !table.routes.contains_key(*name))
                .cloned()
                .collect();
            news.lacking = lacked.difference(&self.lacked).cloned().collect();
            self.lacked = lacked;
        }
        if self.epochs.len() > limits::GROUPS {
            let named: BTreeSet<&GroupName> = table
                .routes
                .values()
                .chain(self.entries.values().map(Arc::as_ref))
                .map(|e| &e.group)
                .collect();
            self.epochs.retain(|group, _| named.contains(group));
        }
        news
    }

    /// An epoch names one plane: a second opinion at the same epoch is not followed.
    fn differs(&self, name: &ServiceName, entry: &RouteEntry) -> bool {
        let Some(known) = self.entries.get(name) else { return true };
        let contradicts =
            known.group == entry.group && known.epoch == entry.epoch && known.plane != entry.plane;
        !contradicts && **known != *entry
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::domain::{Endpoint, PlaneName};
    use crate::kernel::ledger::OnSwitch;

    fn table(epoch: u64, plane: &str) -> RouteTable {
        let upstream = ["east", "west"].map(|plane| {
            let endpoint = Endpoint { host: "192.0.2.1".to_owned(), port: 80 };
            (PlaneName::new(plane).expect("a good name"), endpoint)
        });
        let entry = RouteEntry {
            group: GroupName::new("shop").expect("a good name"),
            plane: PlaneName::new(plane).expect("a good name"),
            epoch: Epoch { generation: 1, counter: epoch },
            on_switch: OnSwitch::Cut,
            upstream: upstream.into_iter().collect(),
        };
        RouteTable { revision: 1, routes: [(web(), entry)].into_iter().collect() }
    }

    fn web() -> ServiceName {
        ServiceName::new("web").expect("a good name")
    }

    fn plane(followed: &Followed) -> &str {
        followed.entries.get("web").expect("a route").plane.as_str()
    }

    #[test]
    fn an_older_epoch_and_an_empty_table_change_nothing() {
        let mut followed = Followed::new([web()].into());
        assert_eq!(followed.take(&table(2, "west")).entries.len(), 1);
        assert_eq!(followed.take(&table(1, "east")).older, 1);
        assert!(followed.take(&RouteTable::default()).entries.is_empty());
        assert!(followed.take(&table(2, "east")).entries.is_empty(), "one epoch, one plane");
        assert_eq!(plane(&followed), "west");
        let news = followed.take(&table(3, "east"));
        assert!(news.epochs);
        assert_eq!(plane(&followed), "east");
    }

    #[test]
    fn a_route_that_no_table_names_is_told_once_and_again_when_it_goes() {
        let other = ServiceName::new("wbe").expect("a good name");
        let mut followed = Followed::new([web(), other.clone()].into());
        assert_eq!(followed.take(&RouteTable::default()).lacking, []);
        assert_eq!(followed.take(&table(2, "west")).lacking, [other]);
        assert_eq!(followed.take(&table(3, "east")).lacking, []);
        let none = RouteTable { revision: 9, routes: BTreeMap::new() };
        assert_eq!(followed.take(&none).lacking, [web()]);
        assert_eq!(plane(&followed), "east", "it goes where it last went");
    }

    #[test]
    fn only_groups_that_it_carries_are_reported() {
        let mut followed = Followed::new([ServiceName::new("other").expect("a good name")].into());
        followed.take(&table(2, "west"));
        assert!(followed.carried().is_empty());
    }

    /// A table of one route for each of these groups.
    fn crowd(groups: std::ops::Range<usize>, epoch: u64) -> RouteTable {
        let entry = |number: usize| {
            let entry = RouteEntry {
                group: GroupName::new(&format!("g{number}")).expect("a good name"),
                plane: PlaneName::new("east").expect("a good name"),
                epoch: Epoch { generation: 1, counter: epoch },
                on_switch: OnSwitch::Cut,
                upstream: BTreeMap::new(),
            };
            (ServiceName::new(&format!("r{number}")).expect("a good name"), entry)
        };
        RouteTable { revision: 1, routes: groups.map(entry).collect() }
    }

    #[test]
    fn so_many_groups_are_remembered_and_with_one_more_those_that_matter() {
        let mut followed = Followed::new([web()].into());
        followed.take(&table(2, "west"));
        let last = limits::GROUPS - 1;
        for first in (0..last).step_by(10_000) {
            followed.take(&crowd(first..last.min(first + 10_000), 5));
        }
        assert_eq!(followed.epochs.len(), limits::GROUPS);
        assert_eq!(followed.take(&crowd(0..1, 4)).older, 1, "the first is remembered");
        assert!(followed.take(&crowd(last..last + 1, 5)).epochs);
        assert_eq!(followed.epochs.len(), 2, "that of the newest table and its own");
        assert_eq!(followed.take(&crowd(0..1, 4)).older, 0);
        assert_eq!(followed.take(&table(1, "east")).older, 1, "its own is never forgotten");
    }

    #[test]
    fn a_new_upstream_is_followed_without_a_new_epoch() {
        let mut followed = Followed::new([web()].into());
        followed.take(&table(2, "west"));
        let mut moved = table(2, "west");
        for entry in moved.routes.values_mut() {
            entry.upstream.values_mut().for_each(|endpoint| endpoint.port = 81);
        }
        let news = followed.take(&moved);
        assert_eq!(news.entries.len(), 1);
        assert!(!news.epochs);
    }

    proptest! {
        #[test]
        fn the_highest_epoch_wins_in_whatever_order_tables_come(
            mut epochs in prop::collection::vec(1u64..50, 1..30),
        ) {
            let plane_of = |epoch: u64| if epoch.is_multiple_of(2) { "east" } else { "west" };
            let mut followed = Followed::new([web()].into());
            for epoch in &epochs {
                followed.take(&table(*epoch, plane_of(*epoch)));
            }
            epochs.sort_unstable();
            let highest = epochs[epochs.len() - 1];
            prop_assert_eq!(plane(&followed), plane_of(highest));
            prop_assert_eq!(followed.carried().get("shop").map(|epoch| epoch.counter), Some(highest));
        }
    }
}
