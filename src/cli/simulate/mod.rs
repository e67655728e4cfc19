//! `biplane simulate`: scenarios, or many seeds, in the simulator. What goes to standard output is the same for
//! every run of the same seeds; times and speeds go to standard error.

mod drawn;
mod files;
mod own;
mod progress;
mod search;
mod shrink;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Context;
use super::exit::{Exit, Failure};
use crate::sim::campaign::{Options, StorageChoice};
use crate::sim::swarm::Profile;
use crate::sim::trace;

/// Options of `biplane simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// Scenario files to run
    #[arg(value_name = "FILE", required_unless_present_any = ["seeds", "search", "time", "shrink", "trace", "cluster"])]
    files: Vec<PathBuf>,
    /// Search for broken promises: draw a run from each seed [default: 2000 seeds]
    #[arg(long, conflicts_with = "files")]
    search: bool,
    /// Seeds to run: a number of them from 1, or a range such as 40..60
    #[arg(long, value_name = "N|A..B", conflicts_with = "files", value_parser = parse_seeds)]
    seeds: Option<RangeInclusive<u64>>,
    /// Search until this much time has passed, such as 10m: from seed 1 on, or through the seeds that are named
    #[arg(long, value_name = "TIME", conflicts_with = "files", value_parser = parse_time)]
    time: Option<Duration>,
    /// Search with the cluster of this file in place of the built-in one. Then try its timers and policies in ordinary
    /// weather: what can go wrong, and which setting to change
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "shrink"])]
    cluster: Option<PathBuf>,
    /// Only this trial of the cluster, and no search
    #[arg(long, value_enum, requires = "cluster", conflicts_with_all = ["search", "time", "trace"])]
    trial: Option<TrialArg>,
    /// Make the run of a seed that fails as short as it gets, and write it as a scenario
    #[arg(long, value_name = "SEED", conflicts_with_all = ["files", "search", "seeds", "trace"])]
    shrink: Option<u64>,
    /// Where the shrunk scenario is written; nothing that is there is overwritten [default: seed-SEED.txt]
    #[arg(long, value_name = "FILE", requires = "shrink")]
    out: Option<PathBuf>,
    /// Which faults the runs of seeds may have
    #[arg(long, value_enum, default_value_t = ProfileArg::Swarm, conflicts_with = "files")]
    profile: ProfileArg,
    /// Which store carries the disks
    #[arg(long, value_enum, default_value_t = StorageArg::Mix)]
    storage: StorageArg,
    /// Threads to spread seeds over [default: one for each core]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=JOBS_MAX))]
    jobs: Option<u16>,
    /// Print every event of every run to standard error; or, of one run, write what happened into a file: a page to
    /// look at (FILE.html), or one JSON object a line (FILE.jsonl)
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    trace: Option<Option<PathBuf>>,
    /// Print what happened in each scenario, or in each run of a trial: questions, decisions, routes, leaders
    #[arg(long, conflicts_with_all = ["search", "time", "shrink"])]
    story: bool,
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
    /// That one for some of the seeds; of a scenario, what its file says
    Mix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProfileArg {
    /// Each seed draws which faults exist at all
    Swarm,
    /// Planes and processes that die, links that are cut
    Plain,
    /// Every trouble of the network between members
    Network,
    /// Every trouble of disks
    Disks,
    /// Pauses, and clocks that run wrong
    Clocks,
    /// Every trouble of planes and of the way to them
    Planes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TrialArg {
    /// Nothing but the weather
    Calm,
    /// A service says nothing for a moment, now and then
    Hiccup,
    /// A fault follows the traffic from plane to plane
    Flapping,
    /// A plane dies, is well again, and later the other one dies
    Outage,
    /// A plane dies, and a person who is asked takes some time
    Approval,
}

/// Most seeds of one campaign.
const SEEDS_MAX: u64 = 10_000_000;
/// Most threads of one campaign.
const JOBS_MAX: i64 = 256;
/// The longest search by time.
const TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write 90s, 10m or 2h, up to seven days");
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let unit = units.into_iter().find(|(name, _)| text.ends_with(*name)).ok_or_else(wrong)?;
    let number: u64 = text.strip_suffix(unit.0).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
    let time = number.checked_mul(unit.1).map(Duration::from_secs).ok_or_else(wrong)?;
    if time.is_zero() || time > TIME_MAX { Err(wrong()) } else { Ok(time) }
}

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
    // Clap does not look at what an option requires when something given excludes that.
    if args.trial.is_some() && args.cluster.is_none() {
        return Err(Failure::usage(
            "--trial tries a cluster of your own, and none is named",
            "name it: --cluster FILE",
        ));
    }
    if args.out.is_some() && args.shrink.is_none() {
        return Err(Failure::usage(
            "--out is where a shrunk scenario is written, and nothing is shrunk",
            "leave it away, or name a seed that fails: --shrink SEED",
        ));
    }
    if let Some(seed) = args.shrink {
        return shrink::run(args, seed, json);
    }
    if args.story && args.trial.is_some() && json {
        return Err(Failure::usage(
            "--story of a trial is a text for people, and --json was asked for",
            "leave one of them away",
        ));
    }
    if args.story && args.trial.is_none() && (args.seeds.is_some() || args.cluster.is_some()) {
        return Err(Failure::usage(
            "--story tells of scenarios and of trials, and this is a search",
            "name a scenario file; or --cluster FILE --trial NAME",
        ));
    }
    let traced = drawn::traced(args)?;
    if let Some(file) = &args.cluster {
        return own::run(args, file, &traced, json);
    }
    if args.searches() { search::run(args, &traced, json) } else { files::run(args, &traced, json) }
}

