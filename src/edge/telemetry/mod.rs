//! What a process tells of itself: structured logs on standard error, and metrics.
//!
//! - [`init_logging`] installs the log once; [`raft_logger`] carries raft's own log into it.
//! - [`Metrics`] holds the recorder; [`names`] is the table of every metric there is.
//! - [`record_status`] sets the gauges of the cluster's state, before each rendering.
//! - [`record_event`] turns a kernel event into a log line and a count.

mod event;
mod logging;
mod metrics;
pub mod names;
mod raft_log;
mod status;
#[cfg(test)]
mod tests;

pub use event::record_event;
pub use logging::{LogFormat, LoggingError, init_logging};
pub use metrics::{Metrics, MetricsError, UPKEEP_INTERVAL};
pub use names::{METRICS, MetricKind, MetricName, begin_counters, describe_all, metrics_markdown};
pub use raft_log::raft_logger;
pub use status::{LABELLED_GROUPS, record_alarms, record_status};
