//! The verdict of the quorum on one service on one plane.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernel::domain::{HealthState, Quorum};
use crate::kernel::mutants::{self, Mutant};

/// What the quorum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Fewer than a majority say anything that counts.
    NoData,
    /// They disagree: a path is broken.
    Partial,
    /// A majority say up.
    Up,
    /// A majority say down or degraded, and not a majority down.
    Degraded,
    /// A majority say down.
    Down,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoData => "no-data",
            Self::Partial => "partial",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        })
    }
}

/// Counts the votes of usable observers; `unknown` is no vote. The majority is that of all who are
/// configured, not of those who answered.
pub fn verdict(quorum: Quorum, votes: impl IntoIterator<Item = HealthState>) -> Verdict {
    let (mut up, mut degraded, mut down) = (0, 0, 0);
    for vote in votes {
        match vote {
            HealthState::Unknown => {}
            HealthState::Up => up += 1,
            HealthState::Degraded => degraded += 1,
            HealthState::Down => down += 1,
        }
    }
    let usable = up + degraded + down;
    let quorum = if mutants::active(Mutant::M32QuorumOfReachable) && usable > 0 {
        Quorum::of(usable)
    } else {
        quorum
    };
    if !quorum.reached(usable) {
        Verdict::NoData
    } else if quorum.reached(down) {
        Verdict::Down
    } else if quorum.reached(up) {
        Verdict::Up
    } else if degraded > 0 && quorum.reached(down + degraded) {
        Verdict::Degraded
    } else {
        Verdict::Partial
    }
}

#[cfg(test)]
mod tests {
    use HealthState::{Degraded, Down, Unknown, Up};
    use proptest::prelude::*;

    use super::*;

    const ALL: [HealthState; 4] = [Unknown, Up, Degraded, Down];

    /// Every list of votes of `n` observers.
    fn elections(n: usize) -> Vec<Vec<HealthState>> {
        let mut lists = vec![Vec::new()];
        for _ in 0..n {
            lists = lists
                .iter()
                .flat_map(|list| ALL.iter().map(|vote| [list.as_slice(), &[*vote]].concat()))
                .collect();
        }
        lists
    }

    /// The definition, word by word.
    fn defined(n: usize, votes: &[HealthState]) -> Verdict {
        let m = n / 2 + 1;
        let count = |state| votes.iter().filter(|vote| **vote == state).count();
        if n - count(Unknown) < m {
            return Verdict::NoData;
        }
        if count(Down) >= m {
            return Verdict::Down;
        }
        if count(Up) >= m {
            return Verdict::Up;
        }
        if count(Down) + count(Degraded) >= m && count(Degraded) > 0 {
            return Verdict::Degraded;
        }
        Verdict::Partial
    }

    #[test]
    fn the_verdict_of_up_to_five_observers_is_as_defined() {
        for n in 1..=5 {
            for votes in elections(n) {
                let found = verdict(Quorum::of(n), votes.iter().copied());
                assert_eq!(found, defined(n, &votes), "{votes:?}");
            }
        }
    }

    #[test]
    fn one_of_three_that_answers_decides_nothing() {
        for vote in ALL {
            assert_eq!(verdict(Quorum::of(3), [vote]), Verdict::NoData);
        }
        assert_eq!(verdict(Quorum::of(3), [Down, Down]), Verdict::Down);
        assert_eq!(verdict(Quorum::of(3), [Down, Up]), Verdict::Partial);
    }

    /// From best to worst, as far as they can be compared.
    fn badness(verdict: Verdict) -> Option<u8> {
        match verdict {
            Verdict::NoData => None,
            Verdict::Up => Some(0),
            Verdict::Partial => Some(1),
            Verdict::Degraded => Some(2),
            Verdict::Down => Some(3),
        }
    }

    proptest! {
        #[test]
        fn a_worse_vote_never_makes_a_better_verdict(
            votes in prop::collection::vec(prop::sample::select(&ALL[1..]), 1..9),
            which in any::<prop::sample::Index>(),
        ) {
            let quorum = Quorum::of(votes.len());
            let mut worse = votes.clone();
            let vote = &mut worse[which.index(votes.len())];
            *vote = if *vote == Up { Degraded } else { Down };
            let before = badness(verdict(quorum, votes));
            prop_assert!(before.is_some());
            prop_assert!(badness(verdict(quorum, worse)) >= before);
        }

        #[test]
        fn the_order_of_votes_does_not_matter(
            mut votes in prop::collection::vec(prop::sample::select(&ALL[..]), 1..9),
        ) {
            let quorum = Quorum::of(votes.len());
            let before = verdict(quorum, votes.iter().copied());
            votes.sort_unstable();
            prop_assert_eq!(verdict(quorum, votes), before);
        }

        #[test]
        fn silence_never_makes_a_verdict_the_opposite(
            votes in prop::collection::vec(prop::sample::select(&ALL[..]), 1..9),
            silent in prop::collection::vec(any::<bool>(), 9),
        ) {
            let quorum = Quorum::of(votes.len());
            let heard: Vec<HealthState> = votes
                .iter()
                .zip(&silent)
                .map(|(vote, silent)| if *silent { Unknown } else { *vote })
                .collect();
            let pair = (verdict(quorum, votes), verdict(quorum, heard));
            prop_assert!(!matches!(pair, (Verdict::Up, Verdict::Down) | (Verdict::Down, Verdict::Up)));
        }
    }
}
