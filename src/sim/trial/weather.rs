//! What is ordinary: the weather that every trial assumes, and how long people wait. One place; it is printed with
//! every result.

use crate::config::limits::words;
use crate::sim::disk::Pace;
use crate::sim::network::Weather;
use crate::sim::queue::{MS, Micros, SECOND};

/// Between members: sites of one country, and now and then a packet that is sent a second time.
pub(super) const NETWORK: Weather = Weather {
    delay_min: 500,
    delay_spread: 30 * MS,
    loss: 0,
    duplicates: 0,
    replay: 0,
    held: 2,
    held_for: 200 * MS,
};

/// Disks that others write to as well.
pub(super) const DISK: Pace = Pace { min: 300, spread: 5 * MS, stalls: 3, stall: 200 * MS };

/// Round trips to planes take mostly less than this.
pub(super) const PROBE_SPREAD: Micros = 60 * MS;
/// Probes in a thousand that are lost on the way.
pub(super) const PROBE_LOSS: u32 = 5;

/// A member stands still this often: a host that is moved, a disk cache that is written out.
pub(super) const PAUSE_EVERY: Micros = 5 * SECOND;
/// For up to this long.
pub(super) const PAUSE: Micros = 200 * MS;

/// A service says nothing for this long at least: its memory is tidied, or a worker is replaced.
pub(super) const HICCUP_MIN: Micros = 300 * MS;
/// And for this long at most.
pub(super) const HICCUP_MAX: Micros = SECOND;
/// Between two hiccups.
pub(super) const HICCUP_EVERY: Micros = 15 * SECOND;

/// A group that a fault follows is watched for this long.
pub(super) const CHASE: Micros = 120 * SECOND;
/// More moves in that time help nobody.
pub(super) const MOVES: usize = 3;

/// Users of a dead plane wait no longer than this.
pub(super) const WAIT: Micros = 60 * SECOND;
/// A second outage may come this long after the first.
pub(super) const SECOND_OUTAGE: Micros = 150 * SECOND;

/// A person who is asked needs this long to answer.
pub(super) const ANSWER: Micros = 300 * SECOND;

/// A time of the simulator as people write it.
pub(super) fn told(time: Micros) -> String {
    let micros = !time.is_multiple_of(MS);
    if micros { format!("{time} us") } else { words(std::time::Duration::from_millis(time / MS)) }
}

/// The table: what, and what is assumed of it.
pub fn ordinary() -> Vec<(&'static str, String)> {
    let most = |min: Micros, spread: Micros| format!("{} to {}", told(min), told(min + spread));
    vec![
        (
            "between members",
            format!(
                "{} one way, mostly short; {} in 1000 messages {} later",
                most(NETWORK.delay_min, NETWORK.delay_spread),
                NETWORK.held,
                told(NETWORK.held_for)
            ),
        ),
        (
            "disks",
            format!(
                "{} a write; {} in 1000 stall for up to {}",
                most(DISK.min, DISK.spread),
                DISK.stalls,
                told(DISK.stall)
            ),
        ),
        (
            "members",
            format!("one stands still for up to {} every {}", told(PAUSE), told(PAUSE_EVERY)),
        ),
        (
            "probes",
            format!(
                "up to {} for an answer, mostly short; {PROBE_LOSS} in 1000 are lost",
                told(PROBE_SPREAD)
            ),
        ),
        (
            "a hiccup",
            format!("a service says nothing for {} to {}", told(HICCUP_MIN), told(HICCUP_MAX)),
        ),
        ("a plane dies", format!("users are served again within {}", told(WAIT))),
        (
            "it dies again",
            format!(
                "the other one, {} after the first and when that is well again",
                told(SECOND_OUTAGE)
            ),
        ),
        (
            "a fault that follows",
            format!(
                "a plane with traffic is sick, one without is well: no more than {MOVES} moves in {}",
                told(CHASE)
            ),
        ),
        ("a person", format!("answers {} after being asked", told(ANSWER))),
    ]
}
