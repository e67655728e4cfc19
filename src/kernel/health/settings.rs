//! What the cluster file says of a service and its checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::domain::{CheckName, PlaneName, ProbeTarget};

/// How many of a service's checks must pass for its expression to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Every one.
    #[default]
    All,
    /// One or more.
    Any,
    /// This many or more.
    AtLeast(usize),
}

/// One check of a service, with its target on each plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is probed on each plane; both planes are there.
    pub targets: BTreeMap<PlaneName, Arc<ProbeTarget>>,
    /// Between the starts of two probes while report and results agree.
    pub interval: Duration,
    /// The same while they disagree.
    pub fast_interval: Duration,
    /// Failures in a row until down.
    pub fall: u32,
    /// Successes in a row until up.
    pub rise: u32,
    /// A probe that passes but takes longer than this makes the service degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Duration>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Whether its outage takes the group out; a supporting service is only shown.
    pub critical: bool,
    /// Its checks; never empty.
    pub checks: BTreeMap<CheckName, Check>,
    /// How many of them must pass.
    #[serde(default)]
    pub require: Require,
}
