//! Every kind of check, against the real thing: the nodes' own TLS and DNS, a health server of gRPC, a Prometheus, a
//! program.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::super::process::{Running, until};
use super::super::world::{EAST, LIMIT, NAME, World};
use super::alone;

/// The service that all these checks are of; it is only shown, so no route moves by them.
const SERVICE: &str = "senses";
/// This node allows no programs.
const STRICT: usize = 2;

/// A health server of gRPC on a thread of its own.
struct Health {
    runtime: tokio::runtime::Runtime,
    reporter: HealthReporter,
    address: SocketAddr,
}

impl Health {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let (reporter, service) = health_reporter();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder();
        runtime.spawn({ server }.serve_with_incoming(service, TcpIncoming::from(listener)));
        Self { runtime, reporter, address }
    }

    fn set(&self, status: ServingStatus) {
        self.runtime.block_on(self.reporter.set_service_status("shop.v1.Shop", status));
    }
}

/// Debian's Prometheus, which watches itself; nothing where it is not installed.
struct Prometheus {
    _process: Running,
    address: SocketAddr,
}

impl Prometheus {
    fn start(dir: &Path) -> Option<Self> {
        let asked = Command::new("prometheus")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !asked.is_ok_and(|status| status.success()) {
            println!("SKIPPED: checks of kind prometheus (prometheus is missing)");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let file = dir.join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\n\
             scrape_configs:\n- job_name: itself\n  static_configs: [{{ targets: ['{address}'] }}]\n"
        );
        fs::write(&file, text).unwrap();
        // Ends with the thread that started it, also when the tests are killed.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "prometheus", "--config.file"])
            .arg(&file)
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()));
        let mut process = Running::start(&mut command);
        process.says("Server is ready to receive web requests", LIMIT);
        Some(Self { _process: process, address })
    }
}

