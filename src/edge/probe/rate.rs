//! How many probes one node starts in a second.

use std::sync::Mutex;
use std::time::Duration;

use crate::kernel::domain::Moment;

/// Lets so many through in a second, and as many at once after a quiet one.
#[derive(Debug)]
pub(super) struct Rate {
    /// Nanoseconds that one of them takes up.
    each: u64,
    /// Until when, in nanoseconds, those that were let through take up the time.
    taken: Mutex<u64>,
}

const SECOND: u64 = Duration::from_secs(1).as_nanos() as u64;

impl Rate {
    /// At least one.
    pub(super) fn new(a_second: u32) -> Self {
        Self { each: SECOND / u64::from(a_second.max(1)), taken: Mutex::new(0) }
    }

    /// Whether one more may start now.
    pub(super) fn lets(&self, now: Moment) -> bool {
        let now = now.as_micros().saturating_mul(1000);
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let until = (*taken).max(now).saturating_add(self.each);
        let fits = until - now <= SECOND;
        if fits {
            *taken = until;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_allowed_and_not_one_more() {
        let rate = Rate::new(20_000);
        let at = |millis: u64| Moment::from_micros(millis * 1000);
        let lets = |now: Moment| (0..50_000).filter(|_| rate.lets(now)).count();
        assert_eq!(lets(at(5000)), 20_000);
        assert_eq!(lets(at(5000)), 0);
        assert_eq!(lets(at(5100)), 2_000);
        assert_eq!(lets(at(9000)), 20_000, "quiet time adds up to one second's worth");
    }
}
