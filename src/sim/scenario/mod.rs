//! Scenarios: a run as text. What happens when, what must be seen, what must hold in the end, what must never be.
//! The words are described in `simulations/README.md`.

mod expect;
mod parse;
mod verbs;

use std::collections::BTreeSet;

pub use expect::{Claim, Expectation, Fact};
pub use parse::ScenarioError;
pub use verbs::Trigger;

use super::action::Action;
use super::cluster::Shape;
use super::picture::Picture;
use super::queue::{Micros, SECOND};
use super::world::{Mark, Params, Violation, World};

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The cluster's settings.
    pub shape: Shape,
    /// Of the run.
    pub seed: u64,
    /// How long it is.
    pub length: Micros,
    /// What is done when.
    pub actions: Vec<(Micros, Action)>,
    /// What is done the first time that something is seen.
    pub triggers: Vec<(Trigger, Action)>,
    /// What it demands, each with its line number.
    pub expectations: Vec<(usize, Expectation)>,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of everything that happened.
    pub digest: u64,
    /// What an oracle found.
    pub violation: Option<Violation>,
    /// Expectations that were not met: line, and what it demands.
    pub unmet: Vec<(usize, String)>,
    /// The last events, or all.
    pub events: Vec<String>,
    /// When it was asked for.
    pub picture: Option<Picture>,
}

impl Report {
    /// Whether all is as demanded.
    pub const fn passed(&self) -> bool {
        self.violation.is_none() && self.unmet.is_empty()
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// All faults at once, each with its line.
    pub fn parse(text: &str) -> Result<Self, Vec<ScenarioError>> {
        parse::parse(text)
    }

    /// Runs it.
    pub fn run(&self, trace: bool, redb: bool) -> Report {
        self.run_with(Params { trace, redb, ..self.params() })
    }

    /// Runs it and draws a picture.
    pub fn draw(&self, redb: bool) -> Report {
        self.run_with(Params { picture: true, redb, ..self.params() })
    }

    fn params(&self) -> Params {
        Params { shape: self.shape.clone(), ..Params::fair(self.seed) }
    }

    fn run_with(&self, params: Params) -> Report {
        let mut world = World::new(params);
        for (at, action) in &self.actions {
            world.act_at(*at, action.clone());
        }
        let mut read = 0;
        let mut fired: BTreeSet<usize> = BTreeSet::new();
        world.run_until(self.length, |world| {
            while let Some((_, mark)) = world.watch().marks.get(read).cloned() {
                read += 1;
                self.fire(world, &mark, &mut fired);
            }
        });
        world.end(false);
        let unmet = self
            .expectations
            .iter()
            .filter(|(_, expectation)| !expectation.met(&world))
            .map(|(line, expectation)| (*line, expectation.to_string()))
            .collect();
        Report {
            digest: world.trace().digest.value(),
            violation: world.violation().cloned(),
            unmet,
            events: world.trace().lines(),
            picture: world.take_picture(),
        }
    }

    fn fire(&self, world: &mut World, mark: &Mark, fired: &mut BTreeSet<usize>) {
        for (number, (trigger, action)) in self.triggers.iter().enumerate() {
            if trigger.matches(mark) && fired.insert(number) {
                world.act(action.clone());
            }
        }
    }
}

/// A scenario without settings.
const fn length() -> Micros {
    30 * SECOND
}

#[cfg(test)]
mod tests;
