//! The shell around the kernel: its thread, its disk, the other members, its probes and effects. A node puts its
//! servers around that (see `node`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::audit_thread::AuditThread;
use super::backend::{NodeBackend, audit_reads};
use super::clock::Clock;
use super::effects::{AskDns, Effects};
use super::events::Events;
use super::gauges::Gauges;
use super::hands::{NodeHands, Prober, Publish};
use super::inbox::Inbox;
use super::journal_thread::{JournalSettings, JournalThread};
use super::kernel_thread::KernelThread;
use super::limits::{HAND_OVER, WALL_CLOCK_EVERY};
use super::persist_thread::PersistThread;
use super::replies::Replies;
use super::shutdown::handed_over;
use crate::edge::notify::Notifier;
use crate::edge::telemetry::Metrics;
use crate::edge::transport::{Incoming, Transport};
use crate::kernel::consensus::PersistBatch;
use crate::kernel::controller::{Boot, Controller, Input, View};
use crate::kernel::domain::ProbeResult;

/// Makes a batch durable before it returns. Errors are for people; after the first it is not called again.
pub type WriteBatch = Box<dyn FnMut(&PersistBatch) -> Result<(), String> + Send>;

/// What a shell is made of.
pub struct Parts {
    /// What the controller is started with.
    pub boot: Boot,
    /// The clock.
    pub clock: Clock,
    /// The disk.
    pub write: WriteBatch,
    /// Connections to the other members.
    pub transport: Transport,
    /// What they send.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Starts probes.
    pub prober: Prober,
    /// What came of them.
    pub probed: mpsc::Receiver<ProbeResult>,
    /// Asks a DNS server.
    pub ask_dns: AskDns,
    /// Tells others of alarms.
    pub notifier: Notifier,
    /// Carries views to the DNS server.
    pub publish: Publish,
    /// The process's metrics, if it has any.
    pub metrics: Option<Metrics>,
    /// Where its journal is, if it has one.
    pub journal: Option<JournalSettings>,
    /// Where its audit trail is and how large it may be, if it keeps one.
    pub audit: Option<(PathBuf, u64)>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("me", &self.boot.me).finish_non_exhaustive()
    }
}

/// Why a shell does not start.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// What the disk holds contradicts itself.
    #[error(
        "this node cannot start from its data directory: {0}. Leave it stopped and keep the directory for an \
         inquiry; the other two go on without it. To have three members again, make a new cluster with \
         `biplane init`"
    )]
    Contradiction(String),
    /// The operating system gives no thread.
    #[error("no thread for this node: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running kernel and what it needs. Dropped, it ends by and by; [`Self::stop`] waits for that.
#[derive(Debug)]
pub struct Shell {
    inbox: Inbox,
    replies: Replies,
    view: watch::Receiver<Option<Arc<View>>>,
    clock: Clock,
    request_timeout: Duration,
    metrics: Option<Metrics>,
    transport: Arc<Transport>,
    kernel: KernelThread,
    persist: PersistThread,
    journal: Option<JournalThread>,
    audit: Option<AuditThread>,
    data_dir: Option<PathBuf>,
    stop: DropGuard,
    tasks: TaskTracker,
}

