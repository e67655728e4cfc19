//! Three controllers, their disks, a network and two planes, on one virtual clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::super::peer::PeerMessage;
use super::super::*;
use super::visitors::Visitors;
use super::written::write;
use crate::kernel::domain::{
    CheckName, Endpoint, Epoch, GroupName, MemberName, PlaneName, ProbeFault, ProbeKind,
    ProbeOrder, ProbeResult, ProbeTarget, ProbeTimings, ServiceName, SiteName,
};
use crate::kernel::health::{Check, Require, Service};
use crate::kernel::ledger::{Group, Member, OnSwitch, Plane, Role, Timing};
use crate::kernel::policy::{ASK_EXPIRES, Mode, OutWhen, Policy, WhenBothDown};
use crate::kernel::zone::{CutOff, EpochRecord, Soa, ZoneName, ZoneSettings};

pub(super) fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a good name")
}

pub(super) fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).expect("a good name")
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) struct Node {
    pub(super) controller: Controller,
    wake: Moment,
    view: Option<Arc<View>>,
}

pub(super) struct Trio {
    pub(super) now: Moment,
    pub(super) nodes: BTreeMap<MemberId, Node>,
    pub(super) disks: BTreeMap<MemberId, Recovered>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) inputs: VecDeque<(MemberId, Input)>,
    up: BTreeMap<String, bool>,
    /// Observers that cannot see plane east.
    pub(super) blind: BTreeSet<MemberId>,
    /// What this member sends is held back.
    pub(super) muffled: Option<MemberId>,
    muffled_frames: Vec<(MemberId, Input)>,
    /// This member's disk gives no receipts; they wait here.
    pub(super) stalled: Option<MemberId>,
    stalled_receipts: Vec<(MemberId, Input)>,
    /// So many receipts of effects are lost.
    pub(super) lost_receipts: usize,
    /// Nobody's DNS server answers verification.
    pub(super) deaf_dns: bool,
    /// Members whose commands for the leader are lost.
    pub(super) mute: BTreeSet<MemberId>,
    /// Every probe that passes takes a while.
    pub(super) slow: bool,
    /// Nobody takes what he is told of alarms.
    pub(super) deaf: bool,
    /// What was told of alarms.
    pub(super) told: std::cell::RefCell<Vec<String>>,
    pub(super) visitors: Visitors,
    replies: BTreeMap<u64, Response>,
    next_request: u64,
    pub(super) turns: usize,
    pub(super) trace: Vec<String>,
}

impl Trio {
    pub(super) fn new(mode: Mode) -> Self {
        Self::of(cluster(mode))
    }

    pub(super) fn of(cluster: Cluster) -> Self {
        let mut trio = Self {
            now: Moment::from_micros(1_000_000),
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            cluster: Arc::new(cluster),
            inputs: VecDeque::new(),
            up: BTreeMap::from([("10.0.0.1".to_owned(), true), ("10.0.0.2".to_owned(), true)]),
            blind: BTreeSet::new(),
            muffled: None,
            muffled_frames: Vec::new(),
            stalled: None,
            stalled_receipts: Vec::new(),
            lost_receipts: 0,
            deaf_dns: false,
            mute: BTreeSet::new(),
            slow: false,
            deaf: false,
            told: std::cell::RefCell::default(),
            visitors: Visitors::default(),
            replies: BTreeMap::new(),
            next_request: 0,
            turns: 0,
            trace: Vec::new(),
        };
        for id in 1..=3 {
            trio.disks.insert(MemberId(id), Recovered::default());
            trio.restart(MemberId(id));
        }
        trio
    }

    /// A trio that knows both planes to be up.
    pub(super) fn steady(mode: Mode) -> Self {
        let mut trio = Self::new(mode);
        trio.run_until("both planes up", |t| {
            t.configured()
                && [0, 1].into_iter().all(|at| {
                    let ledger = t.nodes.values().next().expect("a node").controller.ledger();
                    let evidence = crate::kernel::ledger::Evidence::Reports;
                    ledger.sum(&group("shop"), at, evidence).good()
                })
        });
        trio
    }

