//! A configuration in force is replaced as a whole, at apply. No route moves by it: a group that stays keeps its plane,
//! its epoch, its guards and its history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::apply_admin::{because, shortened};
use super::apply_ask::ALARMS_SINCE;
use super::cluster::Cluster;
use super::command::ConfigCommand;
use super::events::EventKind;
use super::limits;
use super::outcome::{Applied, Outcome, RefusalReason, Refused};
use super::state::{Entry, GroupState, Ledger};
use crate::kernel::domain::{Epoch, GroupName, Route, ServiceName, WallTime};
use crate::kernel::health::Service;
use crate::kernel::zone::{DomainName, ZoneName, next_serial};

/// The ruleset from which on a configuration can be replaced. Below it every member refuses as an older one does.
pub const RECONFIGURE_SINCE: u32 = 2;

/// The text of a configuration, as a person wrote it, and who put it in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptConfig {
    /// The cluster file.
    pub text: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
}

impl Ledger {
    pub(super) fn reconfigure(&mut self, entry: &mut Entry, command: ConfigCommand) {
        if self.ruleset() < RECONFIGURE_SINCE {
            let reason = RefusalReason::Unknown("unknown variant `reconfigure`".to_owned());
            return entry.applied.push(Applied::Refused(Refused::Command, reason));
        }
        let request = command.request;
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        let outcome = match self.may_take(command.base, &command.cluster) {
            Err(RefusalReason::StaleConfiguration { .. })
                if self.is_repeated(command.base, &command.text, &command.by) =>
            {
                Outcome::Configured(self.config_version)
            }
            Ok(()) => {
                self.take_config(entry, command);
                Outcome::Configured(self.config_version)
            }
            Err(reason) => Outcome::Refused(reason),
        };
        self.settle(entry, request, outcome);
    }

    /// The same text by the same person, based on the one before: a request whose answer was lost, sent again.
    pub fn is_repeated(&self, base: u64, text: &str, by: &str) -> bool {
        let kept = self.configs.get(&self.config_version);
        base.checked_add(1) == Some(self.config_version)
            && kept.is_some_and(|kept| kept.text == text && kept.by == by)
    }

    /// The text of the configuration that the first leader logged: it comes after it, because the entry that configures
    /// a cluster is as old as the cluster.
    pub(super) fn keep_text(&mut self, entry: &mut Entry, version: u64, text: String) {
        let known = self.ruleset() >= RECONFIGURE_SINCE;
        if !known || version != self.config_version || self.configs.contains_key(&version) {
            let reason = RefusalReason::OtherConfiguration(version);
            return entry.applied.push(Applied::Refused(Refused::Configuration, reason));
        }
        let (by, reason) =
            ("the first leader".to_owned(), "the cluster file at the start".to_owned());
        self.keep(KeptConfig { text, by, reason, at: self.wall });
    }

