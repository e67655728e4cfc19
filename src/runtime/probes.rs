//! Carries out the probes that the kernel orders; each is answered by one result.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::inbox::Inbox;
use super::limits::{PROBE_ORDERS, PROBES_AT_ONCE};
use crate::edge::telemetry::names::QUEUE_DROPPED;
use crate::kernel::domain::{Moment, ProbeFault, ProbeOrder, ProbeResult, ProbeTimings};

/// Makes one probe, within its own timeout.
pub type Prober = Arc<dyn Fn(ProbeOrder) -> BoxFuture<'static, ProbeResult> + Send + Sync>;

/// Where the kernel's thread puts orders. Never waits.
#[derive(Clone, Debug)]
pub struct Probes {
    orders: mpsc::Sender<ProbeOrder>,
    inbox: Inbox,
}

impl Probes {
    /// Starts to carry out orders on `handle`'s runtime, until every copy of this is dropped.
    pub fn start(handle: &Handle, inbox: Inbox, prober: Prober) -> Self {
        let (orders, queue) = mpsc::channel(PROBE_ORDERS);
        handle.spawn(probe_all(queue, inbox.clone(), prober));
        Self { orders, inbox }
    }

    /// Takes an order. One that has no room is answered at once, with a fault of this node's: it says nothing of
    /// the target.
    pub fn probe(&self, order: ProbeOrder, now: Moment) {
        let id = order.id;
        if self.orders.try_send(order).is_err() {
            metrics::counter!(QUEUE_DROPPED, "queue" => "probe-orders").increment(1);
            let outcome = Err(ProbeFault::NotProbed("too many probes wait".to_owned()));
            let timings = ProbeTimings::default();
            self.inbox.not_probed(ProbeResult { id, began: now, outcome, timings });
        }
    }
}

async fn probe_all(mut queue: mpsc::Receiver<ProbeOrder>, inbox: Inbox, prober: Prober) {
    let places = Arc::new(Semaphore::new(PROBES_AT_ONCE));
    while let Some(order) = queue.recv().await {
        let place = Arc::clone(&places).acquire_owned().await;
        let (inbox, prober) = (inbox.clone(), Arc::clone(&prober));
        tokio::spawn(async move {
            let result = prober(order).await;
            drop(place);
            inbox.probed(result).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::inbox::Taken;
    use super::*;
    use crate::kernel::controller::Input;
    use crate::kernel::domain::{Endpoint, ProbeId, ProbeKind, ProbeTarget};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn order(id: u64) -> ProbeOrder {
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: 1 };
        let target = ProbeTarget { endpoint, kind: ProbeKind::Tcp, timeout: PATIENCE };
        ProbeOrder { id: ProbeId(id), target: Arc::new(target) }
    }

    fn next(inbox: &Inbox) -> ProbeResult {
        match inbox.take(PATIENCE) {
            Taken::Input(Input::Probed(result)) => result,
            other => panic!("no result: {other:?}"),
        }
    }

    #[tokio::test]
    async fn every_order_is_answered_also_those_that_have_no_room() {
        let inbox = Inbox::new();
        let stuck: Prober = Arc::new(|_| Box::pin(std::future::pending()));
        let probes = Probes::start(&Handle::current(), inbox.clone(), stuck);
        // One runs at a time here, so nobody takes orders meanwhile.
        for id in 0..=PROBE_ORDERS as u64 {
            probes.probe(order(id), Moment::from_micros(7));
        }
        let refused = next(&inbox);
        assert_eq!(
            (refused.id, refused.began),
            (ProbeId(PROBE_ORDERS as u64), Moment::from_micros(7))
        );
        assert!(matches!(refused.outcome, Err(ProbeFault::NotProbed(_))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_slow_probe_does_not_hold_up_the_others() {
        let inbox = Inbox::new();
        let prober: Prober = Arc::new(|order| {
            Box::pin(async move {
                if order.id == ProbeId(1) {
                    std::future::pending::<()>().await;
                }
                let (began, timings) = (Moment::ZERO, ProbeTimings::default());
                ProbeResult { id: order.id, began, outcome: Ok(()), timings }
            })
        });
        let probes = Probes::start(&Handle::current(), inbox.clone(), prober);
        probes.probe(order(1), Moment::ZERO);
        probes.probe(order(2), Moment::ZERO);
        assert_eq!(next(&inbox).id, ProbeId(2));
    }
}
