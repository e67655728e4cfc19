//! What is known of one target, and when it is probed next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::{Judged, ProbeSpec};
use super::seen::{CheckSeen, Samples, millis};
use super::spread;
use super::{CheckState, Debounce};
use crate::kernel::domain::{HealthState, Moment, ProbeFault, ProbeId, ProbeResult, ProbeTimings};

/// One target's state. Its place in the queue is `due`: the next start, or the moment at which a probe
/// in flight is given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Target {
    hash: u64,
    /// How many probes were started.
    count: u64,
    results: Debounce,
    /// Debounces "in good time" over the probes that passed; the target is slow while this is down.
    speed: Debounce,
    /// When the newest finished probe began.
    newest: Option<Moment>,
    fault: Option<ProbeFault>,
    /// Why the newest probe said nothing about the target, if it did not.
    hindered: Option<ProbeFault>,
    /// The last probes, for people.
    samples: Samples,
    /// Where the time of the newest finished probe went.
    timings: ProbeTimings,
    pub(super) in_flight: Option<ProbeId>,
    started: Option<Moment>,
    /// Somebody wants a probe begun later than the one in flight.
    pub(super) hastened: bool,
    pub(super) due: Moment,
}

impl Target {
    pub(super) fn new(seed: u64, now: Moment, spec: &ProbeSpec) -> Self {
        let hash = spread::hash_of(seed, spec);
        let Judged { fall, rise, .. } = spec.judged;
        Self {
            hash,
            count: 0,
            results: Debounce::new(fall, rise),
            speed: Debounce::new(fall, rise),
            newest: None,
            fault: None,
            samples: Samples::default(),
            hindered: None,
            timings: ProbeTimings::default(),
            in_flight: None,
            started: None,
            hastened: false,
            due: now + spread::first_after(hash, spec.interval),
        }
    }

    /// As the debounced results say.
    pub(super) fn check_state(&self) -> CheckState {
        match self.results.state() {
            HealthState::Unknown => CheckState::Unknown,
            HealthState::Down => CheckState::Down,
            HealthState::Up | HealthState::Degraded if self.is_slow() => CheckState::Slow,
            HealthState::Up | HealthState::Degraded => CheckState::Up,
        }
    }

    /// The same, if the newest finished probe began no earlier than `seen` and agrees; else unknown.
    pub(super) fn check_state_since(&self, seen: Moment) -> CheckState {
        let state = self.check_state();
        let agrees = match state {
            CheckState::Unknown => false,
            CheckState::Up | CheckState::Slow => self.passed_since(Some(seen)) == Some(true),
            CheckState::Down => self.passed_since(Some(seen)) == Some(false),
        };
        if agrees { state } else { CheckState::Unknown }
    }

    /// Whether the newest finished probe passed; nothing if there is none, or it began before `seen`.
    pub(super) fn passed_since(&self, seen: Option<Moment>) -> Option<bool> {
        let newest = self.newest?;
        if seen.is_some_and(|seen| newest < seen) {
            return None;
        }
        self.results.last()
    }

    /// Whether the newest finished probe failed.
    pub(super) fn failing(&self) -> bool {
        self.results.last() == Some(false)
    }

    fn is_slow(&self) -> bool {
        self.speed.state() == HealthState::Down
    }

    fn disagrees(&self) -> bool {
        let speed_disagrees = self.speed.last().is_some_and(|in_time| in_time == self.is_slow());
        self.results.disagrees() || speed_disagrees
    }

    /// Notes a start and returns when to give the probe up.
    pub(super) fn start(&mut self, now: Moment, id: ProbeId, spec: &ProbeSpec) -> Moment {
        self.in_flight = Some(id);
        self.started = Some(now);
        self.hastened = false;
        self.count += 1;
        now + spec.judged.target.timeout + super::limits::RESULT_GRACE
    }

