//! Three whole nodes in one process: real disks, sockets, TLS, probes, DNS and API.

use std::net::{IpAddr, Ipv4Addr, TcpListener as StdListener, UdpSocket};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::super::fixture::{EAST_ADDRESS, WEST_ADDRESS, cluster};
use super::super::gateway::{GatewayParts, RunningGateway};
use super::super::limits::API_NICE;
use super::*;
use crate::config::{self, LogSettings};
use crate::edge::api::client::ApiClient;
use crate::edge::dns::ask_addresses;
use crate::edge::identity::{Authority, api_client_tls, token_hash};
use crate::edge::storage::BIRTH_TOKEN_FILE;
use crate::kernel::controller::{Status, SwitchoverRecord};
use crate::kernel::domain::{Endpoint, GatewayName, GroupName, PlaneName, ServiceName};
use crate::kernel::ledger::GatewayRoute;

const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "s3cret";

/// A port that is free for TCP and UDP. Another process may take it before it is used; that is rare enough.
fn free_address() -> SocketAddr {
    loop {
        let tcp = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// A plane: tells whoever connects its name. Stopped, it refuses.
struct Plane {
    address: SocketAddr,
    task: AbortOnDropHandle<()>,
}

impl Plane {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let greet = async move {
            while let Ok((mut guest, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = guest.write_all(name.as_bytes()).await;
                    let _ = guest.shutdown().await;
                    // Who closes with something unread resets, and the greeting may be lost.
                    let _ = tokio::io::copy(&mut guest, &mut tokio::io::sink()).await;
                });
            }
        };
        Self { address, task: AbortOnDropHandle::new(tokio::spawn(greet)) }
    }

    async fn stop(self) {
        self.task.abort();
        // Its port is closed only when the task is gone.
        let _ = self.task.await;
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint { host: "127.0.0.1".to_owned(), port: self.address.port() }
    }
}

/// What is said at this address; nothing when nobody is there.
async fn greeting(address: SocketAddr) -> Option<String> {
    let mut door = TcpStream::connect(address).await.ok()?;
    let mut said = String::new();
    timeout(PATIENCE, door.read_to_string(&mut said)).await.unwrap().ok()?;
    Some(said)
}

async fn planes() -> (Plane, Plane) {
    (Plane::start("east").await, Plane::start("west").await)
}

fn log() -> LogSettings {
    LogSettings { json: false, filter: "info".to_owned() }
}

/// Certificates, keys, tokens and data directories of all three.
fn write_files(cluster: &Cluster) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(home.path().join(file), text).unwrap();
    let authority = Authority::create(cluster.name.as_str()).unwrap();
    write("ca.crt", &authority.issued.certificate);
    write("token", &format!("{TOKEN}\n"));
    write("tokens", &format!("ann admin {}\n", token_hash(TOKEN)));
    for member in cluster.members.values() {
        let name = member.name.as_str();
        let issued = authority
            .issue_member(cluster.name.as_str(), name, &[Ipv4Addr::LOCALHOST.into()], (2099, 1, 1))
            .unwrap();
        write(&format!("{name}.crt"), &issued.certificate);
        write(&format!("{name}.key"), &issued.key);
        std::fs::create_dir(home.path().join(name)).unwrap();
        write(&format!("{name}/{BIRTH_TOKEN_FILE}"), "once members=1,2,3");
    }
    home
}

fn addresses_of(cluster: &Cluster) -> Vec<SocketAddr> {
    cluster.members.values().filter_map(|member| member.api_address).collect()
}

/// What `init` makes, and more of it than one node has.
struct World {
    cluster: Arc<Cluster>,
    home: TempDir,
    client: ApiClient,
    front_door: SocketAddr,
}

impl World {
    fn new(east: &Plane, west: &Plane) -> Self {
        let mut cluster = cluster(&[free_address(), free_address(), free_address()]);
        for member in cluster.members.values_mut() {
            (member.api_address, member.dns_address) = (Some(free_address()), Some(free_address()));
        }
        for check in cluster.services.values_mut().flat_map(|service| service.checks.values_mut()) {
            for (plane, target) in &mut check.targets {
                let plane = if plane.as_str() == "east" { east } else { west };
                Arc::make_mut(target).endpoint = plane.endpoint();
            }
        }
        let front_door = free_address();
        let route = GatewayRoute {
            group: GroupName::new("shop").unwrap(),
            upstream: [("east", east), ("west", west)]
                .map(|(name, plane)| (PlaneName::new(name).unwrap(), plane.endpoint()))
                .into(),
            front_door: Some(Endpoint { host: "127.0.0.1".to_owned(), port: front_door.port() }),
        };
        cluster.routes.insert(ServiceName::new("web").unwrap(), route);
        let home = write_files(&cluster);
        let tls = api_client_tls(&home.path().join("ca.crt")).unwrap();
        let client = ApiClient::new(addresses_of(&cluster), Some(tls), TOKEN.to_owned());
        Self { cluster: Arc::new(cluster), home, client, front_door }
    }