    pub(super) fn restart(&mut self, id: MemberId) {
        let disk = self.disks.get_mut(&id).expect("a disk for each member");
        disk.incarnation.0 += 1;
        let boot = Boot {
            me: id,
            cluster: Arc::clone(&self.cluster),
            text: Arc::from(""),
            certificate_until: None,
            recovered: disk.clone(),
            seed: 7,
            log_entries: limits::LOG_ENTRIES,
        };
        let controller = Controller::start(self.now, boot).expect("a sound disk");
        self.nodes.insert(id, Node { controller, wake: self.now, view: None });
        self.inputs.push_back((id, Input::WallClock(WallTime(1_700_000_000_000))));
    }

    pub(super) fn kill(&mut self, id: MemberId) {
        self.nodes.remove(&id);
        self.inputs.retain(|(to, _)| *to != id);
    }

    /// The disk that stalled ends its writes, in order.
    pub(super) fn release_disk(&mut self) {
        self.stalled = None;
        self.inputs.extend(self.stalled_receipts.drain(..));
    }

    /// What was held back arrives, in order.
    pub(super) fn unmuffle(&mut self) {
        self.muffled = None;
        self.inputs.extend(self.muffled_frames.drain(..));
    }

    pub(super) fn set_plane(&mut self, name: &str, up: bool) {
        let host = if name == "east" { "10.0.0.1" } else { "10.0.0.2" };
        self.up.insert(host.to_owned(), up);
    }