impl Shell {
    /// Starts the kernel. Needs a tokio runtime.
    pub fn start(parts: Parts) -> Result<Self, ShellError> {
        let Parts { boot, clock, write, transport, incoming, prober, probed, .. } = parts;
        let Parts { ask_dns, notifier, publish, metrics, journal, audit, .. } = parts;
        let request_timeout = boot.cluster.timing.request_timeout;
        let started = clock.now();
        let kept = journal.is_some().then(|| boot.clone());
        let controller = Controller::start(started, boot).map_err(ShellError::Contradiction)?;
        let (scribe, journal) = match journal.zip(kept) {
            Some((settings, boot)) => JournalThread::start(settings, started, boot)
                .map(|(scribe, thread)| (Some(scribe), Some(thread)))?,
            None => (None, None),
        };
        let data_dir = audit.as_ref().map(|(dir, _)| dir.clone());
        let (audit_queue, audit) = match audit {
            Some((dir, limit)) => AuditThread::start(&dir, limit)
                .map(|(queue, thread)| (Some(queue), Some(thread)))?,
            None => (None, None),
        };
        let (inbox, replies, transport) = (Inbox::new(), Replies::default(), Arc::new(transport));
        let (view_sender, view) = watch::channel(None);
        let (queue, persist) = PersistThread::start(inbox.clone(), write)?;
        let hands = NodeHands {
            persist: queue,
            transport: Arc::clone(&transport),
            prober,
            effects: Effects::start(&Handle::current(), inbox.clone(), ask_dns, notifier),
            replies: replies.clone(),
            view: view_sender,
            publish,
            audit: audit_queue,
            events: Events::start()?,
        };
        let kernel = KernelThread::start(inbox.clone(), clock, controller, hands, scribe)?;

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let gauges = Gauges {
            view: view.clone(),
            transport: Arc::clone(&transport),
            inbox: inbox.clone(),
            metrics: metrics.clone(),
        };
        tasks.spawn(gauges.run(stop.clone()));
        let until_stop = |task: BoxFuture<'static, ()>| {
            tasks.spawn(stop.clone().run_until_cancelled_owned(task));
        };
        until_stop(Box::pin(carry(incoming, inbox.clone())));
        until_stop(Box::pin(carry_results(probed, inbox.clone())));
        until_stop(Box::pin(tell_the_time(inbox.clone(), clock)));
        tasks.close();
        Ok(Self {
            inbox,
            replies,
            view,
            clock,
            request_timeout,
            metrics,
            transport,
            kernel,
            persist,
            journal,
            audit,
            data_dir,
            stop: stop.drop_guard(),
            tasks,
        })
    }

    /// What the API asks.
    pub fn backend(&self) -> NodeBackend {
        NodeBackend {
            inbox: self.inbox.clone(),
            replies: self.replies.clone(),
            view: self.view.clone(),
            clock: self.clock,
            patience: self.request_timeout * 2 + Duration::from_secs(1),
            data_dir: self.data_dir.clone(),
            audit_reads: audit_reads(),
            metrics: self.metrics.clone(),
        }
    }

    /// The kernel's queue.
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// What was published last.
    pub fn view(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.view.clone()
    }

    /// Connections to the other members.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Hands leadership over, if it is here; waits for that at most [`HAND_OVER`]. Whether it went well.
    pub async fn hand_over(&self) -> bool {
        self.inbox.stopping();
        handed_over(self.view.clone(), HAND_OVER).await
    }

    /// Ends everything: when this returns, the last batch that the kernel ordered is on the disk.
    pub async fn stop(self) {
        let Self { kernel, persist, journal, audit, stop, tasks, transport, .. } = self;
        drop(stop);
        tasks.wait().await;
        transport.stop().await;
        let threads = move || {
            kernel.stop();
            persist.join();
            if let Some(journal) = journal {
                journal.join();
            }
            if let Some(audit) = audit {
                audit.join();
            }
        };
        // The threads end their process themselves if they fail.
        let _ = tokio::task::spawn_blocking(threads).await;
    }
}

/// From the members to the kernel. Waits for the kernel: see `limits`.
async fn carry(mut incoming: mpsc::Receiver<Incoming>, inbox: Inbox) {
    while let Some(news) = incoming.recv().await {
        let input = match news {
            Incoming::Frame { from, frame } => Input::Peer { from, frame },
            Incoming::Unreachable(member) => Input::PeerUnreachable(member),
            Incoming::BulkSent { to, delivered } => Input::BulkSent { to, delivered },
        };
        inbox.peer(input).await;
    }
}

/// From the prober to the kernel.
async fn carry_results(mut probed: mpsc::Receiver<ProbeResult>, inbox: Inbox) {
    while let Some(result) = probed.recv().await {
        inbox.probed(result).await;
    }
}

async fn tell_the_time(inbox: Inbox, clock: Clock) {
    let mut turn = tokio::time::interval(WALL_CLOCK_EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        inbox.wall_clock(clock.wall());
    }
}

#[cfg(test)]
mod tests;