    fn gateway(&self) -> RunningGateway {
        let settings = config::GatewaySettings {
            name: GatewayName::new("edge-1").unwrap(),
            controllers: addresses_of(&self.cluster),
            ca: self.home.path().join("ca.crt"),
            token: self.home.path().join("token"),
            listen: vec![config::GatewayListen {
                address: self.front_door,
                route: ServiceName::new("web").unwrap(),
            }],
            admin: (Ipv4Addr::LOCALHOST, 0).into(),
            connect_timeout: Duration::from_millis(250),
            log: log(),
        };
        RunningGateway::start(GatewayParts::read(&settings, None).unwrap()).unwrap()
    }

    fn settings(&self, id: u64) -> NodeSettings {
        let dir = self.home.path();
        let name = format!("node-{id}");
        NodeSettings {
            cluster: dir.join("cluster.toml"),
            data_dir: dir.join(&name),
            ca: dir.join("ca.crt"),
            certificate: dir.join(format!("{name}.crt")),
            key: dir.join(format!("{name}.key")),
            tokens: dir.join("tokens"),
            member: MemberName::new(&name).unwrap(),
            member_listen: None,
            api_listen: None,
            dns_listen: None,
            exec: Vec::new(),
            dns_threads: 1,
            notify: BTreeMap::new(),
            audit_mib: 8,
            journal_mib: 1,
            log: log(),
        }
    }

    async fn try_start(&self, settings: &NodeSettings) -> Result<Node, NodeError> {
        Node::start(NodeParts::read(settings, Arc::clone(&self.cluster), None)?).await
    }

    async fn start(&self, id: u64) -> Node {
        self.try_start(&self.settings(id)).await.unwrap()
    }

