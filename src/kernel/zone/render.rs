//! Settings and routes → the records of a zone.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::settings::{CutOff, DomainName, Soa, ZoneSettings};
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

/// Renders a zone. A name whose group has no route is left out whole: no record set is ever published empty.
pub fn render<'a>(
    settings: &ZoneSettings,
    serial: u32,
    route_of: impl Fn(&GroupName) -> Option<&'a Route>,
) -> Zone {
    let _ = (settings, serial, &route_of);
    unreachable!("written by the zone's author")
}

/// The serial after this one (RFC 1982 arithmetic); zero is skipped.
pub const fn next_serial(serial: u32) -> u32 {
    let next = serial.wrapping_add(1);
    if next == 0 { 1 } else { next }
}
