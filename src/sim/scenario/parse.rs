//! Text → scenario. One verb a line.

use std::collections::BTreeSet;
use std::fmt;

use super::expect::Expectation;
use super::words::{member, micros, number, time};
use super::{Scenario, Trigger, sense, settings, verb};
use crate::sim::action::Action;
use crate::sim::queue::Micros;

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
pub(super) const LINES: usize = 10_000;

pub(super) fn parse(text: &str) -> Result<Scenario, Vec<ScenarioError>> {
    let mut scenario = Scenario::default();
    let mut errors = Vec::new();
    let mut said: BTreeSet<&str> = BTreeSet::new();
    let mut times: Vec<(usize, Micros)> = Vec::new();
    let (mut lines, mut on) = (Vec::new(), Vec::new());
    // Some editors put a mark of the order of bytes first.
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = number + 1;
        if number > LINES {
            let what = format!("a scenario has no more than {LINES} lines");
            errors.push(ScenarioError { line: number, what });
            break;
        }
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        if let [once @ ("seed" | "run"), ..] = words[..]
            && !said.insert(once)
        {
            let what = format!("`{once}` stands there already");
            errors.push(ScenarioError { line: number, what });
        }
        let before = (scenario.actions.len(), scenario.triggers.len());
        match read_line(&mut scenario, number, &words) {
            Ok(at) => times.extend(at.map(|at| (number, at))),
            Err(what) => errors.push(ScenarioError { line: number, what }),
        }
        lines.extend((scenario.actions.len() > before.0).then_some(number));
        on.extend((scenario.triggers.len() > before.1).then_some(number));
    }
    errors.extend(sense::missing(&scenario, &lines, &on));
    errors.sort_by_key(|error| error.line);
    let end = scenario.length;
    errors.extend(times.into_iter().filter(|(_, at)| *at > end).map(|(line, _)| {
        let what = format!("the run is over after {}: it needs a longer `run TIME`", time(end));
        ScenarioError { line, what }
    }));
    let demands = scenario.promises || scenario.rest.is_some() || !scenario.expectations.is_empty();
    if !demands && errors.is_empty() {
        let what = "a scenario without `must see`, `must hold`, `must rest`, `must keep every promise` or `never` \
                    proves nothing"
            .to_owned();
        errors.push(ScenarioError { line: text.lines().count(), what });
    }
    if errors.is_empty() { Ok(scenario) } else { Err(errors) }
}

/// Takes a line; the time that it speaks of, if it does, which the run must reach.
fn read_line(
    scenario: &mut Scenario,
    line: usize,
    words: &[&str],
) -> Result<Option<Micros>, String> {
    if let Some(word) = words.iter().find(|word| word.starts_with('$')) {
        let name = word.trim_start_matches('$');
        return Err(format!("`{word}` stands for nothing: write `each {name} A | B` above"));
    }
    match words {
        ["cluster", rest @ ..] => settings::cluster(&mut scenario.params.shape, rest)?,
        ["world", rest @ ..] => settings::world(&mut scenario.params, rest)?,
        ["seed", seed] => scenario.params.seed = number(seed)?,
        ["run", span] => match micros(span)? {
            0 => return Err("a run of no time shows nothing".to_owned()),
            length => scenario.length = length,
        },
        ["at", time, action @ ..] => {
            let at = micros(time)?;
            scenario.actions.push((at, verb::read(action)?));
            return Ok(Some(at));
        }
        ["on", rest @ ..] => scenario.triggers.push(trigger(rest)?),
        ["must", "keep", "every", "promise"] => scenario.promises = true,
        ["must", "rest", members @ ..] => {
            let named: Result<Vec<usize>, String> =
                members.iter().map(|name| member(name)).collect();
            let named = named?;
            if scenario.rest.is_some() {
                return Err(
                    "`must rest` stands there already: name all members in one line".to_owned()
                );
            }
            scenario.rest = Some(if named.is_empty() { vec![0, 1, 2] } else { named });
        }
        ["must" | "never", ..] => {
            let expectation = Expectation::parse(words)?;
            let after = expectation.after;
            scenario.expectations.push((line, expectation));
            // At its very end nothing begins any more.
            return Ok(Some(if after > 0 { after + 1 } else { 0 }));
        }
        [verb, ..] => {
            return Err(format!(
                "`{verb}` is not a verb: write cluster, world, seed, at, on, run, must see, must hold, must rest, \
                 must keep every promise or never"
            ));
        }
        [] => {}
    }
    Ok(None)
}

fn trigger(words: &[&str]) -> Result<(Trigger, Action), String> {
    let (trigger, action) = match words {
        ["question", rest @ ..] => (Trigger::Question, rest),
        ["decided", rest @ ..] => (Trigger::Decided, rest),
        ["routed", rest @ ..] => (Trigger::Routed, rest),
        ["crash", rest @ ..] => (Trigger::Crash, rest),
        ["snapshot", rest @ ..] => (Trigger::Snapshot, rest),
        _ => {
            return Err(format!(
                "`on {}`: write on question, on decided, on routed, on crash or on snapshot, then what to do",
                words.join(" ")
            ));
        }
    };
    Ok((trigger, verb::read(action)?))
}