impl SimulateArgs {
    /// Whether runs are drawn from seeds.
    const fn searches(&self) -> bool {
        self.search || self.seeds.is_some() || self.time.is_some() || self.cluster.is_some()
    }

    fn options(&self) -> Options {
        Options {
            storage: match self.storage {
                StorageArg::Model => StorageChoice::Model,
                StorageArg::Redb => StorageChoice::Redb,
                StorageArg::Mix => StorageChoice::Mix,
            },
            profile: match self.profile {
                ProfileArg::Swarm => Profile::Swarm,
                ProfileArg::Plain => Profile::Plain,
                ProfileArg::Network => Profile::Network,
                ProfileArg::Disks => Profile::Disks,
                ProfileArg::Clocks => Profile::Clocks,
                ProfileArg::Planes => Profile::Planes,
            },
            ..Options::default()
        }
    }

    /// Threads to spread seeds over.
    fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.jobs.map_or(cores, usize::from)
    }

    /// What else than the seed makes a run what it is, as options of the command.
    fn how(&self) -> String {
        let mut how = String::new();
        if let Some(file) = &self.cluster {
            how += &format!(" --cluster {}", shell_word(&file.display().to_string()));
        }
        for (option, value, usual) in [
            ("storage", self.storage.to_possible_value(), StorageArg::Mix.to_possible_value()),
            ("profile", self.profile.to_possible_value(), ProfileArg::Swarm.to_possible_value()),
        ] {
            if let Some(value) = value.filter(|value| Some(value) != usual.as_ref()) {
                how += &format!(" --{option} {}", value.get_name());
            }
        }
        #[cfg(feature = "mutants")]
        if let Some(mutant) = &self.mutant {
            how += &format!(" --mutant {mutant}");
        }
        how
    }
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/+:,@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Which program this is, for a report that must be repeatable.
fn build() -> String {
    let commit = option_env!("BIPLANE_COMMIT").map_or("a debug build", |commit| commit);
    format!("biplane {}, commit {commit}", env!("CARGO_PKG_VERSION"))
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
    fn a_time_is_a_number_of_seconds_minutes_hours_or_days_up_to_seven_days() {
        assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_time("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_time("7d"), Ok(TIME_MAX));
        for bad in ["", "10", "m", "0s", "-1s", "604801s", "8d", "1w", "99999999999999999999h"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_search_has_so_many_threads_and_not_one_more() {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: SimulateArgs,
        }
        let read = |jobs: i64| Line::try_parse_from(["x", "--search", "--jobs", &jobs.to_string()]);
        assert_eq!(
            read(JOBS_MAX).map(|line| line.args.jobs.map(i64::from)).ok(),
            Some(Some(JOBS_MAX))
        );
        assert!(read(JOBS_MAX + 1).is_err() && read(0).is_err());
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