    /// Takes the result of the probe in flight. What says nothing about the target changes nothing of what
    /// is known.
    pub(super) fn finish(&mut self, now: Moment, spec: &ProbeSpec, result: ProbeResult) {
        self.in_flight = None;
        self.samples.add(&result);
        match result.outcome {
            Err(fault @ ProbeFault::NotProbed(_)) => {
                self.hindered = Some(fault);
                return;
            }
            Err(fault) => {
                self.results.on(false);
                self.fault = Some(fault);
            }
            Ok(()) => {
                self.results.on(true);
                if let Some(slow) = spec.judged.slow {
                    self.speed.on(result.timings.total <= slow);
                }
            }
        }
        self.hindered = None;
        self.newest = Some(result.began.min(now));
        self.timings = result.timings;
    }

    /// When the next probe starts, after one ended or was given up.
    pub(super) fn next_start(&self, now: Moment, spec: &ProbeSpec, judged: bool) -> Moment {
        let started = self.started.unwrap_or(now);
        let next = if self.hastened && judged {
            started + spec.fast_interval
        } else if judged && self.disagrees() {
            started + spread::jittered(self.hash, self.count, spec.fast_interval)
        } else {
            started + spread::jittered(self.hash, self.count, spec.interval)
        };
        next.max(now)
    }

    /// When a probe may start at the soonest.
    pub(super) fn soonest(&self, now: Moment, spec: &ProbeSpec) -> Moment {
        self.started.map_or(now, |started| now.max(started + spec.fast_interval))
    }

    /// What is known, as data.
    pub(super) fn seen(&self, spec: &ProbeSpec, now: Moment) -> CheckSeen {
        let Judged { fall, rise, slow, .. } = &spec.judged;
        let state = match self.check_state() {
            CheckState::Unknown => "unknown",
            CheckState::Up => "up",
            CheckState::Slow => "slow",
            CheckState::Down => "down",
        };
        CheckSeen {
            state: state.to_owned(),
            streak: self.results.streak(),
            fall: *fall,
            rise: *rise,
            interval_ms: millis(spec.interval),
            timeout_ms: millis(spec.judged.target.timeout),
            slow_ms: slow.map(millis),
            samples: self.samples.seen(now),
        }
    }

    /// What is known, in words, and why it is not known better.
    pub(super) fn describe(&self, spec: &ProbeSpec) -> String {
        match (&self.hindered, self.results.last()) {
            (None, None) => "unknown: not probed yet".to_owned(),
            (Some(why), None) => format!("unknown: {why}"),
            (None, Some(passed)) => self.describe_results(spec, passed),
            (Some(why), Some(passed)) => {
                format!("{}; since then {why}", self.describe_results(spec, passed))
            }
        }
    }

    fn describe_results(&self, spec: &ProbeSpec, passed: bool) -> String {
        let streak = self.results.streak();
        let seen = match &self.fault {
            Some(fault) if !passed => {
                format!("{fault} ({streak} in a row, last {})", Spent(self.timings))
            }
            _ => format!("{streak} passed in a row, last {}", Spent(self.timings)),
        };
        let needed = self.results.needed();
        match (self.results.state(), passed) {
            (HealthState::Unknown, _) => format!("unknown: {seen}, known after {needed}"),
            (HealthState::Down, false) => format!("down: {seen}"),
            (HealthState::Down, true) => format!("down: {seen}, up after {needed}"),
            (_, false) => format!("up, but {seen}, down after {needed}"),
            (_, true) => match spec.judged.slow.filter(|_| self.is_slow()) {
                Some(slow) => format!("up, but slower than {}: {seen}", Millis(slow)),
                None => format!("up, {seen}"),
            },
        }
    }
}

/// The time of a probe, and of each stage that it came through.
struct Spent(ProbeTimings);

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ProbeTimings { connect, tls, first_byte, total } = self.0;
        write!(f, "{}", Millis(total))?;
        let stages = [("connect", connect), ("TLS", tls), ("first byte", first_byte)];
        for (stage, took) in stages.iter().filter(|(_, took)| !took.is_zero()) {
            write!(f, ", {stage} {}", Millis(*took))?;
        }
        Ok(())
    }
}

/// Milliseconds with one decimal place.
struct Millis(Duration);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{} ms", micros / 1000, micros % 1000 / 100)
    }
}
