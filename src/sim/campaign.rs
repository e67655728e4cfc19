//! Many seeds: each runs by itself; results are the same in whatever order they come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::counts::{Class, Counts};
use super::picture::Picture;
use super::queue::{Micros, SECOND};
use super::scenario::{Report, Scenario};
use super::swarm::{Plan, Profile};
use super::world::Violation;
use crate::kernel::ledger::Cluster;

/// A campaign this long must have seen every class.
pub const LONG: u64 = 300;

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Of everything that happened.
    pub digest: u64,
    /// What was seen.
    pub counts: Counts,
    /// What went wrong.
    pub violation: Option<Violation>,
    /// The last events, if something went wrong, or all, if they were asked for.
    pub events: Vec<String>,
    /// How many faults it had.
    pub faults: u64,
    /// Simulated time.
    pub simulated: Micros,
    /// When it was asked for.
    pub picture: Option<Picture>,
}

/// Which stores carry the disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageChoice {
    /// The model log.
    Model,
    /// The store of production over a simulated disk.
    Redb,
    /// That one in a share of the seeds.
    #[default]
    Mix,
}

/// One seed in this many has the store of production in a mix.
const MIX: u64 = 8;

/// How seeds are run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Another cluster than the built-in one.
    pub cluster: Option<Arc<Cluster>>,
    /// Which stores.
    pub storage: StorageChoice,
    /// Which faults may exist.
    pub profile: Profile,
    /// Whether every event is kept.
    pub trace: bool,
    /// Whether a picture is drawn.
    pub picture: bool,
}

/// The run that a seed draws, and how many faults it has.
pub fn drawn(seed: u64, options: &Options) -> (Scenario, u64) {
    let redb = match options.storage {
        StorageChoice::Model => false,
        StorageChoice::Redb => true,
        StorageChoice::Mix => seed.is_multiple_of(MIX),
    };
    let mut plan = Plan::draw(seed, options.profile, redb, options.cluster.clone());
    plan.params.picture = options.picture;
    let faults = plan.struck;
    (plan.scenario(), faults)
}

/// Runs one seed.
pub fn run_seed(seed: u64, options: &Options) -> Outcome {
    let (scenario, faults) = drawn(seed, options);
    let Report { digest, counts, violation, events, simulated, picture, .. } =
        scenario.run(options.trace);
    Outcome { seed, digest, counts, violation, events, faults, simulated, picture }
}

/// Runs seeds on a few threads; `done` hears of each as it ends, in any order. Results are in order of seeds.
pub fn run_seeds(
    seeds: std::ops::RangeInclusive<u64>,
    jobs: usize,
    options: &Options,
    done: impl Fn(&Outcome) + Sync,
) -> Vec<Outcome> {
    search(seeds, jobs, options, || true, done)
}

/// The same, as long as `go_on` says so: a seed that was begun is ended, so what was run is a range without a gap.
pub fn search(
    seeds: std::ops::RangeInclusive<u64>,
    jobs: usize,
    options: &Options,
    go_on: impl Fn() -> bool + Sync,
    done: impl Fn(&Outcome) + Sync,
) -> Vec<Outcome> {
    spread(seeds, jobs, go_on, |seed| {
        let outcome = run_seed(seed, options);
        done(&outcome);
        outcome
    })
}

