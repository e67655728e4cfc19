//! The node behind the admin API.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, watch};

use super::clock::Clock;
use super::inbox::Inbox;
use super::limits::AUDIT_READS;
use super::replies::Replies;
use crate::edge::api::Backend;
use crate::edge::audit::page;
use crate::edge::telemetry::Metrics;
use crate::kernel::controller::{
    Action, ClientRequest, DataPlaneHint, GatewayReport, Refusal, RefusalKind, Response, View,
};
use crate::kernel::domain::{Moment, WallTime};
use crate::kernel::ledger::AuditPage;

/// So many pages of the audit trail are read at once.
pub fn audit_reads() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AUDIT_READS))
}

/// Channels to the kernel's thread.
#[derive(Debug)]
pub struct NodeBackend {
    /// To the kernel.
    pub inbox: Inbox,
    /// From the kernel.
    pub replies: Replies,
    /// The last published view.
    pub view: watch::Receiver<Option<Arc<View>>>,
    /// The clock that the kernel is told.
    pub clock: Clock,
    /// A reply that has not come after this long will not come: longer than the cluster's own request timeout.
    pub patience: Duration,
    /// Where the audit trail lies; none in a process that keeps none.
    pub data_dir: Option<PathBuf>,
    /// Room for reading it: a disk that hangs must not keep every thread that makes answers.
    pub audit_reads: Arc<Semaphore>,
    /// The process's metrics; none in a process that has no recorder.
    pub metrics: Option<Metrics>,
}

impl Backend for NodeBackend {
    fn ask(&self, principal: String, action: Action) -> BoxFuture<'static, Response> {
        let Some(mut awaited) = self.replies.register() else {
            return Box::pin(async { busy() });
        };
        let settle = action.settled_by();
        if !self.inbox.request(ClientRequest { id: awaited.id, principal, action }) {
            return Box::pin(async { busy() });
        }
        let patience = self.patience;
        Box::pin(async move {
            match tokio::time::timeout(patience, awaited.reply()).await {
                Ok(Some(response)) => response,
                // The kernel took it and said nothing: it may have happened.
                Ok(None) | Err(_) => Response::Unknown { settle },
            }
        })
    }

    fn view(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.view.clone()
    }

    fn wall(&self) -> WallTime {
        self.clock.wall()
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn gateway(&self, report: GatewayReport) -> bool {
        self.inbox.gateway(report)
    }

    fn hint(&self, hint: DataPlaneHint) -> bool {
        self.inbox.hint(hint)
    }

    fn audit(&self, from: u64) -> BoxFuture<'static, Result<AuditPage, String>> {
        let (dir, places) = (self.data_dir.clone(), Arc::clone(&self.audit_reads));
        Box::pin(async move {
            let dir = dir.ok_or("this node keeps none")?;
            let _place = places.acquire().await.map_err(|error| error.to_string())?;
            let read = tokio::task::spawn_blocking(move || page(&dir, from)).await;
            let read = read.map_err(|error| error.to_string())?;
            read.map_err(|error| error.to_string())
        })
    }

    fn login_failed(&self, from: std::net::IpAddr) {
        self.inbox.login_failed(from);
    }

    fn metrics(&self) -> String {
        self.metrics.as_ref().map(Metrics::render).unwrap_or_default()
    }

    fn ready(&self) -> Result<(), String> {
        readiness(self.view.borrow().as_deref())
    }
}

/// Ready is a node that knows the cluster's settings and its leader, and takes part in consensus.
fn readiness(view: Option<&View>) -> Result<(), String> {
    let Some(view) = view else { return Err("it is starting".to_owned()) };
    if view.cluster.is_none() {
        return Err("no leader has logged the cluster file yet: is a majority up?".to_owned());
    }
    if view.apart.contains(&view.member) {
        let why = view.warnings.join("; ");
        return Err(format!("it takes no part in consensus, and its answers are old: {why}"));
    }
    if view.leader.is_none() {
        return Err("no leader is known: is a majority up and reachable?".to_owned());
    }
    Ok(())
}

fn busy() -> Response {
    Response::Refused(Refusal {
        kind: RefusalKind::Unavailable,
        why: "this node has too many requests at once".to_owned(),
        next: "ask again in a second, or ask another node".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::api_threads::ApiThreads;
    use super::super::inbox::Taken;
    use super::super::limits::{API_RENDERS, REQUEST_INPUTS};
    use super::*;
    use crate::kernel::controller::Input;

    fn backend() -> NodeBackend {
        NodeBackend {
            inbox: Inbox::new(),
            replies: Replies::default(),
            view: watch::channel(None).1,
            clock: Clock,
            patience: Duration::from_millis(20),
            data_dir: None,
            audit_reads: audit_reads(),
            metrics: None,
        }
    }

    /// A segment that gives nothing and does not end stands for a disk that hangs.
    #[test]
    fn readers_of_a_disk_that_hangs_leave_room_for_other_answers() {
        const PATIENCE: Duration = Duration::from_secs(20);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("audit")).unwrap();
        let segment = dir.path().join("audit/00000000000000000001.jsonl");
        let made = std::process::Command::new("mkfifo").arg(&segment).status().unwrap();
        assert!(made.success());
        let backend = NodeBackend { data_dir: Some(dir.path().to_owned()), ..backend() };
        let threads = ApiThreads::start().unwrap();
        let reads: Vec<_> =
            (0..2 * API_RENDERS).map(|_| threads.handle().spawn(backend.audit(0))).collect();
        let end = std::time::Instant::now() + PATIENCE;
        while backend.audit_reads.available_permits() > 0 {
            assert!(std::time::Instant::now() < end, "as many as may be are read at once");
            std::thread::yield_now();
        }
        let (sender, made) = std::sync::mpsc::channel();
        threads.handle().spawn_blocking(move || sender.send("an answer"));
        assert_eq!(made.recv_timeout(PATIENCE), Ok("an answer"));
        // The disk answers again: each reader opens the segment twice, and finds its end.
        while reads.iter().any(|read| !read.is_finished()) {
            let open = std::fs::OpenOptions::new().read(true).write(true).open(&segment);
            drop(open.unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[tokio::test]
    async fn a_request_reaches_the_kernel_and_its_reply_comes_back() {
        let backend = backend();
        let answer = backend.ask("ann".to_owned(), Action::Read);
        let taken = backend.inbox.take(Duration::ZERO);
        let Taken::Input(Input::Request(request)) = taken else { panic!("{taken:?}") };
        assert_eq!(request.principal, "ann");
        backend.replies.reply(request.id, Response::Done);
        assert!(matches!(answer.await, Response::Done));
    }

    #[tokio::test]
    async fn a_silent_kernel_makes_the_outcome_unknown_never_failed() {
        let answer = backend().ask("ann".to_owned(), Action::Read).await;
        assert!(matches!(answer, Response::Unknown { .. }), "{answer:?}");
    }

    #[tokio::test]
    async fn too_many_requests_are_refused_before_the_kernel_sees_them() {
        let backend = backend();
        let ask = || backend.ask("ann".to_owned(), Action::Read);
        let _waiting: Vec<_> = (0..REQUEST_INPUTS).map(|_| ask()).collect();
        let answer = ask().await;
        let Response::Refused(refusal) = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.kind, RefusalKind::Unavailable);
    }

    #[test]
    fn a_node_without_a_view_or_a_leader_is_not_ready() {
        assert!(readiness(None).is_err());
        let view = super::super::fixture::view(None);
        assert!(readiness(Some(&view)).is_err());
    }
}
