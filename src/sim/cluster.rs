//! The cluster under test: three members at three sites, two planes, a few services; fast times.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::kernel::domain::{
    CheckName, Endpoint, GroupName, HttpProbe, MemberId, MemberName, NotifyName, PlaneName,
    ProbeKind, ProbeTarget, ServiceName, SiteName,
};
use crate::kernel::health::{Check, Require, Service};
use crate::kernel::ledger::{
    Budget, Cluster, FlapLimit, GatewayRoute, Group, Member, Mode, Notify, NotifyKind, Observer,
    OnSwitch, OutWhen, Plane, Policy, Role, Timing, WhenBothDown,
};
use crate::kernel::zone::{CutOff, NameServer, Soa, ZoneName, ZoneSettings};

/// How many members there are.
pub const NODES: usize = 3;
/// Names of the planes, and of their sites.
pub const PLANES: [&str; 2] = ["east", "west"];
/// Names of the members' sites.
const SITES: [&str; NODES] = ["east", "west", "third"];
/// Names of the observers beside the members, and their sites.
pub const OBSERVERS: [(&str, &str); 2] = [("far", "fourth"), ("near", "west")];
/// The first observer's id; the others follow.
pub const FIRST_OBSERVER: u64 = 101;

/// What differs from run to run.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Who decides.
    pub mode: Mode,
    /// Shortest time between two changes of a route.
    pub dwell: Duration,
    /// Automatic switchovers allowed.
    pub budget: Option<Budget>,
    /// Flap damping.
    pub flap_limit: Option<FlapLimit>,
    /// When neither plane is good.
    pub when_both_down: WhenBothDown,
    /// Between two probes.
    pub interval: Duration,
    /// Failures until down, successes until up.
    pub fall_rise: (u32, u32),
    /// Longest time without a leader until an election; the shortest is half of it.
    pub election_max: Duration,
    /// Whether there is a second group.
    pub two_groups: bool,
    /// How many observers there are beside the members: up to two.
    pub observers: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            dwell: Duration::from_secs(2),
            budget: None,
            flap_limit: None,
            when_both_down: WhenBothDown::Keep,
            interval: Duration::from_millis(500),
            fall_rise: (2, 2),
            election_max: Duration::from_millis(1000),
            two_groups: false,
            observers: 0,
        }
    }
}

const PROOF: &str = "the simulator's own names are names";

/// A group's name.
pub fn group(name: &str) -> GroupName {
    GroupName::new(name).expect(PROOF)
}

/// A plane's name.
pub fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).expect(PROOF)
}

fn service_name(name: &str) -> ServiceName {
    ServiceName::new(name).expect(PROOF)
}

fn site(name: &str) -> SiteName {
    SiteName::new(name).expect(PROOF)
}

/// The cluster file of a shape.
pub fn cluster(shape: &Shape) -> Cluster {
    let services = services(shape);
    let all = |wanted: &[&str]| -> Vec<ServiceName> {
        wanted.iter().map(|name| service_name(name)).collect()
    };
    let mut groups =
        BTreeMap::from([(group("shop"), group_settings(shape, all(&["log", "pay", "web"])))]);
    if shape.two_groups {
        groups.insert(group("mail"), group_settings(shape, all(&["web-mail"])));
    }
    let routes = groups
        .keys()
        .enumerate()
        .map(|(place, name)| (service_name(name.as_str()), route(name, place)))
        .collect();
    let members = SITES.iter().enumerate().map(|(place, at)| member(place, at));
    let planes = PLANES.map(|name| Plane { name: plane(name), site: site(name) });
    Cluster {
        name: MemberName::new("simulated").expect(PROOF),
        planes,
        members: members.map(|member| (member.id, member)).collect(),
        observers: (FIRST_OBSERVER..).zip(OBSERVERS).map(observer).take(shape.observers).collect(),
        services,
        zones: BTreeMap::from([("biplane.test".to_owned(), zone(groups.keys()))]),
        groups,
        routes,
        references: BTreeMap::new(),
        notify: BTreeMap::from([told()]),
        timing: timing(shape),
    }
}