/// Does something for each seed on a few threads, as long as `go_on` says so. What came of it is in order of seeds, and
/// what was done is a range without a gap.
pub fn spread<T: Send>(
    seeds: std::ops::RangeInclusive<u64>,
    jobs: usize,
    go_on: impl Fn() -> bool + Sync,
    run: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
    // Counted from the start: a number beyond the last seed may be none.
    let (first, next) = (*seeds.start(), AtomicU64::new(0));
    let last = seeds.end().saturating_sub(first);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while go_on() {
                    let nth = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |nth| {
                        (nth <= last && nth < u64::MAX).then(|| nth + 1)
                    });
                    let Ok(nth) = nth else { return };
                    let seed = first + nth;
                    let result = run(seed);
                    if let Ok(mut results) = results.lock() {
                        results.push((seed, result));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(seed, _)| *seed);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What a campaign saw.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many seeds.
    pub seeds: u64,
    /// Over all seeds' digests.
    pub digest: u64,
    /// By class: name, in how many seeds, how often.
    pub classes: Vec<(&'static str, u64, u64)>,
    /// Simulated seconds.
    pub simulated_seconds: u64,
    /// Fewest faults in one of the seeds.
    pub fewest_faults: u64,
    /// What a long campaign should have seen, and this one did not.
    pub missed: Vec<String>,
}

/// Of a hundred seeds so many have an automatic switchover, at least: the product's main job.
const SWITCHED: u64 = 50;

/// Sums up.
pub fn summary(outcomes: &[Outcome], options: &Options) -> Summary {
    let mut digest = super::trace::Digest::default();
    for outcome in outcomes {
        digest.word(outcome.digest);
    }
    let sum = |(class, name): (Class, &'static str)| {
        let seen = outcomes.iter().map(|outcome| outcome.counts.of(class));
        (name, seen.clone().filter(|count| *count > 0).count() as u64, seen.sum())
    };
    let classes: Vec<_> = Class::ALL.into_iter().map(sum).collect();
    let seeds = outcomes.len() as u64;
    Summary {
        seeds,
        digest: digest.value(),
        fewest_faults: outcomes.iter().map(|outcome| outcome.faults).min().unwrap_or_default(),
        missed: missed(seeds, options, &classes),
        classes,
        simulated_seconds: outcomes.iter().map(|outcome| outcome.simulated).sum::<Micros>()
            / SECOND,
    }
}

/// What so many seeds should have seen; nothing when they are few, were drawn to see some of it only, or have
/// another cluster, whose timers may keep it from some of it.
fn missed(seeds: u64, options: &Options, classes: &[(&'static str, u64, u64)]) -> Vec<String> {
    if seeds < LONG || options.profile != Profile::Swarm || options.cluster.is_some() {
        return Vec::new();
    }
    let wanted =
        |class: Class| options.storage != StorageChoice::Model || !class.is_of_the_real_disk();
    let mut missed: Vec<String> = Class::ALL
        .iter()
        .zip(classes)
        .filter(|((class, _), (_, seen, _))| *seen == 0 && wanted(*class))
        .map(|(_, (name, _, _))| format!("{name} was never seen"))
        .collect();
    let switched = Class::AutomaticSwitchover as usize;
    let (name, seen, _) = classes[switched];
    if seen * 100 < seeds * SWITCHED {
        missed.push(format!(
            "{name} was seen in {seen} of {seeds} seeds: at least {SWITCHED} in 100"
        ));
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::swarm::END;

    #[test]
    fn a_few_seeds_pass_every_oracle() {
        for outcome in run_seeds(1..=12, 2, &Options::default(), |_| {}) {
            assert!(outcome.violation.is_none(), "{outcome:#?}");
        }
    }

    #[test]
    fn a_long_campaign_that_never_saw_a_class_or_seldom_a_switchover_has_missed_it() {
        let seen = |seeds| -> Vec<_> {
            Class::ALL.iter().map(|(_, name)| (*name, seeds, seeds)).collect::<Vec<_>>()
        };
        assert_eq!(missed(LONG, &Options::default(), &seen(LONG / 2)), Vec::<String>::new());
        assert!(
            missed(LONG, &Options::default(), &seen(LONG / 2 - 1))[0]
                .contains("automatic-switchover")
        );
        for (class, name) in Class::ALL {
            let mut classes = seen(LONG);
            classes[class as usize] = (name, 0, 0);
            assert!(missed(LONG, &Options::default(), &classes)[0].contains(name), "{name}");
            assert!(
                missed(LONG - 1, &Options::default(), &classes).is_empty(),
                "too few seeds to tell"
            );
            let model = Options { storage: StorageChoice::Model, ..Options::default() };
            let without = missed(LONG, &model, &classes).is_empty();
            assert_eq!(without, class.is_of_the_real_disk(), "{name} on the model");
            let plain = Options { profile: Profile::Plain, ..Options::default() };
            assert!(missed(LONG, &plain, &classes).is_empty(), "a profile sees some of it only");
        }
    }

    #[test]
    fn every_plan_has_faults_and_lasts_a_minute() {
        for seed in 1..=2_000 {
            let plan = Plan::draw(seed, Profile::Swarm, false, None);
            assert!(plan.struck >= 3, "seed {seed}: {}", plan.struck);
            assert!(plan.faults.len() >= 3, "seed {seed}");
        }
        assert_eq!(END, 60 * SECOND);
    }

    #[test]
    fn one_seed_is_one_run() {
        let digests = |trace| -> Vec<u64> {
            let options = Options { trace, ..Options::default() };
            (7..=9).map(|seed| run_seed(seed, &options).digest).collect()
        };
        assert_eq!(digests(false), digests(true));
    }
}
