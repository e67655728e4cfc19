//! The gateway between real clients and real upstreams.

mod bounds;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::{Gateway, GatewayError, GatewaySettings, upstream};
use crate::kernel::controller::{DataPlaneHint, RouteEntry, RouteTable};
use crate::kernel::domain::{
    Endpoint, Epoch, GatewayName, GroupName, Incarnation, PlaneName, ServiceName,
};
use crate::kernel::ledger::OnSwitch;

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(10);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn name<T, E: std::fmt::Debug>(parsed: Result<T, E>) -> T {
    parsed.expect("a good name")
}

/// A plane that tells its name and then echoes.
async fn plane(greeting: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(local()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(greeting.as_bytes()).await;
                let (mut reading, mut writing) = stream.split();
                let _ = tokio::io::copy(&mut reading, &mut writing).await;
                let _ = writing.shutdown().await;
            });
        }
    });
    address
}

/// A port where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind(local()).await.expect("a port");
    listener.local_addr().expect("an address")
}

/// A port whose queue is full: connects go unanswered while this lives.
struct Hole {
    address: SocketAddr,
    _socket: socket2::Socket,
    _filling: Vec<TcpStream>,
}

async fn hole() -> Hole {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&local().into()).expect("a port");
    socket.listen(0).expect("listens");
    let address = socket.local_addr().expect("bound").as_socket().expect("an address");
    let mut filling = Vec::new();
    let patience = Duration::from_millis(100);
    while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        filling.push(connected.expect("connects"));
        assert!(filling.len() < 100, "the queue never fills");
    }
    Hole { address, _socket: socket, _filling: filling }
}

struct World {
    /// Number of the last table.
    told: AtomicU64,
    gateway: Option<Gateway>,
    table: watch::Sender<Arc<RouteTable>>,
    hints: mpsc::Receiver<DataPlaneHint>,
    planes: [SocketAddr; 2],
}

impl World {
    fn start_with(planes: [SocketAddr; 2], change: impl FnOnce(&mut GatewaySettings)) -> Self {
        let table = watch::Sender::new(Arc::default());
        let (hint_sender, hints) = mpsc::channel(8);
        let mut settings = GatewaySettings::new(name(GatewayName::new("g1")), Incarnation(5));
        let routes = ["web", "tables"].map(|route| (local(), name(ServiceName::new(route))));
        settings.listeners = routes.to_vec();
        settings.admin = Some(local());
        change(&mut settings);
        let metrics = || "biplane_test 1\n".to_owned();
        let gateway = Gateway::start(settings, table.subscribe(), hint_sender, metrics);
        let gateway = Some(gateway.expect("starts"));
        Self { told: AtomicU64::new(0), gateway, table, hints, planes }
    }

    /// A gateway that follows "east" at epoch 1.
    async fn start(planes: [SocketAddr; 2]) -> Self {
        let world = Self::start_with(planes, |_| {});
        world.publish(1, "east", OnSwitch::Drain).await;
        world
    }

    fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("runs")
    }

    /// Tells a table and waits until the gateway has taken it: its second group counts the tables.
    async fn publish(&self, epoch: u64, plane: &str, on_switch: OnSwitch) {
        let told = self.told.fetch_add(1, Ordering::Relaxed) + 1;
        let upstream: BTreeMap<PlaneName, Endpoint> = ["east", "west"]
            .into_iter()
            .zip(self.planes)
            .map(|(plane, at)| {
                let endpoint = Endpoint { host: at.ip().to_string(), port: at.port() };
                (name(PlaneName::new(plane)), endpoint)
            })
            .collect();
        let entry = RouteEntry {
            group: name(GroupName::new("shop")),
            plane: name(PlaneName::new(plane)),
            epoch: Epoch { generation: 1, counter: epoch },
            on_switch,
            upstream,
        };
        let counting = RouteEntry {
            group: name(GroupName::new("tables")),
            epoch: Epoch { generation: 1, counter: told },
            ..entry.clone()
        };
        let routes = [("web", entry), ("tables", counting)]
            .map(|(route, entry)| (name(ServiceName::new(route)), entry));
        let table = RouteTable { revision: told, routes: routes.into_iter().collect() };
        let mut changes = self.gateway().changes();
        self.table.send_replace(Arc::new(table));
        let taken = || self.gateway().report().groups.get("tables").map(|e| e.counter);
        in_time(changes.wait_for(|_| taken() == Some(told))).await.expect("runs");
    }

    async fn connect(&self) -> TcpStream {
        let (address, _) = &self.gateway().listening()[0];
        in_time(TcpStream::connect(address)).await.expect("connects")
    }

    /// Connects and says which plane answered.
    async fn arrive(&self) -> (TcpStream, String) {
        let mut stream = self.connect().await;
        let mut greeting = [0; 4];
        in_time(stream.read_exact(&mut greeting)).await.expect("a greeting");
        (stream, String::from_utf8_lossy(&greeting).into_owned())
    }

    async fn admin(&self, request: &str) -> String {
        let address = self.gateway().admin_address().expect("an admin port");
        let mut stream = in_time(TcpStream::connect(address)).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("asks");
        let mut answer = String::new();
        in_time(stream.read_to_string(&mut answer)).await.expect("an answer");
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.admin(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }

    async fn hint(&mut self) -> String {
        let hint = in_time(self.hints.recv()).await.expect("runs");
        assert_eq!((hint.gateway.as_str(), hint.route.as_str()), ("g1", "web"));
        hint.plane.to_string()
    }
}

async fn echoes(stream: &mut TcpStream) -> bool {
    let mut back = [0; 4];
    stream.write_all(b"ping").await.is_ok()
        && in_time(stream.read_exact(&mut back)).await.is_ok()
        && back == *b"ping"
}

/// Waits for the end of a connection; true for a reset, false for an ordinary close.
async fn was_reset(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    in_time(stream.read_to_end(&mut rest)).await.is_err()
}

#[tokio::test]
async fn new_connections_follow_the_table() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    assert_eq!(world.arrive().await.1, "east");
    world.publish(2, "west", OnSwitch::Drain).await;
    assert_eq!(world.arrive().await.1, "west");
    let report = world.gateway().report();
    assert_eq!(report.gateway.as_str(), "g1");
    assert_eq!(report.incarnation, Incarnation(5));
    assert_eq!(report.connections_failed, 0);
}

#[tokio::test]
async fn an_older_epoch_is_never_followed() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    world.publish(5, "west", OnSwitch::Cut).await;
    let (mut stream, _) = world.arrive().await;
    world.publish(4, "east", OnSwitch::Cut).await;
    assert!(echoes(&mut stream).await);
    assert_eq!(world.arrive().await.1, "west");
    assert_eq!(world.gateway().report().groups.get("shop").map(|e| e.counter), Some(5));
    world.publish(6, "west", OnSwitch::Cut).await;
    assert!(echoes(&mut stream).await);
}

#[tokio::test]
async fn a_client_idle_on_the_old_plane_is_cut_within_a_second() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    let (mut idle, greeting) = world.arrive().await;
    assert_eq!(greeting, "east");
    let told = Instant::now();
    world.publish(2, "west", OnSwitch::Cut).await;
    assert!(was_reset(&mut idle).await, "what came so far must not look whole");
    assert!(told.elapsed() < Duration::from_secs(1));
    assert_eq!(world.gateway().report().connections_failed, 1);
}

#[tokio::test]
async fn draining_leaves_old_connections_alone_until_a_later_cut() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    let (mut old, _) = world.arrive().await;
    world.publish(2, "west", OnSwitch::Drain).await;
    assert!(echoes(&mut old).await);
    assert_eq!(world.arrive().await.1, "west");
    world.publish(3, "east", OnSwitch::Cut).await;
    assert!(echoes(&mut old).await, "it is where the route leads");
    world.publish(4, "west", OnSwitch::Cut).await;
    assert!(was_reset(&mut old).await);
}

#[tokio::test]
async fn when_a_plane_refuses_the_other_takes_the_client_and_a_hint_is_sent() {
    let mut world = World::start([nobody().await, plane("west").await]).await;
    let (mut stream, greeting) = world.arrive().await;
    assert_eq!(greeting, "west");
    assert!(echoes(&mut stream).await);
    assert_eq!(world.hint().await, "east");
    assert_eq!(world.gateway().report().connections_failed, 0);
}

