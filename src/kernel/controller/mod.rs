//! The controller (F4): the one machine.
//!
//! Grammar: `handle(now, input)`, then `poll()` until it returns `None`; the last output is
//! [`Output::WaitUntil`].

mod input;
mod output;
mod status;
mod view;

pub use input::{
    Action, ClientRequest, DataPlaneHint, GatewayReport, Input, Receipt, ReceiptOutcome, RequestId,
    SwitchKind, SwitchRequest,
};
pub use output::{
    Effect, EffectId, EffectOrder, Event, Level, Output, Plan, Refusal, RefusalKind, Response,
    Traffic,
};
pub use status::{
    Explanation, GatewayStatus, GroupStatus, GuardStatus, MemberStatus, PlaneStatus,
    ServiceOnPlane, ServiceStatus, Status, StepRecord, SwitchoverRecord,
};
pub use view::{RouteEntry, RouteTable, View};

use std::sync::Arc;

use crate::kernel::consensus::Recovered;
use crate::kernel::domain::{MemberId, Moment};
use crate::kernel::ledger::Cluster;

/// What a controller is started with.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Who it is.
    pub me: MemberId,
    /// Its cluster file. The first leader logs it as configuration 1; afterwards the log's is in force.
    pub cluster: Arc<Cluster>,
    /// What its disk held.
    pub recovered: Recovered,
    /// Spreads election timeouts and probe times. Equal seeds give equal runs.
    pub seed: u64,
}

/// The one machine.
#[derive(Debug)]
pub struct Controller {}

impl Controller {
    /// Starts from what the disk held. Fails only when that contradicts itself.
    pub fn start(now: Moment, boot: Boot) -> Result<Self, String> {
        let _ = (now, boot);
        unreachable!("written by the controller's author")
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Moment, input: Input) {
        let _ = (now, input);
        unreachable!("written by the controller's author")
    }

    /// The next output; `None` after the `WaitUntil` that ends a turn.
    pub fn poll(&mut self) -> Option<Output> {
        unreachable!("written by the controller's author")
    }
}
