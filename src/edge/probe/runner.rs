//! Runs probes, a bounded number at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::names::Names;
use super::tls::Tls;
use super::{connect, fault, http, limits};
use crate::kernel::domain::{
    Moment, ProbeFault, ProbeId, ProbeKind, ProbeOrder, ProbeResult, ProbeTarget, ProbeTimings,
};

/// Starts probes on a tokio runtime and sends their results. Probes end when it is dropped.
pub struct ProbeRunner {
    world: Arc<World>,
    runtime: Handle,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// What every probe needs.
struct World {
    now: Box<dyn Fn() -> Moment + Send + Sync>,
    results: mpsc::Sender<ProbeResult>,
    room: Arc<Semaphore>,
    names: Names,
    tls: Tls,
}

impl std::fmt::Debug for ProbeRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let room = self.world.room.available_permits();
        f.debug_struct("ProbeRunner").field("room", &room).finish_non_exhaustive()
    }
}

impl ProbeRunner {
    /// At most `limit` probes at once, timed by `now`; results go to `results`. Names are asked of the
    /// system's name servers, and certificates are held against the system's roots.
    ///
    /// # Panics
    /// Outside of a tokio runtime; probes run on the one it is called in.
    pub fn new(
        limit: usize,
        now: impl Fn() -> Moment + Send + Sync + 'static,
        results: mpsc::Sender<ProbeResult>,
    ) -> Self {
        Self::build(limit, Box::new(now), results, Names::of_system(), Tls::new(None))
    }

    /// The same with these name servers and roots instead of the system's.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn with_names_and_roots(
        limit: usize,
        now: impl Fn() -> Moment + Send + Sync + 'static,
        results: mpsc::Sender<ProbeResult>,
        name_servers: &[SocketAddr],
        roots: RootCertStore,
    ) -> Self {
        let tls = Tls::new(Some(Arc::new(roots)));
        Self::build(limit, Box::new(now), results, Names::of_servers(name_servers), tls)
    }

    fn build(
        limit: usize,
        now: Box<dyn Fn() -> Moment + Send + Sync>,
        results: mpsc::Sender<ProbeResult>,
        names: Names,
        tls: Tls,
    ) -> Self {
        let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        let stop = CancellationToken::new();
        Self {
            world: Arc::new(World { now, results, room, names, tls }),
            runtime: Handle::current(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Starts a probe and returns at once; may be called from any thread. Its result comes within the
    /// target's timeout, unless results are not taken from the channel.
    pub fn start(&self, order: ProbeOrder) {
        let Ok(permit) = Arc::clone(&self.world.room).try_acquire_owned() else {
            let why = "too many probes in flight on this node".to_owned();
            let began = (self.world.now)();
            let result = finished(order.id, began, Err(ProbeFault::NotProbed(why)));
            count(&order.target, &result);
            // A full channel loses it; the prober gives the probe up in its own time.
            let _ = self.world.results.try_send(result);
            return;
        };
        let world = Arc::clone(&self.world);
        let stop = self.stop.clone();
        self.runtime.spawn(async move {
            let probe = async {
                let result = world.probe(order.id, &order.target).await;
                count(&order.target, &result);
                // Fails only when nobody wants results any more.
                let _ = world.results.send(result).await;
            };
            stop.run_until_cancelled(probe).await;
            drop(permit);
        });
    }
}

const fn finished(id: ProbeId, began: Moment, outcome: Result<(), ProbeFault>) -> ProbeResult {
    let timings = ProbeTimings {
        connect: Duration::ZERO,
        tls: Duration::ZERO,
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    };
    ProbeResult { id, began, outcome, timings }
}

fn count(target: &ProbeTarget, result: &ProbeResult) {
    let kind = match &target.kind {
        ProbeKind::Tcp => "tcp",
        ProbeKind::Http(_) => "http",
    };
    let class = fault::class(&result.outcome);
    metrics::counter!("biplane_probes_total", "kind" => kind, "result" => class).increment(1);
    metrics::histogram!("biplane_probe_seconds", "kind" => kind, "result" => class)
        .record(result.timings.total.as_secs_f64());
    let ProbeTimings { connect, tls, first_byte, .. } = result.timings;
    for (stage, took) in [("connect", connect), ("tls", tls), ("first_byte", first_byte)] {
        // Zero: the probe did not come through this stage.
        if !took.is_zero() {
            metrics::histogram!("biplane_probe_stage_seconds", "kind" => kind, "stage" => stage)
                .record(took.as_secs_f64());
        }
    }
}

impl World {
    async fn probe(&self, id: ProbeId, target: &ProbeTarget) -> ProbeResult {
        let start = Instant::now();
        let mut result = finished(id, (self.now)(), Ok(()));
        let mut resolved = false;
        let steps = self.steps(target, start, &mut result, &mut resolved);
        let outcome = tokio::time::timeout_at(start + target.timeout, steps).await;
        let took = start.elapsed();
        result.timings.total = took;
        result.outcome = match outcome {
            Ok(Err(ProbeFault::TimedOut)) | Err(_) => Err(self.overdue(target, took, resolved)),
            Ok(outcome) => outcome,
        };
        result
    }

    async fn steps(
        &self,
        target: &ProbeTarget,
        start: Instant,
        result: &mut ProbeResult,
        resolved: &mut bool,
    ) -> Result<(), ProbeFault> {
        let addresses = self.names.addresses(&target.endpoint).await?;
        *resolved = true;
        result.began = (self.now)();
        let connecting = Instant::now();
        let stream = connect::connect(&addresses, start + target.timeout).await?;
        let timings = &mut result.timings;
        timings.connect = connecting.elapsed();
        let probe = match &target.kind {
            ProbeKind::Tcp => return Ok(()),
            ProbeKind::Http(probe) => probe,
        };
        if !probe.tls {
            return http::ask(stream, &target.endpoint, probe, timings).await;
        }
        let shaking = Instant::now();
        let stream = self.tls.handshake(stream, &target.endpoint, probe).await?;
        timings.tls = shaking.elapsed();
        http::ask(stream, &target.endpoint, probe, timings).await
    }

    /// Whose fault it was that the time ran out.
    fn overdue(&self, target: &ProbeTarget, took: Duration, resolved: bool) -> ProbeFault {
        if took > target.timeout + limits::PAUSED {
            let late = took.saturating_sub(target.timeout).as_millis();
            return ProbeFault::NotProbed(format!("this node did not run for {late} ms"));
        }
        if !resolved {
            let host = &target.endpoint.host;
            let what = format_args!("no name server of this node said in time where {host} is");
            return ProbeFault::NotProbed(fault::short(what));
        }
        ProbeFault::TimedOut
    }
}
