//! Who knocked and was not let in: bounded, so that guessing costs the guesser and not this node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::limits::{FAILED_LOGINS_WITHIN, KNOCKERS};

/// What to do with one more failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knock {
    /// Say why, and note it.
    Answered,
    /// The first over the limit: note that too, once.
    Last,
    /// Over the limit: answer shortly, note nothing.
    Ignored,
}

/// Failures by address.
#[derive(Debug)]
pub(super) struct Knocks {
    /// So many are answered.
    limit: u32,
    /// How many since when.
    seen: Mutex<BTreeMap<IpAddr, (u32, Instant)>>,
}

impl Knocks {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, seen: Mutex::default() }
    }

    /// Counts a failure.
    pub(super) fn failed(&self, from: IpAddr, now: Instant) -> Knock {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: Instant| now.saturating_duration_since(since) < FAILED_LOGINS_WITHIN;
        if seen.len() >= KNOCKERS && !seen.contains_key(&from) {
            seen.retain(|_, (_, since)| fresh(*since));
            if seen.len() >= KNOCKERS {
                return Knock::Ignored;
            }
        }
        let (count, since) = seen.entry(from).or_insert((0, now));
        if !fresh(*since) {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
        match *count {
            count if count <= self.limit => Knock::Answered,
            count if count == self.limit + 1 => Knock::Last,
            _ => Knock::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_failures_are_answered_and_the_address_is_forgiven_in_time() {
        let knocks = Knocks::new(3);
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let begun = Instant::now();
        for _ in 0..3 {
            assert_eq!(knocks.failed(a, begun), Knock::Answered);
        }
        assert_eq!(knocks.failed(a, begun), Knock::Last);
        assert_eq!(knocks.failed(a, begun), Knock::Ignored);
        assert_eq!(knocks.failed(b, begun), Knock::Answered, "another address");
        assert_eq!(knocks.failed(a, begun + FAILED_LOGINS_WITHIN), Knock::Answered);
    }

    #[test]
    fn addresses_are_bounded() {
        let knocks = Knocks::new(3);
        let now = Instant::now();
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap_or(0).to_be_bytes());
        for n in 0..KNOCKERS {
            assert_eq!(knocks.failed(address(n), now), Knock::Answered);
        }
        assert_eq!(knocks.failed(address(KNOCKERS), now), Knock::Ignored);
        let later = now + FAILED_LOGINS_WITHIN;
        assert_eq!(knocks.failed(address(KNOCKERS), later), Knock::Answered);
    }
}
