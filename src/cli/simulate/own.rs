//! `biplane simulate --cluster FILE`: a search with somebody's own cluster, and trials of its timers and policies.

mod told;

use std::ops::RangeInclusive;
use std::path::Path;

use super::drawn::Traced;
use super::search::{self, SEEDS};
use super::{SimulateArgs, TrialArg};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{print, print_json, reach, say};
use crate::config::{Checked, parse_cluster};
use crate::sim::adopt::{Adopted, adopt};
use crate::sim::campaign::{Options, spread};
use crate::sim::trial::{Examiner, Trial};

/// Seeds of each trial, at most: what is a matter of settings shows soon.
const TRIED: u64 = 20;

pub(super) fn run(
    args: &SimulateArgs,
    file: &Path,
    traced: &Traced,
    json: bool,
) -> Result<Exit, Failure> {
    let text = reach::read(file)?;
    let Checked { cluster, warnings } = parse_cluster(&file.display().to_string(), &text)?;
    let adopted = adopt(&cluster);
    if let (Some(trial), true) = (args.trial, args.story) {
        return story(args, trial.into(), &adopted);
    }
    if !json {
        print(&told::head(file, &adopted, &warnings));
    }
    let mut report = told::Report::new(file, &adopted, &warnings);
    let mut unwritten = Ok(Exit::Done);
    if args.trial.is_none() {
        let options = Options { cluster: Some(adopted.cluster.clone()), ..args.options() };
        let searched = search::search(args, traced, options)?;
        report.searched(&searched, args)?;
        if !json {
            print(&searched.text(args, traced));
        }
        unwritten = searched.ended();
    }
    // What is traced is one run of the search.
    if args.trace.is_none() {
        let one = args.trial.map(|trial| [Trial::from(trial)]);
        let trials = one.as_ref().map_or(&Trial::ALL[..], |one| &one[..]);
        let examiner = Examiner { trials, seeds: tried(args), jobs: args.threads() };
        let exam = examiner.examine(&adopted.cluster, |what| say(&what));
        if !json {
            print(&told::exam(file, &examiner, &exam));
        }
        report.tried(file, &examiner, &exam);
    }
    if json {
        print_json(&report)?;
    }
    unwritten?;
    Ok(if report.passed { Exit::Done } else { Exit::Failed })
}

/// The seeds of each trial.
fn tried(args: &SimulateArgs) -> RangeInclusive<u64> {
    let seeds = args.seeds.clone().unwrap_or(1..=SEEDS);
    *seeds.start()..=(*seeds.end()).min(seeds.start().saturating_add(TRIED - 1))
}

/// What happens in each run of a trial.
fn story(args: &SimulateArgs, trial: Trial, adopted: &Adopted) -> Result<Exit, Failure> {
    if let Some(why) = trial.pointless(&adopted.cluster) {
        let what = format!("trial {} has nothing to show: {why}", trial.name());
        return Err(Failure::failed(
            what,
            "name another trial: without --trial all that fit are run",
        ));
    }
    let run = |seed| (seed, trial.run(&adopted.cluster, seed));
    let mut passed = true;
    for (seed, ran) in spread(tried(args), args.threads(), || true, run) {
        passed &= ran.complaints.is_empty();
        print(&told::story(trial, seed, &ran));
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

impl From<TrialArg> for Trial {
    fn from(arg: TrialArg) -> Self {
        match arg {
            TrialArg::Calm => Self::Calm,
            TrialArg::Hiccup => Self::Hiccup,
            TrialArg::Flapping => Self::Flapping,
            TrialArg::Outage => Self::Outage,
            TrialArg::Approval => Self::Approval,
        }
    }
}
