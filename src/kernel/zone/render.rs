//! Settings and routes → the records of a zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::settings::{CutOff, DomainName, Soa, ZoneName, ZoneSettings};
use crate::kernel::domain::{Epoch, GroupName, PlaneName, Route};

/// The records of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The label under which a name's [`EpochRecord`] is served.
pub const EPOCH_LABEL: &str = "_biplane";

/// Renders a zone. A name whose group has no route is left out whole: no record set is ever published empty.
pub fn render<'a>(
    settings: &ZoneSettings,
    serial: u32,
    route_of: impl Fn(&GroupName) -> Option<&'a Route>,
) -> Zone {
    let mut names: BTreeMap<DomainName, Arc<RecordSet>> = BTreeMap::new();
    let ns = settings.name_servers.iter().map(|server| server.name.clone()).collect();
    names.insert(settings.origin.clone(), Arc::new(RecordSet { ns, ..RecordSet::default() }));
    for server in &settings.name_servers {
        if is_under(&server.name, &settings.origin) && !server.addresses.is_empty() {
            let set = Arc::make_mut(names.entry(server.name.clone()).or_default());
            set.add_addresses(&server.addresses);
        }
    }
    for name in &settings.names {
        if let Some(route) = route_of(&name.group) {
            put(&mut names, name, route);
        }
    }
    fill_gaps(&mut names, &settings.origin);
    Zone {
        origin: settings.origin.clone(),
        serial,
        soa: settings.soa.clone(),
        ttl: settings.ttl,
        names,
        cut_off: settings.cut_off,
    }
}

/// Renders anew only the names of some groups; everything else is shared with the zone as it was.
pub fn render_changed<'a>(
    previous: &Zone,
    settings: &ZoneSettings,
    serial: u32,
    changed: &BTreeSet<GroupName>,
    route_of: impl Fn(&GroupName) -> Option<&'a Route>,
) -> Zone {
    let mut zone = Zone { serial, ..previous.clone() };
    for name in settings.names.iter().filter(|name| changed.contains(&name.group)) {
        if let Some(route) = route_of(&name.group) {
            put(&mut zone.names, name, route);
        }
    }
    fill_gaps(&mut zone.names, &settings.origin);
    zone
}

/// Puts the records of one name; a name without an address on the plane keeps what it had.
fn put(names: &mut BTreeMap<DomainName, Arc<RecordSet>>, name: &ZoneName, route: &Route) {
    let addresses = name.addresses.get(&route.plane).map_or(&[][..], Vec::as_slice);
    if addresses.is_empty() {
        return;
    }
    let mut set = RecordSet::default();
    set.add_addresses(addresses);
    if let Some(old) = names.get(&name.name) {
        set.ns.clone_from(&old.ns);
    }
    names.insert(name.name.clone(), Arc::new(set));
    let epoch =
        EpochRecord { group: name.group.clone(), plane: route.plane.clone(), epoch: route.epoch };
    let txt = vec![epoch.to_text()];
    let owner = format!("{EPOCH_LABEL}.{}", name.name);
    names.insert(owner, Arc::new(RecordSet { txt, ..RecordSet::default() }));
}

/// Names between the apex and a deeper name exist and have no records (RFC 8020): the answer is NODATA.
fn fill_gaps(names: &mut BTreeMap<DomainName, Arc<RecordSet>>, origin: &str) {
    let mut missing = BTreeSet::new();
    for name in names.keys() {
        let mut rest = name.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            if parent == origin || !is_under(parent, origin) {
                break;
            }
            if !names.contains_key(parent) {
                missing.insert(parent.to_owned());
            }
            rest = parent;
        }
    }
    for name in missing {
        names.entry(name).or_default();
    }
}

/// Whether `name` is `origin` or below it.
pub fn is_under(name: &str, origin: &str) -> bool {
    name.strip_suffix(origin).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl RecordSet {
    fn add_addresses(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            match address {
                IpAddr::V4(v4) => self.a.push(*v4),
                IpAddr::V6(v6) => self.aaaa.push(*v6),
            }
        }
    }

    /// Whether the name exists only because a deeper one does.
    pub const fn is_empty(&self) -> bool {
        self.a.is_empty() && self.aaaa.is_empty() && self.ns.is_empty() && self.txt.is_empty()
    }
}

/// The serial after this one (RFC 1982 arithmetic); zero is skipped.
pub const fn next_serial(serial: u32) -> u32 {
    let next = serial.wrapping_add(1);
    if next == 0 { 1 } else { next }
}

#[cfg(test)]
mod tests;