    /// Whether this configuration may take the place of number `base`, or why not.
    pub fn may_take(&self, base: u64, new: &Cluster) -> Result<(), RefusalReason> {
        let old = self.config.as_ref().ok_or(RefusalReason::NotConfigured)?;
        if base != self.config_version {
            return Err(RefusalReason::StaleConfiguration { base, current: self.config_version });
        }
        if new.needs_ruleset() > self.ruleset() {
            return Err(RefusalReason::NeedsRuleset(new.needs_ruleset()));
        }
        if let Some(what) = fixed(old, new) {
            return Err(RefusalReason::Fixed(what.to_owned()));
        }
        let in_use = |name: &&GroupName| {
            let last = self.groups.get(*name).and_then(|state| state.switchover);
            let last = last.and_then(|id| self.switchovers.get(&id));
            last.is_some_and(|switchover| !switchover.state.ended())
        };
        let busy = old.groups.keys().filter(|name| loses_services(old, new, name)).find(in_use);
        if let Some((name, id)) =
            busy.and_then(|name| Some((name, self.groups.get(name)?.switchover?)))
        {
            return Err(RefusalReason::Busy(name.clone(), id));
        }
        match self.would_move(old, new).filter(|_| self.ruleset() >= ALARMS_SINCE) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// What users follow now and would follow to another plane: a group that is new begins at its home, and a name or
    /// a route may be given to another group.
    fn would_move(&self, old: &Cluster, new: &Cluster) -> Option<RefusalReason> {
        let is = |group: &GroupName| Some(&self.routes.get(group)?.plane);
        let will_be = |group: &GroupName| {
            let home = || new.groups.get(group).map(|settings| &settings.home);
            is(group).filter(|_| new.groups.contains_key(group)).or_else(home)
        };
        let moved = |what: String, had: &GroupName, has: &GroupName| {
            let (from, to) = is(had).zip(will_be(has))?;
            let (from, to, group) = (from.clone(), to.clone(), has.clone());
            (from != to).then_some(RefusalReason::WouldMove { what, from, to, group })
        };
        let followed = names(old);
        let by_name = names(new).into_iter().find_map(|(name, (_, has))| {
            let (_, had) = followed.get(name)?;
            moved(format!("the name {name}"), had, has)
        });
        let by_route = || {
            new.routes.iter().find_map(|(name, route)| {
                let had = &old.routes.get(name)?.group;
                moved(format!("the route `{name}`"), had, &route.group)
            })
        };
        by_name.or_else(by_route)
    }

    fn take_config(&mut self, entry: &mut Entry, command: ConfigCommand) {
        let Some(old) = self.config.clone() else { return };
        let ConfigCommand { by, reason, text, cluster, .. } = command;
        let new = Arc::new(with_addresses_of(*cluster, &old));
        // They were asked of the old configuration; what still speaks against a route is asked about anew.
        self.close_questions(entry, |_| true);
        // What an observer said that is one no more, or another under its number, is nobody's word.
        self.observers.retain(|id, _| new.is_observer(*id) && new.name_of(*id) == old.name_of(*id));
        self.config = Some(Arc::clone(&new));
        self.config_version += 1;
        self.revision = entry.index;
        self.take_groups(&new, entry.index);
        self.forget_services(&old, &new);
        self.take_zones(&old, &new, entry.index);
        self.index_services();
        self.take_notify();
        self.drop_asks_of_gone_groups(entry);
        self.set_timers();
        let (reason, version) = (shortened(reason), self.config_version);
        let told = format!("configuration {version} in force, by {by}{}", because(&reason));
        self.tell(entry, EventKind::Configured, None, told);
        self.keep(KeptConfig { text, by, reason, at: self.wall });
        entry.applied.push(Applied::Configured);
    }

    /// A new group starts at its home. Its counter starts at the index of the log, which is above every counter that a
    /// group of the same name ever had: an epoch is never used twice.
    fn take_groups(&mut self, new: &Cluster, index: u64) {
        let generation = self.generation;
        let (routes, groups) = (Arc::make_mut(&mut self.routes), Arc::make_mut(&mut self.groups));
        routes.retain(|name, _| new.groups.contains_key(name));
        groups.retain(|name, _| new.groups.contains_key(name));
        for (name, group) in &new.groups {
            let epoch = Epoch { generation, counter: index };
            let home = || Route { plane: group.home.clone(), epoch };
            routes.entry(name.clone()).or_insert_with(home);
            groups.entry(name.clone()).or_insert_with(GroupState::default);
        }
    }

    /// What was seen through other checks says nothing of a service.
    fn forget_services(&mut self, old: &Cluster, new: &Cluster) {
        let seen = |service: &Service| (service.checks.clone(), service.require);
        let same = |name: &ServiceName| {
            let both = old.services.get(name).zip(new.services.get(name));
            both.is_some_and(|(old, new)| seen(old) == seen(new))
        };
        let others: BTreeSet<ServiceName> =
            old.services.keys().filter(|name| !same(name)).cloned().collect();
        if others.is_empty() {
            return;
        }
        for observer in self.observers.values_mut() {
            Arc::make_mut(&mut observer.states).retain(|name, _| !others.contains(name));
        }
        Arc::make_mut(&mut self.flaps).retain(|name, _| !others.contains(name));
    }

    /// A zone's serial grows with its settings. A new zone starts at the index of the log, above every serial that a
    /// zone of the same name ever had.
    fn take_zones(&mut self, old: &Cluster, new: &Cluster, index: u64) {
        self.serials.retain(|origin, _| new.zones.contains_key(origin));
        for (origin, zone) in &new.zones {
            match self.serials.get_mut(origin) {
                Some(_) if old.zones.get(origin) == Some(zone) => {}
                Some(serial) => *serial = next_serial(*serial),
                None => {
                    let low = u32::try_from(index & u64::from(u32::MAX)).unwrap_or(u32::MAX);
                    self.serials.insert(origin.clone(), low.max(1));
                }
            }
        }
    }

    fn keep(&mut self, kept: KeptConfig) {
        let configs = Arc::make_mut(&mut self.configs);
        configs.insert(self.config_version, Arc::new(kept));
        let bytes = |configs: &BTreeMap<u64, Arc<KeptConfig>>| {
            configs.values().map(|kept| kept.text.len()).sum::<usize>()
        };
        // The one in force stays, however large it is.
        while configs.len() > 1
            && (configs.len() > limits::CONFIGS_KEPT || bytes(configs) > limits::CONFIGS_BYTES)
        {
            configs.pop_first();
        }
    }
}

/// Every name, with the zone that answers for it, the most specific one, and the group that it follows there.
fn names(cluster: &Cluster) -> BTreeMap<&DomainName, (&String, &GroupName)> {
    let mut names = BTreeMap::new();
    for (origin, zone) in &cluster.zones {
        for ZoneName { name, group, .. } in &zone.names {
            let known = names.entry(name).or_insert((origin, group));
            if origin.len() > known.0.len() {
                *known = (origin, group);
            }
        }
    }
    names
}

/// What of a cluster cannot be changed while it runs, in words; nothing when that is the same.
fn fixed(old: &Cluster, new: &Cluster) -> Option<&'static str> {
    let planes = |cluster: &Cluster| cluster.planes.clone().map(|plane| plane.name);
    let members = |cluster: &Cluster| -> Vec<_> {
        let of =
            |(id, member): (&_, &super::cluster::Member)| (*id, member.name.clone(), member.role);
        cluster.members.iter().map(of).collect()
    };
    let clock = |cluster: &Cluster| {
        let timing = &cluster.timing;
        (timing.tick, timing.heartbeat, timing.election_min, timing.election_max)
    };
    if old.name != new.name {
        Some("the cluster's name")
    } else if planes(old) != planes(new) {
        Some("the planes' names and their order")
    } else if members(old) != members(new) {
        Some("the members' ids, names and roles")
    } else if clock(old) != clock(new) {
        Some("the times of consensus (tick, heartbeat, election_min, election_max)")
    } else {
        None
    }
}

/// Whether the group, or one of its services, is not in the new configuration as it was.
fn loses_services(old: &Cluster, new: &Cluster, name: &GroupName) -> bool {
    let services = |cluster: &Cluster| cluster.groups.get(name).map(|group| group.services.clone());
    let (Some(had), Some(has)) = (services(old), services(new)) else { return true };
    had.iter().any(|service| !has.contains(service))
}

/// Members' addresses are each node's own affair: those in the log stay what they were.
pub fn with_addresses_of(mut new: Cluster, old: &Cluster) -> Cluster {
    for (id, member) in &mut new.members {
        if let Some(was) = old.members.get(id) {
            member.member_address = was.member_address;
            member.api_address = was.api_address;
            member.dns_address = was.dns_address;
        }
    }
    new
}
