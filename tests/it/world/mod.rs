//! A cluster of real processes: three nodes on the files of `biplane init`, a gateway, two planes, on loopback.

mod ask;
mod journals;
mod planes;
mod ports;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use biplane::config::parse_cluster;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use ask::{Api, Heard};
pub(crate) use planes::{EAST, PLANES, WEST};

use super::process::{BIPLANE, Running, until};
use planes::Plane;
use ports::Ports;

/// The nodes, in order.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];
/// The name that users resolve.
pub(crate) const NAME: &str = "shop.world.test";
/// What must happen, happens within this.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The processes. All end with it; then the journals that the nodes left are replayed.
#[derive(Debug)]
pub(crate) struct World {
    dir: TempDir,
    ports: Ports,
    nodes: [Option<Running>; 3],
    planes: [Option<Plane>; 2],
    gateway: Option<Running>,
    /// Observers beside the members, by name.
    observers: BTreeMap<String, Running>,
    /// The nodes that answer neither DNS nor clients.
    witnesses: Vec<usize>,
}

impl World {
    /// Everything runs, all verdicts are up, users are on east.
    pub(crate) fn steady() -> Self {
        Self::steady_with(&[])
    }

    /// The same, made by `init` with these arguments too.
    pub(crate) fn steady_with(init: &[&str]) -> Self {
        Self::steady_prepared(init, |_| {})
    }

    /// The same, once its files were prepared further.
    pub(crate) fn steady_prepared(init: &[&str], prepare: impl FnOnce(&Self)) -> Self {
        Self::started(Self::without_processes(init, |text| text), prepare)
    }

    /// The same of another cluster file: what `edit` makes of the usual one.
    pub(crate) fn steady_of(edit: impl FnOnce(String) -> String) -> Self {
        Self::started(Self::without_processes(&[], edit), |_| {})
    }

    fn started(mut world: Self, prepare: impl FnOnce(&Self)) -> Self {
        prepare(&world);
        for plane in [EAST, WEST] {
            world.start_plane(plane);
        }
        for node in 0..NODES.len() {
            world.start_node(node);
        }
        world.start_gateway();
        world.is_well(EAST);
        world
    }

