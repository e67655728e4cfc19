//! The words of the project (F0): one word, one thing. Plain data, no behaviour beyond arithmetic.

mod access;
pub mod as_text;
mod decimal;
mod epoch;
pub mod legible;
mod member;
mod name;
pub mod packed;
pub mod pairs;
mod probe;
mod probe_kind;
mod question;
mod route;
mod state;
mod time;

pub use access::{AccessRole, NoSuchRole, Principal};
pub use decimal::Decimal;
pub use epoch::Epoch;
pub use member::{Incarnation, MemberId, Quorum};
pub use name::{
    CheckName, GatewayName, GroupName, HolderName, HostName, MemberName, NameError, NotifyName,
    PlaneName, PrincipalName, ServiceName, SiteName,
};
pub use probe::{
    Endpoint, ProbeFault, ProbeId, ProbeOrder, ProbeResult, ProbeTarget, ProbeTimings,
};
pub use probe_kind::{
    DnsProbe, DnsType, ExecProbe, GrpcProbe, HttpProbe, ProbeKind, PrometheusProbe, TlsProbe,
};
pub use question::{AlarmId, AskId, EventId, IdError, QuestionId, SwitchoverId};
pub use route::Route;
pub use state::{HealthState, StatePair};
pub use time::{LedgerTime, Moment, Timer, WallTime, span_words};
