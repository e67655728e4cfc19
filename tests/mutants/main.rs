//! Plants each mutant in turn and runs seeds until the simulator finds it: the table of `docs/mutants.md`.
//!
//! `mutants [SEEDS] [--only M1,M11] [--jobs J]`: seeds 1 to SEEDS, no more than needed. The unbroken kernel then runs the
//! same seeds. Fails when a mutant survives, or when the unbroken kernel is found guilty.
//!
//! `mutants --shrink DIR [SEEDS] [--only …]` shrinks the first failing seed of three of them instead: see [`shrunk`].

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it is a program, prints a table, and tells how long it took"
)]

mod shrunk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use biplane::kernel::mutants::{Mutant, plant, uproot};
use biplane::sim::campaign::{Options, run_seed};
use biplane::sim::trace;

/// Seeds that are tried when none are named.
const SEEDS: u64 = 5_000;
const USAGE: &str = "usage: mutants [--shrink DIR] [SEEDS] [--only M1,M11] [--jobs J]";
/// Shrunk when none are named: each is found by another oracle.
const SHRUNK: &str = "M12,M38,M39";

/// What to run.
struct Wanted {
    seeds: u64,
    only: Vec<Mutant>,
    jobs: usize,
    shrink: Option<PathBuf>,
}

impl Wanted {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut wanted = Self { seeds: SEEDS, only: Mutant::ALL.to_vec(), jobs, shrink: None };
        let mut only = None;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--only" => only = Some(value()?),
                "--shrink" => wanted.shrink = Some(PathBuf::from(value()?)),
                "--jobs" => wanted.jobs = number(&value()?)?,
                seeds => wanted.seeds = number(seeds)?,
            }
        }
        let only = only.or_else(|| wanted.shrink.as_ref().map(|_| SHRUNK.to_owned()));
        if let Some(only) = only {
            let named =
                |name: &str| Mutant::named(name).ok_or_else(|| format!("`{name}` is not a mutant"));
            wanted.only = only.split(',').map(named).collect::<Result<_, _>>()?;
        }
        Ok(wanted)
    }
}

/// A number above 0.
fn number<N: std::str::FromStr + PartialOrd + Default>(text: &str) -> Result<N, String> {
    let number = text.parse().ok().filter(|number| *number > N::default());
    number.ok_or_else(|| format!("`{text}` is not a number of things to run"))
}

/// What came of some seeds, up to the first that found something.
#[derive(Default)]
struct Hunt {
    /// Of each seed that was run.
    digests: BTreeMap<u64, u64>,
    /// What was found by which.
    found: BTreeMap<u64, (&'static str, String)>,
}

/// Runs seeds until one of them finds something. The first that does is the same, however many threads there are.
fn hunt(seeds: u64, jobs: usize) -> Hunt {
    let (next, last) = (AtomicU64::new(1), AtomicU64::new(seeds));
    let hunt = Mutex::new(Hunt::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = run_seed(seed, &Options::default());
                    let Ok(mut hunt) = hunt.lock() else { return };
                    hunt.digests.insert(seed, outcome.digest);
                    if let Some(violation) = outcome.violation {
                        last.fetch_min(seed, Ordering::Relaxed);
                        let first = violation.what.lines().next().unwrap_or_default();
                        hunt.found.insert(seed, (violation.oracle, first.to_owned()));
                    }
                }
            });
        }
    });
    hunt.into_inner().unwrap_or_default()
}

fn main() -> ExitCode {
    let wanted = match Wanted::read(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic of the kernel is a finding, not a message here.
    std::panic::set_hook(Box::new(trace::remember_panic));
    if let Some(dir) = &wanted.shrink {
        let well = shrunk::run(&wanted.only, wanted.seeds, dir);
        return if well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    println!("{:<7} {:<7} {:>6} {:>8}   ORACLE", "MUTANT", "KILLED", "SEEDS", "SECONDS");
    let mut needed = 1;
    let mut survivors: Vec<(String, Hunt)> = Vec::new();
    for mutant in &wanted.only {
        plant(*mutant);
        let name = format!("M{}", *mutant as u8);
        let began = Instant::now();
        let hunt = hunt(wanted.seeds, wanted.jobs);
        let seconds = began.elapsed().as_secs();
        if let Some((seed, (oracle, what))) = hunt.found.first_key_value() {
            println!("{name:<7} {:<7} {seed:>6} {seconds:>8}   {oracle}: {what}", "yes");
            needed = needed.max(*seed);
        } else {
            println!("{name:<7} {:<7} {:>6} {seconds:>8}", "NO", wanted.seeds);
            needed = wanted.seeds;
            survivors.push((name, hunt));
        }
    }
    uproot();
    let mut well = survivors.is_empty();
    let began = Instant::now();
    let whole = hunt(needed, wanted.jobs);
    let seconds = began.elapsed().as_secs();
    if let Some((seed, (oracle, what))) = whole.found.first_key_value() {
        println!("{:<7} {:<7} {seed:>6} {seconds:>8}   {oracle}: {what}", "none", "GUILTY");
        well = false;
    } else {
        println!("{:<7} {:<7} {needed:>6} {seconds:>8}", "none", "clean");
    }
    for (name, hunt) in survivors {
        let other = |(seed, digest): &(&u64, &u64)| {
            whole.digests.get(*seed).is_some_and(|same| same != *digest)
        };
        // Nothing differs: it was never reached, or what it does is no fault.
        match hunt.digests.iter().find(other) {
            None => println!("{name} survives, and never differs from the unbroken kernel"),
            Some((seed, _)) => println!("{name} survives, and differs first in seed {seed}"),
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
