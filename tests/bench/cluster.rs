//! A cluster of real processes for measurements: three nodes on the files of `biplane init`, and two planes that
//! take connections on loopback.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use biplane::config::{Credential, parse_client};
use biplane::edge::api::client::{ApiClient, ClientTimes};
use biplane::edge::identity::api_client_tls;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{BIPLANE, until};

/// The nodes, in order.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];
/// The planes, in order.
pub(crate) const PLANES: [&str; 2] = ["east", "west"];
/// The zone of all names.
pub(crate) const ZONE: &str = "bench.test";
/// What must happen, happens within this.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Ports that one cluster takes: nodes in the first hundred, endpoints in the second.
const BLOCK: usize = 200;
const FIRST: u16 = 8_400;
const LAST: u16 = 9_800;
/// This port of a block is held as long as its cluster lives.
const CLAIM: u16 = 99;
/// The name of the measurement's own process when it plays a plane.
pub(crate) const PLAY_PLANE: &str = "play-plane";

/// What a cluster is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Groups, each of one service with one `tcp` check and one name.
    pub(crate) groups: usize,
    /// Endpoints on each plane that they share.
    pub(crate) endpoints: u16,
    /// Lines of every check.
    pub(crate) check: &'static str,
    /// Lines of a group's policy: groups take them in turn.
    pub(crate) policies: &'static [&'static str],
}

/// Moves by itself, at once, as often as it must.
pub(crate) const ALWAYS_MOVES: &str = "mode = \"auto\"\ndwell = \"0s\"\n\
     budget = { switches = 1000, window = \"1s\" }\nflap_limit = { downs = 100, window = \"1s\" }";

