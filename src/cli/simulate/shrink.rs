//! `biplane simulate --shrink SEED`.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::{SimulateArgs, build};
use crate::cli::exit::{Exit, Failure};
use crate::cli::simulate::progress::{Goal, Progress};
use crate::cli::{print, print_json};
use crate::sim::campaign;
use crate::sim::shrink::shrink;

/// What is printed as JSON.
#[derive(Serialize)]
struct ShrunkJson {
    seed: u64,
    oracle: String,
    what: String,
    at_us: u64,
    events_before: usize,
    events: usize,
    tried: u64,
    file: PathBuf,
}

pub(super) fn run(args: &SimulateArgs, seed: u64, json: bool) -> Result<Exit, Failure> {
    let file = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("seed-{seed}.txt")));
    // It takes minutes: what cannot be written in the end is said in the beginning.
    let refused = |error: std::io::Error| {
        let next = "name another file with --out, or move this one away";
        Failure::failed(format!("{} cannot be written: {error}", file.display()), next)
    };
    let tried = std::fs::File::create_new(&file).and_then(|_| std::fs::remove_file(&file));
    tried.map_err(refused)?;
    let (scenario, _) = campaign::drawn(seed, &args.options());
    let events_before = scenario.actions.len();
    let progress = Progress::new(Goal::Seeds(events_before as u64));
    let mut go_on = |left: usize, tried: u64| {
        progress.say(|| format!("{left} of {events_before} events left after {tried} runs"));
        args.time.is_none_or(|time| progress.elapsed() < time)
    };
    let shrunk = shrink(&scenario, &mut go_on).map_err(|error| {
        let next = format!("look for a seed that fails: biplane simulate --search{}", args.how());
        Failure::failed(format!("seed {seed}: {error}"), next)
    })?;
    progress.clear();
    let events = shrunk.scenario.actions.len();
    let (seconds, micros) = (shrunk.at / 1_000_000, shrunk.at % 1_000_000);
    let remarks = [
        format!("{} at {seconds}.{micros:06} s: {}", shrunk.oracle, shrunk.what),
        format!(
            "Seed {seed}{} of {}: {events_before} events, shrunk to {events}.",
            args.how(),
            build()
        ),
    ];
    let text = shrunk.scenario.text(&remarks);
    std::fs::File::create_new(&file)
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .map_err(refused)?;
    let told = ShrunkJson {
        seed,
        oracle: shrunk.oracle.to_owned(),
        what: shrunk.what,
        at_us: shrunk.at,
        events_before,
        events,
        tried: shrunk.tried,
        file,
    };
    if json {
        print_json(&told)?;
    } else {
        print(&format!(
            "{}: {}\n{events} of {events_before} events are left after {} runs: {}\n",
            told.oracle,
            told.what,
            told.tried,
            told.file.display()
        ));
    }
    Ok(Exit::Done)
}
