//! How long a lease is, and how long its end is waited for: the settings of an exclusive group, and the two inequalities
//! that make them safe and useful.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::DRIFT_PPM;

const MILLION: u128 = 1_000_000;

/// The terms of a group's leases. Replicated; D travels in each renewal and grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// D: a holder has stopped so long after it sent the renewal that was granted, on its own clock.
    pub lease: Duration,
    /// How long it needs to stop: the timeout of its `fence` hook, and the kill after that.
    pub stop: Duration,
    /// What is added to the wait for what no clock sees: the end of a write, a watchdog's reset.
    pub margin: Duration,
    /// Between two renewals.
    pub renew: Duration,
    /// ρ, in millionths: no clock of a holder or a member runs faster or slower than true time by more.
    pub drift_ppm: u32,
}

/// What the control cluster itself needs in order to renew leases through the death of its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Longest time without a leader until an election.
    pub election_max: Duration,
    /// One request from a holder to a member.
    pub rpc_timeout: Duration,
}

/// Terms that cannot hold together, with the numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The rate of clocks is no bound.
    #[error("max_clock_drift is {ppm} millionths; more than {DRIFT_PPM} is no bound on a clock")]
    Drift {
        /// What was given.
        ppm: u32,
    },
    /// Nothing is left to act in.
    #[error(
        "a holder that needs {stop:?} to stop acts for no time under a lease of {lease:?}: lease must be longer \
         than stop"
    )]
    NothingLeft {
        /// D.
        lease: Duration,
        /// See [`Terms::stop`].
        stop: Duration,
    },
    /// The death of a leader would stop every exclusive group.
    #[error(
        "lease − stop = {left:?} is less than renew + 2 × election_max + 3 × rpc_timeout = {needed:?}: the death of a \
         leader would stop every exclusive group; raise lease to {least:?}, or lower election_max or renew"
    )]
    TooShort {
        /// D − stop.
        left: Duration,
        /// What it must not be less than.
        needed: Duration,
        /// The shortest lease that will do.
        least: Duration,
    },
}

impl Terms {
    /// W = D·(1+ρ)/(1−ρ) + margin, rounded up to a microsecond: whoever waits for so long on one clock has seen the end of every
    /// lease of D that began before, on any other clock within the bound.
    pub fn wait(&self) -> Duration {
        let drift = u128::from(self.drift_ppm.min(DRIFT_PPM));
        let lease = self.lease.as_micros() * (MILLION + drift);
        let micros = lease.div_ceil(MILLION - drift);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).saturating_add(self.margin)
    }

    /// How long after it sent a renewal a holder begins to stop.
    pub const fn act_for(&self) -> Duration {
        self.lease.saturating_sub(self.stop)
    }

    /// Whether they hold together.
    ///
    /// # Errors
    /// Every inequality that does not hold, with its numbers and what to raise.
    pub fn check(&self, pace: &Pace) -> Result<(), Vec<TermsError>> {
        let mut faults = Vec::new();
        if self.drift_ppm > DRIFT_PPM {
            faults.push(TermsError::Drift { ppm: self.drift_ppm });
        }
        let (lease, stop) = (self.lease, self.stop);
        let needed = self.renew + 2 * pace.election_max + 3 * pace.rpc_timeout;
        let left = self.act_for();
        if left.is_zero() {
            faults.push(TermsError::NothingLeft { lease, stop });
        } else if left < needed {
            faults.push(TermsError::TooShort { left, needed, least: needed + stop });
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// The longer of each: what is waited for while holders may still go by either (rule 7).
    #[must_use]
    pub fn longest(self, other: Self) -> Self {
        Self {
            lease: self.lease.max(other.lease),
            stop: self.stop.max(other.stop),
            margin: self.margin.max(other.margin),
            renew: self.renew.max(other.renew),
            drift_ppm: self.drift_ppm.max(other.drift_ppm),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn terms() -> Terms {
        let (lease, stop, margin) = (ms(5_000), ms(1_000), ms(100));
        Terms { lease, stop, margin, renew: ms(500), drift_ppm: 500 }
    }

    const PACE: Pace = Pace { election_max: ms(1_000), rpc_timeout: ms(500) };

    #[test]
    fn whoever_waits_on_the_fastest_clock_outlasts_a_lease_on_the_slowest() {
        for drift_ppm in [0, 1, 500, 4_000, DRIFT_PPM] {
            for lease in [ms(1), ms(1_000), ms(3_000), Duration::from_micros(1_000_001)] {
                let terms = Terms { lease, drift_ppm, margin: Duration::ZERO, ..terms() };
                let (wait, drift) = (terms.wait().as_micros(), u128::from(drift_ppm));
                // True time that passes while the waiting clock, the fastest allowed, counts W; and while the slowest counts D. Both
                // times a million squared.
                let waited = wait * MILLION * (MILLION - drift);
                let leased = lease.as_micros() * MILLION * (MILLION + drift);
                assert!(waited >= leased, "{terms:?}");
                // And not by more than the rounding.
                assert!(waited - leased < MILLION * MILLION, "{terms:?}");
            }
        }
    }

    #[test]
    fn terms_that_do_not_hold_together_say_which_and_by_how_much() {
        assert_eq!(terms().check(&PACE), Ok(()));
        let least = Terms { lease: ms(500 + 2_000 + 1_500 + 1_000), ..terms() };
        assert_eq!(least.check(&PACE), Ok(()), "the bound itself will do");
        let short = Terms { lease: least.lease - Duration::from_micros(1), ..least };
        let faults = short.check(&PACE).expect_err("too short by a microsecond");
        assert_eq!(faults.len(), 1);
        let said = faults[0].to_string();
        assert!(
            said.contains("= 3.999999s is less than") && said.contains("raise lease to 5s"),
            "{said}"
        );
        let none = Terms { stop: ms(5_000), drift_ppm: DRIFT_PPM + 1, ..terms() };
        let faults = none.check(&PACE).expect_err("nothing holds");
        assert!(matches!(
            faults[..],
            [TermsError::Drift { ppm: 100_001 }, TermsError::NothingLeft { .. }]
        ));
    }

    #[test]
    fn the_longest_of_each_is_waited_for() {
        let long = Terms { lease: ms(9_000), drift_ppm: 100, ..terms() };
        let wide = Terms { margin: ms(700), ..terms() };
        let both = long.longest(wide);
        assert_eq!((both.lease, both.margin, both.drift_ppm), (ms(9_000), ms(700), 500));
        assert_eq!(both, wide.longest(long));
        assert!(both.wait() > long.wait() && both.wait() > wide.wait());
    }
}
