//! The debounced view that one observer has of one target.

use serde::{Deserialize, Serialize};

use crate::kernel::domain::HealthState;

/// Hysteresis: `fall` failures in a row make a target down, `rise` successes in a row make it up.
///
/// Nothing is known at first, and it takes as many results to know as it takes to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debounce {
    fall: u32,
    rise: u32,
    state: HealthState,
    passed: bool,
    streak: u32,
}

impl Debounce {
    /// Thresholds below one count as one.
    pub fn new(fall: u32, rise: u32) -> Self {
        Self {
            fall: fall.max(1),
            rise: rise.max(1),
            state: HealthState::Unknown,
            passed: false,
            streak: 0,
        }
    }

    /// Takes a result; says the new state if it changed.
    pub fn on(&mut self, passed: bool) -> Option<HealthState> {
        self.streak = if passed == self.passed { self.streak.saturating_add(1) } else { 1 };
        self.passed = passed;
        let (needed, state) =
            if passed { (self.rise, HealthState::Up) } else { (self.fall, HealthState::Down) };
        if self.streak < needed || self.state == state {
            return None;
        }
        self.state = state;
        Some(state)
    }

    /// Unknown, up or down; never degraded.
    pub const fn state(&self) -> HealthState {
        self.state
    }

    /// Whether the last result was a success; nothing before the first.
    pub fn last(&self) -> Option<bool> {
        (self.streak > 0).then_some(self.passed)
    }

    /// How many results in a row were like the last one.
    pub const fn streak(&self) -> u32 {
        self.streak
    }

    /// How many in a row like the last one are needed.
    pub const fn needed(&self) -> u32 {
        if self.passed { self.rise } else { self.fall }
    }

    /// Whether the last result speaks against the state, or nothing is known yet.
    pub fn disagrees(&self) -> bool {
        match self.state {
            HealthState::Up => self.last() == Some(false),
            HealthState::Down => self.last() == Some(true),
            HealthState::Unknown | HealthState::Degraded => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_known_until_enough_results_agree() {
        let mut debounce = Debounce::new(3, 2);
        assert_eq!(debounce.on(true), None);
        assert_eq!(debounce.on(false), None);
        assert_eq!(debounce.on(false), None);
        assert_eq!(debounce.state(), HealthState::Unknown);
        assert!(debounce.disagrees());
        assert_eq!(debounce.on(false), Some(HealthState::Down));
        assert!(!debounce.disagrees());
        assert_eq!(debounce.on(true), None);
        assert!(debounce.disagrees());
        assert_eq!(debounce.on(true), Some(HealthState::Up));
    }

    proptest! {
        #[test]
        fn the_state_is_that_of_the_last_run_that_was_long_enough(
            fall in 1u32..5,
            rise in 1u32..5,
            results in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut debounce = Debounce::new(fall, rise);
            let mut expected = HealthState::Unknown;
            for (index, passed) in results.iter().enumerate() {
                let run = results[..=index].iter().rev().take_while(|r| *r == passed).count();
                let before = expected;
                if *passed && run >= rise as usize {
                    expected = HealthState::Up;
                } else if !passed && run >= fall as usize {
                    expected = HealthState::Down;
                }
                let changed = debounce.on(*passed);
                prop_assert_eq!(debounce.state(), expected);
                prop_assert_eq!(changed, (expected != before).then_some(expected));
            }
        }
    }
}
