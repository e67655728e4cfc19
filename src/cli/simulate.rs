//! `biplane simulate`: scenarios, or many seeds, in the simulator. What goes to standard output is the same for
//! every run of the same seeds; times and speeds go to standard error.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::{Context, print, print_json};
use crate::sim::campaign::{self, Options, Outcome, StorageChoice, Summary};
use crate::sim::scenario::{Report, Scenario};
use crate::sim::trace;
use crate::sim::world::Violation;

mod drawn;

use drawn::Traced;

/// Options of `biplane simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// Scenario files to run
    #[arg(value_name = "FILE", required_unless_present_any = ["seeds", "trace"])]
    files: Vec<PathBuf>,
    /// Seeds to run: a number of them from 1, or a range such as 40..60
    #[arg(long, value_name = "N|A..B", conflicts_with = "files", value_parser = parse_seeds)]
    seeds: Option<RangeInclusive<u64>>,
    /// Which store carries the disks
    #[arg(long, value_enum, default_value_t = StorageArg::Mix)]
    storage: StorageArg,
    /// Threads to spread seeds over [default: one for each core]
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Print every event of every run to standard error; or, of one run, write what happened into a file: a page to
    /// look at (FILE.html), or one JSON object a line (FILE.jsonl)
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    trace: Option<Option<PathBuf>>,
    /// Plant a fault in the kernel, to see whether the simulator finds it: M1, M3, …
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "MUTANT")]
    mutant: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StorageArg {
    /// A log in memory
    Model,
    /// The store of production, over a disk that loses, tears and fails
    Redb,
    /// That one for some of the seeds
    Mix,
}

/// Most seeds of one campaign.
const SEEDS_MAX: u64 = 10_000_000;

fn parse_seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let wrong = || format!("`{text}` is not a range of seeds: write 300, or 40..60");
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let range = match text.split_once("..") {
        None => 1..=number(text)?,
        Some((first, last)) => number(first)?..=number(last.trim_start_matches('='))?,
    };
    let count = range.end().checked_sub(*range.start()).ok_or_else(wrong)?;
    if count >= SEEDS_MAX {
        return Err(format!("`{text}` is more than {SEEDS_MAX} seeds: write a shorter range"));
    }
    if *range.end() == 0 { Err(wrong()) } else { Ok(range) }
}

/// Runs scenarios or seeds. Fails when anything is not as it must be.
pub(super) fn run(args: &SimulateArgs, context: &Context) -> Result<Exit, Failure> {
    #[cfg(feature = "mutants")]
    plant(args.mutant.as_deref())?;
    // A panic of the kernel is a finding with a seed, not a message here.
    std::panic::set_hook(Box::new(trace::remember_panic));
    let json = context.shared.json;
    let traced = drawn::traced(args)?;
    match &args.seeds {
        Some(seeds) => run_seeds(args, &traced, seeds.clone(), json),
        None => run_files(args, &traced, json),
    }
}

#[cfg(feature = "mutants")]
fn plant(name: Option<&str>) -> Result<(), Failure> {
    use crate::kernel::mutants::{Mutant, plant};
    let Some(name) = name else { return Ok(()) };
    let known = Mutant::ALL.map(|mutant| format!("M{}", mutant as u8)).join(", ");
    let mutant = Mutant::named(name).ok_or_else(|| {
        Failure::usage(format!("`{name}` is not a mutant"), format!("one of {known}"))
    })?;
    plant(mutant);
    Ok(())
}

/// What is printed as JSON of a campaign: nothing that differs from run to run.
#[derive(Serialize)]
struct CampaignJson<'a> {
    seeds: u64,
    simulated_seconds: u64,
    digest: String,
    classes: BTreeMap<&'a str, ClassJson>,
    fewest_faults: u64,
    missed: &'a [String],
    violations: Vec<ViolationJson<'a>>,
}

#[derive(Serialize)]
struct ClassJson {
    seeds: u64,
    times: u64,
}

