//! `mutants --shrink`: the first failing seed of a mutant is shrunk, and what is left must tell the mutant from the
//! unbroken kernel.

use std::path::Path;
use std::time::{Duration, Instant};

use biplane::kernel::mutants::{Mutant, plant, uproot};
use biplane::sim::campaign::{Options, drawn};
use biplane::sim::scenario::Scenario;
use biplane::sim::shrink::{Shrunk, shrink};

/// A run with fewer events is not worth shrinking: the next seed is taken.
const EVENTS_BEFORE: usize = 60;
/// More events than this are not small.
const EVENTS_AFTER: usize = 8;
/// Longer than this is too long to wait for.
const TIME: Duration = Duration::from_secs(300);

/// Finds, shrinks, writes and runs again; whether all of it went well.
pub(crate) fn run(mutants: &[Mutant], seeds: u64, dir: &Path) -> bool {
    println!(
        "{:<7} {:>6} {:>6} {:>6} {:>6} {:>8}   ORACLE",
        "MUTANT", "SEED", "EVENTS", "LEFT", "RUNS", "SECONDS"
    );
    let mut well = true;
    for mutant in mutants {
        if let Err(why) = one(*mutant, seeds, dir) {
            println!("M{}: {why}", *mutant as u8);
            well = false;
        }
    }
    uproot();
    well
}

fn one(mutant: Mutant, seeds: u64, dir: &Path) -> Result<(), String> {
    plant(mutant);
    let (seed, scenario) = first(seeds).ok_or_else(|| {
        format!("no seed up to {seeds} with {EVENTS_BEFORE} events or more finds it")
    })?;
    let began = Instant::now();
    let shrunk =
        shrink(&scenario, &mut |_, _| began.elapsed() < TIME).map_err(|e| e.to_string())?;
    // What is done when something is seen is an event too.
    let events = |scenario: &Scenario| scenario.actions.len() + scenario.triggers.len();
    let (took, before, left) = (began.elapsed(), events(&scenario), events(&shrunk.scenario));
    println!(
        "{:<7} {seed:>6} {before:>6} {left:>6} {:>6} {:>8.1}   {}: {}",
        format!("M{}", mutant as u8),
        shrunk.tried,
        took.as_secs_f64(),
        shrunk.oracle,
        shrunk.what.lines().next().unwrap_or_default()
    );
    let text = written(mutant, seed, &shrunk);
    let file = dir.join(format!("M{}.txt", mutant as u8));
    std::fs::write(&file, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    told_apart(&text, mutant, shrunk.oracle)?;
    println!("        {} fails with it and passes without", file.display());
    if took >= TIME {
        return Err(format!("it took {} s", took.as_secs()));
    }
    if left > EVENTS_AFTER {
        return Err(format!("{left} events are left, more than {EVENTS_AFTER}"));
    }
    Ok(())
}

/// The first seed of enough events that finds the mutant which is planted.
fn first(seeds: u64) -> Option<(u64, Scenario)> {
    (1..=seeds).find_map(|seed| {
        let (scenario, _) = drawn(seed, &Options::default());
        let long = scenario.actions.len() >= EVENTS_BEFORE;
        (long && scenario.run(false).violation.is_some()).then_some((seed, scenario))
    })
}

fn written(mutant: Mutant, seed: u64, shrunk: &Shrunk) -> String {
    let found = format!("{}: {}", shrunk.oracle, shrunk.what);
    shrunk.scenario.text(&[format!("Seed {seed} with M{} planted, shrunk.", mutant as u8), found])
}

/// The text as a user would run it: the oracle finds the mutant in it, and nothing without the mutant.
fn told_apart(text: &str, mutant: Mutant, oracle: &str) -> Result<(), String> {
    let scenario =
        Scenario::parse(text).map_err(|faults| format!("it cannot be read again: {faults:?}"))?;
    plant(mutant);
    let found = scenario.run(false).violation.map(|violation| violation.oracle);
    if found != Some(oracle) {
        return Err(format!("the written scenario finds {found:?}, not {oracle}"));
    }
    uproot();
    match scenario.run(false).violation {
        None => Ok(()),
        Some(other) => Err(format!("without it too: {}: {}", other.oracle, other.what)),
    }
}
