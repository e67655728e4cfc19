//! Views and a cluster for the tests of the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::kernel::controller::View;
use crate::kernel::domain::{
    CheckName, Endpoint, GroupName, MemberId, MemberName, Moment, NameError, PlaneName, ProbeKind,
    ProbeTarget, ServiceName, SiteName, WallTime,
};
use crate::kernel::health::{Check, Require, Service};
use crate::kernel::ledger::{Cluster, Group, Ledger, Member, OnSwitch, Plane, Role, Timing};
use crate::kernel::policy::{ASK_EXPIRES, Mode, OutWhen, Policy, WhenBothDown};
use crate::kernel::zone::{CutOff, NameServer, Soa, ZoneName, ZoneSettings};

/// What member 1 shows in a fresh cluster.
pub(super) fn view(leader: Option<u64>) -> View {
    View {
        member: MemberId(1),
        applied: 0,
        term: 1,
        leader: leader.map(MemberId),
        in_quorum: true,
        cut_off_since: Moment::ZERO,
        heard: BTreeMap::new(),
        started: Moment::ZERO,
        wall: WallTime(0),
        cards: BTreeMap::new(),
        cluster: None,
        routes: Arc::new(BTreeMap::new()),
        zones: Arc::new(BTreeMap::new()),
        ledger: Arc::new(Ledger::default()),
        gateways: BTreeMap::new(),
        prober: None,
        apart: BTreeSet::new(),
        seen: BTreeMap::new(),
        applied_by: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn name<T>(made: Result<T, NameError>) -> T {
    made.unwrap_or_else(|error| panic!("{error}"))
}

/// A cluster of three members at three sites, in a hurry: one service, one group at home on `east`, moved
/// automatically to `west`.
pub(super) fn cluster(addresses: &[SocketAddr; 3]) -> Cluster {
    let (east, west) = (name(PlaneName::new("east")), name(PlaneName::new("west")));
    let site = |site: &str| name(SiteName::new(site));
    let member = |id: u8, at: &str| {
        let member_address = addresses[usize::from(id) - 1];
        let nowhere = (Ipv4Addr::LOCALHOST, 9).into();
        Member {
            id: MemberId(u64::from(id)),
            name: name(MemberName::new(&format!("node-{id}"))),
            site: site(at),
            role: Role::Controller,
            member_address,
            api_address: Some(nowhere),
            dns_address: Some((Ipv4Addr::LOCALHOST, u16::from(id)).into()),
        }
    };
    let target = |port: u16| {
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port };
        Arc::new(ProbeTarget { endpoint, kind: ProbeKind::Tcp, timeout: MS * 100 })
    };
    let check = Check {
        targets: [(east.clone(), target(EAST)), (west.clone(), target(WEST))].into(),
        interval: MS * 50,
        fast_interval: MS * 20,
        fall: 2,
        rise: 2,
        slow: None,
    };
    let service = Service {
        critical: true,
        checks: [(name(CheckName::new("tcp")), check)].into(),
        require: Require::All,
    };
    let policy = Policy {
        mode: Mode::Auto,
        dwell: Duration::ZERO,
        budget: None,
        flap_limit: None,
        when_both_down: WhenBothDown::Keep,
        degraded_is_out: false,
        ask_expires: ASK_EXPIRES,
    };
    let group = Group {
        services: vec![name(ServiceName::new("web"))],
        out_when: OutWhen::AnyCritical,
        home: east.clone(),
        policy,
        on_switch: OnSwitch::Drain,
    };
    let members = [member(1, "north"), member(2, "south"), member(3, "middle")];
    Cluster {
        name: name(MemberName::new("demo")),
        planes: [
            Plane { name: east, site: site("north") },
            Plane { name: west, site: site("south") },
        ],
        members: members.into_iter().map(|member| (member.id, member)).collect(),
        observers: [].into(),
        services: [(name(ServiceName::new("web")), service)].into(),
        groups: [(name(GroupName::new("shop")), group)].into(),
        zones: [("demo.test".to_owned(), zone())].into(),
        routes: BTreeMap::new(),
        references: BTreeMap::new(),
        notify: BTreeMap::new(),
        timing: timing(),
    }
}

fn timing() -> Timing {
    Timing {
        tick: MS * 20,
        heartbeat: MS * 40,
        election_min: MS * 200,
        election_max: MS * 400,
        question_window: MS * 2000,
        observer_silence: MS * 2000,
        reference_interval: MS * 500,
        verify_timeout: MS * 1000,
        request_timeout: MS * 2000,
    }
}

fn zone() -> ZoneSettings {
    let address = |last: u8| vec![IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))];
    let shop = ZoneName {
        name: "shop.demo.test".to_owned(),
        group: name(GroupName::new("shop")),
        addresses: [
            (name(PlaneName::new("east")), address(EAST_ADDRESS)),
            (name(PlaneName::new("west")), address(WEST_ADDRESS)),
        ]
        .into(),
    };
    ZoneSettings {
        origin: "demo.test".to_owned(),
        ttl: 5,
        soa: Soa {
            mname: "ns1.demo.test".to_owned(),
            rname: "admin.demo.test".to_owned(),
            refresh: 60,
            retry: 60,
            expire: 600,
            negative_ttl: 5,
        },
        name_servers: vec![NameServer { name: "ns1.demo.test".to_owned(), addresses: address(1) }],
        names: vec![shop],
        cut_off: CutOff::ServeStale,
    }
}

/// The last octet of what DNS answers for the first plane.
pub(super) const EAST_ADDRESS: u8 = 11;
/// And for the second.
pub(super) const WEST_ADDRESS: u8 = 12;

const MS: Duration = Duration::from_millis(1);
/// The port that stands for the service on the first plane.
pub(super) const EAST: u16 = 1;
/// And on the second.
pub(super) const WEST: u16 = 2;
