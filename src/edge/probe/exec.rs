//! Runs a program as a check: only where the node allows it, so many at once, and killed as a group.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt as _, Interest};
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault::short;
use super::limits;
use crate::kernel::domain::{Endpoint, ExecProbe, ProbeFault};

/// Where programs that the program calls are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What may be run, and how many at once.
pub(super) struct Programs {
    dirs: Arc<[PathBuf]>,
    room: Arc<Semaphore>,
}

impl Programs {
    /// Those in these directories and below them.
    pub(super) fn new(dirs: Vec<PathBuf>) -> Self {
        Self { dirs: dirs.into(), room: Arc::new(Semaphore::new(limits::PROGRAMS)) }
    }

    /// Runs a program to its end and judges it. Dropping this future kills it and all that it started.
    pub(super) async fn run(
        &self,
        endpoint: &Endpoint,
        probe: &ExecProbe,
        timeout: Duration,
    ) -> Result<(), ProbeFault> {
        if self.dirs.is_empty() {
            let why = "exec checks are not allowed on this node: its node.toml has no exec = [\"DIRECTORY\"]";
            return Err(ProbeFault::NotProbed(why.to_owned()));
        }
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            let why = format!("{} programs run on this node already", limits::PROGRAMS);
            return Err(ProbeFault::NotProbed(why));
        };
        let (dirs, probe) = (Arc::clone(&self.dirs), probe.clone());
        let endpoint = endpoint.clone();
        // Looking at files and starting a program may wait for a disk. Where nobody waits for the result any
        // more, it is dropped, and so the group is killed.
        let start =
            move || Group::start(&allowed(&dirs, &probe)?, &endpoint, &probe, timeout, room);
        let started = tokio::task::spawn_blocking(start).await;
        let started = started.map_err(|error| ProbeFault::NotProbed(short(error)))?;
        started?.run().await
    }
}

/// The program's real path, if it lies in an allowed directory: links are followed before that is looked at.
fn allowed(dirs: &[PathBuf], probe: &ExecProbe) -> Result<PathBuf, ProbeFault> {
    let program = &probe.program;
    let real = fs::canonicalize(program).map_err(|error| {
        ProbeFault::NotProbed(short(format_args!("cannot run {program} on this node: {error}")))
    })?;
    let holds = |dir: &PathBuf| fs::canonicalize(dir).is_ok_and(|dir| real.starts_with(dir));
    if dirs.iter().any(holds) {
        return Ok(real);
    }
    let real = real.display();
    let why = format_args!(
        "{real} may not run on this node: it is in no directory of `exec` in its node.toml"
    );
    Err(ProbeFault::NotProbed(short(why)))
}

/// A program with all that it started, as far as that stays in its process group.
struct Group {
    child: Child,
    /// While the child is not waited for, nobody else gets the number of its group.
    group: Option<Pid>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Group {
    fn start(
        program: &Path,
        endpoint: &Endpoint,
        probe: &ExecProbe,
        timeout: Duration,
        room: OwnedSemaphorePermit,
    ) -> Result<Self, ProbeFault> {
        let child = Command::new(program)
            .arg0(&probe.program)
            .args(&probe.args)
            .env_clear()
            .env("PATH", PATH)
            .env("BIPLANE_HOST", &endpoint.host)
            .env("BIPLANE_PORT", endpoint.port.to_string())
            .env("BIPLANE_TIMEOUT_MS", timeout.as_millis().to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| cannot_run(&probe.program, &error))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, group, _room: room })
    }

    /// Kills what is left of the group.
    fn kill(&self) {
        if let Some(group) = self.group {
            // Nobody may be left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    async fn run(mut self) -> Result<(), ProbeFault> {
        let program = "the program";
        let Some(group) = self.group else {
            return Err(ProbeFault::NotProbed(format!("{program} has no process id")));
        };
        let ended = watch(group).map_err(|error| cannot_run(program, &error))?;
        let mut said = Said::of(&mut self.child);
        said.listen(&ended).await?;
        // In this order: after the wait the number of the group may be somebody else's.
        self.kill();
        self.group = None;
        let status = self.child.wait().await.map_err(|error| cannot_run(program, &error))?;
        // What is left in the pipes. One that left its group may keep them open.
        let _ = tokio::time::timeout(limits::PIPE_GRACE, said.rest()).await;
        said.judge(status)
    }
}

/// Becomes readable when the process ends, and leaves its waiting to us.
#[allow(
    deprecated,
    reason = "its successor is unsafe, for descriptors that others may close; nobody closes this one"
)]
fn watch(process: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd_open(process, PidfdFlags::empty())?, Interest::READABLE)
}

fn cannot_run(program: &str, error: &io::Error) -> ProbeFault {
    ProbeFault::NotProbed(short(format_args!("cannot run {program} on this node: {error}")))
}

/// One of a program's pipes: the beginning of what came through it.
struct Pipe<R> {
    source: Option<R>,
    kept: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    const fn new(source: Option<R>) -> Self {
        Self { source, kept: Vec::new() }
    }

    /// Reads once; waits for ever when nothing more will come.
    async fn read(&mut self) -> usize {
        let mut buffer = [0; 4096];
        let Some(source) = &mut self.source else { return std::future::pending().await };
        match source.read(&mut buffer).await {
            Ok(0) | Err(_) => {
                self.source = None;
                0
            }
            Ok(length) => {
                let room = limits::PROGRAM_WORDS.saturating_sub(self.kept.len()).min(length);
                self.kept.extend_from_slice(&buffer[..room]);
                length
            }
        }
    }
}

/// What a program said.
struct Said {
    out: Pipe<tokio::process::ChildStdout>,
    err: Pipe<tokio::process::ChildStderr>,
    bytes: usize,
}

impl Said {
    fn of(child: &mut Child) -> Self {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        Self { out: Pipe::new(out), err: Pipe::new(err), bytes: 0 }
    }

    const fn is_too_much(&self) -> bool {
        self.bytes > limits::PROGRAM_BYTES
    }

    /// Reads until the program has ended, or has said too much.
    async fn listen(&mut self, ended: &AsyncFd<OwnedFd>) -> Result<(), ProbeFault> {
        while !self.is_too_much() {
            tokio::select! {
                biased;
                ready = ended.readable() => {
                    let _ = ready.map_err(|error| cannot_run("the program", &error))?;
                    break;
                }
                length = self.err.read() => self.bytes += length,
                length = self.out.read() => self.bytes += length,
            }
        }
        Ok(())
    }

    /// Reads to the end of both pipes, or until it is too much.
    async fn rest(&mut self) {
        while !self.is_too_much() && (self.out.source.is_some() || self.err.source.is_some()) {
            tokio::select! {
                length = self.err.read() => self.bytes += length,
                length = self.out.read() => self.bytes += length,
            }
        }
    }

    fn judge(&self, status: ExitStatus) -> Result<(), ProbeFault> {
        if self.is_too_much() {
            let most = limits::PROGRAM_BYTES >> 10;
            let what = format!("it wrote more than {most} KiB, and was killed");
            return Err(ProbeFault::WrongAnswer(what));
        }
        if status.success() {
            return Ok(());
        }
        let ended = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => "it did not end well".to_owned(),
        };
        let kept = if self.err.kept.is_empty() { &self.out.kept } else { &self.err.kept };
        let words = String::from_utf8_lossy(kept);
        match words.trim() {
            "" => Err(ProbeFault::WrongAnswer(ended)),
            words => Err(ProbeFault::WrongAnswer(short(format_args!("{ended}: {words}")))),
        }
    }
}
