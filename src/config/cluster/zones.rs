//! Zones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::limits::{self, NumberLimit};
use super::super::reader::{Placed, Section};
use super::groups::{self, Groups};
use crate::kernel::domain::PlaneName;
use crate::kernel::zone::{
    CutOff, DomainName, EPOCH_LABEL, NameServer, Soa, ZoneName, ZoneSettings, is_under,
};

pub(super) fn read(
    top: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
    groups: &Groups,
) -> BTreeMap<String, ZoneSettings> {
    let mut zones = BTreeMap::new();
    let Some(mut all) = top.section("zones") else { return zones };
    for key in all.keys() {
        let Some(section) = all.named(&key) else { continue };
        match domain_name(&key.value) {
            Ok(origin) => {
                let zone = read_zone(&section, &origin, planes, groups);
                section.finish();
                if zones.insert(origin, zone).is_some() {
                    let what = "stands twice".to_owned();
                    all.fault(&key.place, &key.value, what, "write one table for a zone");
                }
            }
            Err(error) => all.fault(&key.place, &key.value, error, "write a zone's name"),
        }
    }
    zones
}

/// A lower-case domain name without a trailing dot (RFC 1035, section 2.3.4: labels to 63 octets, 253 in all).
pub(super) fn domain_name(text: &str) -> Result<DomainName, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let longest = 253 - EPOCH_LABEL.len() - 1;
    if name.len() <= longest && name.split('.').all(label) {
        Ok(name)
    } else {
        Err(format!(
            "`{text}` is not a domain name of letters, digits and - in labels of up to 63, {longest} in all"
        ))
    }
}

fn read_zone(
    section: &Section<'_>,
    origin: &str,
    planes: Option<&[PlaneName; 2]>,
    groups: &Groups,
) -> ZoneSettings {
    let number = |key: &'static str, limit: &NumberLimit| {
        let number = section.number(key, limit).or(limit.default);
        number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    };
    let ttl = number("ttl", &limits::TTL);
    let name_servers = read_name_servers(section, origin);
    let first = name_servers.first().map_or_else(|| format!("ns1.{origin}"), |s| s.name.clone());
    let named = |key: &'static str, default: String| {
        section.parsed_or_none(key, "a domain name", domain_name).unwrap_or(default)
    };
    let soa = Soa {
        mname: named("mname", first),
        rname: named("rname", format!("hostmaster.{origin}")),
        refresh: number("refresh", &limits::SOA_REFRESH),
        retry: number("retry", &limits::SOA_RETRY),
        expire: number("expire", &limits::SOA_EXPIRE),
        negative_ttl: number("negative_ttl", &limits::NEGATIVE_TTL),
    };
    ZoneSettings {
        names: read_names(section, origin, planes, groups, &name_servers),
        cut_off: read_cut_off(section),
        origin: origin.to_owned(),
        ttl,
        soa,
        name_servers,
    }
}

fn read_cut_off(section: &Section<'_>) -> CutOff {
    let table = section.has("cut_off").then(|| section.text_or_table("cut_off")).flatten();
    match table {
        Some(table) => {
            let after = table.time_or_none("servfail", &limits::SERVFAIL);
            table.finish();
            after.map_or(CutOff::ServeStale, CutOff::Servfail)
        }
        None => section.choice("cut_off", &[("serve-stale", CutOff::ServeStale)]),
    }
}

fn read_name_servers(section: &Section<'_>, origin: &str) -> Vec<NameServer> {
    let mut servers = Vec::new();
    let Some(mut all) = section.section("name_servers") else {
        let what = "is missing: a zone needs name servers".to_owned();
        let write = "write name_servers = { \"ns1.ZONE\" = [\"ADDRESS\"] }";
        section.fault(&section.place, "name_servers", what, write);
        return servers;
    };
    for key in all.keys() {
        let addresses = addresses(&all, &key);
        match domain_name(&key.value) {
            Ok(name) => {
                if is_under(&name, origin) && all.is_empty(&key.value) {
                    let what = "stands inside the zone and has no address".to_owned();
                    all.fault(&key.place, &key.value, what, "write its addresses");
                }
                servers.push(NameServer { name, addresses });
            }
            Err(error) => all.fault(&key.place, &key.value, error, "write a server's name"),
        }
    }
    servers
}

fn addresses(section: &Section<'_>, key: &Placed<String>) -> Vec<IpAddr> {
    let write = "a list of addresses, for example [\"192.0.2.1\"]";
    to_addresses(section, &key.value, section.named_list(key, write))
}

fn to_addresses(section: &Section<'_>, key: &str, list: Vec<Placed<String>>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for item in list {
        match item.value.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => {
                let what = format!("`{}` is not an address", item.value);
                section.fault(&item.place, key, what, "write an IPv4 or IPv6 address");
            }
        }
    }
    addresses
}

fn read_names(
    section: &Section<'_>,
    origin: &str,
    planes: Option<&[PlaneName; 2]>,
    groups: &Groups,
    servers: &[NameServer],
) -> Vec<ZoneName> {
    let mut names: Vec<ZoneName> = Vec::new();
    let mut seen = BTreeSet::new();
    let Some(mut all) = section.section("names") else { return names };
    for key in all.keys() {
        let Some(entry) = all.named(&key) else { continue };
        let group = groups::known(&entry, "group", groups);
        let addresses = read_planes(&entry, planes);
        let name = match check_name(&key.value, origin, servers, &mut seen) {
            Ok(name) => Some(name),
            Err(error) => {
                all.fault(&key.place, &key.value, error, "write a name inside the zone");
                None
            }
        };
        if let (Some(name), Some(group), Some(addresses)) = (name, group, addresses) {
            names.push(ZoneName { name, group, addresses });
        }
    }
    names
}

fn check_name(
    text: &str,
    origin: &str,
    servers: &[NameServer],
    seen: &mut BTreeSet<String>,
) -> Result<DomainName, String> {
    let name = domain_name(text)?;
    if !is_under(&name, origin) {
        return Err(format!("`{text}` is not inside the zone `{origin}`"));
    }
    if name.split('.').any(|label| label == EPOCH_LABEL) {
        return Err(format!("the label {EPOCH_LABEL} is Biplane's own"));
    }
    if servers.iter().any(|server| server.name == name) {
        return Err(format!("`{text}` is a name server of the zone: it cannot follow a route"));
    }
    if !seen.insert(name.clone()) {
        return Err(format!("`{text}` stands twice"));
    }
    Ok(name)
}

/// The addresses of a name on both planes; a plane without one would be an empty answer.
fn read_planes(
    entry: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
) -> Option<BTreeMap<PlaneName, Vec<IpAddr>>> {
    let planes = planes?;
    let found = entry.lists_by_name(planes.iter().map(PlaneName::as_str), &["group"]);
    let mut all = BTreeMap::new();
    for (plane, (place, list)) in planes.iter().zip(found) {
        let addresses = to_addresses(entry, plane.as_str(), list);
        if entry.is_empty(plane.as_str()) {
            let what = "has no address: the answer would be empty on this plane".to_owned();
            entry.fault(&place, plane.as_str(), what, &format!("write {plane} = [\"ADDRESS\"]"));
        }
        if !addresses.is_empty() {
            all.insert(plane.clone(), addresses);
        }
    }
    (all.len() == 2).then_some(all)
}
