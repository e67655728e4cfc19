//! How long to wait before a connection is tried again.

use std::time::Duration;

use super::limits::{BACKOFF_MAX, BACKOFF_MIN};

/// Doubles from [`BACKOFF_MIN`] to [`BACKOFF_MAX`], each wait shortened by up to a half so that members that lost
/// each other at one moment do not all return at one moment.
#[derive(Debug)]
pub(super) struct Backoff {
    seed: u64,
    attempts: u64,
}

impl Backoff {
    /// `seed` spreads: give every link its own.
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, attempts: 0 }
    }

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let doublings = u32::try_from(self.attempts.min(16)).unwrap_or(16);
        let whole = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
        self.attempts += 1;
        let half = whole / 2;
        let spread = mix(self.seed.wrapping_add(self.attempts)) % 1024;
        half + half * u32::try_from(spread).unwrap_or(0) / 1024
    }

    /// The connection was good: start over.
    pub(super) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over() {
        let mut backoff = Backoff::new(7);
        let first = backoff.next();
        assert!(first >= BACKOFF_MIN / 2 && first <= BACKOFF_MIN, "{first:?}");
        let last = (0..100).map(|_| backoff.next()).last().unwrap();
        assert!(last >= BACKOFF_MAX / 2 && last <= BACKOFF_MAX, "{last:?}");
        backoff.reset();
        assert!(backoff.next() <= BACKOFF_MIN);
    }

    #[test]
    fn two_links_do_not_wait_alike() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..8).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(2));
    }
}
