//! A node to test with: real sockets in front, scripted answers behind.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) use super::wire::*;
use crate::edge::api::server::serve_on;
use crate::edge::api::{ApiSettings, ApiState, Backend, Limits, Records, Shows};
use crate::kernel::controller::*;
use crate::kernel::domain::*;
use crate::kernel::ledger::{AuditPage, Cluster, Mode, OnSwitch, Plane, Timing};

pub(super) const TOKEN: &str = "let-me-in";
/// No test waits longer than this for anything.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// What stands behind the API.
pub(in super::super) struct Node {
    published: watch::Sender<Option<Arc<View>>>,
    /// By revision: a view's `applied` says which one it shows.
    tables: Mutex<BTreeMap<u64, RouteTable>>,
    /// What a linearizable read sees; the published view when absent.
    pub(super) confirmed: Mutex<Option<Arc<View>>>,
    /// The answers to come, last first; the last one stays. Nothing: never answered.
    pub(super) replies: Mutex<Vec<Option<Response>>>,
    pub(super) asked: Mutex<Vec<(String, Action)>>,
    pub(super) reports: Mutex<Vec<GatewayReport>>,
    pub(super) hints: Mutex<Vec<DataPlaneHint>>,
    pub(super) queue_full: Mutex<bool>,
    pub(super) not_ready: Mutex<Option<String>>,
    /// Shows the kernel's own views instead of what is scripted here.
    pub(super) real: Mutex<bool>,
    /// Groups in `status`: many make a large answer.
    pub(super) group_count: Mutex<usize>,
    /// A page of the audit trail, whichever is asked for.
    pub(super) page: Mutex<Option<AuditPage>>,
}

impl Node {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            published: watch::channel(None).0,
            tables: Mutex::default(),
            confirmed: Mutex::default(),
            replies: Mutex::new(vec![Some(Response::Done)]),
            asked: Mutex::default(),
            reports: Mutex::default(),
            hints: Mutex::default(),
            queue_full: Mutex::default(),
            not_ready: Mutex::default(),
            real: Mutex::default(),
            group_count: Mutex::new(1),
            page: Mutex::default(),
        })
    }

    /// A node that has published a table.
    pub(in super::super) fn with_table(revision: u64, plane: &str) -> Arc<Self> {
        let node = Self::new();
        node.publish(table(revision, &[("shop", plane, revision)]), true);
        node
    }

    /// Publishes a table as this revision's.
    pub(super) fn publish(&self, table: RouteTable, in_quorum: bool) {
        let view = view(table.revision, in_quorum);
        self.tables.lock().unwrap().insert(table.revision, table);
        self.published.send_replace(Some(view));
    }

    /// Publishes this very view.
    pub(super) fn show(&self, view: Arc<View>) {
        self.published.send_replace(Some(view));
    }

    pub(super) fn reply(&self, reply: Option<Response>) {
        *self.replies.lock().unwrap() = vec![reply];
    }
}

impl Backend for Node {
    fn ask(&self, principal: String, action: Action) -> BoxFuture<'static, Response> {
        if action == Action::Look {
            let published = self.published.borrow().clone();
            return match published {
                Some(view) => std::future::ready(Response::Read(view)).boxed(),
                None => std::future::pending().boxed(),
            };
        }
        let read = matches!(action, Action::Read | Action::Explain(_));
        self.asked.lock().unwrap().push((principal, action));
        let scripted = {
            let mut replies = self.replies.lock().unwrap();
            if replies.len() > 1 { replies.pop().unwrap() } else { replies[0].clone() }
        };
        let answer = match scripted {
            None => return std::future::pending().boxed(),
            Some(Response::Done) if read => {
                let confirmed = self.confirmed.lock().unwrap().clone();
                let published = self.published.borrow().clone();
                Response::Read(confirmed.or(published).expect("something was published"))
            }
            Some(answer) => answer,
        };
        std::future::ready(answer).boxed()
    }

    fn view(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.published.subscribe()
    }

    fn now(&self) -> Moment {
        Moment::from_micros(7)
    }

    fn wall(&self) -> WallTime {
        WallTime(1_000_000)
    }

    fn gateway(&self, report: GatewayReport) -> bool {
        let room = !*self.queue_full.lock().unwrap();
        if room {
            self.reports.lock().unwrap().push(report);
        }
        room
    }

    fn hint(&self, hint: DataPlaneHint) -> bool {
        let room = !*self.queue_full.lock().unwrap();
        if room {
            self.hints.lock().unwrap().push(hint);
        }
        room
    }

    fn audit(&self, _from: u64) -> BoxFuture<'static, Result<AuditPage, String>> {
        let page = self.page.lock().unwrap().clone();
        std::future::ready(page.ok_or_else(|| "this node keeps none".to_owned())).boxed()
    }

    fn metrics(&self) -> String {
        "biplane_leader 1\n".to_owned()
    }

    fn ready(&self) -> Result<(), String> {
        let why = self.not_ready.lock().ok().and_then(|why| why.clone());
        assert_ne!(why.as_deref(), Some("panic"), "as ordered by a test");
        why.map_or(Ok(()), Err)
    }

    fn shows(&self, view: Arc<View>) -> Arc<dyn Shows> {
        if *self.real.lock().unwrap() {
            return view;
        }
        let table = self.tables.lock().unwrap().get(&view.applied).cloned().unwrap_or_default();
        Arc::new(Shown { table, applied: view.applied, groups: *self.group_count.lock().unwrap() })
    }
}

