//! Refusals are logged once for each peer and reason, not in a loop.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::limits::{REFUSAL_AGAIN, REFUSALS};

/// Remembers what was logged.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    seen: Mutex<BTreeMap<(String, String), Said>>,
}

/// When a refusal was said last, and how.
#[derive(Debug)]
struct Said {
    at: Instant,
    #[cfg(test)]
    reason: String,
}

impl RefusalLog {
    /// Logs that `who` was refused because of `reason`, unless that was logged lately.
    pub(super) fn refused(&self, who: &str, reason: &str) {
        metrics::counter!("biplane_member_refusals_total").increment(1);
        if self.is_news(who, reason, Instant::now()) {
            tracing::warn!(
                peer = who,
                "connection between members refused: {reason} (said again in 10 minutes)"
            );
        }
    }

    /// What was said lately.
    #[cfg(test)]
    pub(super) fn reasons(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().map(|said| said.reason.clone()).collect()
    }

    /// Whether this was not said within [`REFUSAL_AGAIN`]. When more refusals are known than are kept, new ones
    /// are not said: somebody is making them up.
    fn is_news(&self, who: &str, reason: &str, now: Instant) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Numbers change from one time to the next where nothing else does: ports, ages, the time of day.
        let words = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        let key = (who.to_owned(), words);
        let old = |said: &Said| now.saturating_duration_since(said.at) >= REFUSAL_AGAIN;
        if seen.get(&key).is_some_and(|said| !old(said)) {
            return false;
        }
        if seen.len() >= REFUSALS {
            seen.retain(|_, said| !old(said));
        }
        if seen.len() >= REFUSALS {
            return false;
        }
        let said = Said {
            at: now,
            #[cfg(test)]
            reason: reason.to_owned(),
        };
        seen.insert(key, said);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_news_once_until_its_reason_changes_or_time_has_passed() {
        let log = RefusalLog::default();
        let start = Instant::now();
        assert!(log.is_news("b", "wrong cluster", start));
        assert!(!log.is_news("b", "wrong cluster", start));
        assert!(log.is_news("b", "wrong name", start));
        assert!(log.is_news("c", "wrong cluster", start));
        assert!(!log.is_news("b", "wrong cluster", start + REFUSAL_AGAIN / 2));
        assert!(log.is_news("b", "wrong cluster", start + REFUSAL_AGAIN));
    }

    #[test]
    fn the_time_in_a_reason_does_not_make_it_news() {
        let log = RefusalLog::default();
        let start = Instant::now();
        assert!(log.is_news(
            "b",
            "certificate expired: verification time 1795669892, 91602692 s ago",
            start
        ));
        assert!(!log.is_news(
            "b",
            "certificate expired: verification time 1795669901, 91602701 s ago",
            start
        ));
        assert!(log.is_news("b", "certificate not valid yet: verification time 1795669901", start));
    }

    #[test]
    fn made_up_refusals_fill_no_memory_and_no_log() {
        let log = RefusalLog::default();
        let start = Instant::now();
        let news = (0..REFUSALS * 2).filter(|i| log.is_news(&i.to_string(), "x", start)).count();
        assert_eq!(news, REFUSALS);
        assert!(log.is_news("later", "x", start + REFUSAL_AGAIN));
    }
}
