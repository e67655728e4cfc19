//! Scenarios: a run as text. `simulations/*.txt` hold those that must always pass; a drawn seed is one too, and can be
//! written down. The grammar is in `simulations/README.md`.

mod expect;
mod matrix;
mod parse;
pub mod sense;
mod settings;
mod verb;
mod words;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use expect::{Claim, Expectation, Fact};
pub use parse::ScenarioError;

use super::action::Action;
use super::client::Wish;
use super::counts::Counts;
use super::picture::Picture;
use super::queue::{Micros, SECOND};
use super::rest;
use super::trace::panic_words;
use super::world::{Mark, Params, Violation, World, watching};

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What the world is made of.
    pub params: Params,
    /// How long it is.
    pub length: Micros,
    /// What is done when.
    pub actions: Vec<(Micros, Action)>,
    /// What is done the first time that something is seen.
    pub triggers: Vec<(Trigger, Action)>,
    /// What it demands, each with its line number.
    pub expectations: Vec<(usize, Expectation)>,
    /// It demands that no oracle finds anything. They watch always; this lets a file demand nothing else.
    pub promises: bool,
    /// These members must come to rest after its length: liveness.
    pub rest: Option<Vec<usize>>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            params: Params::fair(1),
            length: 30 * SECOND,
            actions: Vec::new(),
            triggers: Vec::new(),
            expectations: Vec::new(),
            promises: false,
            rest: None,
        }
    }
}

/// What sets off an action, the first time that it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A leader asked.
    Question,
    /// A switchover was begun.
    Decided,
    /// A route changed.
    Routed,
    /// A process died.
    Crash,
    /// A node takes over a snapshot.
    Snapshot,
}

impl Trigger {
    /// Whether this is it.
    pub const fn matches(self, mark: &Mark) -> bool {
        matches!(
            (self, mark),
            (Self::Question, Mark::Question)
                | (Self::Decided, Mark::Decided(..))
                | (Self::Routed, Mark::Routed(..))
                | (Self::Crash, Mark::Crashed(_))
                | (Self::Snapshot, Mark::Snapshot(_))
        )
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Decided => "decided",
            Self::Routed => "routed",
            Self::Crash => "crash",
            Self::Snapshot => "snapshot",
        }
    }
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of everything that happened.
    pub digest: u64,
    /// What an oracle found.
    pub violation: Option<Violation>,
    /// Expectations that were not met.
    pub unmet: Vec<Unmet>,
    /// What was to be done when something is seen, and that was never seen.
    pub waited: Vec<String>,
    /// What was done and struck nobody, each with the reason.
    pub in_vain: Vec<String>,
    /// The last events, or all.
    pub events: Vec<String>,
    /// What happened, in a few words and in order.
    pub story: Vec<String>,
    /// What was seen.
    pub counts: Counts,
    /// Simulated time.
    pub simulated: Micros,
    /// When it was asked for.
    pub picture: Option<Picture>,
}

