//! How long entries take from their proposal until they are applied.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits;
use crate::kernel::domain::Moment;

/// What a leader proposed in its term and has not applied. Entries are applied in the order of their proposals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Proposals {
    made: u64,
    applied: u64,
    /// By number, when: not of all, where too many are under way.
    times: VecDeque<(u64, Moment)>,
}

impl Proposals {
    /// One more was made.
    pub(super) fn made(&mut self, now: Moment) {
        self.made += 1;
        if self.times.len() < limits::PROPOSED {
            self.times.push_back((self.made, now));
        }
    }

    /// One more was applied; how long it took, if that was measured.
    pub(super) fn applied(&mut self, now: Moment) -> Option<Duration> {
        self.applied += 1;
        let (_, at) = self.times.pop_front_if(|(number, _)| *number == self.applied)?;
        Some(now.since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_measured_and_after_one_more_the_times_are_still_their_own() {
        let most = limits::PROPOSED as u64;
        let mut proposals = Proposals::default();
        for at in 1..=most + 1 {
            proposals.made(Moment::from_micros(at));
            assert_eq!(proposals.times.len() as u64, at.min(most));
        }
        let now = Moment::from_micros(most + 100);
        for at in 1..=most {
            assert_eq!(proposals.applied(now), Some(now.since(Moment::from_micros(at))));
        }
        proposals.made(now);
        assert_eq!(proposals.applied(now), None, "there was no room for its time");
        assert_eq!(proposals.applied(now), Some(Duration::ZERO));
    }
}
