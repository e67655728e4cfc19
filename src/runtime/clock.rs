//! The only reader of clocks and of entropy.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::domain::{Moment, WallTime};

/// This process's clocks and its source of entropy. Copies are the same clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// `CLOCK_BOOTTIME`: monotonic, and it counts the time that the machine was suspended (design.md, section 8).
    /// Read through libc, so that tests can shift it.
    pub fn now(self) -> Moment {
        let time = clock_gettime(ClockId::Boottime);
        // The time since the machine started is never negative.
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Moment::from_micros(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000))
    }

    /// The wall clock: for calendars and display only. Before 1970 it reads 1970.
    pub fn wall(self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Fresh random bytes from the operating system.
    ///
    /// # Panics
    /// When the operating system has none: a process without entropy can make no secret and must not go on.
    pub fn entropy(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("Linux always has entropy once it has booted");
        bytes
    }

    /// A fresh random number.
    ///
    /// # Panics
    /// As [`Self::entropy`].
    pub fn seed(self) -> u64 {
        getrandom::u64().expect("Linux always has entropy once it has booted")
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_clock_runs_forward_at_the_rate_of_the_machine() {
        let (here, there) = (Clock.now(), Instant::now());
        let mut last = here;
        while there.elapsed() < Duration::from_millis(20) {
            let now = Clock.now();
            assert!(now >= last);
            last = now;
        }
        let ours = Clock.now().since(here);
        let theirs = there.elapsed() + Duration::from_millis(1);
        assert!(ours >= Duration::from_millis(19) && ours <= theirs, "{ours:?} {theirs:?}");
    }

    #[test]
    fn entropy_does_not_repeat() {
        assert_ne!(Clock.entropy(), Clock.entropy());
        assert_ne!(Clock.seed(), Clock.seed());
    }

    #[test]
    fn the_wall_clock_is_in_this_century() {
        assert!(Clock.wall() > WallTime(946_684_800_000));
    }
}