    fn without_processes(init: &[&str], edit: impl FnOnce(String) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports = Ports::claim();
        let file = dir.path().join("given.toml");
        let text = edit(ports.cluster_file());
        std::fs::write(&file, &text).unwrap();
        let cluster = parse_cluster("given.toml", &text).unwrap().cluster;
        let serves = |node: &str| cluster.serving().any(|member| member.name.as_str() == node);
        let world = Self {
            dir,
            ports,
            nodes: [const { None }; 3],
            planes: [const { None }; 2],
            gateway: None,
            observers: BTreeMap::new(),
            witnesses: (0..NODES.len()).filter(|node| !serves(NODES[*node])).collect(),
        };
        let made = std::process::Command::new(BIPLANE)
            .arg("init")
            .arg(world.cluster_dir())
            .arg("--cluster-file")
            .arg(&file)
            .args(init)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let gateway = world.cluster_dir().join("gateway.toml");
        let text = std::fs::read_to_string(&gateway).unwrap();
        let admin = world.ports.gateway_admin();
        let own = text.replacen("127.0.0.1:7460", &admin.to_string(), 1);
        assert_ne!(own, text, "init names the admin address");
        std::fs::write(&gateway, own).unwrap();
        for node in NODES {
            // Small, so that a test's journal has several segments.
            let file = world.file(&format!("{node}/node.toml"));
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, format!("journal_mib = 1\n{text}")).unwrap();
        }
        world
    }

    /// Runs a command of this cluster's admin: its exit code, and what it said on both streams.
    pub(crate) fn biplane(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = std::process::Command::new(BIPLANE);
        let ended = command.args(args).env("BIPLANE_DIR", self.cluster_dir()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        (ended.status.code(), said + &String::from_utf8_lossy(&ended.stderr))
    }

    /// What `--dir` takes.
    pub(crate) fn cluster_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("cluster")
    }

    fn path(&self, name: &str) -> String {
        self.cluster_dir().join(name).to_str().expect("ASCII").to_owned()
    }

    /// Starts a node on its own data.
    pub(crate) fn start_node(&mut self, node: usize) {
        let file = self.path(&format!("{}/node.toml", NODES[node]));
        self.nodes[node] = Some(Running::biplane(&["node", &file]));
    }

    /// The same, and none of its files may grow beyond so many bytes.
    pub(crate) fn start_node_on_a_full_disk(&mut self, node: usize, room: u64) {
        let file = self.path(&format!("{}/node.toml", NODES[node]));
        let mut command = std::process::Command::new("sh");
        // The shell counts in blocks of 512 bytes; a signal that is ignored stays ignored over `exec`.
        let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
        command.args(["-c", script, "sh"]).arg((room / 512).to_string()).arg(BIPLANE);
        command.args(["node", &file, "--parent"]).arg(std::process::id().to_string());
        self.nodes[node] = Some(Running::start(&mut command));
    }

    /// The same under a umask.
    pub(crate) fn start_node_with_umask(&mut self, node: usize, umask: &str) {
        let file = self.path(&format!("{}/node.toml", NODES[node]));
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "umask \"$1\"; shift; exec \"$@\"", "sh", umask, BIPLANE]);
        command.args(["node", &file, "--parent"]).arg(std::process::id().to_string());
        self.nodes[node] = Some(Running::start(&mut command));
    }

    /// SIGKILL.
    pub(crate) fn kill_node(&mut self, node: usize) {
        self.nodes[node].take().expect("it runs").kill();
    }

    /// SIGSTOP, SIGCONT, SIGTERM.
    pub(crate) fn signal_node(&self, node: usize, signal: Signal) {
        self.nodes[node].as_ref().expect("it runs").signal(signal);
    }

    /// Waits for the end of a node that was asked to stop.
    pub(crate) fn node_ended(&mut self, node: usize) {
        let mut ended = self.nodes[node].take().expect("it ran");
        let status = ended.ended(LIMIT);
        assert!(status.success(), "{status}: {}", ended.said.join("\n"));
    }

    /// The end of a node that refuses to start, with what it said.
    pub(crate) fn node_refuses(&mut self, node: usize) -> String {
        let mut refused = self.nodes[node].take().expect("it was started");
        let status = refused.ended(LIMIT);
        assert_eq!(status.code(), Some(1), "{}", refused.said.join("\n"));
        refused.said.join("\n")
    }

    /// The nodes that run.
    pub(crate) fn living(&self) -> impl Iterator<Item = usize> + '_ {
        (0..NODES.len()).filter(|node| self.nodes[*node].is_some())
    }

    /// Starts an observer on its own directory.
    pub(crate) fn start_observer(&mut self, name: &str) {
        let file = self.path(&format!("{name}/observer.toml"));
        self.observers.insert(name.to_owned(), Running::biplane(&["observer", &file]));
    }

    /// An observer's process.
    pub(crate) fn observer(&mut self, name: &str) -> &mut Running {
        self.observers.get_mut(name).expect("it runs")
    }

    /// SIGKILL.
    pub(crate) fn kill_observer(&mut self, name: &str) {
        self.observers.remove(name).expect("it runs").kill();
    }

    /// Starts the gateway.
    pub(crate) fn start_gateway(&mut self) {
        let file = self.path("gateway.toml");
        self.gateway = Some(Running::biplane(&["gateway", &file]));
    }

    /// Starts a plane and waits until it serves.
    pub(crate) fn start_plane(&mut self, plane: usize) {
        let addresses = [0, 1, 2].map(|service| self.ports.service(plane, service));
        self.planes[plane] = Some(Plane::start(plane, addresses, self.dir.path()));
    }

    /// SIGKILL: connects are refused.
    pub(crate) fn kill_plane(&mut self, plane: usize) {
        self.planes[plane].take().expect("it runs").kill();
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn signal_plane(&self, plane: usize, signal: Signal) {
        self.planes[plane].as_ref().expect("it runs").signal(signal);
    }

    /// A file below the cluster's directory.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.cluster_dir().join(name)
    }

    /// One request through the gateway, as a user's.
    pub(crate) fn through_gateway(&self) -> Heard {
        ask::get(self.ports.gateway())
    }

    /// Asks a node's DNS server for the users' name.
    pub(crate) fn by_dns(&self, node: usize) -> Heard {
        ask::resolve(self.ports.dns(node), NAME)
    }

    /// Asks a node's DNS server for a name.
    pub(crate) fn by_name(&self, node: usize, name: &str) -> Heard {
        ask::resolve(self.dns(node), name)
    }

    /// A node's process.
    pub(crate) fn node(&self, node: usize) -> &Running {
        self.nodes[node].as_ref().expect("it runs")
    }

    /// The same, to read what it says.
    pub(crate) fn node_mut(&mut self, node: usize) -> &mut Running {
        self.nodes[node].as_mut().expect("it runs")
    }

    /// The gateway's process.
    pub(crate) fn gateway_process(&self) -> &Running {
        self.gateway.as_ref().expect("it runs")
    }

    /// The same, to read what it says.
    pub(crate) fn gateway_process_mut(&mut self) -> &mut Running {
        self.gateway.as_mut().expect("it runs")
    }

    /// Where a node answers its members.
    pub(crate) fn member(&self, node: usize) -> SocketAddr {
        self.ports.member(node)
    }

    /// Where a node answers clients.
    pub(crate) fn api_address(&self, node: usize) -> SocketAddr {
        self.ports.api(node)
    }

    /// Where a node answers DNS.
    pub(crate) fn dns(&self, node: usize) -> SocketAddr {
        self.ports.dns(node)
    }

    /// Where the gateway serves users.
    pub(crate) fn gateway(&self) -> SocketAddr {
        self.ports.gateway()
    }

    /// Where the gateway serves its operator.
    pub(crate) fn gateway_admin(&self) -> SocketAddr {
        self.ports.gateway_admin()
    }

    /// The API, through whichever node answers.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.cluster_dir(), None)
    }

    /// The API of one node only.
    pub(crate) fn api_of(&self, node: usize) -> Api {
        Api::new(&self.cluster_dir(), Some(self.ports.api(node)))
    }

    /// The node that leads.
    pub(crate) fn leader(&self) -> usize {
        until(LIMIT, || {
            let status = self.api().get("/v1/status")?;
            let name = status["leader"].as_str().ok_or("no leader")?;
            NODES.iter().position(|node| *node == name).ok_or_else(|| name.to_owned())
        })
    }

    /// Waits until users are on this plane, as the gateway and every living node's DNS server say.
    pub(crate) fn users_are_on(&self, plane: usize) {
        until(LIMIT, || self.seen_on(plane));
    }

    /// Whether they are, now.
    pub(crate) fn seen_on(&self, plane: usize) -> Result<(), String> {
        self.through_gateway().is(plane).map_err(|heard| format!("gateway: {heard}"))?;
        for node in self.living().filter(|node| !self.witnesses.contains(node)) {
            self.by_dns(node)
                .is(plane)
                .map_err(|heard| format!("dns of {}: {heard}", NODES[node]))?;
        }
        Ok(())
    }

    /// Waits until all is well: every living node and every verdict, nothing under way, users on this plane.
    pub(crate) fn is_well(&self, plane: usize) {
        until(LIMIT, || self.seen_well(plane));
        self.users_are_on(plane);
    }

    /// Whether every living node and every verdict is well and nothing is under way, now.
    pub(crate) fn seen_well(&self, plane: usize) -> Result<(), String> {
        let status = self.api().get("/v1/status")?;
        well(&status, plane, self.living().count())
    }

    /// Every switchover that the ledger holds, newest first.
    pub(crate) fn switchovers(&self) -> Vec<Value> {
        until(LIMIT, || self.api().get("/v1/switchovers")).as_array().expect("a list").clone()
    }

    /// Waits until the newest switchover has ended, and gives it.
    pub(crate) fn last_ended(&self) -> Value {
        until(LIMIT, || {
            let last = self.api().get("/v1/switchovers/last")?;
            let ended = ["done", "undone", "stuck", "overtaken"].map(Value::from);
            if ended.contains(&last["state"]) { Ok(last) } else { Err(last["state"].to_string()) }
        })
    }
}

fn well(status: &Value, plane: usize, nodes: usize) -> Result<(), String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    if status["quorum"] != true || status["leader"].is_null() {
        return Err("no leader".to_owned());
    }
    let present = list(&status["members"])
        .iter()
        .filter(|member| member["role"] != "lost" && member["isolated"] == false)
        .count();
    if present < nodes {
        return Err(format!("{present} of {nodes} members: {}", status["members"]));
    }
    for group in list(&status["groups"]) {
        if group["plane"] != PLANES[plane] || !group["switchover"].is_null() {
            return Err(format!(
                "{} on {}, {}",
                group["name"], group["plane"], group["switchover"]
            ));
        }
        for service in list(&group["services"]) {
            for (plane, seen) in service["planes"].as_object().into_iter().flatten() {
                let up = seen["reports"].as_object().into_iter().flatten().filter(|r| r.1 == "up");
                if seen["verdict"] != "up" || up.count() < nodes {
                    return Err(format!("{} on {plane}: {seen}", service["name"]));
                }
            }
        }
    }
    Ok(())
}
