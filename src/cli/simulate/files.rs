//! `biplane simulate FILE…`: scenarios.

use std::path::Path;

use serde::Serialize;

use super::drawn::{self, Traced};
use super::{SimulateArgs, StorageArg, build, shell_word};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{print, print_json, reach, say};
use crate::sim::scenario::{Report, Scenario};
use crate::sim::world::Violation;

/// What is printed as JSON of one scenario.
#[derive(Serialize)]
struct ScenarioJson {
    scenario: String,
    passed: bool,
    digest: String,
    violation: Option<String>,
    /// By which build the violation was found, and how to see it again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<String>,
    unmet: Vec<String>,
    /// What was to be done when something is seen, and that was never seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waited: Vec<String>,
    /// What was done and struck nobody, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    in_vain: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    story: Vec<String>,
}

pub(super) fn run(args: &SimulateArgs, traced: &Traced, json: bool) -> Result<Exit, Failure> {
    let mut results = Vec::new();
    let mut failure = None;
    // A file that cannot be read must not cost the results of those before it.
    let files: Result<Vec<_>, Failure> =
        traced.scenarios.iter().map(|path| Ok((path, read(path)?))).collect();
    for (path, runs) in files? {
        if traced.file.is_some() && runs.len() > 1 {
            let what = format!(
                "{} is a matrix of {} runs: a picture shows one",
                path.display(),
                runs.len()
            );
            return Err(Failure::usage(what, "copy the run that you mean into a file of its own"));
        }
        for (run, mut scenario) in runs {
            scenario.params.picture = traced.file.is_some();
            match args.storage {
                StorageArg::Model => scenario.params.redb = false,
                StorageArg::Redb => scenario.params.redb = true,
                // As the file says.
                StorageArg::Mix => {}
            }
            let report = scenario.run(traced.print);
            let name = name(path, &run);
            let head = drawn::head_of_scenario(name.clone(), &report);
            failure = traced.write(head, report.picture.as_ref()).err().or(failure);
            if traced.print {
                say(&format!("{} {run}\n{}", path.display(), report.events.join("\n")));
            } else if report.violation.is_some() {
                let next = "its last events; all of them with --trace:";
                say(&format!("{} {run}: {next}\n{}", path.display(), report.events.join("\n")));
            }
            // A demand that was not met makes sense beside what happened instead.
            let story =
                if args.story || !report.passed() { report.story.clone() } else { Vec::new() };
            results.push(scenario_json((name, path), &report, story));
        }
    }
    let passed = results.iter().all(|result| result.passed);
    if json {
        print_json(&results)?;
    } else {
        for result in &results {
            let word = if result.passed { "passed" } else { "FAILED" };
            print(&format!("{word}  {}  {}\n", result.digest, result.scenario));
            for what in result.violation.iter().chain(&result.found).chain(&result.unmet) {
                print(&format!("        {what}\n"));
            }
            for what in &result.waited {
                print(&format!("        note: `{what}` never came to be done\n"));
            }
            for what in &result.in_vain {
                print(&format!("        note: {what}\n"));
            }
            for what in &result.story {
                print(&format!("        {what}\n"));
            }
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(if passed { Exit::Done } else { Exit::Failed }),
    }
}

fn read(path: &Path) -> Result<Vec<(String, Scenario)>, Failure> {
    let shown = path.display();
    let text = reach::read(path)?;
    Scenario::parse_all(&text).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("{shown}: {error}")).collect();
        Failure::failed(lines.join("\n"), "simulations/README.md describes the words")
    })
}

fn name(path: &Path, run: &str) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    if run.is_empty() { name.into_owned() } else { format!("{name} ({run})") }
}

fn scenario_json(
    (name, path): (String, &Path),
    report: &Report,
    story: Vec<String>,
) -> ScenarioJson {
    let violation = report.violation.as_ref();
    let shown = |v: &Violation| {
        let (seconds, micros) = (v.at / 1_000_000, v.at % 1_000_000);
        format!("{} at {seconds}.{micros:06} s: {}", v.oracle, v.what)
    };
    let file = shell_word(&path.display().to_string());
    let found = || {
        let again = format!("repeat it: biplane simulate {file} --trace");
        vec![format!("found by: {}", build()), again]
    };
    ScenarioJson {
        scenario: name,
        passed: report.passed(),
        digest: format!("{:016x}", report.digest),
        violation: violation.map(shown),
        found: violation.map_or_else(Vec::new, |_| found()),
        unmet: report.unmet.iter().map(ToString::to_string).collect(),
        waited: report.waited.clone(),
        in_vain: report.in_vain.clone(),
        story,
    }
}
