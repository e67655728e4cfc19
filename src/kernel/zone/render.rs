//! Settings and routes → the records of a zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::EPOCH_LABEL;
use super::settings::{CutOff, DomainName, NameServer, Soa, ZoneName, ZoneSettings};
use crate::kernel::domain::{Epoch, GroupName, PlaneName, Route};

/// The records of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// A records.
    pub a: Vec<Ipv4Addr>,
    /// AAAA records.
    pub aaaa: Vec<Ipv6Addr>,
    /// NS records (the apex only).
    pub ns: Vec<DomainName>,
    /// TXT records, one character-string each.
    pub txt: Vec<String>,
}

/// Which route a name shows: served as TXT at `_biplane.NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The group.
    pub group: GroupName,
    /// The plane that it is routed to.
    pub plane: PlaneName,
    /// As of this epoch.
    pub epoch: Epoch,
}

impl EpochRecord {
    /// The TXT record's text: `group=shop plane=west epoch=1.7`.
    pub fn to_text(&self) -> String {
        format!("group={} plane={} epoch={}", self.group, self.plane, self.epoch)
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let group = words.next()?.strip_prefix("group=")?;
        let plane = words.next()?.strip_prefix("plane=")?;
        let epoch = words.next()?.strip_prefix("epoch=")?;
        Some(Self {
            group: GroupName::new(group).ok()?,
            plane: PlaneName::new(plane).ok()?,
            epoch: epoch.parse().ok()?,
        })
    }
}

/// A zone as it is served: equal serial ⇒ equal content, on every node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The apex.
    pub origin: DomainName,
    /// SOA serial.
    pub serial: u32,
    /// SOA fields.
    pub soa: Soa,
    /// TTL of all records, in seconds.
    pub ttl: u32,
    /// Records by full lower-case name; empty non-terminals are there with an empty set.
    pub names: BTreeMap<DomainName, Arc<RecordSet>>,
    /// When cut off from the quorum.
    pub cut_off: CutOff,
}

/// Renders a zone. A name whose group has no route is left out whole: no record set is ever published empty.
/// So is a name without addresses on the plane of its route, and one outside the zone.
///
/// Takes for granted what `config` checks: names are distinct, and a name server follows no route (if one
/// does, its own addresses stand).
pub fn render<'a>(
    settings: &ZoneSettings,
    serial: u32,
    route_of: impl Fn(&GroupName) -> Option<&'a Route>,
) -> Zone {
    let mut zone = Zone {
        origin: settings.origin.clone(),
        serial,
        soa: settings.soa.clone(),
        ttl: settings.ttl,
        names: BTreeMap::new(),
        cut_off: settings.cut_off,
    };
    zone.put_name_servers(settings);
    for name in &settings.names {
        if let Some(route) = route_of(&name.group) {
            zone.put_name(settings, name, route);
        }
    }
    zone
}

/// The zone after the routes of `changed` groups have changed: equal to [`render`] of everything, but what did
/// not change is shared with `previous`.
///
/// `previous` must have been rendered from these same `settings`; after a change of settings use [`render`].
pub fn render_changed<'a>(
    previous: &Zone,
    settings: &ZoneSettings,
    serial: u32,
    changed: &BTreeSet<GroupName>,
    route_of: impl Fn(&GroupName) -> Option<&'a Route>,
) -> Zone {
    let mut zone = Zone { serial, ..previous.clone() };
    for name in settings.names.iter().filter(|name| changed.contains(&name.group)) {
        let put = route_of(&name.group).is_some_and(|route| zone.put_name(settings, name, route));
        if !put && previous.names.contains_key(&epoch_name(&name.name)) {
            // A name goes: the empty non-terminals that only it needed go too. Rare, so render all.
            return render(settings, serial, route_of);
        }
    }
    zone
}

/// Whether two zones show resolvers the same records: everything but the serial. What a zone does when it
/// is cut off is not among its records.
pub fn same_records(a: &Zone, b: &Zone) -> bool {
    a.origin == b.origin && a.soa == b.soa && a.ttl == b.ttl && a.names == b.names
}

impl Zone {
    /// The apex, and the addresses of name servers inside the zone.
    fn put_name_servers(&mut self, settings: &ZoneSettings) {
        let ns = settings.name_servers.iter().map(|server| server.name.clone()).collect();
        let apex = RecordSet { ns, ..RecordSet::default() };
        self.names.insert(self.origin.clone(), Arc::new(apex));
        for server in &settings.name_servers {
            if !server.addresses.is_empty() && is_under(&server.name, &self.origin) {
                self.put_addresses(&server.name, &server.addresses);
            }
        }
    }

    /// A name's addresses by its route, and its epoch record. Says whether there is anything to show.
    fn put_name(&mut self, settings: &ZoneSettings, name: &ZoneName, route: &Route) -> bool {
        let Some(addresses) = name.addresses.get(&route.plane).filter(|all| !all.is_empty()) else {
            return false;
        };
        let is_server = |server: &NameServer| server.name == name.name;
        if !is_under(&name.name, &self.origin) || settings.name_servers.iter().any(is_server) {
            return false;
        }
        self.put_addresses(&name.name, addresses);
        let record = EpochRecord {
            group: name.group.clone(),
            plane: route.plane.clone(),
            epoch: route.epoch,
        };
        let txt = RecordSet { txt: vec![record.to_text()], ..RecordSet::default() };
        self.names.insert(epoch_name(&name.name), Arc::new(txt));
        true
    }

    /// Replaces the addresses of `name`; other records of it (NS at the apex) stay. The names between it
    /// and the apex come to exist (RFC 8020: an empty non-terminal is no NXDOMAIN).
    fn put_addresses(&mut self, name: &str, addresses: &[IpAddr]) {
        let mut parent = name;
        while let Some((_, rest)) = parent.split_once('.')
            && rest.len() > self.origin.len()
            && !self.names.contains_key(rest)
        {
            self.names.insert(rest.to_owned(), Arc::default());
            parent = rest;
        }
        let distinct: BTreeSet<&IpAddr> = addresses.iter().collect();
        let mut a = Vec::new();
        let mut aaaa = Vec::new();
        for address in distinct {
            match address {
                IpAddr::V4(v4) => a.push(*v4),
                IpAddr::V6(v6) => aaaa.push(*v6),
            }
        }
        let set = match self.names.get(name) {
            Some(old) => RecordSet { a, aaaa, ns: old.ns.clone(), txt: old.txt.clone() },
            None => RecordSet { a, aaaa, ..RecordSet::default() },
        };
        self.names.insert(name.to_owned(), Arc::new(set));
    }
}

impl RecordSet {
    /// Whether the name exists only because a deeper one does.
    pub const fn is_empty(&self) -> bool {
        self.a.is_empty() && self.aaaa.is_empty() && self.ns.is_empty() && self.txt.is_empty()
    }
}

/// Whether `name` is `origin` or below it.
pub fn is_under(name: &str, origin: &str) -> bool {
    let inside = |rest: &str| rest.is_empty() || rest.ends_with('.') || origin.is_empty();
    name.strip_suffix(origin).is_some_and(inside)
}

/// Where a name's epoch record stands.
fn epoch_name(name: &str) -> DomainName {
    format!("{EPOCH_LABEL}.{name}")
}

#[cfg(test)]
mod tests;