    pub(super) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.step(until);
        }
    }

    pub(super) fn run_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let until = self.now + Duration::from_secs(60);
        while !done(self) {
            assert!(self.now < until, "waited a minute for: {what}\n{}", self.trace.join("\n"));
            self.step(until);
        }
    }

    fn step(&mut self, until: Moment) {
        while let Some((to, input)) = self.inputs.pop_front() {
            self.feed(to, input);
            self.visit();
        }
        let next = self.nodes.values().map(|node| node.wake).min().unwrap_or(until);
        let next = next.min(until).min(self.visitors.wake());
        self.now = next.max(self.now + Duration::from_micros(1));
        let due = self.nodes.iter().filter(|(_, node)| node.wake <= self.now);
        let due: Vec<MemberId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.feed(id, Input::TimePassed);
        }
        self.visit();
    }

    pub(super) fn feed(&mut self, id: MemberId, input: Input) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        self.turns += 1;
        node.controller.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = node.controller.poll() {
            outputs.push(output);
        }
        let beyond = node.controller.sizes().into_iter().find(|size| size.is > size.at_most);
        assert_eq!(beyond, None, "member {id} keeps more than it may");
        for output in outputs {
            self.carry_out(id, output);
        }
    }

    fn carry_out(&mut self, id: MemberId, output: Output) {
        match output {
            Output::Persist(batch) => {
                let number = batch.number;
                write(self.disks.get_mut(&id).expect("a disk for each member"), batch);
                let receipt = (id, Input::Persisted { number });
                if self.stalled == Some(id) {
                    self.stalled_receipts.push(receipt);
                } else {
                    self.inputs.push_back(receipt);
                }
            }
            Output::Send { to, frame, traffic } => {
                let lost = matches!(PeerMessage::decode(&frame), Some(PeerMessage::Forward(_)));
                if lost && self.mute.contains(&id) {
                    return;
                }
                if self.visitors.takes(id, to, &frame) {
                    return;
                }
                if traffic == Traffic::Bulk {
                    let delivered = self.nodes.contains_key(&to);
                    self.inputs.push_back((id, Input::BulkSent { to, delivered }));
                }
                let frame = (to, Input::Peer { from: id, frame });
                if self.muffled == Some(id) {
                    self.muffled_frames.push(frame);
                } else {
                    self.inputs.push_back(frame);
                }
            }
            Output::Probe(order) => {
                let result = self.probe(id, &order);
                self.inputs.push_back((id, Input::Probed(result)));
            }
            Output::Perform(EffectOrder { id: effect, effect: what, .. }) => {
                if self.lost_receipts > 0 {
                    self.lost_receipts -= 1;
                    return;
                }
                let outcome =
                    if self.deaf_dns { Err("no answer".to_owned()) } else { self.perform(&what) };
                let receipt = Receipt { id: effect, outcome };
                self.inputs.push_back((id, Input::Receipt(receipt)));
            }
            Output::Reply { id, response } => {
                self.replies.insert(id.0, response);
            }
            Output::Publish(view) => {
                let node = self.nodes.get_mut(&id).expect("it just spoke");
                node.view = Some(view);
            }
            Output::Event(event) => {
                let at = self.now.as_micros();
                self.trace.push(format!("{at} {id} {} {}", event.kind, event.text));
            }
            Output::Measured { .. } | Output::Audit(_) => {}
            Output::WaitUntil(moment, _) => {
                self.nodes.get_mut(&id).expect("it just spoke").wake = moment;
            }
        }
    }

    pub(super) fn probe(&self, id: MemberId, order: &ProbeOrder) -> ProbeResult {
        let host = &order.target.endpoint.host;
        let hidden = host == "10.0.0.1" && self.blind.contains(&id);
        let member = host.strip_prefix("10.1.0.").and_then(|n| n.parse().ok()).map(MemberId);
        let up = member.map_or_else(
            || self.up.get(host).copied().unwrap_or(false),
            |member| self.nodes.contains_key(&member),
        );
        ProbeResult {
            id: order.id,
            began: self.now,
            outcome: if up && !hidden { Ok(()) } else { Err(ProbeFault::Refused) },
            timings: ProbeTimings {
                total: if self.slow { ms(50) } else { Duration::ZERO },
                ..ProbeTimings::default()
            },
        }
    }

    fn perform(&self, effect: &Effect) -> Result<ReceiptOutcome, String> {
        match effect {
            Effect::AskDns { member, name, .. } => {
                let view = self.nodes.get(member).and_then(|node| node.view.clone());
                let zones = view.ok_or("no answer")?.zones.clone();
                let owner = format!("_biplane.{name}");
                let set =
                    zones.values().find_map(|zone| zone.names.get(&owner)).ok_or("no name")?;
                let text = set.txt.first().ok_or("no text")?;
                let record = EpochRecord::from_text(text).ok_or("no epoch")?;
                Ok(ReceiptOutcome::Dns(record))
            }
            Effect::KnockFrontDoor { .. } => Ok(ReceiptOutcome::FrontDoor),
            Effect::Notify { body, .. } => {
                if self.deaf {
                    return Err("nobody listens".to_owned());
                }
                self.told.borrow_mut().push(body.clone());
                Ok(ReceiptOutcome::Told)
            }
        }
    }

    pub(super) fn ask(&mut self, at: u64, switch: SwitchRequest) -> Response {
        self.ask_action(at, Action::Switch(switch))
    }

    pub(super) fn ask_action(&mut self, at: u64, action: Action) -> Response {
        self.next_request += 1;
        let id = self.next_request;
        let request = ClientRequest { id: RequestId(id), principal: "operator".to_owned(), action };
        self.inputs.push_back((MemberId(at), Input::Request(request)));
        self.run_until("a reply", |t| t.replies.contains_key(&id));
        self.replies.remove(&id).expect("it was just seen")
    }

    /// A gateway's word, heard by everybody.
    pub(super) fn gateway_says(&mut self, process: u64, epoch: Epoch) {
        self.gateway_reports("edge-1", process, BTreeMap::from([(group("shop"), epoch)]));
    }

    /// Another gateway says it.
    pub(super) fn other_gateway_says(&mut self, name: &str, epoch: Epoch) {
        self.gateway_reports(name, 1, BTreeMap::from([(group("shop"), epoch)]));
    }

    /// Its last word: it carries nothing any more.
    pub(super) fn gateway_leaves(&mut self, process: u64) {
        self.gateway_reports("edge-1", process, BTreeMap::new());
    }

    fn gateway_reports(&mut self, name: &str, process: u64, groups: BTreeMap<GroupName, Epoch>) {
        let report = GatewayReport {
            gateway: GatewayName::new(name).expect("a good name"),
            incarnation: Incarnation(process),
            groups,
            connections_failed: 0,
        };
        for id in self.nodes.keys() {
            self.inputs.push_back((*id, Input::Gateway(report.clone())));
        }
    }

    pub(super) fn leader(&self) -> Option<MemberId> {
        self.nodes.iter().find(|(_, node)| node.controller.leads()).map(|(id, _)| *id)
    }

    pub(super) fn configured(&self) -> bool {
        self.nodes
            .values()
            .all(|node| node.view.as_ref().is_some_and(|view| view.cluster.is_some()))
    }

    pub(super) fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.nodes.values().filter_map(|node| node.view.as_ref())
    }

    pub(super) fn view(&self, id: u64) -> View {
        self.nodes[&MemberId(id)].controller.view()
    }

    pub(super) fn all_on(&self, name: &str) -> bool {
        self.views().all(|view| {
            view.routes.get(&group("shop")).is_some_and(|route| route.plane == plane(name))
        })
    }

    pub(super) fn last_state(&self) -> String {
        let view = self.nodes.values().next().expect("a node").controller.view();
        view.switchovers().next().map(|record| record.state).unwrap_or_default()
    }
}

