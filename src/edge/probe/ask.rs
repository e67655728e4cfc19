//! One probe from its start to its result.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::exec::Programs;
use super::names::Names;
use super::tls::{Protocol, Tls};
use super::{certificate, connect, dns, fault, grpc, http, limits, prometheus};
use crate::kernel::domain::{
    Moment, ProbeFault, ProbeId, ProbeKind, ProbeResult, ProbeTarget, ProbeTimings,
};

/// What every probe needs.
pub(super) struct Senses {
    pub(super) now: Box<dyn Fn() -> Moment + Send + Sync>,
    pub(super) names: Names,
    pub(super) tls: Tls,
    pub(super) programs: Programs,
}

/// A result before anything took time.
pub(super) const fn finished(
    id: ProbeId,
    began: Moment,
    outcome: Result<(), ProbeFault>,
) -> ProbeResult {
    let timings = ProbeTimings {
        connect: Duration::ZERO,
        tls: Duration::ZERO,
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    };
    ProbeResult { id, began, outcome, timings }
}

impl Senses {
    pub(super) async fn probe(&self, id: ProbeId, target: &ProbeTarget) -> ProbeResult {
        let start = Instant::now();
        let mut result = finished(id, (self.now)(), Ok(()));
        let mut resolved = false;
        let steps = self.steps(target, start, &mut result, &mut resolved);
        let outcome = tokio::time::timeout_at(start + target.timeout, steps).await;
        let took = start.elapsed();
        result.timings.total = took;
        result.outcome = match outcome {
            Ok(Err(ProbeFault::TimedOut)) | Err(_) => Err(overdue(target, took, resolved)),
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
        let (endpoint, deadline) = (&target.endpoint, start + target.timeout);
        if let ProbeKind::Exec(probe) = &target.kind {
            // The program resolves the name itself.
            *resolved = true;
            return self.programs.run(endpoint, probe, target.timeout).await;
        }
        let addresses = self.names.addresses(endpoint).await?;
        *resolved = true;
        result.began = (self.now)();
        let timings = &mut result.timings;
        if let ProbeKind::Dns(probe) = &target.kind {
            return dns::ask(&addresses, probe, deadline, timings).await;
        }
        let connecting = Instant::now();
        let stream = connect::connect(&addresses, deadline).await?;
        timings.connect = connecting.elapsed();
        let Some((host, verify, protocol)) = over_tls(&target.kind) else {
            return converse(stream, target, timings).await;
        };
        let shaking = Instant::now();
        let stream = self.tls.handshake(stream, endpoint, host, verify, protocol).await?;
        timings.tls = shaking.elapsed();
        if let ProbeKind::Tls(probe) = &target.kind {
            return certificate::judge(&stream, probe);
        }
        converse(stream, target, timings).await
    }
}

/// What is said over a connection, with TLS or without.
async fn converse<S>(
    stream: S,
    target: &ProbeTarget,
    timings: &mut ProbeTimings,
) -> Result<(), ProbeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let endpoint = &target.endpoint;
    match &target.kind {
        ProbeKind::Http(probe) => http::ask(stream, endpoint, probe, timings).await,
        ProbeKind::Grpc(probe) => grpc::ask(stream, endpoint, probe, timings).await,
        ProbeKind::Prometheus(probe) => prometheus::ask(stream, endpoint, probe, timings).await,
        // To be connected is all.
        ProbeKind::Tcp | ProbeKind::Tls(_) | ProbeKind::Dns(_) | ProbeKind::Exec(_) => Ok(()),
    }
}

/// For a kind that speaks TLS: the host of the check, whether its certificate must be good, and what is spoken.
fn over_tls(kind: &ProbeKind) -> Option<(&str, bool, Protocol)> {
    match kind {
        ProbeKind::Http(probe) if probe.tls => {
            Some((&probe.host, probe.tls_verify, Protocol::Http1))
        }
        ProbeKind::Prometheus(probe) if probe.tls => {
            Some((&probe.host, probe.tls_verify, Protocol::Http1))
        }
        ProbeKind::Grpc(probe) if probe.tls => {
            Some((&probe.host, probe.tls_verify, Protocol::Http2))
        }
        ProbeKind::Tls(probe) => Some((&probe.host, probe.tls_verify, Protocol::Any)),
        _ => None,
    }
}

/// Whose fault it was that the time ran out.
fn overdue(target: &ProbeTarget, took: Duration, resolved: bool) -> ProbeFault {
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