/// A process that dies with this.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Its output goes to a file.
    pub(crate) fn start(command: &mut Command, output: &Path) -> Self {
        let output = File::create(output).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self(command.spawn().unwrap())
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processes. All end with it.
#[derive(Debug)]
pub(crate) struct Cluster {
    base: u16,
    size: Size,
    nodes: [Option<Process>; NODES.len()],
    planes: [Option<Process>; 2],
    dir: TempDir,
    _claim: TcpListener,
}

impl Cluster {
    /// Starts everything and waits until every observer calls every service up on both planes.
    pub(crate) fn steady(size: Size) -> Self {
        let mut cluster = Self::laid_out(size);
        for plane in 0..PLANES.len() {
            cluster.start_plane(plane);
        }
        for node in 0..NODES.len() {
            cluster.start_node(node);
        }
        cluster.wait_until_up();
        cluster
    }

    /// Waits until every observer calls every service up on both planes.
    pub(crate) fn wait_until_up(&self) {
        until(LIMIT, || {
            std::thread::sleep(Duration::from_millis(200));
            self.all_up(0)
        });
    }

    /// Its files, and no process yet.
    pub(crate) fn laid_out(size: Size) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let claim = |base: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, base + CLAIM)).ok();
        let (base, claim) = (FIRST..LAST)
            .step_by(BLOCK)
            .find_map(|base| Some((base, claim(base)?)))
            .expect("a free block of ports");
        let nodes = [const { None }; NODES.len()];
        let cluster = Self { base, size, nodes, planes: [None, None], dir, _claim: claim };
        cluster.write_files();
        cluster
    }

    /// Starts a node's process.
    pub(crate) fn start_node(&mut self, node: usize) {
        let file = self.node_file(node);
        let mut command = Command::new(BIPLANE);
        command.arg("node").arg(file).args(["--parent", &std::process::id().to_string()]);
        let log = self.dir.path().join(format!("{}.log", NODES[node]));
        self.nodes[node] = Some(Process::start(&mut command, &log));
    }

    /// SIGKILL.
    pub(crate) fn kill_node(&mut self, node: usize) {
        self.nodes[node].take().expect("it runs").kill();
    }

    /// A node's settings.
    pub(crate) fn node_file(&self, node: usize) -> PathBuf {
        self.path().join(NODES[node]).join("node.toml")
    }

    /// Where a node's API is.
    pub(crate) fn api(&self, node: usize) -> SocketAddr {
        self.of_node(0, node)
    }

    /// The process of a plane.
    pub(crate) fn plane_pid(&self, plane: usize) -> Option<u32> {
        Some(self.planes[plane].as_ref()?.0.id())
    }

    /// The process of a node.
    pub(crate) fn pid(&self, node: usize) -> u32 {
        self.nodes[node].as_ref().expect("it runs").0.id()
    }

    fn write_files(&self) {
        let file = self.dir.path().join("given.toml");
        std::fs::write(&file, self.cluster_file()).unwrap();
        let mut init = Command::new(BIPLANE);
        init.arg("init").arg(self.path()).arg("--cluster-file").arg(&file);
        let made = init.output().unwrap();
        let faults = String::from_utf8_lossy(&made.stderr);
        let few: Vec<&str> = faults.lines().take(5).collect();
        assert!(made.status.success(), "{}", few.join("\n"));
    }

    /// Where `biplane init` wrote.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("cluster")
    }

    fn of_node(&self, ten: u16, node: usize) -> SocketAddr {
        let port = self.base + ten + 1 + u16::try_from(node).expect("small");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Where a node's DNS server is asked.
    pub(crate) fn dns(&self, node: usize) -> SocketAddr {
        self.of_node(20, node)
    }

    /// The name of a group's users.
    pub(crate) fn name(group: usize) -> String {
        format!("n{group}.{ZONE}")
    }

    /// What is answered for every name while its group is on this plane.
    pub(crate) fn address(plane: usize) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, 1 + u8::try_from(plane).expect("small"))
    }

    fn cluster_file(&self) -> String {
        let mut text = String::from("cluster = \"bench\"\n");
        for plane in PLANES {
            let _ = writeln!(text, "[planes.{plane}]\nsite = \"{plane}\"");
        }
        for (node, (name, site)) in NODES.iter().zip(["east", "west", "third"]).enumerate() {
            let (id, member) = (node + 1, self.of_node(10, node));
            let (api, dns) = (self.of_node(0, node), self.dns(node));
            let _ = writeln!(
                text,
                "[members.{name}]\nid = {id}\nsite = \"{site}\"\nmember = \"{member}\"\napi = \"{api}\"\ndns = \"{dns}\""
            );
        }
        let _ = writeln!(
            text,
            "[zones.\"{ZONE}\"]\nname_servers = {{ \"ns.{ZONE}\" = [\"127.0.0.1\"] }}"
        );
        for group in 0..self.size.groups {
            text.push_str(&self.group_lines(group));
        }
        text
    }

    /// The lines of a group, its service and its name.
    pub(crate) fn group_lines(&self, group: usize) -> String {
        let Size { endpoints, check, policies, .. } = self.size;
        let offset = u16::try_from(group % usize::from(endpoints)).expect("small");
        let port = self.first_endpoint() + offset;
        format!(
            "[services.s{group}]\nendpoints = {{ east = \"{}:{port}\", west = \"{}:{port}\" }}\n\
             [services.s{group}.checks.p]\nkind = \"tcp\"\n{check}\n\
             [groups.g{group}]\nservices = [\"s{group}\"]\n{}\n\
             [zones.\"{ZONE}\".names.\"{}\"]\ngroup = \"g{group}\"\neast = [\"{}\"]\nwest = [\"{}\"]\n",
            plane_host(0),
            plane_host(1),
            policies[group % policies.len()],
            Self::name(group),
            Self::address(0),
            Self::address(1),
        )
    }

    /// The first port of the endpoints on each plane.
    pub(crate) const fn first_endpoint(&self) -> u16 {
        self.base + 100
    }

    /// Starts a plane: a process that takes connections at every endpoint.
    pub(crate) fn start_plane(&mut self, plane: usize) {
        let (first, count) = (self.first_endpoint(), self.size.endpoints);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([PLAY_PLANE, &plane_host(plane), &first.to_string(), &count.to_string()]);
        let log = self.dir.path().join(PLANES[plane]);
        self.planes[plane] = Some(Process::start(&mut command, &log));
    }

    /// SIGKILL.
    pub(crate) fn kill_plane(&mut self, plane: usize) {
        self.planes[plane].take().expect("it runs").kill();
    }

    /// Reads a resource of one node's API.
    pub(crate) fn get(&self, node: usize, path: &str) -> Result<Value, String> {
        block_on(self.client(node).get_json(path)).map_err(|error| error.to_string())
    }

    /// Reads a node's metrics.
    pub(crate) fn metrics(&self, node: usize) -> String {
        until(LIMIT, || self.text(node, "/metrics"))
    }

    /// Reads a text of one node's API.
    pub(crate) fn text(&self, node: usize, path: &str) -> Result<String, String> {
        block_on(self.client(node).get_text(path)).map_err(|error| error.to_string())
    }

    /// The CA and the token of people.
    pub(crate) fn credentials(&self) -> (PathBuf, PathBuf) {
        let file = self.path().join("client.toml");
        let settings = parse_client(&file, &std::fs::read_to_string(&file).unwrap()).unwrap();
        let Credential::Token(file) = settings.credential else { panic!("init gives a token") };
        (settings.ca, file)
    }

    fn client(&self, node: usize) -> ApiClient {
        let (ca, file) = self.credentials();
        let token = std::fs::read_to_string(file).unwrap().trim().to_owned();
        let tls = api_client_tls(&ca).unwrap();
        let times = ClientTimes { answer: Duration::from_secs(20), ..ClientTimes::default() };
        ApiClient::new(vec![self.of_node(0, node)], Some(tls), token).with_times(times)
    }

    /// Whether all observers call every service up on both planes, and nothing is under way.
    pub(crate) fn all_up(&self, node: usize) -> Result<(), String> {
        let status = self.get(node, "/v1/status")?;
        if status["leader"].is_null() {
            return Err("no leader".to_owned());
        }
        let groups = status["groups"].as_array().ok_or("no groups")?;
        if groups.len() != self.size.groups {
            return Err(format!("{} groups", groups.len()));
        }
        for group in groups {
            if !group["switchover"].is_null() {
                return Err(format!("{} is under way", group["name"]));
            }
            for plane in PLANES {
                let seen = &group["services"][0]["planes"][plane];
                let reports = seen["reports"].as_object().ok_or("no reports")?;
                if reports.len() < NODES.len() || reports.values().any(|said| *said != "up") {
                    return Err(format!("{} on {plane}: {seen}", group["name"]));
                }
            }
        }
        Ok(())
    }

    /// A line of `/proc/PID/status` of a node, in KiB: `VmRSS` is its memory, `VmHWM` the most it ever had.
    pub(crate) fn memory(&self, node: usize, line: &str) -> u64 {
        let pid = self.pid(node);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let words = found.and_then(|rest| rest.split_whitespace().next());
        words.and_then(|word| word.parse().ok()).expect("a number of KiB")
    }

    /// Where the nodes' data stands.
    pub(crate) fn disk(&self) -> &Path {
        self.dir.path()
    }
}

/// Where a plane's endpoints are.
pub(crate) fn plane_host(plane: usize) -> String {
    format!("127.0.0.{}", 21 + plane)
}

/// Runs a future on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// This process as a plane: takes connections and closes them, until it is killed.
pub(crate) fn play_plane(host: &str, first: u16, count: u16) {
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    assert_eq!(parent, rustix::process::getppid(), "whoever started this is gone");
    let listeners: Vec<TcpListener> =
        (first..first + count).map(|port| TcpListener::bind((host, port)).unwrap()).collect();
    std::thread::scope(|scope| {
        for listener in &listeners {
            scope.spawn(|| listener.incoming().for_each(drop));
        }
    });
}