struct Shown {
    table: RouteTable,
    applied: u64,
    groups: usize,
}

impl Shows for Shown {
    fn status(&self, _now: Moment) -> Status {
        Status {
            cluster: "test".to_owned(),
            node: MemberName::new("a").unwrap(),
            leader: None,
            quorum: true,
            cut_off_ms: None,
            term: 3,
            applied: self.applied,
            ledger_time: LedgerTime(5),
            config_version: 1,
            warnings: vec!["two sites only".to_owned()],
            planes: vec![PlaneStatus {
                name: plane("east"),
                site: site(),
                drained: None,
                drained_by: None,
            }],
            members: vec![MemberStatus {
                kind: "controller".to_owned(),
                id: MemberId(1),
                name: MemberName::new("a").unwrap(),
                site: site(),
                role: "leader".to_owned(),
                isolated: false,
                clock_ms: None,
                lag: None,
                certificate_days: Some(90),
            }],
            alarms: BTreeMap::new(),
            open_questions: 0,
            groups: (0..self.groups).map(group_status).collect(),
            gateways: vec![GatewayStatus {
                name: GatewayName::new("gw").unwrap(),
                silent_ms: 12,
                groups: BTreeMap::new(),
            }],
        }
    }

    fn explain(&self, _now: Moment, group: &GroupName) -> Option<Explanation> {
        assert_ne!(group.as_str(), "panics", "as ordered by a test");
        (group.as_str() == "shop").then(|| Explanation {
            group: group_status(0),
            guards: Vec::new(),
            would_switch_if: vec!["the sky falls".to_owned()],
            last: None,
            question: None,
            sums: BTreeMap::new(),
            observers: BTreeMap::new(),
            probes: BTreeMap::new(),
        })
    }

    fn switchovers(&self) -> Records<'_> {
        let kept = if self.applied == 0 { &[][..] } else { &["2-9", "2-5"] };
        Box::new(kept.iter().map(|id| record(id)))
    }

    fn switchover(&self, id: &str) -> Option<SwitchoverRecord> {
        self.switchovers().find(|record| record.id == id)
    }

    fn route_table(&self) -> RouteTable {
        self.table.clone()
    }

    fn revision(&self) -> u64 {
        self.table.revision
    }
}

fn group_status(number: usize) -> GroupStatus {
    let name = if number == 0 { "shop".to_owned() } else { format!("shop-{number}") };
    GroupStatus {
        name: GroupName::new(&name).unwrap(),
        plane: plane("east"),
        epoch: Epoch { generation: 1, counter: 7 },
        mode: Mode::Ask,
        decision: "stay".to_owned(),
        because: "all is well".to_owned(),
        frozen: None,
        frozen_by: None,
        ask: None,
        switchover: None,
        services: vec![ServiceStatus {
            name: ServiceName::new("web").unwrap(),
            critical: true,
            planes: BTreeMap::new(),
        }],
    }
}

fn record(id: &str) -> SwitchoverRecord {
    SwitchoverRecord {
        id: id.to_owned(),
        group: GroupName::new("shop").unwrap(),
        from: plane("east"),
        to: plane("west"),
        kind: "planned".to_owned(),
        state: "done".to_owned(),
        base: Epoch { generation: 1, counter: 6 },
        epoch: Some(Epoch { generation: 1, counter: 7 }),
        by: "ann".to_owned(),
        cause: "a drill".to_owned(),
        ballots: BTreeMap::new(),
        ruleset: None,
        config_version: None,
        guards: Vec::new(),
        skipped: Vec::new(),
        steps: Vec::new(),
        converging: Vec::new(),
        outcome: "done".to_owned(),
    }
}

pub(super) fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).unwrap()
}

