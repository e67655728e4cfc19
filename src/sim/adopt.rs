//! Somebody's own cluster, taken into the world. Its timers, policies and checks stay as they are; addresses become
//! those of the world, and what the world does not have is left out and said.

use std::net::IpAddr;
use std::sync::Arc;

use super::cluster::FIRST_OBSERVER;
use crate::kernel::domain::{Endpoint, MemberId};
use crate::kernel::ledger::{Cluster, Observer, Role};
use crate::kernel::zone::{NameServer, ZoneName};

/// A cluster in the world.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// Its members have the ids 1, 2, …; each service has endpoints of its own on each plane.
    pub cluster: Arc<Cluster>,
    /// What of the file has no part in a run, a line each.
    pub left_out: Vec<String>,
}

/// Takes a cluster in.
pub fn adopt(own: &Cluster) -> Adopted {
    let left_out = left_out(own);
    let mut cluster = own.clone();
    cluster.members = own
        .members
        .values()
        .zip(1..)
        .map(|(member, id)| {
            (MemberId(id), crate::kernel::ledger::Member { id: MemberId(id), ..member.clone() })
        })
        .collect();
    cluster.observers = own
        .observers
        .values()
        .zip(FIRST_OBSERVER..)
        .map(|(observer, id)| (MemberId(id), Observer { id: MemberId(id), ..observer.clone() }))
        .collect();
    cluster.references.clear();
    cluster.notify.clear();
    give_endpoints(&mut cluster);
    give_names(&mut cluster);
    Adopted { cluster: Arc::new(cluster), left_out }
}

/// Each service answers at a place of its own: who shares an endpoint in the file would share a fate here.
fn give_endpoints(cluster: &mut Cluster) {
    for (service, settings) in &mut cluster.services {
        for (port, check) in (1_u16..).zip(settings.checks.values_mut()) {
            for (plane, target) in &mut check.targets {
                let host = format!("{service}.{plane}.planes.test");
                Arc::make_mut(target).endpoint = Endpoint { host, port };
            }
        }
    }
}

/// In each zone one name for each group that has any there: what the resolvers of the world ask for.
fn give_names(cluster: &mut Cluster) {
    let planes = cluster.planes.clone().map(|plane| plane.name);
    for zone in cluster.zones.values_mut() {
        let mut groups: Vec<_> = zone.names.iter().map(|name| name.group.clone()).collect();
        groups.sort();
        groups.dedup();
        let name = |group| ZoneName {
            name: format!("{group}.{}", zone.origin),
            group,
            addresses: planes
                .iter()
                .cloned()
                .zip([1, 2].map(|last| vec![IpAddr::from([192, 0, 2, last])]))
                .collect(),
        };
        zone.names = groups.into_iter().map(name).collect();
        let server = "ns.members.test".to_owned();
        zone.name_servers = vec![NameServer { name: server, addresses: Vec::new() }];
    }
}

fn left_out(own: &Cluster) -> Vec<String> {
    let mut lines = vec![
        "[members] addresses: every way between two members is alike, near or far".to_owned(),
        "[services] endpoints: each service answers by itself, also where endpoints are shared".to_owned(),
        "[services.*.checks] what is asked and demanded: a check passes when its service is well, and is late when that \
         is late"
            .to_owned(),
    ];
    let mut add = |there: bool, line: &str| {
        if there {
            lines.push(line.to_owned());
        }
    };
    add(
        own.members.values().any(|member| member.role == Role::Witness),
        "[members] role = \"witness\": witnesses vote and probe here as they do, and answer DNS too",
    );
    add(
        !own.references.is_empty(),
        "[references]: whether an observer is isolated is seen from the other members alone",
    );
    add(
        !own.zones.is_empty(),
        "[zones] names, addresses and name servers: each group has one name in each of its zones, with the zone's ttl",
    );
    add(
        !own.routes.is_empty(),
        "[routes] upstream and front_door: one gateway, or each of two, carries every group, and the door opens while the first runs",
    );
    add(!own.notify.is_empty(), "[notify]: nobody is told");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_cluster;

    const EXAMPLE: &str = include_str!("../../config/cluster.toml");

    #[test]
    fn timers_policies_and_checks_stay_and_the_rest_is_named() {
        let text = EXAMPLE
            .replace("id = 3", "id = 77")
            .replace("[references]", "[observers.far]\nid = 9\nsite = \"far\"\n[references]");
        let own = parse_cluster("cluster.toml", &text).expect("the example is sound").cluster;
        let Adopted { cluster, left_out } = adopt(&own);
        assert_eq!(cluster.timing, own.timing);
        assert_eq!(cluster.groups, own.groups);
        let ids: Vec<u64> = cluster.members.keys().map(|id| id.0).collect();
        assert_eq!(ids, [1, 2, 3]);
        for (service, settings) in &own.services {
            for (name, check) in &settings.checks {
                let here = &cluster.services[service].checks[name];
                assert_eq!(
                    (here.interval, here.fall, here.rise, here.slow),
                    (check.interval, check.fall, check.rise, check.slow)
                );
                let times = |check: &crate::kernel::health::Check| -> Vec<_> {
                    check
                        .targets
                        .values()
                        .map(|target| (target.timeout, target.kind.clone()))
                        .collect()
                };
                assert_eq!(times(here), times(check));
            }
        }
        let beside: Vec<u64> = cluster.observers.keys().map(|id| id.0).collect();
        assert_eq!(beside, [FIRST_OBSERVER]);
        for part in ["[references]", "[zones]", "[routes]"] {
            assert!(left_out.iter().any(|line| line.starts_with(part)), "{part}: {left_out:?}");
        }
        assert!(!left_out.iter().any(|line| line.contains("witness")), "{left_out:?}");
    }
}
