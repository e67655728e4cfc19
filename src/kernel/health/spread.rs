//! Probe times spread by a hash: no randomness, and equal seeds give equal runs.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::limits;

/// FNV-1a, 64 bits (Fowler, Noll, Vo): the same on every run, unlike the standard library's default.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// A number for a value under a seed.
pub(super) fn hash_of(seed: u64, value: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    seed.hash(&mut hasher);
    value.hash(&mut hasher);
    mix(hasher.finish())
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// How long after the start the first probe begins: somewhere within the interval, and soon.
pub(super) fn first_after(hash: u64, interval: Duration) -> Duration {
    let within = micros(interval.min(limits::FIRST_PROBE_WITHIN)).max(1);
    Duration::from_micros(mix(hash) % within)
}

/// The interval before probe number `count`, a tenth longer or shorter at most.
pub(super) fn jittered(hash: u64, count: u64, interval: Duration) -> Duration {
    let whole = micros(interval.max(limits::SHORTEST_INTERVAL));
    let part = whole / limits::JITTER_PART;
    let drawn = mix(hash ^ mix(count)) % (2 * part + 1);
    Duration::from_micros(whole - part + drawn)
}

/// No interval is longer than what fits half of a [`u64`], so that sums do.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth_and_uses_all_of_it() {
        let interval = Duration::from_secs(1);
        let drawn: Vec<Duration> = (0..1000).map(|count| jittered(7, count, interval)).collect();
        assert!(drawn.iter().all(|d| d.as_millis() >= 900 && d.as_micros() <= 1_100_000));
        assert!(drawn.iter().any(|d| d.as_millis() < 910));
        assert!(drawn.iter().any(|d| d.as_millis() > 1090));
        let again: Vec<Duration> = (0..1000).map(|count| jittered(7, count, interval)).collect();
        assert_eq!(drawn, again);
    }

    #[test]
    fn first_probes_start_soon_and_not_together() {
        let firsts: Vec<Duration> =
            (0..100u64).map(|n| first_after(hash_of(1, &n), Duration::from_secs(60))).collect();
        assert!(firsts.iter().all(|first| *first < Duration::from_secs(1)));
        let early = firsts.iter().filter(|first| **first < Duration::from_millis(500)).count();
        assert!((30..70).contains(&early), "{early} of 100 in the first half");
    }

    #[test]
    fn no_interval_overflows() {
        assert!(jittered(1, 1, Duration::MAX) > Duration::from_secs(1));
        assert!(jittered(1, 1, Duration::ZERO) > Duration::ZERO);
    }
}
