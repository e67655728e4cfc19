//! How long entries take from their proposal, and from their commit, until they are applied.

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
    /// How many are under way and are measured.
    pub(super) fn measured(&self) -> usize {
        self.times.len()
    }

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

/// What a node knows to be committed and has not applied.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Committed {
    known: u64,
    /// Up to which index since when: not of all, where too many are under way.
    times: VecDeque<(u64, Moment)>,
}

impl Committed {
    /// Everything up to this index is known to be committed.
    pub(super) fn known(&mut self, index: u64, now: Moment) {
        if index > self.known {
            self.known = index;
            if self.times.len() < limits::PROPOSED {
                self.times.push_back((index, now));
            }
        }
    }

    /// Everything up to this index is applied; how long the oldest of it took.
    pub(super) fn applied(&mut self, index: u64, now: Moment) -> Option<Duration> {
        let mut first = None;
        while let Some((_, at)) = self.times.pop_front_if(|(until, _)| *until <= index) {
            first = first.or(Some(at));
        }
        first.map(|at| now.since(at))
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

    #[test]
    fn what_is_committed_is_measured_until_all_of_it_is_applied() {
        let [one, two, three] = [1, 2, 3].map(Moment::from_micros);
        let mut committed = Committed::default();
        committed.known(4, one);
        committed.known(4, two);
        committed.known(9, two);
        assert_eq!(committed.applied(3, three), None);
        assert_eq!(committed.applied(4, three), Some(three.since(one)), "known since then");
        assert_eq!(committed.applied(9, three), Some(three.since(two)));
        assert_eq!(committed.applied(12, three), None);
        for index in 10..10 + limits::PROPOSED as u64 + 1 {
            committed.known(index, three);
        }
        assert_eq!(committed.times.len(), limits::PROPOSED);
    }
}
