//! What one observer has seen of each check: thresholds, state, and the last samples, for people.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use crate::kernel::domain::{CheckName, Moment, PlaneName, ProbeFault, ProbeResult, ServiceName};

/// One probe that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    began: Moment,
    took: Duration,
    fault: Option<ProbeFault>,
}

/// The last probes of one target, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Samples(VecDeque<Sample>);

impl Samples {
    pub(super) fn add(&mut self, result: &ProbeResult) {
        if self.0.len() >= limits::SAMPLES {
            self.0.pop_front();
        }
        let fault = result.outcome.as_ref().err().cloned();
        self.0.push_back(Sample { began: result.began, took: result.timings.total, fault });
    }

    pub(super) fn seen(&self, now: Moment) -> Vec<SampleSeen> {
        let seen = |sample: &Sample| SampleSeen {
            ago_ms: millis(now.since(sample.began)),
            took_us: u64::try_from(sample.took.as_micros()).unwrap_or(u64::MAX),
            error: sample.fault.as_ref().map(ToString::to_string),
        };
        self.0.iter().rev().map(seen).collect()
    }
}

/// One probe that ended, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampleSeen {
    /// Milliseconds since it began.
    pub ago_ms: u64,
    /// Microseconds that it took.
    pub took_us: u64,
    /// Why it failed; absent when it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What one observer makes of one check on one plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckSeen {
    /// `unknown`, `up`, `slow`, `down`: after so many results in a row.
    pub state: String,
    /// How many results in a row were like the last one.
    pub streak: u32,
    /// Failures in a row until down.
    pub fall: u32,
    /// Successes in a row until up.
    pub rise: u32,
    /// Milliseconds between two probes.
    pub interval_ms: u64,
    /// Milliseconds after which a probe has failed.
    pub timeout_ms: u64,
    /// Milliseconds above which a probe that passed is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u64>,
    /// The last probes, newest first.
    pub samples: Vec<SampleSeen>,
}

/// Of one observer: service → plane → check.
pub type Seen = BTreeMap<ServiceName, BTreeMap<PlaneName, BTreeMap<CheckName, CheckSeen>>>;

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
