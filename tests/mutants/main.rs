//! Plants each mutant in turn and counts the seeds until the simulator finds it: the table of `docs/mutants.md`.
//!
//! `mutants [SEEDS]`: seeds 1 to SEEDS, and no more than needed. Fails when a mutant survives, when the unbroken
//! kernel is found guilty by the same seeds.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program, and prints a table"
)]

use std::process::ExitCode;

use biplane::kernel::mutants::{Mutant, plant, uproot};
use biplane::sim::campaign::{Options, Outcome, run_seed, run_seeds};
use biplane::sim::trace;

/// Seeds that are tried when none are named.
const SEEDS: u64 = 24;

fn main() -> ExitCode {
    let seeds = match std::env::args().nth(1).map(|text| text.parse::<u64>()) {
        None => SEEDS,
        Some(Ok(seeds)) if seeds > 0 => seeds,
        Some(_) => {
            eprintln!("usage: mutants [SEEDS]");
            return ExitCode::from(2);
        }
    };
    // A panic of the kernel is a finding, not a message here.
    std::panic::set_hook(Box::new(trace::remember_panic));
    let mut well = true;
    println!("{:<6} {:>10} {:>10}   WHAT FIRED", "MUTANT", "FIRST SEED", "FOUND BY");
    for mutant in Mutant::ALL {
        plant(mutant);
        let name = format!("M{}", mutant as u8);
        let outcomes = run_seeds(1..=seeds, jobs(), Options::default(), |_| {});
        let found: Vec<&Outcome> = outcomes.iter().filter(|o| o.violation.is_some()).collect();
        let Some((first, violation)) =
            found.first().and_then(|first| Some((first, first.violation.as_ref()?)))
        else {
            println!("{name:<6} {:>10} {:>10}   survives", "none", 0);
            well = false;
            continue;
        };
        println!("{name:<6} {:>10} {:>10}   {}", first.seed, found.len(), violation.oracle);
    }
    uproot();
    for seed in 1..=seeds {
        if let Some(violation) = run_seed(seed, Options::default()).violation {
            println!("none   {seed:>10}              {}: {}", violation.oracle, violation.what);
            well = false;
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
