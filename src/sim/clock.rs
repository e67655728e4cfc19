//! A machine's clocks: a monotonic one that starts anywhere and runs a little too fast or too slow, and a wall
//! clock that people and time servers step.

use super::queue::Micros;
use crate::kernel::domain::{Moment, WallTime};

/// 2023-11-14T22:13:20Z: where wall clocks begin.
const WALL_START_MS: u64 = 1_700_000_000_000;

/// The clocks of one machine.
#[derive(Clone, Debug)]
pub struct Clock {
    base_true: Micros,
    base_local: u64,
    /// How much faster than true time it runs, in millionths.
    ppm: i64,
    wall_skew_ms: i64,
}

impl Clock {
    /// A clock that shows `local` at true time `now`.
    pub const fn new(now: Micros, local: u64, ppm: i64) -> Self {
        Self { base_true: now, base_local: local, ppm, wall_skew_ms: 0 }
    }

    /// What the monotonic clock shows.
    pub fn read(&self, now: Micros) -> Moment {
        let past = i128::from(now.saturating_sub(self.base_true));
        let local = i128::from(self.base_local) + past + past * i128::from(self.ppm) / 1_000_000;
        Moment::from_micros(u64::try_from(local).unwrap_or(u64::MAX))
    }

    /// The first true time at which the clock shows `moment` or more; nothing if that is never.
    pub fn when(&self, moment: Moment) -> Option<Micros> {
        // A clock that stands still shows nothing new.
        if moment == Moment::NEVER || self.ppm <= -1_000_000 {
            return None;
        }
        let ahead = i128::from(moment.as_micros()) - i128::from(self.base_local);
        let guess = ahead * 1_000_000 / (1_000_000 + i128::from(self.ppm));
        let guess = u64::try_from(guess.max(0)).ok()?;
        let mut at = self.base_true.checked_add(guess)?;
        while self.read(at) < moment {
            at = at.checked_add(1)?;
        }
        // A slow clock shows the same number twice now and then.
        while at > self.base_true && self.read(at - 1) >= moment {
            at -= 1;
        }
        Some(at)
    }

    /// From now on it runs at another rate; it does not jump.
    pub fn set_rate(&mut self, now: Micros, ppm: i64) {
        self.base_local = self.read(now).as_micros();
        self.base_true = now;
        self.ppm = ppm;
    }

    /// It stands still from now on. Its rate before.
    pub fn stop(&mut self, now: Micros) -> i64 {
        let before = self.ppm;
        self.set_rate(now, -1_000_000);
        before
    }

    /// The machine was off: the monotonic clock starts anew.
    pub const fn reboot(&mut self, now: Micros, local: u64) {
        self.base_true = now;
        self.base_local = local;
    }

    /// The wall clock jumps.
    pub const fn step_wall(&mut self, by_ms: i64) {
        self.wall_skew_ms = self.wall_skew_ms.saturating_add(by_ms);
    }

    /// What the wall clock shows.
    pub fn wall(&self, now: Micros) -> WallTime {
        WallTime((WALL_START_MS + now / 1000).saturating_add_signed(self.wall_skew_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::queue::SECOND;

    #[test]
    fn a_clock_that_stood_still_goes_on_from_where_it_stood() {
        let mut clock = Clock::new(0, 1000, 0);
        let rate = clock.stop(500);
        assert_eq!((clock.read(500), clock.read(9_000)), (clock.read(700), clock.read(700)));
        assert_eq!(clock.when(Moment::from_micros(1501)), None);
        clock.set_rate(10_000, rate);
        assert_eq!(clock.read(10_001), Moment::from_micros(1501));
    }

    #[test]
    fn waiting_until_a_moment_ends_when_the_clock_shows_it() {
        for ppm in [-5000, -1, 0, 1, 5000] {
            let clock = Clock::new(77, 123_456, ppm);
            for past in [0, 1, 999, 3 * SECOND + 7] {
                let moment = Moment::from_micros(123_456 + past);
                let at = clock.when(moment).expect("it comes");
                assert!(clock.read(at) >= moment);
                assert!(at <= 77 || clock.read(at - 1) < moment, "{ppm} {past}");
            }
        }
        assert_eq!(Clock::new(0, 0, 0).when(Moment::NEVER), None);
    }

    #[test]
    fn a_new_rate_does_not_make_it_jump() {
        let mut clock = Clock::new(0, 10, 0);
        let before = clock.read(SECOND);
        clock.set_rate(SECOND, 4000);
        assert_eq!(clock.read(SECOND), before);
        assert_eq!(clock.read(2 * SECOND).since(before).as_micros(), 1_004_000);
    }
}
