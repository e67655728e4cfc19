//! The smallest value of a setting with which the same seeds have no such complaint: found by running them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Trial;
use super::complaint::Complaint;
use super::setting::Setting;
use crate::kernel::ledger::Cluster;
use crate::sim::campaign::spread;

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Cure {
    /// Which setting.
    pub(super) setting: Setting,
    /// The cluster with it.
    pub(super) cluster: Arc<Cluster>,
}

/// Looks for a cure of a complaint that these seeds had. The setting that helps best is tried first, in doubling steps
/// through round values and then between the last that failed and the first that passed. None, when no setting alone
/// does it.
pub(super) fn cure(
    trial: Trial,
    complaint: &Complaint,
    cluster: &Arc<Cluster>,
    had: &[u64],
    (seeds, jobs): (&RangeInclusive<u64>, usize),
) -> Option<Cure> {
    let passes = |cluster: &Arc<Cluster>| {
        let bad = |seed| trial.has(complaint, cluster, seed);
        // Who had the complaint is likely to have it still.
        let first = had.first().is_some_and(|seed| bad(*seed));
        !first && !spread(seeds.clone(), jobs, || true, bad).contains(&true)
    };
    complaint.remedies().into_iter().find_map(|setting| {
        let values = setting.values(cluster);
        let with = |place: usize| Arc::new(setting.with(cluster, values[place]));
        // One run may spare many.
        if setting.is_policy() && !passes(&with(values.len().checked_sub(1)?)) {
            return None;
        }
        let place = smallest(values.len(), |place| passes(&with(place)))?;
        Some(Cure { cluster: with(place), setting })
    })
}

/// The first of so many places that passes, when all that come after it do too.
fn smallest(count: usize, passes: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut failed, mut step) = (None, 2);
    let mut passed = loop {
        let place = failed.map_or(0, |failed: usize| failed + step).min(count.checked_sub(1)?);
        if passes(place) {
            break place;
        }
        if place + 1 == count {
            return None;
        }
        step = if failed.is_none() { step } else { 2 * step };
        failed = Some(place);
    };
    let mut low = failed.map_or(0, |failed| failed + 1);
    while low < passed {
        let middle = low.midpoint(passed);
        if passes(middle) {
            passed = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_passes_is_found_or_none() {
        for count in 0..40 {
            for first in 0..=count {
                let found = smallest(count, |place| place >= first);
                assert_eq!(found, (first < count).then_some(first), "{first} of {count}");
            }
        }
    }
}
