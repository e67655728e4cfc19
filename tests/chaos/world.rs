//! The processes of a run, each on its host.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::blame::Harm;
use super::files::{API, DNS, Files, GROUPS, NODES, PLANES};
use super::network::{Host, Network, run};
use super::preload::{self, Preload};

/// Bytes of a node's disk.
const DISK: &str = "size=256m";

/// A process. It dies with the thread that started it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: &'static str,
    /// Whether it was stopped by SIGSTOP.
    pub(crate) stopped: bool,
}

impl Process {
    fn start(command: &mut Command, files: &Files, name: &'static str) -> Result<Self, String> {
        let log = OpenOptions::new().create(true).append(true).open(files.log(name));
        let log = log.map_err(|error| format!("{name}: {error}"))?;
        let again = log.try_clone().map_err(|error| format!("{name}: {error}"))?;
        command.stdin(Stdio::null()).stdout(log).stderr(again);
        // A group of its own. One that loses its last tie to the session while a member is stopped gets SIGHUP, and
        // nginx answers that by serving no more.
        command.process_group(0);
        let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { child, name, stopped: false })
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        // It may have ended by itself: that is told elsewhere.
        let _ = kill_process(pid, signal);
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn stop(&mut self, stop: bool) {
        self.signal(if stop { Signal::STOP } else { Signal::CONT });
        self.stopped = stop;
    }

    fn kill(mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// How it ended, if it did.
    fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{} ended by itself: {status}", self.name))
    }
}

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct World {
    /// Milliseconds of the run are counted from here.
    pub(crate) began: Instant,
    /// The files.
    pub(crate) files: Files,
    /// The network.
    pub(crate) network: Network,
    /// What was done to planes and to the ways to them.
    pub(crate) harm: Harm,
    /// By node.
    pub(crate) nodes: [Option<Process>; 3],
    /// By plane.
    pub(crate) planes: [Option<Process>; 2],
    /// The gateway.
    pub(crate) gateway: Option<Process>,
    /// By node: what is preloaded into it.
    pub(crate) preloads: Vec<Preload>,
    /// How often each node was killed, and at last the gateway.
    pub(crate) lives: Lives,
    /// The node whose clocks can be moved.
    odd: usize,
    biplane: PathBuf,
}

/// How often each node was killed, and the gateway.
pub(crate) type Lives = Arc<[AtomicU64; 4]>;
/// The gateway's place among them.
pub(crate) const GATEWAY: usize = 3;

/// Where a node's API is.
pub(crate) fn api(node: usize) -> SocketAddr {
    SocketAddr::from((Host::Node(node).address(), API))
}

/// Where a node's DNS server is.
pub(crate) fn dns(node: usize) -> SocketAddr {
    SocketAddr::from((Host::Node(node).address(), DNS))
}

/// Where users of a group come in.
pub(crate) fn front_door(group: usize) -> SocketAddr {
    SocketAddr::from((Host::Gateway.address(), GROUPS[group].2))
}

impl World {
    /// The network, the files, the disks; no process yet. The calling thread becomes a client.
    pub(crate) fn build(files: Files, biplane: PathBuf, odd: usize) -> Result<Self, String> {
        let network = Network::build()?;
        Network::enter(Host::Client)?;
        let library = preload::compile(&files.dir)?;
        let mut preloads = Vec::new();
        for (node, name) in NODES.iter().enumerate() {
            preloads.push(Preload::new(&library, &files.dir, name)?);
            // What `init` put there moves onto a disk of its own.
            let data = files.data(node);
            let (place, aside) = (data.display().to_string(), format!("{}.aside", data.display()));
            run(&["mv", &place, &aside])?;
            run(&["mkdir", &place])?;
            run(&["mount", "-t", "tmpfs", "-o", DISK, "none", &place])?;
            run(&["cp", "-a", &format!("{aside}/."), &place])?;
        }
        Ok(Self {
            began: Instant::now(),
            files,
            network,
            harm: Harm::default(),
            nodes: [const { None }; 3],
            planes: [const { None }; 2],
            gateway: None,
            preloads,
            lives: Arc::default(),
            odd,
            biplane,
        })
    }

    /// Milliseconds of the run.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Starts a node.
    pub(crate) fn start_node(&mut self, node: usize) -> Result<(), String> {
        let mut command = Network::command(Host::Node(node));
        command.arg("env");
        for (name, value) in self.preloads[node].environment(node == self.odd) {
            command.arg(format!("{name}={value}"));
        }
        command.arg(&self.biplane).arg("node").arg(self.files.node(node).join("node.toml"));
        command.args(["--parent", &std::process::id().to_string()]);
        self.nodes[node] = Some(Process::start(&mut command, &self.files, NODES[node])?);
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill_node(&mut self, node: usize) {
        self.lives[node].fetch_add(1, Ordering::SeqCst);
        if let Some(process) = self.nodes[node].take() {
            process.kill();
        }
    }

    /// Starts the gateway.
    pub(crate) fn start_gateway(&mut self) -> Result<(), String> {
        let mut command = Network::command(Host::Gateway);
        command.arg(&self.biplane).arg("gateway").arg(self.files.cluster().join("gateway.toml"));
        command.args(["--parent", &std::process::id().to_string()]);
        self.gateway = Some(Process::start(&mut command, &self.files, "gateway")?);
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill_gateway(&mut self) {
        self.lives[GATEWAY].fetch_add(1, Ordering::SeqCst);
        if let Some(process) = self.gateway.take() {
            process.kill();
        }
    }

    /// Starts a plane.
    pub(crate) fn start_plane(&mut self, plane: usize) -> Result<(), String> {
        let settings = self.files.nginx(plane)?;
        let mut command = Network::command(Host::Plane(plane));
        command.args(["setpriv", "--pdeathsig", "KILL", "nginx", "-c"]).arg(&settings).arg("-e");
        command.arg(settings.with_file_name("error.log"));
        self.planes[plane] = Some(Process::start(&mut command, &self.files, PLANES[plane])?);
        Ok(())
    }

    /// SIGKILL: connects are refused.
    pub(crate) fn kill_plane(&mut self, plane: usize) {
        if let Some(process) = self.planes[plane].take() {
            process.kill();
        }
    }

    /// Names and ids of all that run.
    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        let all = self.nodes.iter().chain(&self.planes).chain([&self.gateway]).flatten();
        all.map(|process| (process.name, process.child.id())).collect()
    }

    /// Processes that ended though nobody killed them.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let places = self.nodes.iter_mut().chain(&mut self.planes).chain([&mut self.gateway]);
        let mut told = Vec::new();
        for place in places {
            if let Some(how) = place.as_mut().and_then(Process::ended) {
                told.push(how);
                *place = None;
            }
        }
        told
    }
}