#[tokio::test]
async fn a_connection_that_went_ahead_to_the_other_plane_is_not_cut() {
    let world = World::start([nobody().await, plane("west").await]).await;
    let (mut ahead, _) = world.arrive().await;
    // The same epoch told again with another word on old connections is no switch.
    world.publish(1, "east", OnSwitch::Cut).await;
    assert!(echoes(&mut ahead).await);
    world.publish(2, "west", OnSwitch::Cut).await;
    assert!(echoes(&mut ahead).await);
}

#[tokio::test]
async fn a_plane_that_takes_no_connection_in_time_is_passed_over() {
    let hole = hole().await;
    let mut world = World::start([hole.address, plane("west").await]).await;
    assert_eq!(world.arrive().await.1, "west");
    assert_eq!(world.hint().await, "east");
}

#[tokio::test]
async fn a_switch_while_connecting_leads_to_the_new_plane() {
    let hole = hole().await;
    let mut world = World::start_with([hole.address, plane("west").await], |settings| {
        settings.connect_timeout = PATIENCE * 2;
    });
    world.publish(1, "east", OnSwitch::Drain).await;
    let mut stream = world.connect().await;
    world.publish(2, "west", OnSwitch::Drain).await;
    let mut greeting = [0; 4];
    in_time(stream.read_exact(&mut greeting)).await.expect("a greeting");
    assert_eq!(&greeting, b"west");
    assert!(world.hints.try_recv().is_err(), "it did not fail, it was overtaken");
}

#[tokio::test]
async fn when_both_planes_refuse_the_client_is_told_and_counted() {
    let mut world = World::start([nobody().await, nobody().await]).await;
    let mut stream = world.connect().await;
    assert!(was_reset(&mut stream).await);
    assert_eq!(world.gateway().report().connections_failed, 1);
    assert_eq!(world.hint().await, "east");
    assert_eq!(world.hint().await, "west");
}

#[tokio::test]
async fn hints_are_few_and_never_waited_for() {
    let mut world = World::start([nobody().await, plane("west").await]).await;
    let began = Instant::now();
    for _ in 0..40 {
        assert_eq!(world.arrive().await.1, "west");
    }
    let allowed = began.elapsed().as_millis() / 100 + 1;
    let mut hints = 0;
    while world.hints.try_recv().is_ok() {
        hints += 1;
    }
    assert!((1..=allowed).contains(&hints), "{hints} hints, {allowed} allowed");
}

#[tokio::test]
async fn a_reset_before_any_answer_is_a_hint_and_reaches_the_client() {
    let listener = TcpListener::bind(local()).await.expect("a port");
    let sick = listener.local_addr().expect("an address");
    let mut world = World::start([sick, plane("west").await]).await;
    let mut stream = world.connect().await;
    let (mut accepted, _) = in_time(listener.accept()).await.expect("a connection");
    stream.write_all(b"hello").await.expect("writes");
    let mut buffer = [0; 5];
    in_time(accepted.read_exact(&mut buffer)).await.expect("reads");
    upstream::abort(accepted);
    assert!(was_reset(&mut stream).await);
    assert_eq!(world.hint().await, "east");
}

#[tokio::test]
async fn a_reset_after_an_answer_is_no_hint() {
    let listener = TcpListener::bind(local()).await.expect("a port");
    let rude = listener.local_addr().expect("an address");
    let mut world = World::start([rude, plane("west").await]).await;
    let mut stream = world.connect().await;
    let (mut accepted, _) = in_time(listener.accept()).await.expect("a connection");
    accepted.write_all(b"x").await.expect("writes");
    in_time(stream.read_u8()).await.expect("an answer");
    upstream::abort(accepted);
    assert!(was_reset(&mut stream).await);
    assert!(world.hints.try_recv().is_err());
}

