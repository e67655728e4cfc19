//! All trials of a cluster: what was found, what would cure it, and the same seeds once more with that.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::cure::{Cure, cure};
use super::{Change, Complaint, Trial, changes};
use crate::kernel::ledger::Cluster;
use crate::sim::campaign::spread;

/// What came of a cluster.
#[derive(Clone, Debug)]
pub struct Exam {
    /// Each trial, with why it was left out or with the number of its complaints.
    pub tried: Vec<(Trial, Result<usize, &'static str>)>,
    /// What can go wrong.
    pub findings: Vec<Finding>,
    /// The same seeds with everything that was advised. None, when nothing was.
    pub rerun: Option<Rerun>,
}

/// One thing that can go wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// In which trial.
    pub trial: Trial,
    /// What.
    pub complaint: Complaint,
    /// In which seeds.
    pub had: Vec<u64>,
    /// What helps.
    pub advice: Advice,
}

/// What helps against a finding.
#[derive(Clone, Debug)]
pub enum Advice {
    /// This setting, first, and what has to move along. Whether it is to be lowered.
    Set(Vec<Change>, bool),
    /// What was advised against an earlier finding.
    Earlier,
    /// No value of one of these keys alone.
    Nothing(Vec<String>),
}

/// The same seeds with other settings.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// All that is to be written otherwise.
    pub changes: Vec<Change>,
    /// What was still found: nothing, as it should be.
    pub found: Vec<Complaint>,
}

/// How an exam is made.
#[derive(Clone, Debug)]
pub struct Examiner<'a> {
    /// Which trials.
    pub trials: &'a [Trial],
    /// Which seeds.
    pub seeds: RangeInclusive<u64>,
    /// On so many threads.
    pub jobs: usize,
}

/// Which complaints there were, and in which seeds.
type Found = BTreeMap<Complaint, Vec<u64>>;

impl Examiner<'_> {
    /// Tries a cluster; `tell` hears what is being done.
    pub fn examine(&self, cluster: &Arc<Cluster>, tell: impl Fn(String)) -> Exam {
        let mut tried = Vec::new();
        let mut findings = Vec::new();
        let mut best = Arc::clone(cluster);
        for trial in self.trials.iter().copied() {
            if let Some(why) = trial.pointless(cluster) {
                tried.push((trial, Err(why)));
                continue;
            }
            tell(format!("trial {}", trial.name()));
            let found = self.found(trial, cluster);
            tried.push((trial, Ok(found.len())));
            for (complaint, had) in found {
                tell(format!("looking for a setting: {complaint}"));
                let advice = self.advise(trial, &complaint, &had, &mut best);
                findings.push(Finding { trial, complaint, had, advice });
            }
        }
        let changes = changes(cluster, &best);
        let rerun = (!changes.is_empty()).then(|| {
            tell("the same seeds with what is advised".to_owned());
            let sensible = self.trials.iter().filter(|trial| trial.pointless(&best).is_none());
            let found = sensible.flat_map(|trial| self.found(*trial, &best).into_keys()).collect();
            Rerun { changes, found }
        });
        Exam { tried, findings, rerun }
    }

    fn found(&self, trial: Trial, cluster: &Arc<Cluster>) -> Found {
        let run = |seed| (seed, trial.run(cluster, seed).complaints);
        let mut found = Found::new();
        for (seed, complaints) in spread(self.seeds.clone(), self.jobs, || true, run) {
            for complaint in complaints {
                found.entry(complaint).or_default().push(seed);
            }
        }
        found
    }

    /// Looks for a cure on top of what was advised so far.
    fn advise(
        &self,
        trial: Trial,
        complaint: &Complaint,
        had: &[u64],
        best: &mut Arc<Cluster>,
    ) -> Advice {
        if !had.iter().any(|seed| trial.has(complaint, best, *seed)) {
            return Advice::Earlier;
        }
        match cure(trial, complaint, best, had, (&self.seeds, self.jobs)) {
            Some(Cure { setting, cluster }) => {
                let changes = changes(best, &cluster);
                *best = cluster;
                Advice::Set(changes, setting.lowers())
            }
            None => {
                let last = |setting: super::Setting| {
                    let value = setting.values(best).last().copied()?;
                    changes(best, &setting.with(best, value)).into_iter().next()
                };
                let keys = complaint.remedies().into_iter().filter_map(last);
                Advice::Nothing(
                    keys.map(|change| format!("{} = {}", change.key, change.after)).collect(),
                )
            }
        }
    }
}