fn timing(shape: &Shape) -> Timing {
    let ms = Duration::from_millis;
    let window = shape.interval * shape.fall_rise.0 + ms(200) + 2 * shape.election_max + ms(1000);
    Timing {
        tick: ms(50),
        heartbeat: ms(100),
        election_min: shape.election_max / 2,
        election_max: shape.election_max,
        question_window: window,
        observer_silence: ms(3000),
        reference_interval: ms(1000),
        verify_timeout: ms(3000),
        request_timeout: ms(3000),
    }
}

fn member(place: usize, at: &str) -> Member {
    let id = place as u64 + 1;
    let address =
        |port: u16| SocketAddr::from(([10, 1, 0, u8::try_from(id).unwrap_or(u8::MAX)], port));
    Member {
        id: MemberId(id),
        name: MemberName::new(at).expect(PROOF),
        site: site(at),
        role: Role::Controller,
        member_address: address(7410),
        api_address: Some(address(7400)),
        dns_address: Some(address(53)),
    }
}

fn observer((id, (name, at)): (u64, (&str, &str))) -> (MemberId, Observer) {
    let id = MemberId(id);
    (id, Observer { id, name: MemberName::new(name).expect(PROOF), site: site(at) })
}

/// `web` answers HTTP and TCP, the others TCP; `log` is a supporting one.
fn services(shape: &Shape) -> BTreeMap<ServiceName, Service> {
    let names: &[&str] =
        if shape.two_groups { &["log", "pay", "web", "web-mail"] } else { &["log", "pay", "web"] };
    let service = |(place, name): (usize, &&str)| {
        let mut checks = BTreeMap::new();
        checks.insert(CheckName::new("tcp").expect(PROOF), check(shape, place, 80, ProbeKind::Tcp));
        if *name == "web" {
            let http = HttpProbe {
                path: "/healthz".to_owned(),
                host: String::new(),
                tls: false,
                tls_verify: false,
                status: (200, 299),
                body_contains: "well".to_owned(),
                header: None,
            };
            let http = check(shape, place, 8080, ProbeKind::Http(http));
            checks.insert(CheckName::new("http").expect(PROOF), http);
        }
        let critical = *name != "log";
        (service_name(name), Service { critical, checks, require: Require::All })
    };
    names.iter().enumerate().map(service).collect()
}

fn check(shape: &Shape, place: usize, port: u16, kind: ProbeKind) -> Check {
    let target = |plane: usize| {
        Arc::new(ProbeTarget {
            endpoint: Endpoint { host: format!("10.2.{plane}.{}", place + 1), port },
            kind: kind.clone(),
            timeout: Duration::from_millis(200),
        })
    };
    Check {
        targets: PLANES.iter().enumerate().map(|(n, name)| (plane(name), target(n))).collect(),
        interval: shape.interval,
        fast_interval: shape.interval.min(Duration::from_millis(100)),
        fall: shape.fall_rise.0,
        rise: shape.fall_rise.1,
        slow: None,
    }
}

fn group_settings(shape: &Shape, services: Vec<ServiceName>) -> Group {
    Group {
        services,
        out_when: OutWhen::AnyCritical,
        home: plane(PLANES[0]),
        policy: Policy {
            mode: shape.mode,
            dwell: shape.dwell,
            budget: shape.budget,
            flap_limit: shape.flap_limit,
            when_both_down: shape.when_both_down,
            degraded_is_out: false,
            ask_expires: crate::kernel::policy::ASK_EXPIRES,
        },
        on_switch: OnSwitch::Drain,
    }
}

/// Who is told of alarms, and hears now and then that the cluster lives.
fn told() -> (NotifyName, Notify) {
    let name = NotifyName::new("people").expect("a fixed name in lower case");
    let (timeout, alive) = (Duration::from_secs(2), Some(Duration::from_secs(10)));
    (name, Notify { kind: NotifyKind::Program {}, timeout, alive })
}