#[tokio::test]
async fn connections_over_the_limit_are_refused() {
    let planes = [plane("east").await, plane("west").await];
    let world = World::start_with(planes, |settings| settings.connections = 1);
    world.publish(1, "east", OnSwitch::Drain).await;
    let (first, _) = world.arrive().await;
    let mut second = world.connect().await;
    assert!(was_reset(&mut second).await);
    drop(first);
    in_time(async {
        loop {
            let mut third = world.connect().await;
            if third.read_u8().await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_comes_before_the_first_table_waits_for_it() {
    let world = World::start_with([plane("east").await, plane("west").await], |_| {});
    let mut early = world.connect().await;
    assert!(world.get("/readyz").await.starts_with("HTTP/1.1 503 "));
    world.publish(1, "west", OnSwitch::Drain).await;
    let mut greeting = [0; 4];
    in_time(early.read_exact(&mut greeting)).await.expect("a greeting");
    assert_eq!(&greeting, b"west");
    assert!(world.get("/readyz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn the_last_route_holds_when_nobody_tells_routes_any_more() {
    let mut world = World::start([plane("east").await, plane("west").await]).await;
    let (mut open, _) = world.arrive().await;
    world.table = watch::Sender::new(Arc::default());
    assert!(echoes(&mut open).await);
    assert_eq!(world.arrive().await.1, "east");
}

#[tokio::test]
async fn a_large_transfer_arrives_whole_after_the_client_has_closed_its_half() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    let (stream, _) = world.arrive().await;
    let sent: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let (mut reading, mut writing) = stream.into_split();
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        writing.write_all(&copy).await.expect("writes");
        writing.shutdown().await.expect("closes its half");
        writing
    });
    let mut received = Vec::new();
    in_time(reading.read_to_end(&mut received)).await.expect("reads");
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    in_time(writer).await.expect("wrote");
}

#[tokio::test]
async fn the_admin_port_shows_what_the_gateway_does() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    let (_open, _) = world.arrive().await;
    assert!(world.get("/healthz").await.ends_with("\r\n\r\nok\n"));
    assert!(world.get("/metrics").await.ends_with("biplane_test 1\n"));
    let routes = world.get("/routes").await;
    let (_, body) = routes.split_once("\r\n\r\n").expect("a body");
    let routes: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let expected = serde_json::json!({
        "gateway": "g1",
        "routes": {
            "tables": {
                "group": "tables", "plane": "east", "epoch": "1.1", "on_switch": "drain", "open": {},
            },
            "web": {
                "group": "shop", "plane": "east", "epoch": "1.1", "on_switch": "drain",
                "open": { "east": 1 },
            },
        },
    });
    assert_eq!(routes, expected);
}

#[tokio::test]
async fn the_admin_port_survives_what_it_does_not_understand() {
    let world = World::start([plane("east").await, plane("west").await]).await;
    assert!(world.get("/nothing").await.starts_with("HTTP/1.1 404 "));
    let post = "POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    assert!(world.admin(post).await.starts_with("HTTP/1.1 405 "));
    assert!(world.admin("\u{1}\u{2}garbage\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    let address = world.gateway().admin_address().expect("an admin port");
    let mut endless = in_time(TcpStream::connect(address)).await.expect("connects");
    let long = vec![b'a'; 64 * 1024];
    let _ = endless.write_all(&long).await;
    // Answered or reset, but ended.
    let _ = was_reset(&mut endless).await;
    assert!(world.get("/healthz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn shutting_down_waits_for_connections_and_then_cuts_them() {
    let mut world = World::start([plane("east").await, plane("west").await]).await;
    let (address, _) = world.gateway().listening()[0].clone();
    let (mut stays, _) = world.arrive().await;
    let gateway = world.gateway.take().expect("runs");
    in_time(gateway.shut_down(Duration::from_millis(50))).await;
    assert!(was_reset(&mut stays).await);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind(local()).await.expect("a port");
    let address = taken.local_addr().expect("an address");
    let mut settings = GatewaySettings::new(name(GatewayName::new("g1")), Incarnation(1));
    settings.listeners = vec![(address, name(ServiceName::new("web")))];
    settings.admin = None;
    let (hints, _) = mpsc::channel(1);
    let table = watch::Sender::new(Arc::default());
    let error = Gateway::start(settings, table.subscribe(), hints, String::new).expect_err("taken");
    assert!(matches!(&error, GatewayError::Bind { what, .. } if what == "web"));
    assert!(error.to_string().contains(&address.to_string()));
}