#[derive(Serialize)]
struct ViolationJson<'a> {
    seed: u64,
    oracle: &'a str,
    what: &'a str,
    at_us: u64,
    repeat: String,
    events: &'a [String],
}

/// Violations that are shown with their events; of the others only the first line.
const SHOWN: usize = 3;

fn run_seeds(
    args: &SimulateArgs,
    traced: &Traced,
    seeds: RangeInclusive<u64>,
    json: bool,
) -> Result<Exit, Failure> {
    let storage = match args.storage {
        StorageArg::Model => StorageChoice::Model,
        StorageArg::Redb => StorageChoice::Redb,
        StorageArg::Mix => StorageChoice::Mix,
    };
    let options = Options { storage, trace: traced.print, picture: traced.file.is_some() };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let began = Instant::now();
    let done = AtomicU64::new(0);
    let outcomes = campaign::run_seeds(seeds, args.jobs.unwrap_or(cores), options, |outcome| {
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(violation) = &outcome.violation {
            eprintln!("seed {}: {}: {}", outcome.seed, violation.oracle, violation.what);
        } else if count.is_multiple_of(100) {
            eprintln!("{count} seeds, {:.0} s", began.elapsed().as_secs_f64());
        }
    });
    for outcome in &outcomes {
        traced.write(drawn::head_of_seed(outcome), outcome.picture.as_ref())?;
    }
    if traced.print {
        for outcome in &outcomes {
            eprintln!("seed {}\n{}", outcome.seed, outcome.events.join("\n"));
        }
    }
    let summary = campaign::summary(&outcomes);
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{seconds:.1} s of wall time: {:.0} simulated seconds a second",
        summary.simulated_seconds as f64 / seconds.max(0.001)
    );
    if json {
        print_json(&campaign_json(args, &summary, &outcomes))?;
    } else {
        print(&campaign_text(args, traced, &summary, &outcomes));
    }
    let broken = outcomes.iter().any(|outcome| outcome.violation.is_some());
    Ok(if broken || !summary.missed.is_empty() { Exit::Failed } else { Exit::Done })
}

fn repeat(args: &SimulateArgs, seed: u64) -> String {
    let storage = match args.storage {
        StorageArg::Model => " --storage model",
        StorageArg::Redb => " --storage redb",
        StorageArg::Mix => "",
    };
    format!("biplane simulate --seeds {seed}..{seed}{storage} --trace")
}

fn campaign_json<'a>(
    args: &SimulateArgs,
    summary: &'a Summary,
    outcomes: &'a [Outcome],
) -> CampaignJson<'a> {
    let class = |(name, seeds, times): &(&'static str, u64, u64)| {
        (*name, ClassJson { seeds: *seeds, times: *times })
    };
    let violation = |outcome: &'a Outcome| {
        let Violation { oracle, what, at } = outcome.violation.as_ref()?;
        let repeat = repeat(args, outcome.seed);
        let events = outcome.events.as_slice();
        Some(ViolationJson { seed: outcome.seed, oracle, what, at_us: *at, repeat, events })
    };
    CampaignJson {
        seeds: summary.seeds,
        simulated_seconds: summary.simulated_seconds,
        digest: format!("{:016x}", summary.digest),
        classes: summary.classes.iter().map(class).collect(),
        fewest_faults: summary.fewest_faults,
        missed: &summary.missed,
        violations: outcomes.iter().filter_map(violation).collect(),
    }
}

