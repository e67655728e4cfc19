//! Refusals are logged once for each peer and reason, not in a loop.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::limits::{REFUSAL_AGAIN, REFUSALS};

/// Remembers what was logged.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    seen: Mutex<BTreeMap<(String, String), Instant>>,
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
        seen.keys().map(|(_, reason)| reason.clone()).collect()
    }

    /// Whether this was not said within [`REFUSAL_AGAIN`]. When more refusals are known than are kept, new ones
    /// are not said: somebody is making them up.
    fn is_news(&self, who: &str, reason: &str, now: Instant) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (who.to_owned(), reason.to_owned());
        let old = |at: &Instant| now.saturating_duration_since(*at) >= REFUSAL_AGAIN;
        if seen.get(&key).is_some_and(|at| !old(at)) {
            return false;
        }
        if seen.len() >= REFUSALS {
            seen.retain(|_, at| !old(at));
        }
        if seen.len() >= REFUSALS {
            return false;
        }
        seen.insert(key, now);
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
    fn made_up_refusals_fill_no_memory_and_no_log() {
        let log = RefusalLog::default();
        let start = Instant::now();
        let news = (0..REFUSALS * 2).filter(|i| log.is_news(&i.to_string(), "x", start)).count();
        assert_eq!(news, REFUSALS);
        assert!(log.is_news("later", "x", start + REFUSAL_AGAIN));
    }
}
