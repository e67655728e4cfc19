//! What the cluster file says of a zone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::domain::{GroupName, PlaneName};

/// Lower-case domain name without a trailing dot, every label 1–63 octets, 253 octets at most.
/// `config` checks it; below it is taken as given.
pub type DomainName = String;

/// What a node answers for a zone after it has been cut off from the quorum for longer than a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutOff {
    /// Go on with the last known records (RFC 8767 in spirit).
    ServeStale,
    /// SERVFAIL after this long.
    Servfail(Duration),
}

/// The fields of the SOA record that an operator chooses (RFC 1035, section 3.3.13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soa {
    /// Primary name server.
    pub mname: DomainName,
    /// Mailbox of the person responsible, as a domain name.
    pub rname: DomainName,
    /// Seconds between a secondary's checks.
    pub refresh: u32,
    /// Seconds between its retries.
    pub retry: u32,
    /// Seconds after which it stops to answer.
    pub expire: u32,
    /// Seconds for which a negative answer is kept (RFC 2308).
    pub negative_ttl: u32,
}

/// A name server of the zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameServer {
    /// Its name.
    pub name: DomainName,
    /// Its addresses, for names inside the zone.
    pub addresses: Vec<IpAddr>,
}

/// A name whose addresses follow a group's route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneName {
    /// The full name.
    pub name: DomainName,
    /// The group whose route it follows.
    pub group: GroupName,
    /// Addresses by plane; never empty for either plane.
    pub addresses: BTreeMap<PlaneName, Vec<IpAddr>>,
}

/// A zone that every controller serves with authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneSettings {
    /// The apex.
    pub origin: DomainName,
    /// TTL of the names, in seconds.
    pub ttl: u32,
    /// SOA fields.
    pub soa: Soa,
    /// NS records of the apex.
    pub name_servers: Vec<NameServer>,
    /// Names that follow a route.
    pub names: Vec<ZoneName>,
    /// When cut off from the quorum.
    pub cut_off: CutOff,
}