    /// Waits until every one of these nodes answers DNS with this address.
    async fn resolves(&self, nodes: &[&Node], last_octet: u8) {
        let wanted = vec![IpAddr::V4(Ipv4Addr::new(127, 0, 0, last_octet))];
        for node in nodes {
            let end = Instant::now() + PATIENCE;
            loop {
                let answer =
                    ask_addresses(node.dns_address().unwrap(), "shop.demo.test", PATIENCE).await;
                if answer.as_ref() == Ok(&wanted) {
                    break;
                }
                assert!(Instant::now() < end, "{answer:?} is not {wanted:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn last_switchover(&self) -> SwitchoverRecord {
        let ended = |last: &SwitchoverRecord| {
            ["done", "undone", "stuck", "overtaken"].contains(&last.state.as_str())
        };
        let end = Instant::now() + PATIENCE;
        loop {
            let all: Vec<SwitchoverRecord> =
                self.client.get_json("/v1/switchovers").await.unwrap_or_default();
            if let Some(last) = all.into_iter().next().filter(ended) {
                return last;
            }
            assert!(Instant::now() < end, "no switchover ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_serve_dns_and_api_survive_a_plane_and_a_member() {
    let (east, west) = planes().await;
    let world = World::new(&east, &west);
    let (one, two) = (world.start(1).await, world.start(2).await);
    let three = world.start(3).await;
    world.resolves(&[&one, &two, &three], EAST_ADDRESS).await;

    let gateway = world.gateway();
    let end = Instant::now() + PATIENCE;
    while greeting(world.front_door).await.as_deref() != Some("east") {
        assert!(Instant::now() < end, "the gateway carries nothing");
    }

    east.stop().await;
    let after = greeting(world.front_door).await;
    assert_eq!(after.as_deref(), Some("west"), "the other plane takes what the first refuses");
    world.resolves(&[&one, &two, &three], WEST_ADDRESS).await;
    let record = world.last_switchover().await;
    assert_eq!((record.kind.as_str(), record.state.as_str()), ("automatic", "done"), "{record:?}");
    assert_eq!(record.to.as_str(), "west");
    // A majority of the members is enough; the gateway and the front door are asked for.
    let late = record.converging.iter();
    assert!(
        late.clone().count() <= 1 && late.clone().all(|who| who.starts_with("member")),
        "{late:?}"
    );
    let status: Status = world.client.get_json("/v1/status").await.unwrap();
    let followed: Vec<_> = status.gateways.iter().flat_map(|known| known.groups.values()).collect();
    assert_eq!(followed, [&record.epoch.unwrap()]);

    // The leader leaves; the others go on, and it comes back from its disk.
    let status: Status = world.client.get_json("/v1/status").await.unwrap();
    let leader = status.leader.expect("a leader");
    let mut nodes = vec![one, two, three];
    let led = nodes
        .iter()
        .position(|node| node.view().borrow().as_ref().is_some_and(|v| v.leader == Some(v.member)))
        .expect("the leader is among them");
    let id = u64::try_from(led).unwrap() + 1;
    assert_eq!(leader.as_str(), format!("node-{id}"));
    nodes.remove(led).leave().await;
    let status: Status = world.client.get_json("/v1/status").await.unwrap();
    assert!(status.leader.is_some_and(|next| next != leader));
    let back = world.start(id).await;
    world.resolves(&[&back, &nodes[0], &nodes[1]], WEST_ADDRESS).await;

    back.leave().await;
    for node in nodes {
        node.leave().await;
    }
    let alone = greeting(world.front_door).await;
    assert_eq!(alone.as_deref(), Some("west"), "with every controller gone the last route holds");
    gateway.leave().await;
    assert_eq!(greeting(world.front_door).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_start_says_what_to_do() {
    let (east, west) = planes().await;
    let world = World::new(&east, &west);

    let name = MemberName::new("nobody").unwrap();
    let unknown = NodeSettings { member: name, ..world.settings(1) };
    let unknown = world.try_start(&unknown).await.unwrap_err().to_string();
    assert!(unknown.contains("check `member` in node.toml"), "{unknown}");

    let keyless = NodeSettings { key: "/nowhere/x.key".into(), ..world.settings(1) };
    let keyless = world.try_start(&keyless).await.unwrap_err().to_string();
    assert!(keyless.contains("/nowhere/x.key"), "{keyless}");

    let empty = tempfile::tempdir().unwrap();
    let unborn = NodeSettings { data_dir: empty.path().to_owned(), ..world.settings(1) };
    let unborn = world.try_start(&unborn).await.unwrap_err().to_string();
    assert!(unborn.contains("birth token"), "{unborn}");

    let taken = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let api_listen = Some(taken.local_addr().unwrap());
    let taken = NodeSettings { api_listen, ..world.settings(1) };
    let taken = world.try_start(&taken).await.unwrap_err().to_string();
    assert!(taken.contains("for the API"), "{taken}");
    // It has let go of its store.
    world.start(1).await.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_ends_when_it_is_asked_to() {
    let (east, west) = planes().await;
    let world = World::new(&east, &west);
    let stop = CancellationToken::new();
    stop.cancel();
    let settings = world.settings(1);
    let running = run(&settings, Arc::clone(&world.cluster), Arc::from(""), None, stop);
    timeout(PATIENCE, running).await.unwrap().unwrap();
    // Its store is free again.
    let again = world.start(1).await;
    again.leave().await;
}

/// The nice values of this process's threads of this name.
fn nice_values(name: &str) -> Vec<i32> {
    let stat = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat")).ok();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let stats = tasks.filter_map(|task| stat(task.ok()?));
    let named = stats.filter(|stat| stat.contains(&format!("({name})")));
    // The 19th word; the second is the name in brackets (proc(5)).
    named.filter_map(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(16)?.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_stands_behind_who_decides() {
    let (east, west) = planes().await;
    let world = World::new(&east, &west);
    let own = rustix::process::getpriority_process(None).unwrap();
    let node = world.start(1).await;
    for (name, nice) in [("api", API_NICE), ("dns-udp-0", 5), ("kernel", 0), ("persist", 0)] {
        // A thread that has just begun may not have come to it yet; and other tests start nodes, too.
        let wanted = (own + nice).min(19);
        let seen = async {
            while !nice_values(name).contains(&wanted) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(PATIENCE, seen).await;
        assert!(waited.is_ok(), "{name}: {:?}, none at {wanted}", nice_values(name));
    }
    node.leave().await;
}
