//! `--trace`: events as text, or a picture of one run in a file.

use std::path::{Path, PathBuf};

use super::SimulateArgs;
use crate::cli::exit::Failure;
use crate::cli::say;
use crate::sim::campaign::Outcome;
use crate::sim::picture::{self, Head, Picture};
use crate::sim::scenario::Report;
use crate::sim::world::Violation;

/// What is to be traced, and how.
#[derive(Debug)]
pub(super) struct Traced {
    /// Print every event.
    pub(super) print: bool,
    /// Where a picture goes.
    pub(super) file: Option<(PathBuf, Format)>,
    /// The scenarios to run: the one after a bare `--trace` is one of them.
    pub(super) scenarios: Vec<PathBuf>,
}

/// How a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Html,
    /// For programs.
    Jsonl,
}

fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "html" => Some(Format::Html),
        "jsonl" => Some(Format::Jsonl),
        _ => None,
    }
}

/// Reads `--trace` together with what is to be run.
pub(super) fn traced(args: &SimulateArgs) -> Result<Traced, Failure> {
    let mut traced = Traced { print: false, file: None, scenarios: args.files.clone() };
    match &args.trace {
        None => {}
        Some(None) => traced.print = true,
        Some(Some(path)) => match format_of(path) {
            Some(format) => traced.file = Some((path.clone(), format)),
            // `--trace SCENARIO`: the option alone, and then what to run.
            None if !args.searches() => {
                traced.print = true;
                traced.scenarios.insert(0, path.clone());
            }
            None => {
                return Err(Failure::usage(
                    format!("`{}` ends neither in .html nor in .jsonl", path.display()),
                    "write --trace FILE.html for a page, --trace FILE.jsonl for a program, or --trace alone to \
                     print every event",
                ));
            }
        },
    }
    let runs = match &args.seeds {
        Some(seeds) => seeds.end() - seeds.start() + 1,
        None if args.searches() => u64::MAX,
        None => traced.scenarios.len() as u64,
    };
    if runs == 0 {
        return Err(Failure::usage(
            "there is nothing to run",
            "name a scenario file, or a seed such as --seeds 7..7",
        ));
    }
    if let Some((path, _)) = &traced.file
        && runs > 1
    {
        let shown = path.display();
        return Err(Failure::usage(
            match runs {
                u64::MAX => {
                    format!("`--trace {shown}` shows one run, and these are as many as come")
                }
                _ => format!("`--trace {shown}` shows one run, and these are {runs}"),
            },
            "name one scenario file, or one seed such as --seeds 7..7",
        ));
    }
    Ok(traced)
}

impl Traced {
    /// Writes the picture, if there is one.
    pub(super) fn write(&self, head: Head, picture: Option<&Picture>) -> Result<(), Failure> {
        let (Some((path, format)), Some(picture)) = (&self.file, picture) else { return Ok(()) };
        let text = match format {
            Format::Html => picture::html(&head, picture),
            Format::Jsonl => picture::jsonl(&head, picture),
        };
        let shown = path.display();
        std::fs::write(path, text).map_err(|error| {
            Failure::failed(format!("{shown} cannot be written: {error}"), "check the path")
        })?;
        say(&format!(
            "{shown}: {} events and {} messages",
            picture.events.len(),
            picture.messages.len()
        ));
        Ok(())
    }
}

fn wrong(violation: Option<&Violation>) -> Vec<String> {
    let words = |violation: &Violation| format!("{}: {}", violation.oracle, violation.what);
    violation.map(words).into_iter().collect()
}

/// What stands over the picture of a seed.
pub(super) fn head_of_seed(outcome: &Outcome) -> Head {
    Head {
        title: format!("seed {}", outcome.seed),
        passed: outcome.violation.is_none(),
        digest: outcome.digest,
        wrong: wrong(outcome.violation.as_ref()),
    }
}

/// What stands over the picture of a scenario.
pub(super) fn head_of_scenario(title: String, report: &Report) -> Head {
    let mut wrong = wrong(report.violation.as_ref());
    wrong.extend(report.unmet.iter().map(ToString::to_string));
    Head { title, passed: report.passed(), digest: report.digest, wrong }
}
