//! Every scenario under `simulations/` passes, and each of its demands can fail.

use std::path::PathBuf;

use super::*;

fn scenarios() -> Vec<(PathBuf, Scenario)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("simulations");
    let files = std::fs::read_dir(dir).expect("the directory of scenarios");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let scenario = Scenario::parse(&text)
            .unwrap_or_else(|errors| panic!("{}: {errors:#?}", path.display()));
        (path, scenario)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_scenario_passes_on_both_stores() {
    let all = scenarios();
    assert!(all.len() >= 10, "{} scenarios", all.len());
    for (path, scenario) in all {
        for claim in [Claim::See, Claim::Hold, Claim::Never] {
            let said = scenario.expectations.iter().any(|(_, demand)| demand.claim == claim);
            assert!(said, "{} has no {claim:?}", path.display());
        }
        for redb in [false, true] {
            let report = scenario.run(false, redb);
            assert!(
                report.passed(),
                "{}: {:?} {:?}\n{}",
                path.display(),
                report.violation,
                report.unmet,
                report.events.join("\n")
            );
        }
    }
}

#[test]
fn a_scenario_fails_when_any_single_demand_is_negated() {
    for (path, scenario) in scenarios() {
        for place in 0..scenario.expectations.len() {
            let mut negated = scenario.clone();
            let (_, expectation) = &mut negated.expectations[place];
            *expectation = expectation.negated();
            let (line, text) = (negated.expectations[place].0, &negated.expectations[place].1);
            let report = negated.run(false, false);
            assert_eq!(report.unmet.len(), 1, "{} line {line}: {text}", path.display());
            assert_eq!(report.unmet[0].0, line);
        }
    }
}

#[test]
fn one_scenario_is_one_run_on_both_stores() {
    let (_, scenario) = scenarios().remove(0);
    let digest = |trace, redb| scenario.run(trace, redb).digest;
    assert_eq!(digest(false, false), digest(true, false));
    assert_eq!(digest(false, true), digest(false, true));
}

#[test]
fn what_is_not_understood_is_told_all_at_once_with_its_line() {
    let text =
        "seed x\nat 3 plane east dead\nat 3s plane north dead\nat 1s dance\nmust hold crash\n";
    let errors = Scenario::parse(text).expect_err("five faults");
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5]);
    assert!(errors[1].to_string().contains("write 300ms or 2s"));
    assert!(Scenario::parse("run 1s\n").is_err(), "it demands nothing");
}