fn site() -> SiteName {
    SiteName::new("north").unwrap()
}

/// A table: route, plane, counter of its epoch.
pub(super) fn table(revision: u64, routes: &[(&str, &str, u64)]) -> RouteTable {
    let entry = |(name, to, counter): &(&str, &str, u64)| {
        let upstream = ["east", "west"].map(|p| {
            let endpoint = Endpoint { host: format!("{p}.test"), port: 80 };
            (plane(p), endpoint)
        });
        let entry = RouteEntry {
            group: GroupName::new(name).unwrap(),
            plane: plane(to),
            epoch: Epoch { generation: 1, counter: *counter },
            on_switch: OnSwitch::Cut,
            upstream: upstream.into(),
        };
        (ServiceName::new(name).unwrap(), entry)
    };
    RouteTable { revision, routes: routes.iter().map(entry).collect() }
}

pub(super) fn view(applied: u64, in_quorum: bool) -> Arc<View> {
    let unit = Duration::from_millis(100);
    let cluster = Cluster {
        name: MemberName::new("test").unwrap(),
        planes: ["east", "west"].map(|name| Plane { name: plane(name), site: site() }),
        members: BTreeMap::new(),
        observers: [].into(),
        services: BTreeMap::new(),
        groups: BTreeMap::new(),
        zones: BTreeMap::new(),
        routes: BTreeMap::new(),
        references: BTreeMap::new(),
        notify: BTreeMap::new(),
        timing: Timing {
            tick: unit,
            heartbeat: unit,
            election_min: unit,
            election_max: unit,
            question_window: unit,
            observer_silence: unit,
            reference_interval: unit,
            verify_timeout: unit,
            request_timeout: unit,
        },
    };
    Arc::new(View {
        member: MemberId(1),
        applied,
        term: 3,
        leader: None,
        in_quorum,
        cut_off_since: Moment::ZERO,
        heard: BTreeMap::new(),
        started: Moment::ZERO,
        wall: WallTime(0),
        cards: BTreeMap::new(),
        cluster: Some(Arc::new(cluster)),
        routes: Arc::default(),
        zones: Arc::default(),
        ledger: Arc::default(),
        gateways: BTreeMap::new(),
        prober: None,
        apart: BTreeSet::new(),
        seen: BTreeMap::new(),
        applied_by: BTreeMap::new(),
        warnings: Vec::new(),
    })
}

/// A server in front of a node. It stops when it is dropped.
pub(super) struct Server {
    pub(super) state: Arc<ApiState>,
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Ann may do all; `ROLE-token` has that role; `shop-token` operates shop only.
fn check_token(token: &str, _now: WallTime) -> Result<Principal, String> {
    let principal = |name: &str, role, groups: &[&str]| Principal {
        name: PrincipalName::new(name).unwrap(),
        role,
        groups: groups.iter().map(|group| GroupName::new(group).unwrap()).collect(),
    };
    match token.strip_suffix("-token") {
        _ if token == TOKEN => Ok(principal("ann", AccessRole::Admin, &[])),
        Some("shop") => Ok(principal("shop-operator", AccessRole::Operator, &["shop"])),
        Some(role) => Ok(principal(role, role.parse().map_err(|_| "no such role")?, &[])),
        None => Err("the token is not known here".to_owned()),
    }
}

/// Knows one good text.
fn read_config(text: &str) -> Result<Cluster, String> {
    let cluster = view(1, true).cluster.clone().expect("the fixture's view has settings");
    if text == "good" { Ok(cluster.as_ref().clone()) } else { Err(format!("`{text}` is not good")) }
}

pub(in super::super) fn settings(
    listen: SocketAddr,
    limits: Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> ApiSettings {
    ApiSettings {
        listen,
        tls,
        check_token: Arc::new(check_token),
        hash_token: str::to_owned,
        check_certificate: Arc::new(|_| None),
        read_config: Arc::new(read_config),
        limits,
    }
}

pub(super) async fn start(node: &Arc<Node>, limits: Limits) -> Server {
    start_at("127.0.0.1:0".parse().unwrap(), node, limits, None).await
}

pub(super) async fn start_at(
    listen: SocketAddr,
    node: &Arc<Node>,
    limits: Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Server {
    let shutdown = CancellationToken::new();
    let settings = settings(listen, limits, tls);
    let backend = Arc::clone(node) as Arc<dyn Backend>;
    let listener = TcpListener::bind(listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(ApiState::new(&settings, backend, shutdown.clone()));
    let task = serve_on(listener, &settings, Arc::clone(&state), shutdown.clone());
    Server { state, address, shutdown, task }
}
