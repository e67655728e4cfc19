//! Verdicts of services → what a plane is worth to a group.

use crate::kernel::domain::ServiceName;
use crate::kernel::health::Verdict;
use crate::kernel::policy::settings::OutWhen;

/// A group's critical services on one plane, counted by verdict. Supporting services are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaneSum {
    /// How many critical services there are.
    pub critical: usize,
    /// Of them: up.
    pub up: usize,
    /// Of them: degraded.
    pub degraded: usize,
    /// Of them: down.
    pub down: usize,
    /// Of them: seen differently by different observers.
    pub partial: usize,
    /// Of them: not seen by enough observers.
    pub no_data: usize,
    /// The first that is not up, for people.
    pub first_not_up: Option<(ServiceName, Verdict)>,
}

impl PlaneSum {
    /// Counts one critical service.
    pub fn add(&mut self, service: &ServiceName, verdict: Verdict) {
        self.critical += 1;
        match verdict {
            Verdict::Up => self.up += 1,
            Verdict::Degraded => self.degraded += 1,
            Verdict::Down => self.down += 1,
            Verdict::Partial => self.partial += 1,
            Verdict::NoData => self.no_data += 1,
        }
        if verdict != Verdict::Up && self.first_not_up.is_none() {
            self.first_not_up = Some((service.clone(), verdict));
        }
    }

    /// Whether the plane counts as out for the group.
    pub const fn out(&self, out_when: OutWhen, degraded_is_out: bool) -> bool {
        let bad = self.down + if degraded_is_out { self.degraded } else { 0 };
        match out_when {
            OutWhen::AnyCritical => bad >= 1,
            OutWhen::AtLeast(services) => bad >= services && bad >= 1,
        }
    }

    /// Whether the plane is good enough to be a target: every critical service is up.
    pub const fn good(&self) -> bool {
        self.critical > 0 && self.up == self.critical
    }

    /// In words: `all 3 critical services up`, or the first that is not.
    pub fn words(&self) -> String {
        match &self.first_not_up {
            None => format!("all {} critical services up", self.critical),
            Some((service, verdict)) => {
                format!(
                    "{} of {} critical services up; {service} {verdict}",
                    self.up, self.critical
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(verdicts: &[Verdict]) -> PlaneSum {
        let service = ServiceName::new("web").expect("a good name");
        let mut sum = PlaneSum::default();
        for verdict in verdicts {
            sum.add(&service, *verdict);
        }
        sum
    }

    #[test]
    fn only_down_takes_a_plane_out_unless_the_policy_says_otherwise() {
        use Verdict::{Degraded, Down, NoData, Partial, Up};
        assert!(sum(&[Up, Down]).out(OutWhen::AnyCritical, false));
        assert!(!sum(&[Up, Degraded]).out(OutWhen::AnyCritical, false));
        assert!(sum(&[Up, Degraded]).out(OutWhen::AnyCritical, true));
        assert!(!sum(&[Partial, NoData]).out(OutWhen::AnyCritical, true));
        assert!(!sum(&[Down, Up, Up]).out(OutWhen::AtLeast(2), false));
        assert!(sum(&[Down, Down, Up]).out(OutWhen::AtLeast(2), false));
    }

    #[test]
    fn a_target_is_good_only_when_all_is_up() {
        use Verdict::{Degraded, NoData, Up};
        assert!(sum(&[Up, Up]).good());
        assert!(!sum(&[Up, Degraded]).good());
        assert!(!sum(&[Up, NoData]).good());
        assert!(!sum(&[]).good());
    }
}
