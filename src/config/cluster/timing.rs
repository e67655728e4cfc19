//! Times of the cluster, and the inequality that keeps questions open long enough.

use std::time::Duration;

use super::super::limits;
use super::super::reader::Section;
use super::services::Services;
use crate::kernel::ledger::Timing;

pub(super) fn read(top: &Section<'_>, services: &Services) -> Option<Timing> {
    let section = top.section("timing");
    let time = |key: &'static str, limit: &limits::TimeLimit| {
        let default = || limit.default.unwrap_or(limit.min);
        section.as_ref().map_or_else(default, |s| s.time(key, limit))
    };
    let tick = time("tick", &limits::TICK);
    let heartbeat = time("heartbeat", &limits::HEARTBEAT);
    let election_min = time("election_min", &limits::ELECTION_MIN);
    let election_max = time("election_max", &limits::ELECTION_MAX);
    let asked =
        section.as_ref().and_then(|s| s.time_or_none("question_window", &limits::QUESTION_WINDOW));
    let (needed, why) = shortest_window(services, election_max);
    let timing = Timing {
        tick,
        heartbeat,
        election_min,
        election_max,
        question_window: asked.unwrap_or(needed),
        observer_silence: time("observer_silence", &limits::OBSERVER_SILENCE),
        reference_interval: time("reference_interval", &limits::REFERENCE_INTERVAL),
        verify_timeout: time("verify_timeout", &limits::VERIFY_TIMEOUT),
        request_timeout: time("request_timeout", &limits::REQUEST_TIMEOUT),
    };
    if let Some(section) = &section {
        check(section, &timing, needed, &why);
        section.finish();
    }
    Some(timing)
}

/// window ≥ fall × interval + timeout + 2 × election_max, for every check.
fn shortest_window(services: &Services, election_max: Duration) -> (Duration, String) {
    let mut needed = 2 * election_max;
    let mut why = format!("2 × {} (election_max)", limits::words(election_max));
    for (name, service) in &services.sound {
        for (check, settings) in &service.value.checks {
            let timeout = settings.targets.values().map(|t| t.timeout).max().unwrap_or_default();
            let span = settings.interval * settings.fall + timeout + 2 * election_max;
            if span > needed {
                needed = span;
                why = format!(
                    "{} × {} + {} + 2 × {} (fall × interval + timeout of {name}.{check}, election_max)",
                    settings.fall,
                    limits::words(settings.interval),
                    limits::words(timeout),
                    limits::words(election_max),
                );
            }
        }
    }
    (needed, why)
}

fn check(section: &Section<'_>, timing: &Timing, needed: Duration, why: &str) {
    let fault = |key: &str, what: String, write: &str| {
        section.fault(&section.place_of(key), key, what, write);
    };
    let words = limits::words;
    if !timing.heartbeat.as_micros().is_multiple_of(timing.tick.as_micros().max(1)) {
        let what = format!("is not a multiple of tick ({})", words(timing.tick));
        fault("heartbeat", what, "write a multiple");
    }
    if timing.election_min < 3 * timing.heartbeat {
        let least = words(3 * timing.heartbeat);
        let what = format!("is shorter than three heartbeats ({least})");
        fault("election_min", what, &format!("write \"{least}\" or more"));
    }
    if timing.election_max < timing.election_min + 2 * timing.tick {
        let least = words(timing.election_min + 2 * timing.tick);
        let what = "leaves no room above election_min to spread elections in".to_owned();
        fault("election_max", what, &format!("write \"{least}\" or more"));
    }
    if timing.question_window < needed {
        let what = format!("is too short: it must be at least {} = {why}", words(needed));
        fault(
            "question_window",
            what,
            &format!("write \"{}\" or more, or leave it out", words(needed)),
        );
    }
    if timing.observer_silence < 2 * timing.election_max {
        let least = words(2 * timing.election_max);
        let what =
            format!("is shorter than two elections ({least}): observers would be lost at each");
        fault("observer_silence", what, &format!("write \"{least}\" or more"));
    }
}