pub(super) fn cluster(mode: Mode) -> Cluster {
    let site = |name: &str| SiteName::new(name).expect("a good name");
    let address = |id: u64, port: u16| {
        std::net::SocketAddr::from(([10, 1, 0, u8::try_from(id).expect("small")], port))
    };
    let member = |id: u64, name: &str, at: &str| Member {
        id: MemberId(id),
        name: MemberName::new(name).expect("a good name"),
        site: site(at),
        role: Role::Controller,
        member_address: address(id, 7410),
        api_address: Some(address(id, 7400)),
        dns_address: Some(address(id, 53)),
    };
    let members = [member(1, "a", "east"), member(2, "b", "west"), member(3, "c", "third")];
    let target = |host: &str| {
        Arc::new(ProbeTarget {
            endpoint: Endpoint { host: host.to_owned(), port: 80 },
            kind: ProbeKind::Tcp,
            timeout: ms(100),
        })
    };
    let check = Check {
        targets: BTreeMap::from([
            (plane("east"), target("10.0.0.1")),
            (plane("west"), target("10.0.0.2")),
        ]),
        interval: ms(200),
        fast_interval: ms(100),
        fall: 2,
        rise: 2,
        slow: None,
    };
    let service = Service {
        critical: true,
        checks: BTreeMap::from([(CheckName::new("tcp").expect("a good name"), check)]),
        require: Require::All,
    };
    let web = ServiceName::new("web").expect("a good name");
    Cluster {
        name: MemberName::new("test").expect("a good name"),
        planes: [
            Plane { name: plane("east"), site: site("east") },
            Plane { name: plane("west"), site: site("west") },
        ],
        members: members.into_iter().map(|m| (m.id, m)).collect(),
        observers: BTreeMap::new(),
        services: BTreeMap::from([(web.clone(), service)]),
        groups: BTreeMap::from([(group("shop"), shop(mode, web))]),
        zones: BTreeMap::from([("shop.test".to_owned(), zone())]),
        routes: BTreeMap::new(),
        references: BTreeMap::new(),
        notify: BTreeMap::new(),
        timing: Timing {
            tick: ms(50),
            heartbeat: ms(100),
            election_min: ms(500),
            election_max: ms(1000),
            question_window: ms(5000),
            observer_silence: ms(3000),
            reference_interval: ms(1000),
            verify_timeout: ms(5000),
            request_timeout: ms(5000),
        },
    }
}

fn shop(mode: Mode, web: ServiceName) -> Group {
    Group {
        services: vec![web],
        out_when: OutWhen::AnyCritical,
        home: plane("east"),
        policy: Policy {
            mode,
            dwell: ms(1000),
            budget: None,
            flap_limit: None,
            when_both_down: WhenBothDown::Keep,
            degraded_is_out: false,
            ask_expires: ASK_EXPIRES,
        },
        on_switch: OnSwitch::Drain,
    }
}

fn zone() -> ZoneSettings {
    let address = |text: &str| vec![text.parse().expect("an address")];
    ZoneSettings {
        origin: "shop.test".to_owned(),
        ttl: 5,
        soa: Soa {
            mname: "ns1.shop.test".to_owned(),
            rname: "ops.shop.test".to_owned(),
            refresh: 60,
            retry: 10,
            expire: 3600,
            negative_ttl: 5,
        },
        name_servers: Vec::new(),
        names: vec![ZoneName {
            name: "www.shop.test".to_owned(),
            group: group("shop"),
            addresses: BTreeMap::from([
                (plane("east"), address("10.0.0.1")),
                (plane("west"), address("10.0.0.2")),
            ]),
        }],
        cut_off: CutOff::ServeStale,
    }
}