fn route(of: &GroupName, place: usize) -> GatewayRoute {
    let port = u16::try_from(place).unwrap_or(0) + 7480;
    let upstream = |n: usize| Endpoint { host: format!("10.2.{n}.100"), port };
    GatewayRoute {
        group: of.clone(),
        upstream: PLANES.iter().enumerate().map(|(n, name)| (plane(name), upstream(n))).collect(),
        front_door: Some(Endpoint { host: "10.3.0.1".to_owned(), port }),
    }
}

fn zone<'a>(groups: impl Iterator<Item = &'a GroupName>) -> ZoneSettings {
    let names = groups
        .map(|name| ZoneName {
            name: format!("{name}.biplane.test"),
            group: name.clone(),
            addresses: PLANES
                .iter()
                .enumerate()
                .map(|(n, at)| {
                    let number = u8::try_from(n).unwrap_or(0);
                    (plane(at), vec![std::net::IpAddr::from([192, 0, 2, number + 1])])
                })
                .collect(),
        })
        .collect();
    ZoneSettings {
        origin: "biplane.test".to_owned(),
        ttl: 5,
        soa: Soa {
            mname: "ns1.biplane.test".to_owned(),
            rname: "ops.biplane.test".to_owned(),
            refresh: 60,
            retry: 10,
            expire: 3600,
            negative_ttl: 5,
        },
        name_servers: vec![NameServer {
            name: "ns1.biplane.test".to_owned(),
            addresses: vec![std::net::IpAddr::from([10, 1, 0, 1])],
        }],
        names,
        cut_off: CutOff::ServeStale,
    }
}

/// How many other configurations there are.
pub const OTHERS: u64 = 6;
/// The group that one of them has beside the others.
pub const EXTRA: &str = "extra";
/// Which one.
pub const WITH_EXTRA: u64 = 3;

/// Another configuration of the same cluster, one of six: the same, slower to rise, slower to verify, with a supporting
/// service as the critical one of a group of its own that starts on the second plane, with people who decide in place of
/// the quorum (or the other way round), or with a longer dwell and a small budget.
pub fn another(first: &Cluster, which: u64) -> Cluster {
    let mut other = first.clone();
    match which {
        1 => {
            for check in other.services.values_mut().flat_map(|s| s.checks.values_mut()) {
                check.rise += 1;
            }
        }
        2 => other.timing.verify_timeout += Duration::from_millis(500),
        WITH_EXTRA => apart(&mut other),
        4 => {
            for policy in other.groups.values_mut().map(|group| &mut group.policy) {
                policy.mode = if policy.mode == Mode::Auto { Mode::Ask } else { Mode::Auto };
            }
        }
        5 => {
            for policy in other.groups.values_mut().map(|group| &mut group.policy) {
                policy.dwell = policy.dwell * 2 + Duration::from_secs(1);
                policy.budget = Some(Budget { switches: 1, window: Duration::from_secs(20) });
            }
        }
        _ => {}
    }
    other
}

/// Puts the first supporting service into a group of its own, as long as it leaves its old one something.
fn apart(cluster: &mut Cluster) {
    let moves =
        |service: &&ServiceName| cluster.services.get(*service).is_some_and(|s| !s.critical);
    let found = cluster.groups.iter().find_map(|(owner, settings)| {
        Some((owner.clone(), settings.services.iter().find(moves)?.clone()))
    });
    let (Some((owner, service)), extra) = (found, group(EXTRA)) else { return };
    if cluster.groups.contains_key(&extra) {
        return;
    }
    // A group without a critical service would be refused.
    if let Some(moved) = cluster.services.get_mut(&service) {
        moved.critical = true;
    }
    let Some(settings) = cluster.groups.get_mut(&owner) else { return };
    settings.services.retain(|other| *other != service);
    let mut own = settings.clone();
    own.services = vec![service];
    own.home = cluster.planes[1].name.clone();
    cluster.groups.insert(extra.clone(), own);
    for zone in cluster.zones.values_mut() {
        let Some(mut name) = zone.names.iter().find(|name| name.group == owner).cloned() else {
            continue;
        };
        name.name = format!("{extra}.{}", zone.origin);
        name.group = extra.clone();
        zone.names.push(name);
        zone.names.sort_by(|one, other| one.name.cmp(&other.name));
    }
}