/// Writes a program into a directory of its own. It fails while a file `fail` lies beside it; told so, it hangs, and
/// notes its own number and that of its child.
fn write_program(world: &World) {
    let dir = world.file("checks");
    fs::create_dir(&dir).unwrap();
    let program = dir.join("lag");
    let text = format!(
        "#!/bin/sh\ncd {}\n\
         if test \"$1\" = --hang; then sleep 600 & echo $$ $! >> hanging; wait; fi\n\
         test \"$1\" = --max && test \"$BIPLANE_PORT\" = 7 || exit 9\n\
         test ! -e fail || {{ echo lag of $BIPLANE_HOST is 70 s >&2; exit 3; }}\n",
        dir.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Lets the nodes run programs from that directory, one of them excepted.
fn allow(world: &World) {
    for node in ["a", "b"] {
        let file = world.file(node).join("node.toml");
        let text = fs::read_to_string(&file).unwrap();
        let dirs = world.file("checks");
        fs::write(&file, format!("exec = [\"{}\"]\n{text}", dirs.display())).unwrap();
    }
}

/// The cluster file with one more service, which has all these checks.
fn with_senses(world: &World, health: &Health, prometheus: Option<&Prometheus>) -> String {
    let mut text = fs::read_to_string(world.file("cluster.toml")).unwrap();
    let services = "services = [\"web\", \"cart\", \"pay\"";
    text = text.replacen(services, &format!("{services}, \"{SERVICE}\""), 1);
    let both = |address: &dyn std::fmt::Display| {
        format!("{{ east = \"{address}\", west = \"{address}\" }}")
    };
    let head = format!("\n[services.{SERVICE}]\ncritical = false\nrequire = \"any\"\n");
    text.push_str(&format!("{head}endpoints = {}\n", both(&"127.0.0.1:7")));
    let mut add = |name: &str, kind: &str, endpoints: &str, lines: &str| {
        let eager =
            "interval = \"200ms\"\nfast_interval = \"100ms\"\ntimeout = \"2s\"\nfall = 2\nrise = 2";
        text.push_str(&format!(
            "[services.{SERVICE}.checks.{name}]\nkind = \"{kind}\"\n{endpoints}\n{lines}\n{eager}\n"
        ));
    };
    let at = |address: SocketAddr| format!("endpoints = {}", both(&address));
    let api = at(world.api_address(0));
    add("certificate", "tls", &api, "host = \"a\"\ntls_verify = false\ndays = 1");
    add("expiry", "tls", &api, "tls_verify = false\ndays = 3650");
    let dns = at(world.dns(0));
    add("name", "dns", &dns, &format!("name = \"{NAME}\"\ncontains = \"127.0.0.11\""));
    add("missing", "dns", &dns, "name = \"none.world.test\"");
    add("call", "grpc", &at(health.address), "service = \"shop.v1.Shop\"");
    if let Some(Prometheus { address, .. }) = prometheus {
        let up = "query = 'up{job=\"itself\"}'\nabove = 0.5\nbelow = 1.5";
        add("up", "prometheus", &at(*address), up);
        add("more", "prometheus", &at(*address), "query = 'up'\nabove = 1");
        add("nothing", "prometheus", &at(*address), "query = 'no_such_series'\nabove = 0");
        add("unreadable", "prometheus", &at(*address), "query = 'sum('\nabove = 0");
    }
    let program = world.file("checks/lag").display().to_string();
    let run = |args: &str| format!("program = \"{program}\"\nargs = [\"{args}\"]");
    add("lag", "exec", "", &run("--max"));
    let later = "kind = \"exec\"\ninterval = \"1m\"\ntimeout = \"1m\"";
    text.push_str(&format!("[services.{SERVICE}.checks.hang]\n{later}\n{}\n", run("--hang")));
    let file = world.file("senses.toml");
    fs::write(&file, text).unwrap();
    file.to_str().expect("ASCII").to_owned()
}

/// What a node knows of a check on the first plane, in words.
fn words(world: &World, node: usize, check: &str) -> Result<String, String> {
    let seen = world.api_of(node).get("/v1/explain/shop?stale=true")?;
    let words = &seen["probes"][SERVICE]["east"][check];
    words.as_str().map(str::to_owned).ok_or_else(|| format!("nothing of {check}: {seen}"))
}

/// Waits until a node says this of a check.
fn says(world: &World, node: usize, check: &str, beginning: &str, part: &str) {
    until(LIMIT, || {
        let words = words(world, node, check)?;
        let so = words.starts_with(beginning) && words.contains(part);
        if so { Ok(()) } else { Err(format!("{check}: {words}")) }
    });
}

#[test]
fn every_kind_of_check_sees_the_real_thing() {
    let _turn = alone();
    let mut world = World::steady_prepared(&[], |world| {
        write_program(world);
        allow(world);
    });
    let health = Health::start();
    health.set(ServingStatus::Serving);
    let prometheus = Prometheus::start(&world.file("."));
    let file = with_senses(&world, &health, prometheus.as_ref());
    until(LIMIT, || match world.biplane(&["config", "apply", &file]) {
        (Some(0), _) => Ok(()),
        (_, said) => Err(said),
    });

    says(&world, 0, "certificate", "up, ", "TLS ");
    says(&world, 0, "expiry", "down: wrong answer: the certificate is good for ", ", not 3650");
    says(&world, 0, "name", "up, ", "first byte");
    says(&world, 0, "missing", "down: wrong answer: NXDOMAIN for none.world.test A", "");
    says(&world, 0, "call", "up, ", "");
    says(&world, 0, "lag", "up, ", "");
    let forbidden = "unknown: not probed: exec checks are not allowed on this node";
    says(&world, STRICT, "lag", forbidden, "");
    says(&world, STRICT, "call", "up, ", "");
    if prometheus.is_some() {
        says(&world, 0, "up", "up, ", "");
        says(&world, 0, "more", "down: wrong answer: up{instance=", " is 1, not above 1");
        says(&world, 0, "nothing", "down: wrong answer: the query has no result", "");
        says(&world, 0, "unreadable", "unknown: not probed: Prometheus cannot read the query", "");
    }

    health.set(ServingStatus::NotServing);
    fs::write(world.file("checks/fail"), "").unwrap();
    says(&world, 0, "call", "down: wrong answer: shop.v1.Shop is NOT_SERVING, not SERVING", "");
    says(&world, 1, "lag", "down: wrong answer: exit status 3: lag of 127.0.0.1 is 70 s", "");
    if let Some(Prometheus { _process: process, .. }) = prometheus {
        drop(process);
        says(&world, 0, "up", "down: connection refused", "");
    }
    // One check passes, others fail: degraded, and a supporting service moves nobody.
    let status = until(LIMIT, || world.api().get("/v1/status"));
    let services = status["groups"][0]["services"].as_array().expect("a list");
    let senses = services.iter().find(|service| service["name"] == SERVICE).expect("it is shown");
    assert_eq!(senses["planes"]["east"]["verdict"], Value::from("degraded"), "{senses}");
    world.users_are_on(EAST);
    assert!(world.switchovers().is_empty());

    // What still runs when its node stops, ends with it.
    for node in [0, 1] {
        world.signal_node(node, Signal::TERM);
        world.node_ended(node);
    }
    let noted = fs::read_to_string(world.file("checks/hanging")).unwrap();
    let pids: Vec<&str> = noted.split_whitespace().collect();
    assert_eq!(pids.len(), 4, "a program and its child on each of two nodes: {noted}");
    until(LIMIT, || match pids.iter().find(|pid| lives(pid)) {
        None => Ok(()),
        Some(pid) => Err(format!("{pid} lives on")),
    });
}

/// Whether a process lives, and is not only waiting to be waited for.
fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim();
    !state.is_empty() && !state.starts_with('Z')
}
