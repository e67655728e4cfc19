//! The demo's processes: three nodes, a gateway, two planes, and the faults they can be given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use super::super::reach::Reach;
use super::child::{Child, args};
use super::files;
use super::ports::{Block, NODES, PLANES, SERVICES};

/// How the active plane goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// SIGKILL: connects are refused
    #[default]
    Kill,
    /// SIGSTOP: connects succeed and nothing answers
    Hang,
    /// Every answer is a 500
    Error,
    /// The listen queue is full: connects go unanswered
    Blackhole,
}

impl Fault {
    /// What is done to the plane.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Kill => "killed (SIGKILL)",
            Self::Hang => "stopped (SIGSTOP)",
            Self::Error => "told to answer 500",
            Self::Blackhole => "made to leave connects unanswered",
        }
    }
}

/// The processes, and where they live.
#[derive(Debug)]
pub(super) struct World {
    pub(super) block: Block,
    dir: PathBuf,
    nodes: [Option<Child>; NODES.len()],
    planes: [Option<Child>; PLANES.len()],
    gateway: Option<Child>,
}

impl World {
    /// A world without processes, in a directory that [`files::write`] has filled.
    pub(super) fn new(block: Block, dir: &Path) -> Self {
        Self {
            block,
            dir: dir.to_owned(),
            nodes: [const { None }; NODES.len()],
            planes: [const { None }; PLANES.len()],
            gateway: None,
        }
    }

    /// Starts everything. The planes are ready when this returns; the others need a moment.
    pub(super) async fn start(&mut self) -> Result<(), String> {
        for plane in 0..PLANES.len() {
            self.start_plane(plane).await?;
        }
        for node in 0..NODES.len() {
            self.start_node(node)?;
        }
        let log = self.log("gateway");
        self.gateway = Some(Child::start("the gateway", files::gateway_args(&self.dir), &log)?);
        Ok(())
    }

    /// A client of its own to the controllers.
    pub(super) fn reach(&self) -> Result<Reach, String> {
        Reach::in_directory(&self.dir.join(files::CLIENT)).map_err(|failure| failure.to_string())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(files::LOGS).join(format!("{name}.log"))
    }

    /// Starts a node on its own data.
    pub(super) fn start_node(&mut self, node: usize) -> Result<(), String> {
        let name = NODES[node];
        let child = Child::start(name, files::node_args(&self.dir, name), &self.log(name))?;
        self.nodes[node] = Some(child);
        Ok(())
    }

    async fn start_plane(&mut self, plane: usize) -> Result<(), String> {
        let name = PLANES[plane];
        let mut words = args([&"demo-plane", &"--name", &name]);
        for (index, service) in SERVICES.iter().enumerate() {
            let address = self.block.service(plane, index);
            words.extend(args([&"--service", &format!("{service}={address}")]));
        }
        let mut child = Child::start_obedient(&format!("plane {name}"), words, &self.log(name))?;
        child.hears("ready").await?;
        self.planes[plane] = Some(child);
        Ok(())
    }

    /// Breaks a plane, and with it a node if one is named. Returns when, on `now`, the clock of the client's log.
    pub(super) async fn break_plane(
        &mut self,
        plane: usize,
        fault: Fault,
        node: Option<usize>,
        now: impl Fn() -> Duration,
    ) -> Result<Duration, String> {
        let made = now();
        if let Some(node) = node {
            child(&self.nodes[node], NODES[node])?.kill()?;
        }
        let broken = child_mut(&mut self.planes[plane], PLANES[plane])?;
        match fault {
            Fault::Kill => {
                broken.kill()?;
                broken.buried().await?;
                self.planes[plane] = None;
            }
            Fault::Hang => broken.stop()?,
            Fault::Error => broken.order("error").await?,
            Fault::Blackhole => broken.order("blackhole").await?,
        }
        if let Some(node) = node {
            child_mut(&mut self.nodes[node], NODES[node])?.buried().await?;
            self.nodes[node] = None;
        }
        Ok(made)
    }

    /// Mends what [`Self::break_plane`] broke.
    pub(super) async fn mend_plane(&mut self, plane: usize, fault: Fault) -> Result<(), String> {
        if fault == Fault::Kill {
            return self.start_plane(plane).await;
        }
        let broken = child_mut(&mut self.planes[plane], PLANES[plane])?;
        match fault {
            Fault::Kill => Ok(()),
            Fault::Hang => broken.go_on(),
            Fault::Error | Fault::Blackhole => broken.order("good").await,
        }
    }

    /// The nodes that run.
    pub(super) fn living(&self) -> impl Iterator<Item = usize> + '_ {
        self.nodes.iter().enumerate().filter_map(|(node, child)| child.as_ref().map(|_| node))
    }

    /// An error if a process that should run has ended.
    pub(super) fn alive(&mut self) -> Result<(), String> {
        let all = self.nodes.iter_mut().chain(&mut self.planes).chain([&mut self.gateway]);
        all.flatten().try_for_each(Child::alive)
    }

    /// Ends every process. Dropping the world does it too, without waiting for the ends.
    pub(super) async fn end(&mut self) {
        let all = self.nodes.iter_mut().chain(&mut self.planes).chain([&mut self.gateway]);
        for child in all {
            if let Some(mut child) = child.take()
                && child.kill().is_ok()
            {
                // It was killed: whether it is waited for makes no difference to anybody.
                let _ = child.buried().await;
            }
        }
    }
}

fn child<'a>(child: &'a Option<Child>, name: &str) -> Result<&'a Child, String> {
    child.as_ref().ok_or_else(|| format!("{name} does not run"))
}

fn child_mut<'a>(child: &'a mut Option<Child>, name: &str) -> Result<&'a mut Child, String> {
    child.as_mut().ok_or_else(|| format!("{name} does not run"))
}
