//! Runs probes, a bounded number at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ask::{Senses, finished};
use super::exec::Programs;
use super::names::Names;
use super::rate::Rate;
use super::tls::Tls;
use super::{fault, limits};
use crate::kernel::domain::{
    Moment, ProbeFault, ProbeOrder, ProbeResult, ProbeTarget, ProbeTimings,
};

/// How much a runner may do, and what.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// Probes in flight at once.
    pub in_flight: usize,
    /// Probes that start in one second.
    pub a_second: u32,
    /// Directories from which checks may run programs; none: no program runs.
    pub exec: Vec<PathBuf>,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        let (in_flight, a_second) = (limits::IN_FLIGHT, limits::A_SECOND);
        Self { in_flight, a_second, exec: Vec::new() }
    }
}

/// Starts probes on a tokio runtime and sends their results. Probes end when it is dropped.
pub struct ProbeRunner {
    world: Arc<World>,
    runtime: Handle,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// What every probe shares.
struct World {
    senses: Senses,
    results: mpsc::Sender<ProbeResult>,
    room: Arc<Semaphore>,
    rate: Rate,
}

impl std::fmt::Debug for ProbeRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let room = self.world.room.available_permits();
        f.debug_struct("ProbeRunner").field("room", &room).finish_non_exhaustive()
    }
}

impl ProbeRunner {
    /// Probes within `settings`, timed by `now`; results go to `results`. Names are asked of the system's name
    /// servers, and certificates are held against the system's roots.
    ///
    /// # Panics
    /// Outside of a tokio runtime; probes run on the one it is called in.
    pub fn new(
        settings: ProbeSettings,
        now: impl Fn() -> Moment + Send + Sync + 'static,
        results: mpsc::Sender<ProbeResult>,
    ) -> Self {
        Self::build(settings, Box::new(now), results, Names::of_system(), Tls::new(None))
    }

    /// The same with these name servers and roots instead of the system's.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn with_names_and_roots(
        settings: ProbeSettings,
        now: impl Fn() -> Moment + Send + Sync + 'static,
        results: mpsc::Sender<ProbeResult>,
        name_servers: &[SocketAddr],
        roots: RootCertStore,
    ) -> Self {
        let tls = Tls::new(Some(Arc::new(roots)));
        Self::build(settings, Box::new(now), results, Names::of_servers(name_servers), tls)
    }

    fn build(
        settings: ProbeSettings,
        now: Box<dyn Fn() -> Moment + Send + Sync>,
        results: mpsc::Sender<ProbeResult>,
        names: Names,
        tls: Tls,
    ) -> Self {
        let room = Arc::new(Semaphore::new(settings.in_flight.min(Semaphore::MAX_PERMITS)));
        let rate = Rate::new(settings.a_second);
        let senses = Senses { now, names, tls, programs: Programs::new(settings.exec) };
        let stop = CancellationToken::new();
        Self {
            world: Arc::new(World { senses, results, room, rate }),
            runtime: Handle::current(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Starts a probe and returns at once; may be called from any thread. Its result comes within the
    /// target's timeout, unless results are not taken from the channel.
    pub fn start(&self, order: ProbeOrder) {
        let Ok(permit) = Arc::clone(&self.world.room).try_acquire_owned() else {
            return self.refuse(&order, "too many probes in flight on this node");
        };
        if !self.world.rate.lets((self.world.senses.now)()) {
            return self.refuse(&order, "too many probes in a second on this node");
        }
        let world = Arc::clone(&self.world);
        let stop = self.stop.clone();
        self.runtime.spawn(async move {
            let probe = async {
                let result = world.senses.probe(order.id, &order.target).await;
                count(&order.target, &result);
                // Fails only when nobody wants results any more.
                let _ = world.results.send(result).await;
            };
            stop.run_until_cancelled(probe).await;
            drop(permit);
        });
    }

    fn refuse(&self, order: &ProbeOrder, why: &str) {
        let began = (self.world.senses.now)();
        let result = finished(order.id, began, Err(ProbeFault::NotProbed(why.to_owned())));
        count(&order.target, &result);
        // A full channel loses it; the prober gives the probe up in its own time.
        let _ = self.world.results.try_send(result);
    }
}

fn count(target: &ProbeTarget, result: &ProbeResult) {
    let kind = target.kind.word();
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
