//! The chaos suite: real processes in network namespaces, troubled by a seed, and judged.
//! `tests/campaign chaos [ROUNDS] [SECONDS] [--seed N] [--biplane FILE] [--keep]`; it needs root.
//!
//! Each run is a process of its own with mounts of its own: its namespaces, disks and children end with it, however it
//! ends. Ends with 0 if nothing was found, 1 on any finding, 2 for wrong words, 3 where it cannot run.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_in_result,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the suite watches real processes on a real clock and prints what it finds"
)]

mod admin_model;
mod admins;
mod api;
mod blame;
mod books;
mod bulk;
mod campaign;
mod cuts;
mod diagnosis;
mod files;
mod history;
mod linear;
mod network;
mod preload;
mod revoke;
mod round;
mod schedule;
mod strike;
mod users;
mod verdict;
mod watchers;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The word by which a campaign calls this program for one run.
pub(crate) const ROUND: &str = "one-round";

/// The word that asks for a campaign.
const CAMPAIGN: &str = "campaign";

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) rounds: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) biplane: PathBuf,
    /// Leave the files of good runs, too.
    pub(crate) keep: bool,
}

fn wish(words: &[String]) -> Option<Wish> {
    let biplane = PathBuf::from(env!("CARGO_BIN_EXE_biplane"));
    let mut wish = Wish { rounds: 300, seconds: 60, seed: 1, biplane, keep: false };
    let mut numbers = Vec::new();
    let mut words = words.iter().filter(|word| *word != "--bench");
    // `cargo bench` without a name runs every bench there is: six hours are not begun by chance.
    if words.next()? != CAMPAIGN {
        return None;
    }
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => wish.seed = words.next()?.parse().ok()?,
            "--keep" => wish.keep = true,
            "--biplane" => wish.biplane = PathBuf::from(words.next()?),
            number => numbers.push(number.parse::<u64>().ok().filter(|number| *number > 0)?),
        }
    }
    match numbers.as_slice() {
        [] => {}
        [rounds] => wish.rounds = *rounds,
        [rounds, seconds] => (wish.rounds, wish.seconds) = (*rounds, *seconds),
        _ => return None,
    }
    Some(wish)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [round, seed, seconds, dir, biplane] = &words[..]
        && round == ROUND
    {
        let number = |word: &str| word.parse().expect("the campaign writes numbers");
        let plan = round::Plan {
            seed: number(seed),
            length: Duration::from_secs(number(seconds)),
            dir: PathBuf::from(dir),
            biplane: PathBuf::from(biplane),
        };
        return match round::run(&plan) {
            Ok(result) => {
                println!("{result}");
                ExitCode::SUCCESS
            }
            Err(why) => {
                eprintln!("the run broke off: {why}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(wish) = wish(&words) else {
        eprintln!(
            "usage: tests/campaign chaos [ROUNDS] [SECONDS] [--seed N] [--biplane FILE] [--keep]"
        );
        return ExitCode::from(2);
    };
    if let Err(why) = campaign::can_run() {
        eprintln!("NOT RUN: {why}");
        return ExitCode::from(3);
    }
    if campaign::run(&wish) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
