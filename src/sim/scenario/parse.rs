//! Text → scenario. One verb a line.

use std::fmt;
use std::time::Duration;

use super::expect::Expectation;
use super::{Scenario, length, verbs};
use crate::kernel::ledger::{Budget, FlapLimit, Mode};
use crate::sim::cluster::Shape;
use crate::sim::queue::{MS, Micros, SECOND};

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Lines in a scenario.
const LINES: usize = 1_000;

pub(super) fn parse(text: &str) -> Result<Scenario, Vec<ScenarioError>> {
    let mut scenario = Scenario {
        shape: Shape::default(),
        seed: 1,
        length: length(),
        actions: Vec::new(),
        triggers: Vec::new(),
        expectations: Vec::new(),
    };
    let mut errors = Vec::new();
    for (number, line) in text.lines().take(LINES).enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let number = number + 1;
        if let Err(what) = read_line(&mut scenario, number, &words) {
            errors.push(ScenarioError { line: number, what });
        }
    }
    if scenario.expectations.is_empty() && errors.is_empty() {
        let what =
            "a scenario without `must see`, `must hold` or `never` proves nothing".to_owned();
        errors.push(ScenarioError { line: text.lines().count(), what });
    }
    if errors.is_empty() { Ok(scenario) } else { Err(errors) }
}

fn read_line(scenario: &mut Scenario, number: usize, words: &[&str]) -> Result<(), String> {
    match words {
        ["cluster", rest @ ..] => cluster(&mut scenario.shape, rest),
        ["seed", seed] => {
            scenario.seed = seed.parse().map_err(|_| format!("`{seed}` is not a number"))?;
            Ok(())
        }
        ["run", span] => {
            scenario.length = micros(span)?;
            Ok(())
        }
        ["at", time, action @ ..] => {
            let at = micros(time)?;
            scenario.actions.push((at, verbs::action(action)?));
            Ok(())
        }
        ["on", rest @ ..] => {
            scenario.triggers.push(verbs::trigger(rest)?);
            Ok(())
        }
        ["must" | "never", ..] => {
            scenario.expectations.push((number, Expectation::parse(words)?));
            Ok(())
        }
        [verb, ..] => Err(format!(
            "`{verb}` is not a verb: write cluster, seed, at, on, run, must see, must hold or never"
        )),
        [] => Ok(()),
    }
}

fn cluster(shape: &mut Shape, words: &[&str]) -> Result<(), String> {
    let count = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is not a number"));
    match words {
        ["mode", "auto"] => shape.mode = Mode::Auto,
        ["mode", "ask"] => shape.mode = Mode::Ask,
        ["mode", "observe"] => shape.mode = Mode::Observe,
        ["dwell", span] => shape.dwell = duration(span)?,
        ["interval", span] => shape.interval = duration(span)?,
        ["election", span] => shape.election_max = duration(span)?,
        ["groups", "1"] => shape.two_groups = false,
        ["groups", "2"] => shape.two_groups = true,
        ["fall", fall, "rise", rise] => shape.fall_rise = (count(fall)?, count(rise)?),
        ["budget", switches, "in", window] => {
            let budget = Budget { switches: count(switches)?, window: duration(window)? };
            shape.budget = Some(budget);
        }
        ["flap_limit", downs, "in", window] => {
            let limit = FlapLimit { downs: count(downs)?, window: duration(window)? };
            shape.flap_limit = Some(limit);
        }
        _ => {
            return Err(format!(
                "`cluster {}` is not a setting: write mode auto|ask|observe, dwell TIME, interval TIME, \
                 election TIME, groups 1|2, fall N rise N, budget N in TIME or flap_limit N in TIME",
                words.join(" ")
            ));
        }
    }
    Ok(())
}

/// `200ms` or `3s`.
pub(super) fn micros(text: &str) -> Result<Micros, String> {
    let wrong = || format!("`{text}` is not a time: write 300ms or 2s");
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, MS),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, SECOND),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|at| *at <= 3600 * SECOND).ok_or_else(wrong)
}

fn duration(text: &str) -> Result<Duration, String> {
    micros(text).map(Duration::from_micros)
}
