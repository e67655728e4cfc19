//! Bounds and defaults of health.

use std::time::Duration;

/// The first probe of a target starts within this, or within its interval if that is shorter.
pub const FIRST_PROBE_WITHIN: Duration = Duration::from_secs(1);

/// A result that is later than its probe's timeout by this much is given up: the next probe may start.
pub const RESULT_GRACE: Duration = Duration::from_secs(1);

/// No target is probed more often than this, whatever the settings say.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Reference targets are probed this fast while their state is unknown or a question asks for it.
pub const REFERENCE_FAST_INTERVAL: Duration = Duration::from_millis(200);

/// Intervals are stretched or shortened by up to one part in this many, so that probes do not run in step.
pub const JITTER_PART: u64 = 10;

/// The last probes of each target that are kept for people.
pub const SAMPLES: usize = 5;
