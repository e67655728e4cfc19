//! Zones and queries for this module's tests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Published;
use crate::kernel::domain::{Epoch, GroupName, PlaneName, Route};
use crate::kernel::zone::{CutOff, NameServer, Soa, Zone, ZoneName, ZoneSettings, render};

pub(super) const A: u16 = 1;
pub(super) const NS: u16 = 2;
pub(super) const SOA: u16 = 6;
pub(super) const TXT: u16 = 16;
pub(super) const AAAA: u16 = 28;
pub(super) const ANY: u16 = 255;

pub(super) fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).unwrap()
}

pub(super) fn route(to: &str, counter: u64) -> Route {
    Route { plane: plane(to), epoch: Epoch { generation: 1, counter } }
}

/// A name of group `shop`: `east` and `west` are its addresses there.
pub(super) fn follows(name: &str, east: Vec<IpAddr>, west: Vec<IpAddr>) -> ZoneName {
    let addresses = [(plane("east"), east), (plane("west"), west)].into();
    ZoneName { name: name.into(), group: GroupName::new("shop").unwrap(), addresses }
}

pub(super) fn settings(origin: &str, names: Vec<ZoneName>, cut_off: CutOff) -> ZoneSettings {
    let server = |i: u8| NameServer {
        name: format!("ns{i}.{origin}"),
        addresses: vec![[127, 0, 0, i].into(), [0, 0, 0, 0, 0, 0, 0, u16::from(i)].into()],
    };
    let elsewhere = NameServer { name: "ns.elsewhere.example".into(), addresses: vec![] };
    ZoneSettings {
        origin: origin.into(),
        ttl: 5,
        soa: Soa {
            mname: format!("ns1.{origin}"),
            rname: format!("admin.{origin}"),
            refresh: 60,
            retry: 10,
            expire: 3600,
            negative_ttl: 2,
        },
        name_servers: vec![server(1), server(2), elsewhere],
        names,
        cut_off,
    }
}

/// `n` distinct addresses of a plane.
pub(super) fn addresses(first: u8, n: u16) -> Vec<IpAddr> {
    (0..n).map(|i| IpAddr::from([10, first, (i / 250) as u8, (i % 250) as u8])).collect()
}

/// Three zones, one inside another: `biplane.test` gives SERVFAIL after 10 s of being cut off, `stale.test`
/// never, `deep.biplane.test` stands by itself.
pub(super) fn published() -> Published {
    let both = vec![[10, 1, 0, 1].into(), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()];
    let names = vec![
        follows("shop.biplane.test", both, addresses(2, 1)),
        follows("a.between.biplane.test", addresses(1, 1), addresses(2, 1)),
        follows("forty.biplane.test", addresses(1, 40), addresses(2, 40)),
        follows("crowd.biplane.test", addresses(1, 500), addresses(2, 500)),
    ];
    let in_deep = follows("shop.deep.biplane.test", addresses(7, 1), addresses(8, 1));
    let in_stale = follows("shop.stale.test", addresses(1, 1), addresses(2, 1));
    let servfail = CutOff::Servfail(Duration::from_secs(10));
    let east = route("east", 7);
    let zones = [
        settings("biplane.test", names, servfail),
        settings("deep.biplane.test", vec![in_deep], servfail),
        settings("stale.test", vec![in_stale], CutOff::ServeStale),
    ];
    let zones: BTreeMap<String, Arc<Zone>> = zones
        .iter()
        .map(|zone| (zone.origin.clone(), Arc::new(render(zone, 42, |_| Some(&east)))))
        .collect();
    Published { zones: Arc::new(zones), cut_off_since: None }
}

/// A name on the wire, uncompressed.
pub(super) fn wire(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.bytes());
    }
    octets.push(0);
    octets
}

/// A header: id 0x1234, these flags and counts.
pub(super) fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let words = [[0x1234, flags].as_slice(), &counts].concat();
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A question of class IN.
pub(super) fn question(name: &str, qtype: u16) -> Vec<u8> {
    [wire(name), qtype.to_be_bytes().to_vec(), vec![0, 1]].concat()
}

/// An OPT record: payload size, version, whether DO is set, options.
pub(super) fn opt(payload: u16, version: u8, dnssec_ok: bool, options: &[u8]) -> Vec<u8> {
    let len = u16::try_from(options.len()).unwrap();
    [
        &[0, 0, 41],
        payload.to_be_bytes().as_slice(),
        &[0, version, if dnssec_ok { 0x80 } else { 0 }, 0],
        &len.to_be_bytes(),
        options,
    ]
    .concat()
}

/// A plain query with RD set.
pub(super) fn query(name: &str, qtype: u16) -> Vec<u8> {
    [header(0x0100, [1, 0, 0, 0]), question(name, qtype)].concat()
}

/// A query with EDNS.
pub(super) fn query_edns(name: &str, qtype: u16, payload: u16) -> Vec<u8> {
    let head = header(0x0100, [1, 0, 0, 1]);
    [head, question(name, qtype), opt(payload, 0, false, &[])].concat()
}
