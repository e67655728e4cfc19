//! A service's state on a plane from the states of its checks.

use super::Require;
use crate::kernel::domain::HealthState;

/// What is known of one check on one plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckState {
    /// Nothing that counts.
    Unknown,
    /// It passes.
    Up,
    /// It passes, but takes longer than its bound.
    Slow,
    /// It fails.
    Down,
}

/// Three-valued: the answer is the one that every possible state of the unknown checks leads to, and
/// unknown where they lead to different ones.
///
/// Down: the expression cannot hold. Up: it holds and every check passes in time. Degraded: it holds and
/// some check is down or slow. A number of checks that cannot be met counts as "all", zero as one.
pub fn evaluate(require: Require, checks: impl IntoIterator<Item = CheckState>) -> HealthState {
    let (mut unknown, mut up, mut slow, mut down) = (0_usize, 0_usize, 0_usize, 0_usize);
    for check in checks {
        match check {
            CheckState::Unknown => unknown += 1,
            CheckState::Up => up += 1,
            CheckState::Slow => slow += 1,
            CheckState::Down => down += 1,
        }
    }
    let all = unknown + up + slow + down;
    if all == 0 {
        return HealthState::Unknown;
    }
    let needed = match require {
        Require::All => all,
        Require::Any => 1,
        Require::AtLeast(count) => count.clamp(1, all),
    };
    if up + slow + unknown < needed {
        HealthState::Down
    } else if up + slow < needed {
        HealthState::Unknown
    } else if slow + down > 0 {
        HealthState::Degraded
    } else if unknown == 0 {
        HealthState::Up
    } else {
        HealthState::Unknown
    }
}

#[cfg(test)]
mod tests {
    use CheckState::{Down, Slow, Unknown, Up};

    use super::*;

    /// Every list of `length` states out of `states`.
    fn lists(states: &[CheckState], length: usize) -> Vec<Vec<CheckState>> {
        let mut lists = vec![Vec::new()];
        for _ in 0..length {
            lists = lists
                .iter()
                .flat_map(|list| states.iter().map(|state| [list.as_slice(), &[*state]].concat()))
                .collect();
        }
        lists
    }

    /// The plain meaning, for lists without unknown checks.
    fn known(require: Require, checks: &[CheckState]) -> HealthState {
        let passing = checks.iter().filter(|check| **check != Down).count();
        let holds = match require {
            Require::All => passing == checks.len(),
            Require::Any => passing >= 1,
            Require::AtLeast(count) => passing >= count,
        };
        match (holds, checks.iter().all(|check| *check == Up)) {
            (false, _) => HealthState::Down,
            (true, true) => HealthState::Up,
            (true, false) => HealthState::Degraded,
        }
    }

    #[test]
    fn the_answer_is_what_every_completion_agrees_on() {
        for length in 1..=4 {
            let mut requires = vec![Require::All, Require::Any];
            requires.extend((1..=length).map(Require::AtLeast));
            for require in requires {
                for list in lists(&[Unknown, Up, Slow, Down], length) {
                    let answers: Vec<HealthState> = lists(&[Up, Slow, Down], length)
                        .into_iter()
                        .filter(|other| {
                            other.iter().zip(&list).all(|(o, l)| *l == Unknown || o == l)
                        })
                        .map(|completion| known(require, &completion))
                        .collect();
                    let agreed = answers.iter().all(|answer| *answer == answers[0]);
                    let expected = if agreed { answers[0] } else { HealthState::Unknown };
                    assert_eq!(
                        evaluate(require, list.iter().copied()),
                        expected,
                        "{require:?} {list:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_senseless_number_of_checks_is_still_met_by_all_of_them() {
        assert_eq!(evaluate(Require::AtLeast(9), [Up, Up]), HealthState::Up);
        assert_eq!(evaluate(Require::AtLeast(0), [Down, Down]), HealthState::Down);
        assert_eq!(evaluate(Require::All, []), HealthState::Unknown);
    }
}