/// A demand that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Where it stands in the file.
    pub line: usize,
    /// What is demanded.
    pub demand: String,
    /// What was the case instead.
    pub instead: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.demand, self.instead)
    }
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

    /// Reads a file that may hold a matrix: `each NAME A | B` lines, whose words stand wherever `$NAME` does. One
    /// scenario for each combination, with the words that make it; a file without such a line is one.
    ///
    /// # Errors
    /// All faults at once, each with its line.
    pub fn parse_all(text: &str) -> Result<Vec<(String, Self)>, Vec<ScenarioError>> {
        matrix::parse_all(text)
    }

    /// The text of it, after remarks. Read again it gives the same run, event for event.
    pub fn text(&self, remarks: &[String]) -> String {
        write::write(self, remarks)
    }

    /// Runs it. `trace` keeps every event; `params.picture` draws it too. A fault of the simulator itself is a finding, too: a
    /// campaign must not lose its seed.
    pub fn run(&self, trace: bool) -> Report {
        catch_unwind(AssertUnwindSafe(|| self.run_world(trace))).unwrap_or_else(|panic| {
            let what = format!("the simulator itself: {}", panic_words(panic.as_ref()));
            Report {
                digest: 0,
                violation: Some(Violation { oracle: "panic", what, at: self.length }),
                unmet: Vec::new(),
                waited: Vec::new(),
                in_vain: Vec::new(),
                events: Vec::new(),
                story: Vec::new(),
                counts: Counts::default(),
                simulated: 0,
                picture: None,
            }
        })
    }

    fn run_world(&self, trace: bool) -> Report {
        let mut world = World::new(Params { trace, ..self.params.clone() });
        for (at, action) in &self.actions {
            world.act_at(*at, action.clone());
        }
        let mut read = 0;
        let mut fired: BTreeMap<usize, Micros> = BTreeMap::new();
        let mut after = |world: &mut World| {
            while let Some((_, mark)) = world.watch().marks.get(read).cloned() {
                read += 1;
                self.fire(world, &mark, &mut fired);
            }
        };
        world.run_until(self.length, &mut after);
        let unrest = self.rest.as_ref().and_then(|core| rest::wait(&mut world, core, &mut after));
        world.end(self.rest.as_deref().filter(|_| unrest.is_none()));
        let violation =
            world.violation().cloned().or_else(|| unrest.map(|what| self.restless(&world, &what)));
        self.report(&mut world, violation, &fired, trace)
    }

    /// Those who must come to rest have not.
    fn restless(&self, world: &World, what: &str) -> Violation {
        let waited = (world.now() - self.length) / SECOND;
        let what = format!("{what}, {waited} s after the end of the run: no rest without it");
        Violation { oracle: "liveness", what, at: world.now() }
    }

    fn report(
        &self,
        world: &mut World,
        violation: Option<Violation>,
        fired: &BTreeMap<usize, Micros>,
        trace: bool,
    ) -> Report {
        let unmet: Vec<Unmet> = self
            .expectations
            .iter()
            .filter(|(_, expectation)| !expectation.met(world))
            .map(|(line, expectation)| Unmet {
                line: *line,
                demand: expectation.to_string(),
                instead: expectation.instead(world),
            })
            .collect();
        let triggers = || self.triggers.iter().enumerate();
        let waited = triggers()
            .filter(|(number, _)| !fired.contains_key(number))
            .map(|(_, (trigger, action))| format!("on {} {}", trigger.word(), verb::write(action)))
            .collect();
        let vain = world.in_vain().iter();
        let in_vain =
            vain.map(|(action, why)| format!("`{}`: {why}", verb::write(action))).collect();
        let on = triggers().filter_map(|(n, (_, action))| Some((*fired.get(&n)?, action)));
        let told = trace || violation.is_some() || !unmet.is_empty();
        Report {
            digest: world.trace().digest.value(),
            violation,
            unmet,
            events: if told { world.trace().lines() } else { Vec::new() },
            story: self.story(world, on),
            waited,
            in_vain,
            counts: *world.counts(),
            simulated: world.now(),
            picture: world.take_picture(),
        }
    }

    /// What was done, and what came of it, in order.
    fn story<'a>(
        &'a self,
        world: &World,
        on: impl Iterator<Item = (Micros, &'a Action)>,
    ) -> Vec<String> {
        let read = |action: &Action| matches!(action, Action::Ask { wish: Wish::Read, .. });
        let at = self.actions.iter().map(|(at, action)| (*at, action));
        let done = at.chain(on).filter(|(at, action)| *at <= world.now() && !read(action));
        let done = done.map(|(at, action)| (at, 0, format!("> {}", verb::write(action))));
        let seen = world.watch().told(world.cluster()).map(|(at, told)| (at, 1, told));
        let mut lines: Vec<(Micros, u8, String)> = done.chain(seen).collect();
        lines.sort_by_key(|(at, rank, _)| (*at, *rank));
        lines.into_iter().map(|(at, _, told)| watching::line(at, &told)).collect()
    }

    fn fire(&self, world: &mut World, mark: &Mark, fired: &mut BTreeMap<usize, Micros>) {
        for (number, (trigger, action)) in self.triggers.iter().enumerate() {
            if trigger.matches(mark) && !fired.contains_key(&number) {
                fired.insert(number, world.now());
                world.act(action.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
