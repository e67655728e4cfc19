//! What the shell does with the kernel's outputs. On the kernel's thread, so nothing here waits.

use std::sync::Arc;

use tokio::sync::watch;

use super::audit_thread::AuditQueue;
use super::effects::Effects;
use super::events::Events;
use super::kernel_thread::Hands;
use super::persist_thread::PersistQueue;
use super::replies::Replies;
use crate::edge::telemetry::names::{APPLY_SECONDS, COMMIT_SECONDS, STEP_SECONDS};
use crate::edge::transport::Transport;
use crate::kernel::controller::{Measure, Output, View};
use crate::kernel::domain::ProbeOrder;

/// Carries a published view to those who serve from it, on the spot. Must not wait.
pub type Publish = Box<dyn FnMut(&Arc<View>) + Send>;

/// Starts a probe; its result comes by the way that the prober was given. Must not wait.
pub type Prober = Box<dyn Fn(ProbeOrder) + Send>;

/// A node's hands.
pub struct NodeHands {
    /// To the disk.
    pub persist: PersistQueue,
    /// To the other members.
    pub transport: Arc<Transport>,
    /// To the prober.
    pub prober: Prober,
    /// To the world.
    pub effects: Effects,
    /// To clients.
    pub replies: Replies,
    /// To the API and the gauges.
    pub view: watch::Sender<Option<Arc<View>>>,
    /// To the DNS server.
    pub publish: Publish,
    /// To the audit trail, if one is kept.
    pub audit: Option<AuditQueue>,
    /// To the log.
    pub events: Events,
}

impl std::fmt::Debug for NodeHands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHands").finish_non_exhaustive()
    }
}

impl Hands for NodeHands {
    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Persist(batch) => self.persist.push(batch),
            Output::Send { to, frame, traffic } => self.transport.send(to, frame, traffic),
            Output::Probe(order) => (self.prober)(order),
            Output::Perform(order) => self.effects.perform(order),
            Output::Reply { id, response } => self.replies.reply(id, response),
            Output::Publish(view) => {
                (self.publish)(&view);
                self.view.send_replace(Some(view));
            }
            Output::Audit(record) => {
                if let Some(audit) = &self.audit {
                    audit.push(record);
                }
            }
            Output::Event(event) => self.events.tell(event),
            Output::Measured { what: Measure::Commit, took } => {
                metrics::histogram!(COMMIT_SECONDS).record(took);
            }
            Output::Measured { what: Measure::Apply, took } => {
                metrics::histogram!(APPLY_SECONDS).record(took);
            }
            Output::Measured { what: Measure::Step(step), took } => {
                metrics::histogram!(STEP_SECONDS, "step" => step).record(took);
            }
            // The kernel's thread keeps it for itself.
            Output::WaitUntil(..) => {}
        }
    }
}