fn campaign_text(
    args: &SimulateArgs,
    traced: &Traced,
    summary: &Summary,
    outcomes: &[Outcome],
) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let _ = writeln!(text, "{:<32} {:>8} {:>10}", "CLASS", "SEEDS", "TIMES");
    for (name, seeds, times) in &summary.classes {
        let _ = writeln!(text, "{name:<32} {seeds:>8} {times:>10}");
    }
    let broken = outcomes.iter().filter(|outcome| outcome.violation.is_some());
    for (number, outcome) in broken.clone().enumerate() {
        let Some(Violation { oracle, what, at }) = &outcome.violation else { continue };
        let seconds = format!("{}.{:06}", at / 1_000_000, at % 1_000_000);
        let _ = writeln!(text, "\nseed {}: {oracle} at {seconds} s: {what}", outcome.seed);
        if number < SHOWN && !traced.print {
            let _ = writeln!(text, "{}", outcome.events.join("\n"));
        }
        let _ = writeln!(text, "repeat it: {}", repeat(args, outcome.seed));
    }
    for what in &summary.missed {
        let _ = writeln!(text, "\nmissed: {what}");
    }
    let _ = writeln!(
        text,
        "\n{} seeds of at least {} faults, {} violations, {} simulated seconds, digest {:016x}",
        summary.seeds,
        summary.fewest_faults,
        broken.count(),
        summary.simulated_seconds,
        summary.digest
    );
    text
}

/// What is printed as JSON of one scenario.
#[derive(Serialize)]
struct ScenarioJson {
    scenario: String,
    passed: bool,
    digest: String,
    violation: Option<String>,
    unmet: Vec<String>,
}

fn run_files(args: &SimulateArgs, traced: &Traced, json: bool) -> Result<Exit, Failure> {
    let mut results = Vec::new();
    let redb = args.storage == StorageArg::Redb;
    for path in &traced.scenarios {
        let scenario = read(path)?;
        let report = match &traced.file {
            Some(_) => scenario.draw(redb),
            None => scenario.run(traced.print, redb),
        };
        traced.write(drawn::head_of_scenario(path, &report), report.picture.as_ref())?;
        if traced.print || !report.passed() {
            eprintln!("{}\n{}", path.display(), report.events.join("\n"));
        }
        results.push(scenario_json(path, &report));
    }
    let passed = results.iter().all(|result| result.passed);
    if json {
        print_json(&results)?;
    } else {
        for result in &results {
            let word = if result.passed { "passed" } else { "FAILED" };
            print(&format!("{word}  {}  {}\n", result.digest, result.scenario));
            for what in result.violation.iter().chain(&result.unmet) {
                print(&format!("        {what}\n"));
            }
        }
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn read(path: &Path) -> Result<Scenario, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::failed(format!("{shown} cannot be read: {error}"), "check the path")
    })?;
    Scenario::parse(&text).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("{shown}: {error}")).collect();
        Failure::failed(lines.join("\n"), "simulations/README.md describes the words")
    })
}

fn scenario_json(path: &Path, report: &Report) -> ScenarioJson {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let violation = report.violation.as_ref();
    ScenarioJson {
        scenario: name,
        passed: report.passed(),
        digest: format!("{:016x}", report.digest),
        violation: violation.map(|violation| format!("{}: {}", violation.oracle, violation.what)),
        unmet: report.unmet.iter().map(|(line, text)| format!("line {line}: {text}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        assert_eq!(parse_seeds("300"), Ok(1..=300));
        assert_eq!(parse_seeds("40..60"), Ok(40..=60));
        assert_eq!(parse_seeds("7..7"), Ok(7..=7));
        for bad in ["", "x", "0", "9..3", "1..", "1..99999999999"] {
            assert!(parse_seeds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_campaign_has_so_many_seeds_and_not_one_more() {
        assert_eq!(parse_seeds(&SEEDS_MAX.to_string()), Ok(1..=SEEDS_MAX));
        let last = u64::MAX - 1;
        let range = |count: u64| format!("{}..{last}", last - (count - 1));
        assert!(parse_seeds(&range(SEEDS_MAX)).is_ok());
        for beyond in [(SEEDS_MAX + 1).to_string(), range(SEEDS_MAX + 1)] {
            let why = parse_seeds(&beyond).expect_err("too many");
            assert!(why.contains("more than 10000000 seeds"), "{why}");
        }
    }
}
