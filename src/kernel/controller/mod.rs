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
pub use view::View;
