//! Many seeds: each runs by itself; results are the same in whatever order they come.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counts::{Class, Counts};
use super::picture::Picture;
use super::queue::{Micros, SECOND};
use super::swarm::{END, PATIENCE, Plan};
use super::world::{Violation, World};

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
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which stores.
    pub storage: StorageChoice,
    /// Whether every event is kept.
    pub trace: bool,
    /// Whether a picture is drawn.
    pub picture: bool,
}

/// Runs one seed.
pub fn run_seed(seed: u64, options: Options) -> Outcome {
    let mut plan = Plan::draw(seed);
    plan.params.trace = options.trace;
    plan.params.picture = options.picture;
    plan.params.redb = match options.storage {
        StorageChoice::Model => false,
        StorageChoice::Redb => true,
        StorageChoice::Mix => seed.is_multiple_of(MIX),
    };
    let mut world = World::new(plan.params.clone());
    for (at, action) in &plan.actions {
        world.act_at(*at, action.clone());
    }
    world.run_until(END, |_| {});
    let mut unrest = rest(&world, &plan);
    while unrest.is_some() && world.now() < PATIENCE && world.violation().is_none() {
        world.run_until(world.now() + SECOND, |_| {});
        unrest = rest(&world, &plan);
    }
    world.end(unrest.is_none());
    let violation = world
        .violation()
        .cloned()
        .or_else(|| unrest.map(|what| Violation { oracle: "liveness", what, at: world.now() }));
    let events =
        if violation.is_some() || options.trace { world.trace().lines() } else { Vec::new() };
    Outcome {
        seed,
        digest: world.trace().digest.value(),
        counts: *world.counts(),
        violation,
        events,
        faults: plan.struck,
        simulated: world.now(),
        picture: world.take_picture(),
    }
}

/// What keeps the healed quorum from being at rest; nothing when it is.
fn rest(world: &World, plan: &Plan) -> Option<String> {
    let mut views = Vec::new();
    for node in &plan.core {
        let Some(view) = world.view(*node) else {
            return Some(format!("node {} shows nothing", node + 1));
        };
        views.push((node + 1, view));
    }
    let (first, reference) = views.first()?;
    if reference.leader.is_none() {
        return Some(format!("node {first} knows no leader"));
    }
    for (node, view) in &views {
        if view.leader != reference.leader {
            return Some(format!("nodes {first} and {node} follow different leaders"));
        }
        if view.routes != reference.routes {
            return Some(format!("nodes {first} and {node} show different routes"));
        }
        if !view.in_quorum {
            return Some(format!("node {node} is out of touch with the quorum"));
        }
        if let Some(lying) = view.ledger.switchovers().values().find(|s| !s.state.ended()) {
            return Some(format!("{} is {} at node {node}", lying.id, lying.state));
        }
    }
    if !plan.free() {
        return None;
    }
    for (group, route) in reference.routes.iter() {
        let plane = world.cluster().plane_index(&route.plane)?;
        if !world.planes().serves(group, plane) {
            return Some(format!(
                "{group} is on {}, which is dead, and the other is well",
                route.plane
            ));
        }
        // A gateway cannot know that the node it follows is one of those that are left behind.
        let follows = plan.core.contains(&world.gateway().follows);
        if follows && world.gateway().plane(group) != Some(&route.plane) {
            return Some(format!("the gateway does not follow {group} to {}", route.plane));
        }
    }
    None
}

/// Runs seeds on a few threads; `done` hears of each as it ends, in any order. Results are in order of seeds.
pub fn run_seeds(
    seeds: std::ops::RangeInclusive<u64>,
    jobs: usize,
    options: Options,
    done: impl Fn(&Outcome) + Sync,
) -> Vec<Outcome> {
    let next = AtomicU64::new(*seeds.start());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() {
                        return;
                    }
                    let outcome = run_seed(seed, options);
                    done(&outcome);
                    if let Ok(mut results) = results.lock() {
                        results.push(outcome);
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|outcome: &Outcome| outcome.seed);
    results
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
pub fn summary(outcomes: &[Outcome]) -> Summary {
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
        missed: missed(seeds, &classes),
        classes,
        simulated_seconds: outcomes.iter().map(|outcome| outcome.simulated).sum::<Micros>()
            / SECOND,
    }
}

/// What so many seeds should have seen; nothing when they are few.
fn missed(seeds: u64, classes: &[(&'static str, u64, u64)]) -> Vec<String> {
    if seeds < LONG {
        return Vec::new();
    }
    let never = classes.iter().filter(|(_, seen, _)| *seen == 0);
    let mut missed: Vec<String> =
        never.map(|(name, _, _)| format!("{name} was never seen")).collect();
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

    #[test]
    fn a_few_seeds_pass_every_oracle() {
        for outcome in run_seeds(1..=12, 2, Options::default(), |_| {}) {
            assert!(outcome.violation.is_none(), "{outcome:#?}");
        }
    }

    #[test]
    fn a_long_campaign_that_never_saw_a_class_or_seldom_a_switchover_has_missed_it() {
        let seen = |seeds| -> Vec<_> {
            Class::ALL.iter().map(|(_, name)| (*name, seeds, seeds)).collect::<Vec<_>>()
        };
        assert_eq!(missed(LONG, &seen(LONG / 2)), Vec::<String>::new());
        assert!(missed(LONG, &seen(LONG / 2 - 1))[0].contains("automatic-switchover"));
        for (class, name) in Class::ALL {
            let mut classes = seen(LONG);
            classes[class as usize] = (name, 0, 0);
            assert!(missed(LONG, &classes)[0].contains(name), "{name}");
            assert!(missed(LONG - 1, &classes).is_empty(), "too few seeds to tell");
        }
    }

    #[test]
    fn every_plan_has_faults_and_lasts_a_minute() {
        for seed in 1..=2_000 {
            let plan = Plan::draw(seed);
            assert!(plan.struck >= 3, "seed {seed}: {}", plan.struck);
            assert!(plan.faults.len() >= 3, "seed {seed}");
        }
        assert_eq!(END, 60 * SECOND);
    }

    #[test]
    fn one_seed_is_one_run() {
        let digests = |trace| -> Vec<u64> {
            let options = Options { trace, ..Options::default() };
            (7..=9).map(|seed| run_seed(seed, options).digest).collect()
        };
        assert_eq!(digests(false), digests(true));
    }
}
