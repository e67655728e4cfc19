//! `biplane simulate --search`, `--seeds`, `--time`: a run drawn from each seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::drawn::{self, Traced};
use super::progress::{Done, Goal, Progress};
use super::{SEEDS_MAX, SimulateArgs, build};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{print, print_json, say};
use crate::sim::campaign::{self, Options, Outcome, Summary};
use crate::sim::queue::SECOND;
use crate::sim::world::Violation;

/// Seeds of a search that names neither seeds nor a time.
pub(super) const SEEDS: u64 = 2_000;

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
    found_by: String,
    repeat: String,
    events: &'a [String],
}

/// Violations that are shown with their events; of the others only the first line.
const SHOWN: usize = 3;

pub(super) fn run(args: &SimulateArgs, traced: &Traced, json: bool) -> Result<Exit, Failure> {
    let searched = search(args, traced, args.options())?;
    if json {
        print_json(&searched.json(args))?;
    } else {
        print(&searched.text(args, traced));
    }
    searched.ended()
}

/// What came of a search.
pub(super) struct Searched {
    outcomes: Vec<Outcome>,
    summary: Summary,
    /// Why there is no picture.
    unwritten: Option<Failure>,
}

impl Searched {
    /// How the command ends once everything is told.
    pub(super) fn ended(self) -> Result<Exit, Failure> {
        let passed = self.passed();
        self.unwritten.map_or(Ok(if passed { Exit::Done } else { Exit::Failed }), Err)
    }

    /// Whether no promise was broken, and everything was seen that should be.
    pub(super) fn passed(&self) -> bool {
        let broken = self.outcomes.iter().any(|outcome| outcome.violation.is_some());
        !broken && self.summary.missed.is_empty()
    }

    /// For programs.
    pub(super) fn json(&self, args: &SimulateArgs) -> impl Serialize {
        campaign_json(args, &self.summary, &self.outcomes)
    }

    /// For people.
    pub(super) fn text(&self, args: &SimulateArgs, traced: &Traced) -> String {
        campaign_text(args, traced, &self.summary, &self.outcomes)
    }
}

/// Searches.
pub(super) fn search(
    args: &SimulateArgs,
    traced: &Traced,
    options: Options,
) -> Result<Searched, Failure> {
    let seeds = match (&args.seeds, args.time) {
        (Some(seeds), _) => seeds.clone(),
        (None, Some(_)) => 1..=SEEDS_MAX,
        (None, None) => 1..=SEEDS,
    };
    let all = seeds.end() - seeds.start() + 1;
    let goal = args.time.map_or_else(|| Goal::Seeds(all), Goal::Time);
    let progress = Progress::new(goal);
    let (count, broken, simulated) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let go_on = || args.time.is_none_or(|time| progress.elapsed() < time);
    let options = Options { trace: traced.print, picture: traced.file.is_some(), ..options };
    let outcomes = campaign::search(seeds, args.threads(), &options, go_on, |outcome| {
        if let Some(violation) = &outcome.violation {
            broken.fetch_add(1, Ordering::Relaxed);
            progress.clear();
            say(&format!("seed {}: {}: {}", outcome.seed, violation.oracle, violation.what));
        }
        let simulated = simulated.fetch_add(outcome.simulated, Ordering::Relaxed);
        progress.tell(Done {
            seeds: count.fetch_add(1, Ordering::Relaxed) + 1,
            violations: broken.load(Ordering::Relaxed),
            simulated_seconds: (simulated + outcome.simulated) / SECOND,
        });
    });
    progress.clear();
    let write = |outcome: &Outcome| {
        traced.write(drawn::head_of_seed(outcome), outcome.picture.as_ref()).err()
    };
    // What was found is told, whether or not it could be drawn.
    let unwritten = outcomes.iter().find_map(write);
    if traced.print {
        for outcome in &outcomes {
            say(&format!("seed {}\n{}", outcome.seed, outcome.events.join("\n")));
        }
    }
    let summary = campaign::summary(&outcomes, &options);
    let seconds = progress.elapsed().as_secs_f64();
    say(&format!(
        "{seconds:.1} s of wall time: {:.0} simulated seconds a second",
        summary.simulated_seconds as f64 / seconds.max(0.001)
    ));
    Ok(Searched { outcomes, summary, unwritten })
}

fn repeat(args: &SimulateArgs, seed: u64) -> String {
    format!("biplane simulate --seeds {seed}..{seed}{} --trace", args.how())
}

/// After so many runs without a finding: the rule of three (Hanley, Lippman-Hand: "If nothing goes wrong, is everything
/// all right?", 1983).
fn bound(seeds: u64) -> String {
    format!(
        "no violation: with 95 % confidence, fewer than 3 in {seeds} such runs ({:.4} %) break a promise",
        300.0 / seeds.max(3) as f64
    )
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
        let (seed, found_by) = (outcome.seed, build());
        Some(ViolationJson { seed, oracle, what, at_us: *at, found_by, repeat, events })
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
        let _ = writeln!(text, "found by: {}", build());
        let _ = writeln!(text, "repeat it: {}", repeat(args, outcome.seed));
        // A scenario file is about the built-in cluster.
        if args.cluster.is_none() {
            let how = args.how();
            let _ = writeln!(text, "shorten it: biplane simulate --shrink {}{how}", outcome.seed);
        }
    }
    for what in &summary.missed {
        let _ = writeln!(text, "\nmissed: {what}");
    }
    let _ = writeln!(
        text,
        "\n{} seeds of at least {} faults, {} violations, {} simulated seconds, digest {:016x}",
        summary.seeds,
        summary.fewest_faults,
        broken.clone().count(),
        summary.simulated_seconds,
        summary.digest
    );
    if broken.count() == 0 && summary.seeds > 0 {
        let _ = writeln!(text, "{}", bound(summary.seeds));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_found_is_told_with_its_bound() {
        assert!(bound(3_000).contains("fewer than 3 in 3000 such runs (0.1000 %)"));
        assert!(bound(1).contains("(100.0000 %)"), "one run says next to nothing");
    }
}
